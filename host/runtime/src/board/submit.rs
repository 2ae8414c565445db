//! Clients outside that do not wait, in virtual time.

use super::Board;
use super::call::{arguments, describe};
use super::request::Request;
use crate::error::{ErrorCode, RequestError};
use crate::requests::Reply;
use crate::submission::{Mailbox, Sent, Submission};
use crate::time::Time;
use loopgate_workloop::{Context, Instant};
use parking_lot::Mutex;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// A request that was submitted, see [`Board::submit`]. Dropping it cancels it.
pub struct Submitted {
    submission: Arc<Submission>,
}

/// The requests of clients outside that are not over, perhaps.
#[derive(Default)]
pub(super) struct Clients {
    open: Mutex<Vec<Weak<Submission>>>,
}

impl Board {
    /// Virtual time only: asks a service as another driver does with `submit`. Nothing
    /// waits: the request goes on with [`Board::run_until`], and whether it is over is
    /// looked up. From outside of handlers.
    ///
    /// `timeout` is by the board's clock: it then ends as `timed-out`, unless the answer
    /// comes at that very time. The request's own mode does not count.
    ///
    /// # Errors
    /// There is no such service, or it refuses the request as it is.
    ///
    /// # Panics
    /// When the board's clock is real: there each client has a thread to wait on, in
    /// [`Board::call`].
    pub fn submit(
        &self,
        service: &str,
        request: Request,
        timeout: Option<Duration>,
    ) -> Result<Submitted, RequestError> {
        assert!(
            matches!(self.time, Time::Virtual(_)),
            "`submit` is for boards with a virtual clock"
        );
        let service = self
            .services
            .get(service)
            .ok_or_else(|| self.no_service(service))?;
        let reply_max = request.reply_max;
        let arguments = arguments(&service, request)?;
        Context::with_current(|cx| service.open_queue(cx));
        let gone = || describe(ErrorCode::DriverDied, &service, false);
        let queue = service.queue.get().cloned().ok_or_else(gone)?;
        let mailbox = Mailbox::new(self.time.clock(), Arc::new(|_, _, _| {}));
        let mailbox = mailbox.map_err(|_| gone())?;
        // Nobody is told of the end: it is looked up.
        mailbox.close();
        let sent = Sent {
            id: 0,
            client: AtomicU32::new(0),
            context: 0,
            service: service.clone(),
            arguments,
            reply_max,
            deadline: timeout.map(|timeout| self.time.now().saturating_add(timeout)),
            debt: Arc::default(),
        };
        let submission = Submission::new(sent, mailbox, queue);
        service
            .enqueue(&submission)
            .map_err(|code| describe(code, &service, false))?;
        self.clients.keep(&submission);
        Ok(Submitted { submission })
    }
}

impl Submitted {
    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.submission.is_over()
    }

    /// What it ended with, once; `None` before.
    pub fn outcome(&self) -> Option<Result<Reply, ErrorCode>> {
        self.submission.outcome()
    }

    /// Ends it as `aborted`, unless it is over: then false. A driver that has it is told.
    pub fn cancel(&self) -> bool {
        self.submission.give_up(Err(ErrorCode::Aborted))
    }
}

impl Drop for Submitted {
    fn drop(&mut self) {
        self.cancel();
    }
}

impl Clients {
    fn keep(&self, submission: &Arc<Submission>) {
        let mut open = self.open.lock();
        open.retain(|known| known.upgrade().is_some_and(|known| !known.is_over()));
        open.push(Arc::downgrade(submission));
    }

    fn deadlines(&self) -> Vec<(Instant, Arc<Submission>)> {
        let open = self.open.lock();
        let known = open.iter().filter_map(Weak::upgrade);
        known
            .filter(|known| !known.is_over())
            .filter_map(|known| Some((known.request.deadline?, known)))
            .collect()
    }

    /// The earliest deadline of one that is not over.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let deadlines = self.deadlines().into_iter();
        deadlines.map(|(deadline, _)| deadline).min()
    }

    /// Ends those whose deadline is late; whether there was one.
    pub(super) fn expire(&self, is_late: impl Fn(Instant) -> bool) -> bool {
        let mut late = self.deadlines();
        late.retain(|(deadline, _)| is_late(*deadline));
        late.retain(|(_, submission)| submission.give_up(Err(ErrorCode::TimedOut)));
        !late.is_empty()
    }
}
