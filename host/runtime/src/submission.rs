//! Requests of a driver's own: from `submit` to `completed`.

use crate::bindings::loopgate::driver::request::Arguments;
use crate::error::ErrorCode;
use crate::limits::{LimitHit, Limits};
use crate::rate::Debt;
use crate::requests::Outcome;
use crate::service::Service;
use crate::staging::StagedClient;
use loopgate_workloop::Instant;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// A request of one driver to another's service.
pub(crate) type Submission = loopgate_workloop::Submission<Sent, Outcome>;
/// Where the ends of a driver's own requests are posted, and those of others
/// announced.
pub(crate) type Mailbox = loopgate_workloop::Mailbox<Sent, Outcome>;
/// Those that a service has not handed over yet.
pub(crate) type Queue = loopgate_workloop::SubmissionQueue<Sent, Outcome>;

/// What a submission is about.
pub(crate) struct Sent {
    pub(crate) id: u64,
    /// Which of the client's handles it was submitted through. Changes with
    /// the client's version.
    pub(crate) client: AtomicU32,
    pub(crate) context: u32,
    pub(crate) service: Arc<Service>,
    pub(crate) arguments: Arguments,
    pub(crate) reply_max: u32,
    pub(crate) deadline: Option<Instant>,
    /// Of who submits it: what is done for it counts there.
    pub(crate) debt: Arc<Debt>,
}

impl Sent {
    fn bytes(&self) -> u64 {
        bytes(&self.arguments, self.reply_max)
    }
}

/// The provider's side ends it. False where it is over already.
pub(crate) fn settle(submission: &Arc<Submission>, mut outcome: Outcome) -> bool {
    let Sent {
        service, reply_max, ..
    } = &submission.request;
    service.bound(&mut outcome, *reply_max);
    submission.settle(outcome)
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
        self.bytes += submission.request.bytes();
        self.open.insert(submission.request.id, submission);
    }

    /// The driver is about to be told of this one.
    pub(crate) fn close(&mut self, submission: &Submission) {
        if self.open.remove(&submission.request.id).is_some() {
            self.bytes -= submission.request.bytes();
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }

    pub(crate) fn cancel(&self, client: u32, id: u64) -> Result<(), ErrorCode> {
        let of = self.open.get(&id);
        let of = of.filter(|open| open.request.client.load(Relaxed) == client);
        if of.is_some_and(|open| open.give_up(Err(ErrorCode::Aborted))) {
            Ok(())
        } else {
            Err(ErrorCode::BadArgument)
        }
    }

    /// The driver drops this handle.
    pub(crate) fn cancel_all(&self, client: u32) {
        self.give_up(ErrorCode::Aborted, |sent| {
            sent.client.load(Relaxed) == client
        });
    }

    /// The driver may not use this service any more. How many were not over.
    pub(crate) fn withdraw(&self, service: &str) -> u64 {
        let open = self.open.values();
        let of = open.filter(|open| open.request.service.name == service);
        of.filter(|open| open.give_up(Err(ErrorCode::Aborted)))
            .count() as u64
    }

    pub(crate) fn expire(&self, now: Instant) {
        self.give_up(ErrorCode::TimedOut, |sent| {
            sent.deadline.is_some_and(|deadline| deadline <= now)
        });
    }

    /// The earliest deadline of one that is not over.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let deadline = |open: &Arc<Submission>| open.request.deadline.filter(|_| !open.is_over());
        self.open.values().filter_map(deadline).min()
    }

    /// The next version goes on with these: each belongs to its handle of the
    /// service; without one it is as if the handle was dropped.
    pub(crate) fn rename_clients(&self, clients: &[StagedClient]) {
        for open in self.open.values() {
            let sent = &open.request;
            let mut clients = clients.iter();
            match clients.find(|client| Arc::ptr_eq(&client.service, &sent.service)) {
                Some(client) => sent.client.store(client.handle, Relaxed),
                None => {
                    open.give_up(Err(ErrorCode::Aborted));
                }
            }
        }
    }

    /// The instance has ended.
    pub(crate) fn end_all(&mut self) {
        self.give_up(ErrorCode::DriverDied, |_| true);
        self.open.clear();
    }

    fn give_up(&self, code: ErrorCode, which: impl Fn(&Sent) -> bool) {
        for open in self.open.values().filter(|open| which(&open.request)) {
            open.give_up(Err(code));
        }
    }
}
