//! Requests of a driver's own: from `submit` to `completed`.

use crate::bindings::loopgate::driver::request::Arguments;
use crate::error::ErrorCode;
use crate::limits::{LimitHit, Limits};
use crate::mailbox::Mailbox;
use crate::requests::Outcome;
use crate::service::Service;
use loopgate_workloop::Instant;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// A request on its way between two drivers, which may be on different loops.
/// Whoever ends it first has ended it; the others find out.
pub(crate) struct Submission {
    pub(crate) id: u64,
    /// Which of the client's handles it was submitted through. Changes with
    /// the client's version.
    pub(crate) client: AtomicU32,
    pub(crate) context: u32,
    pub(crate) service: Arc<Service>,
    pub(crate) arguments: Arguments,
    pub(crate) reply_max: u32,
    pub(crate) deadline: Option<Instant>,
    /// The client's.
    pub(crate) mailbox: Arc<Mailbox>,
    /// A leaf among the locks.
    pub(crate) stage: Mutex<Stage>,
}

/// Where a submission is.
#[derive(Default)]
pub(crate) enum Stage {
    /// In the service's queue.
    #[default]
    Waiting,
    /// The provider has it, by this number.
    Handed(u64),
    /// Until the client is told.
    Over(Option<Outcome>),
}

impl Submission {
    /// The provider takes it, unless it is over.
    pub(crate) fn hand_over(&self, id: u64) -> bool {
        let mut stage = self.stage.lock();
        let waits = matches!(*stage, Stage::Waiting);
        if waits {
            *stage = Stage::Handed(id);
        }
        waits
    }

    /// The provider's side ends it. False where it is over already.
    pub(crate) fn settle(self: &Arc<Self>, mut outcome: Outcome) -> bool {
        self.service.bound(&mut outcome, self.reply_max);
        self.end(outcome).is_some()
    }

    /// The client's side ends it, and the provider is told if it has it. False
    /// where it is over already.
    pub(crate) fn give_up(self: &Arc<Self>, code: ErrorCode) -> bool {
        match self.end(Err(code)) {
            Some(Stage::Waiting) => self.service.dequeue(self),
            Some(Stage::Handed(id)) => {
                // It was handed over from there.
                if let Some(mailbox) = self.service.turns.mailbox.get() {
                    mailbox.post_cancelled(id);
                }
            }
            Some(Stage::Over(_)) | None => return false,
        }
        true
    }

    /// What the client is told; once.
    pub(crate) fn outcome(&self) -> Option<Outcome> {
        match &mut *self.stage.lock() {
            Stage::Over(outcome) => outcome.take(),
            Stage::Waiting | Stage::Handed(_) => None,
        }
    }

    fn bytes(&self) -> u64 {
        bytes(&self.arguments, self.reply_max)
    }

    fn is_over(&self) -> bool {
        matches!(*self.stage.lock(), Stage::Over(_))
    }

    /// Where it was, unless it is over.
    fn end(self: &Arc<Self>, outcome: Outcome) -> Option<Stage> {
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

/// What the host may have to hold for a request.
pub(crate) fn bytes(arguments: &Arguments, reply_max: u32) -> u64 {
    arguments.data.len() as u64 + u64::from(reply_max)
}

/// The requests that one instance has submitted and was not told the end of.
pub(crate) struct Submissions {
    latest: u64,
    open: BTreeMap<u64, Arc<Submission>>,
    /// What the host may have to hold for them.
    bytes: u64,
}

impl Submissions {
    pub(crate) fn new() -> Self {
        Self {
            latest: 0,
            open: BTreeMap::new(),
            bytes: 0,
        }
    }

    /// A number for the next one, if there may be one more: in the host, all of
    /// them take no more memory than the driver may.
    pub(crate) fn number(&mut self, limits: &Limits, bytes: u64) -> Result<u64, LimitHit> {
        if self.open.len() >= limits.requests as usize {
            return Err(LimitHit::Requests(limits.requests));
        }
        let (asked, limit) = (self.bytes + bytes, limits.memory);
        if asked > limit {
            return Err(LimitHit::Memory { asked, limit });
        }
        self.latest += 1;
        Ok(self.latest)
    }

    pub(crate) fn keep(&mut self, submission: Arc<Submission>) {
        self.bytes += submission.bytes();
        self.open.insert(submission.id, submission);
    }

    /// The driver is about to be told of this one.
    pub(crate) fn close(&mut self, submission: &Submission) {
        if self.open.remove(&submission.id).is_some() {
            self.bytes -= submission.bytes();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn cancel(&self, client: u32, id: u64) -> Result<(), ErrorCode> {
        let of = self
            .open
            .get(&id)
            .filter(|open| open.client.load(Relaxed) == client);
        if of.is_some_and(|open| open.give_up(ErrorCode::Aborted)) {
            Ok(())
        } else {
            Err(ErrorCode::BadArgument)
        }
    }

    /// The driver drops this handle.
    pub(crate) fn cancel_all(&self, client: u32) {
        self.give_up(ErrorCode::Aborted, |open| {
            open.client.load(Relaxed) == client
        });
    }

    pub(crate) fn expire(&self, now: Instant) {
        self.give_up(ErrorCode::TimedOut, |open| {
            open.deadline.is_some_and(|deadline| deadline <= now)
        });
    }

    /// The earliest deadline of one that is not over.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let deadline = |open: &Arc<Submission>| open.deadline.filter(|_| !open.is_over());
        self.open.values().filter_map(deadline).min()
    }

    /// The next version goes on with these: each belongs to its handle of the
    /// service; without one it is as if the handle was dropped.
    pub(crate) fn rename_clients(&self, clients: &[(Arc<Service>, u32)]) {
        for open in self.open.values() {
            let mut clients = clients.iter();
            match clients.find(|(service, _)| Arc::ptr_eq(service, &open.service)) {
                Some((_, client)) => open.client.store(*client, Relaxed),
                None => {
                    open.give_up(ErrorCode::Aborted);
                }
            }
        }
    }

    /// The instance has ended.
    pub(crate) fn end_all(&mut self) {
        self.give_up(ErrorCode::DriverDied, |_| true);
        self.open.clear();
    }

    fn give_up(&self, code: ErrorCode, which: impl Fn(&Submission) -> bool) {
        for open in self.open.values().filter(|open| which(open)) {
            open.give_up(code);
        }
    }
}
