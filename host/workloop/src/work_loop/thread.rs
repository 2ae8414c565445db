//! A work loop's own thread.

use std::sync::{Arc, Weak};

use super::WorkLoop;
use super::shared::Shared;
use crate::context::Context;

/// Runs the loop until it is terminated or dropped. Between runs the thread
/// holds no strong reference, so that the last user's drop ends it.
pub(super) fn main(work_loop: &Weak<WorkLoop>, shared: &Arc<Shared>, cx: &Context) {
    let _terminate = TerminateOnPanic(shared);
    cx.scope(|| {
        while let Some(work_loop) = work_loop.upgrade() {
            if !work_loop.run_event_sources(cx) {
                break;
            }
            let deadline = work_loop.next_deadline();
            drop(work_loop);
            // A signal after this look sets the context's token, and the wait
            // ends at once.
            if !shared.has_signal() {
                shared.clock().park(cx, deadline);
            }
        }
    });
}

/// A panic in a native action ends the thread. Whoever waits for the loop must
/// not wait for ever.
struct TerminateOnPanic<'a>(&'a Arc<Shared>);

impl Drop for TerminateOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.terminate();
        }
    }
}
