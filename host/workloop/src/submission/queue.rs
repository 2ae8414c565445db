//! Requests that wait for their provider.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Mailbox, Submission};
use crate::sync::Mutex;

type Waiting<R, O> = VecDeque<Arc<Submission<R, O>>>;

/// The requests that were submitted to one provider and not handed over.
///
/// It has no bound of its own: how many a client may have submitted is for who
/// lets it submit.
pub struct SubmissionQueue<R, O> {
    /// The provider's, where they are announced.
    mailbox: Arc<Mailbox<R, O>>,
    /// `None` once it is closed: nobody would look in there again. A leaf among
    /// the locks.
    waiting: Mutex<Option<Waiting<R, O>>>,
}

impl<R, O> SubmissionQueue<R, O> {
    /// An open one, whose arrivals are events of `mailbox`. Several queues can
    /// share one.
    pub fn new(mailbox: Arc<Mailbox<R, O>>) -> Arc<Self> {
        Arc::new(Self {
            mailbox,
            waiting: Mutex::new(Some(VecDeque::new())),
        })
    }

    /// Whether nothing waits here.
    pub fn is_empty(&self) -> bool {
        self.waiting.lock().as_ref().is_none_or(VecDeque::is_empty)
    }

    /// The next one, to be [handed over](Submission::hand_over). In the
    /// provider's gate.
    pub fn pop(&self) -> Option<Arc<Submission<R, O>>> {
        let mut waiting = self.waiting.lock();
        let next = waiting.as_mut()?.pop_front()?;
        self.mailbox.count_waiting(0, 1);
        Some(next)
    }

    /// Takes all that wait, to be settled.
    pub fn take(&self) -> impl Iterator<Item = Arc<Submission<R, O>>> + use<R, O> {
        let taken = self.waiting.lock().as_mut().map(std::mem::take);
        self.counted(taken)
    }

    /// As that, and nothing gets in any more.
    pub fn close(&self) -> impl Iterator<Item = Arc<Submission<R, O>>> + use<R, O> {
        let taken = self.waiting.lock().take();
        self.counted(taken)
    }

    pub(super) fn mailbox(&self) -> &Mailbox<R, O> {
        &self.mailbox
    }

    pub(super) fn push(&self, submission: Arc<Submission<R, O>>) -> bool {
        let mut queue = self.waiting.lock();
        let Some(waiting) = &mut *queue else {
            return false;
        };
        waiting.push_back(submission);
        self.mailbox.count_waiting(1, 0);
        drop(queue);
        self.mailbox.signal();
        true
    }

    /// Its client has given up.
    pub(super) fn remove(&self, submission: &Arc<Submission<R, O>>) {
        if let Some(waiting) = &mut *self.waiting.lock() {
            let before = waiting.len();
            waiting.retain(|other| !Arc::ptr_eq(other, submission));
            self.left(before - waiting.len());
        }
    }

    fn counted(
        &self,
        taken: Option<Waiting<R, O>>,
    ) -> impl Iterator<Item = Arc<Submission<R, O>>> + use<R, O> {
        let taken = taken.unwrap_or_default();
        self.left(taken.len());
        taken.into_iter()
    }

    fn left(&self, count: usize) {
        self.mailbox.count_waiting(0, count as u32);
    }
}
