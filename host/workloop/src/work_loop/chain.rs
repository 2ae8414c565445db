//! The sources of a loop, in the order of their addition.

use std::sync::Arc;

use crate::event_source::EventSource;
use crate::sync::Mutex;

/// Two lists: those that are polled, and those (command gates) that are not.
///
/// They are copied on change, so that a pass walks one without a lock and
/// without caring what its actions do to the chain. Changes are made in the
/// gate; the locks are for who looks without.
pub(super) struct Chain {
    active: Mutex<Sources>,
    passive: Mutex<Sources>,
}

pub(super) type Sources = Arc<[Arc<dyn EventSource>]>;

impl Chain {
    pub(super) fn new() -> Self {
        Self {
            active: Mutex::new(Arc::new([])),
            passive: Mutex::new(Arc::new([])),
        }
    }

    pub(super) fn active(&self) -> Sources {
        Arc::clone(&self.active.lock())
    }

    pub(super) fn passive(&self) -> Sources {
        Arc::clone(&self.passive.lock())
    }

    pub(super) fn append(&self, source: Arc<dyn EventSource>) {
        let list = if source.performs_work() {
            &self.active
        } else {
            &self.passive
        };
        let mut list = list.lock();
        *list = list.iter().cloned().chain([source]).collect();
    }

    /// Whether it was there. Both lists are searched: what `performs_work`
    /// says now does not matter (\[29\]).
    pub(super) fn remove(&self, source: &Arc<dyn EventSource>) -> bool {
        [&self.active, &self.passive]
            .into_iter()
            .any(|list| remove_from(list, source))
    }

    pub(super) fn take(&self) -> [Sources; 2] {
        [&self.active, &self.passive].map(|list| std::mem::replace(&mut *list.lock(), Arc::new([])))
    }
}

fn remove_from(list: &Mutex<Sources>, source: &Arc<dyn EventSource>) -> bool {
    let mut list = list.lock();
    let is_it =
        |other: &Arc<dyn EventSource>| std::ptr::addr_eq(Arc::as_ptr(other), Arc::as_ptr(source));
    let there = list.iter().any(is_it);
    if there {
        *list = list.iter().filter(|other| !is_it(other)).cloned().collect();
    }
    there
}
