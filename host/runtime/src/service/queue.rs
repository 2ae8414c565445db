//! Requests of other drivers, from their loops to this service's.

use super::{Answer, Circumstances, Service};
use crate::error::ErrorCode;
use crate::requests::Requests;
use crate::submission::{self, Queue, Submission};
use loopgate_workloop::{Context, EventSource as _};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

impl Service {
    /// Queues another driver's request, for this one's loop to hand over.
    pub(crate) fn enqueue(&self, submission: &Arc<Submission>) -> Result<(), ErrorCode> {
        if submission.submit() {
            Ok(())
        } else if self.is_gone() {
            Err(ErrorCode::DriverDied)
        } else {
            Err(ErrorCode::Aborted)
        }
    }

    /// Has a place for requests of other drivers, where there was no need for one.
    pub(crate) fn open_queue(&self, cx: &Context) {
        if self.queue.get().is_some() {
            return;
        }
        let work_loop = &self.driver.work_loop;
        work_loop.close_gate(cx);
        self.driver.with_guest(|guest| {
            if guest.generation == self.generation.load(Relaxed)
                && let Ok(mailbox) = guest.mailbox()
            {
                self.turns.mailbox.get_or_init(|| mailbox.clone());
                self.queue.get_or_init(|| Queue::new(mailbox));
            }
        });
        // Closed above by this very context.
        let _ = work_loop.open_gate(cx);
    }

    /// The next request of another driver, if it can be handed over now. In the
    /// gate, with the requests of this service's driver.
    pub(crate) fn next_submission(&self, requests: &Requests) -> Option<Arc<Submission>> {
        let queue = self.queue.get()?;
        if queue.is_empty() || !self.admits(requests) {
            return None;
        }
        queue.pop()
    }

    /// Off its loop the gate admits nobody, and says so.
    fn admits(&self, requests: &Requests) -> bool {
        let free = || !self.serial || !(requests.is_busy(self.token) || self.turns.is_outside());
        let turn = || !self.driver.is_draining() && free();
        !self.gate.attachment().is_attached() || (self.gate.is_enabled() && turn())
    }

    /// Ends the requests of other drivers that wait here.
    pub(crate) fn abort_waiting(&self, code: ErrorCode) {
        for submission in self.queue.get().into_iter().flat_map(|queue| queue.take()) {
            submission.settle(Err(code));
        }
    }

    /// As that, and nothing gets in any more.
    pub(super) fn close_queue(&self, code: ErrorCode) {
        for submission in self.queue.get().into_iter().flat_map(|queue| queue.close()) {
            submission.settle(Err(code));
        }
    }

    /// Hands over what [`next_submission`](Self::next_submission) gave. The gate
    /// is closed by `cx`.
    pub(crate) fn serve(&self, cx: &Context, submission: &Arc<Submission>) {
        let circumstances = Circumstances {
            may_wait: true,
            immediate: false,
            reply_max: submission.request.reply_max,
        };
        let arguments = &submission.request.arguments;
        let (driver, begun) = (&self.driver, self.driver.time.now());
        let (answer, calls) = driver.for_another.during(|| {
            self.gate.attempt_action(cx, || {
                self.hand_over(cx, circumstances, arguments, Some(submission))
            })
        });
        let took = driver.time.now().saturating_since(begun);
        submission.request.debt.add(calls, took);
        let outcome = match answer {
            Ok(Ok(Answer::Pending(..) | Answer::Later)) => return,
            Ok(Ok(Answer::Done(outcome))) => outcome,
            Ok(Err(code)) => Err(code),
            Err(_) if self.is_gone() => Err(ErrorCode::DriverDied),
            Err(_) => Err(ErrorCode::Aborted),
        };
        // False where its client has given up meanwhile, and was told so.
        submission::settle(submission, outcome);
    }
}
