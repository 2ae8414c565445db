//! The sources of a loop, in the order of their addition.

use std::collections::HashSet;
use std::sync::Arc;

use crate::event_source::EventSource;
use crate::sync::Mutex;

/// Two lists: those that are polled, and those (command gates) that are not.
///
/// They are copied on change while somebody walks them, so that a pass does so
/// without a lock and without caring what its actions do to the chain. Changes are
/// made in the gate; the locks are for who looks without.
pub(super) struct Chain {
    active: Mutex<Sources>,
    passive: Mutex<Sources>,
}

pub(super) type Sources = Arc<Vec<Arc<dyn EventSource>>>;

impl Chain {
    pub(super) fn new() -> Self {
        Self {
            active: Mutex::new(Arc::default()),
            passive: Mutex::new(Arc::default()),
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
        Arc::make_mut(&mut *list.lock()).push(source);
    }

    /// Whether it was there. Both lists are searched: what `performs_work`
    /// says now does not matter (\[29\]).
    pub(super) fn remove(&self, source: &Arc<dyn EventSource>) -> bool {
        [&self.active, &self.passive]
            .into_iter()
            .any(|list| remove_from(list, source))
    }

    /// Removes all of these in one walk, and gives those that were there.
    pub(super) fn remove_all(&self, sources: &[Arc<dyn EventSource>]) -> Vec<Arc<dyn EventSource>> {
        let of: HashSet<usize> = sources.iter().map(address).collect();
        let mut removed = Vec::new();
        for list in [&self.active, &self.passive] {
            let mut list = list.lock();
            if list.iter().any(|source| of.contains(&address(source))) {
                let leaving = |source: &mut Arc<dyn EventSource>| of.contains(&address(source));
                removed.extend(Arc::make_mut(&mut *list).extract_if(.., leaving));
            }
        }
        removed
    }

    pub(super) fn take(&self) -> [Sources; 2] {
        [&self.active, &self.passive].map(|list| std::mem::take(&mut *list.lock()))
    }
}

fn remove_from(list: &Mutex<Sources>, source: &Arc<dyn EventSource>) -> bool {
    let mut list = list.lock();
    let of = address(source);
    let place = list.iter().position(|other| address(other) == of);
    if let Some(place) = place {
        drop(Arc::make_mut(&mut *list).remove(place));
    }
    place.is_some()
}

fn address(source: &Arc<dyn EventSource>) -> usize {
    Arc::as_ptr(source).addr()
}
