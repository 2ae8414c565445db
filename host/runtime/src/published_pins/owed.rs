//! What a provider is owed of its pins, on the way to its loop.

use super::PublishedPin;
use crate::submission::Mailbox;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// Pins of one instance that are not open as it was told last, each once: there
/// are no more than it publishes.
pub(super) struct Owed {
    mailbox: Arc<Mailbox>,
    /// A leaf among the locks.
    pins: Mutex<VecDeque<Arc<PublishedPin>>>,
}

impl Owed {
    pub(super) fn new(mailbox: Arc<Mailbox>) -> Self {
        Self {
            mailbox,
            pins: Mutex::default(),
        }
    }

    pub(super) fn post(&self, pin: Arc<PublishedPin>) {
        self.pins.lock().push_back(pin);
        self.mailbox.signal();
    }

    pub(super) fn next(&self) -> Option<Arc<PublishedPin>> {
        self.pins.lock().pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pins.lock().is_empty()
    }
}
