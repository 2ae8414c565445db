//! A device that has vanished is looked for, and opened again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use super::{End, Port};
use crate::serial::Error;

/// How long after a device that is back was refused it is tried again, at first
/// and at most.
const REFUSED_AGAIN_AFTER: Duration = Duration::from_millis(250);
const REFUSED_AT_MOST: Duration = Duration::from_secs(4);

impl Port {
    /// The controller's: tries whether the device is back, on a thread, since
    /// opening it can take seconds.
    pub(in crate::linux) fn retry(self: &Arc<Self>) {
        if self.reopening.swap(true, Ordering::AcqRel) {
            return;
        }
        let port = Arc::clone(self);
        let reopen = move || {
            port.reopen();
            port.reopening.store(false, Ordering::Release);
        };
        let thread = thread::Builder::new().name("serial-reopen".to_owned());
        if thread.spawn(reopen).is_err() {
            self.reopening.store(false, Ordering::Release);
        }
    }

    /// Tries until it is known whether the device is there. One that is refused
    /// is opened and restored each time, so that is done ever less often.
    fn reopen(&self) {
        let mut wait = REFUSED_AGAIN_AFTER;
        while self.is_gone() {
            match End::open(&self.request) {
                Ok(end) => return self.come_back(end),
                Err(Error::NoDevice { .. }) => {
                    *self.refused.lock() = None;
                    return;
                }
                Err(error) => self.tell_refused(&error),
            }
            thread::sleep(wait);
            wait = (wait * 2).min(REFUSED_AT_MOST);
        }
    }

    fn come_back(&self, end: End) {
        let Ok(attached) = self.watch(end) else {
            return;
        };
        *self.refused.lock() = None;
        let unwanted = self.with_state(|state| {
            if state.released {
                return Some(attached);
            }
            state.attached = Some(attached);
            state.wire.come_back();
            None
        });
        // With no lock held.
        drop(unwanted);
    }

    /// Has the holder's next read fail for this, and the holder read; once.
    fn tell_refused(&self, error: &Error) {
        let told = self.refused.lock().replace(error.to_string());
        if told.is_none() {
            self.with_state(|state| state.wire.tell_news());
        }
    }
}
