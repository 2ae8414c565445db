//! Requests from one work loop to another, which end exactly once.

mod mailbox;
mod queue;

use std::sync::Arc;

use crate::sync::Mutex;
pub use mailbox::Mailbox;
pub use queue::SubmissionQueue;

/// A request on its way from a client to a provider, which may be on different
/// loops. Whoever ends it first has ended it; the others find out.
///
/// It waits in the provider's [`SubmissionQueue`], is
/// [handed over](Submission::hand_over) in the provider's gate, and ends by
/// [`settle`](Submission::settle) from there or by
/// [`give_up`](Submission::give_up) from the client's side. The client finds it
/// in its [`Mailbox`], once.
///
/// `R` is what it carries to the provider, `O` what it ends with.
pub struct Submission<R, O> {
    /// What the client asks, and whatever else belongs to it.
    pub request: R,
    /// The client's.
    mailbox: Arc<Mailbox<R, O>>,
    /// The provider's.
    queue: Arc<SubmissionQueue<R, O>>,
    /// A leaf among the locks.
    stage: Mutex<Stage<O>>,
}

enum Stage<O> {
    /// In the queue, or on its way from there.
    Waiting,
    /// The provider has it, by this number.
    Handed(u64),
    /// Until the client is told.
    Over(Option<O>),
}

impl<R, O> Submission<R, O> {
    /// Made, and in nobody's queue yet. Its end is posted to `mailbox`.
    pub fn new(
        request: R,
        mailbox: Arc<Mailbox<R, O>>,
        queue: Arc<SubmissionQueue<R, O>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            request,
            mailbox,
            queue,
            stage: Mutex::new(Stage::Waiting),
        })
    }

    /// Queues it, for the provider's loop to hand over. False where the queue
    /// is closed: nothing follows then. In the client's gate, so that its end
    /// is not looked at before the client knows of its beginning.
    pub fn submit(self: &Arc<Self>) -> bool {
        self.queue.push(self.clone())
    }

    /// The provider takes it and knows it by this number. False where it is
    /// over.
    pub fn hand_over(&self, number: u64) -> bool {
        let mut stage = self.stage.lock();
        let waits = matches!(*stage, Stage::Waiting);
        if waits {
            *stage = Stage::Handed(number);
        }
        waits
    }

    /// The provider's side ends it. False where it is over already.
    pub fn settle(self: &Arc<Self>, outcome: O) -> bool {
        self.end(outcome).is_some()
    }

    /// The client's side ends it, and the provider is told if it has it. False
    /// where it is over already.
    pub fn give_up(self: &Arc<Self>, outcome: O) -> bool {
        match self.end(outcome) {
            Some(Stage::Waiting) => self.queue.remove(self),
            Some(Stage::Handed(number)) => self.queue.mailbox().post_cancelled(number),
            Some(Stage::Over(_)) | None => return false,
        }
        true
    }

    /// What the client is told; once.
    pub fn outcome(&self) -> Option<O> {
        match &mut *self.stage.lock() {
            Stage::Over(outcome) => outcome.take(),
            Stage::Waiting | Stage::Handed(_) => None,
        }
    }

    /// Whether somebody has ended it.
    pub fn is_over(&self) -> bool {
        matches!(*self.stage.lock(), Stage::Over(_))
    }

    /// Where it was, unless it is over.
    fn end(self: &Arc<Self>, outcome: O) -> Option<Stage<O>> {
        let mut stage = self.stage.lock();
        if let Stage::Over(_) = *stage {
            return None;
        }
        let before = std::mem::replace(&mut *stage, Stage::Over(Some(outcome)));
        drop(stage);
        self.mailbox.post_over(self.clone());
        Some(before)
    }
}
