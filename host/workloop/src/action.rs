//! Where a source keeps its action.

use std::borrow::Cow;

use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};

/// An action that is nearly always the one that the source was made with:
/// calling that needs no lock and no reference count, which together would cost
/// as much as closing and opening the gate.
///
/// The first action lives as long as the source, even if it is replaced.
pub(crate) struct ActionSlot<A> {
    first: Option<A>,
    replaced: AtomicBool,
    replacement: Mutex<Option<A>>,
}

impl<A: Clone> ActionSlot<A> {
    pub(crate) fn new(action: Option<A>) -> Self {
        Self {
            first: action,
            replaced: AtomicBool::new(false),
            replacement: Mutex::new(None),
        }
    }

    /// The action for the next call. No lock is held while it is used.
    pub(crate) fn get(&self) -> Option<Cow<'_, A>> {
        if self.replaced.load(Ordering::Acquire) {
            self.replacement.lock().clone().map(Cow::Owned)
        } else {
            self.first.as_ref().map(Cow::Borrowed)
        }
    }

    pub(crate) fn is_some(&self) -> bool {
        self.get().is_some()
    }

    pub(crate) fn set(&self, action: Option<A>) {
        let outgoing = std::mem::replace(&mut *self.replacement.lock(), action);
        self.replaced.store(true, Ordering::Release);
        // Dropped outside the lock: it can own anything.
        drop(outgoing);
    }
}
