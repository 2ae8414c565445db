//! Requests of other drivers, from their loops to this service's.

use super::{Answer, Circumstances, Service};
use crate::error::ErrorCode;
use crate::requests::Requests;
use crate::submission::Submission;
use loopgate_workloop::{Context, EventSource as _};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// `None` once the service was taken back: nobody would look in there again.
/// How many there can be is the clients' limit of requests. A leaf among the
/// locks.
pub(crate) struct Queue(Mutex<Option<VecDeque<Arc<Submission>>>>);

impl Default for Queue {
    fn default() -> Self {
        Self(Mutex::new(Some(VecDeque::new())))
    }
}

impl Service {
    /// Queues another driver's request, for this one's loop to hand over.
    pub(crate) fn enqueue(&self, submission: Arc<Submission>) -> Result<(), ErrorCode> {
        let mut queue = self.queue.0.lock();
        let Some(queued) = &mut *queue else {
            drop(queue);
            return Err(if self.is_gone() {
                ErrorCode::DriverDied
            } else {
                ErrorCode::Aborted
            });
        };
        // Without one nobody has been granted the service.
        let mailbox = self.turns.mailbox.get().ok_or(ErrorCode::NotGranted)?;
        queued.push_back(submission);
        mailbox.count_waiting(1, 0);
        drop(queue);
        mailbox.signal();
        Ok(())
    }

    /// Has its driver get mail, where it has had no need to.
    pub(crate) fn open_queue(&self, cx: &Context) {
        if self.turns.mailbox.get().is_some() {
            return;
        }
        let work_loop = &self.driver.work_loop;
        work_loop.close_gate(cx);
        self.driver.with_guest(|guest| {
            if guest.generation == self.generation
                && let Ok(mailbox) = guest.mailbox()
            {
                self.turns.mailbox.get_or_init(|| mailbox);
            }
        });
        // Closed above by this very context.
        let _ = work_loop.open_gate(cx);
    }

    /// Its client has given up.
    pub(crate) fn dequeue(&self, submission: &Arc<Submission>) {
        if let Some(queued) = &mut *self.queue.0.lock() {
            let before = queued.len();
            queued.retain(|other| !Arc::ptr_eq(other, submission));
            self.left((before - queued.len()) as u32);
        }
    }

    /// The next request of another driver, if it can be handed over now. In the
    /// gate, with the requests of this service's driver.
    pub(crate) fn next_submission(&self, requests: &Requests) -> Option<Arc<Submission>> {
        let mut queue = self.queue.0.lock();
        let queued = queue.as_mut()?;
        if queued.is_empty() || !self.admits(requests) {
            return None;
        }
        self.left(1);
        queued.pop_front()
    }

    fn left(&self, count: u32) {
        if let Some(mailbox) = self.turns.mailbox.get() {
            mailbox.count_waiting(0, count);
        }
    }

    /// Off its loop the gate admits nobody, and says so.
    fn admits(&self, requests: &Requests) -> bool {
        let turn = || !self.serial || !(requests.is_busy(self.token) || self.turns.is_outside());
        !self.gate.attachment().is_attached() || (self.gate.is_enabled() && turn())
    }

    /// Ends the requests of other drivers that wait here.
    pub(crate) fn abort_waiting(&self, code: ErrorCode) {
        let waiting = self.queue.0.lock().as_mut().map(std::mem::take);
        self.end_waiting(waiting, code);
    }

    /// As that, and nothing gets in any more.
    pub(super) fn close_queue(&self, code: ErrorCode) {
        let waiting = self.queue.0.lock().take();
        self.end_waiting(waiting, code);
    }

    fn end_waiting(&self, waiting: Option<VecDeque<Arc<Submission>>>, code: ErrorCode) {
        let waiting = waiting.unwrap_or_default();
        self.left(waiting.len() as u32);
        for submission in waiting {
            submission.settle(Err(code));
        }
    }

    /// Hands over what [`next_submission`](Self::next_submission) gave. The gate
    /// is closed by `cx`.
    pub(crate) fn serve(&self, cx: &Context, submission: &Arc<Submission>) {
        let circumstances = Circumstances {
            may_wait: true,
            immediate: false,
            reply_max: submission.reply_max,
        };
        let arguments = &submission.arguments;
        let answer = self.gate.attempt_action(cx, || {
            self.hand_over(cx, circumstances, arguments, Some(submission))
        });
        let outcome = match answer {
            Ok(Ok(Answer::Pending(..) | Answer::Later)) => return,
            Ok(Ok(Answer::Done(outcome))) => outcome,
            Ok(Err(code)) => Err(code),
            Err(_) if self.is_gone() => Err(ErrorCode::DriverDied),
            Err(_) => Err(ErrorCode::Aborted),
        };
        // False where its client has given up meanwhile, and was told so.
        submission.settle(outcome);
    }
}
