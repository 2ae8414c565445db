//! Clients on a board in virtual time that are no threads: the board polls them.

use super::Board;
use super::call::{Client, describe, told};
use super::request::{Mode, Request};
use crate::error::RequestError;
use crate::requests::Reply;
use crate::service::Service;
use crate::time::Time;
use loopgate_workloop::{Context, Instant};
use parking_lot::Mutex;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};
use std::task::{self, Poll, Waker};

/// A request that is on its way to a service, see [`Board::submit`].
pub struct Submitted(Arc<OnceLock<Ended>>);

/// When, and how.
type Ended = (Instant, Result<Reply, RequestError>);

impl Submitted {
    /// When it was over, by the board's clock, and what came of it; `None` as long
    /// as it is not.
    pub fn outcome(&self) -> Option<(Instant, Result<Reply, RequestError>)> {
        self.0.get().cloned()
    }
}

/// Those whose requests are not over.
#[derive(Default)]
pub(super) struct Clients(Mutex<Vec<Waiting>>);

struct Waiting {
    // Before the gate is given up its guard would open it.
    gate: Abandon,
    deadline: Option<Instant>,
    outcome: Pin<Box<dyn Future<Output = Result<Reply, RequestError>> + Send>>,
    ended: Arc<OnceLock<Ended>>,
}

/// Gives up what a client waits for that nobody polls any more.
struct Abandon {
    cx: Context,
    service: Arc<Service>,
}

impl Drop for Abandon {
    fn drop(&mut self) {
        self.service.gate.abandon(&self.cx);
    }
}

impl Board {
    /// Virtual time only: asks a service as [`Board::call`] does, but without
    /// waiting: as a client of its own, which goes on whenever time does. Not from
    /// within a handler.
    ///
    /// # Panics
    ///
    /// When the board's clock is real: there a client is a thread that calls.
    pub fn submit(&self, service: &str, request: Request) -> Submitted {
        assert!(
            matches!(self.time, Time::Virtual(_)),
            "`submit` is for boards with a virtual clock"
        );
        let ended = Arc::new(OnceLock::new());
        match self.client(service, request, ended.clone()) {
            Ok(client) => self.clients.0.lock().push(client),
            Err(error) => ended.set((self.now(), Err(error))).unwrap_or_default(),
        }
        Submitted(ended)
    }

    fn client(
        &self,
        service: &str,
        request: Request,
        ended: Arc<OnceLock<Ended>>,
    ) -> Result<Waiting, RequestError> {
        let found = self.services.get(service);
        let service = found.ok_or_else(|| self.no_service(service))?;
        let deadline = match request.mode {
            Mode::Run(Some(span)) => Some(self.now().saturating_add(span)),
            Mode::Run(None) | Mode::Attempt => None,
        };
        let mode = request.mode;
        let (circumstances, arguments) = told(&service, request)?;
        let cx = Context::detached("client");
        let gate = Abandon {
            cx: cx.clone(),
            service: service.clone(),
        };
        let time = self.time.clone();
        let outcome = async move {
            let client = Client {
                time: &time,
                cx: &cx,
                deadline,
                cancel: None,
                service: &service,
                is_alone: AtomicBool::new(false),
                is_stopping: AtomicBool::new(false),
            };
            let outcome = match mode {
                Mode::Attempt => service.attempt(&cx, circumstances, &arguments),
                Mode::Run(_) => client.run(circumstances, &arguments).await,
            };
            outcome.map_err(|code| describe(code, &service, false))
        };
        Ok(Waiting {
            gate,
            deadline,
            outcome: Box::pin(outcome),
            ended,
        })
    }
}

impl Clients {
    /// Has each go on as far as it can; whether one came to its end. By who moves
    /// time on.
    pub(super) fn poll(&self, now: impl Fn() -> Instant) -> bool {
        let waiting = std::mem::take(&mut *self.0.lock());
        if waiting.is_empty() {
            return false;
        }
        let before = waiting.len();
        let mut left: Vec<_> = waiting
            .into_iter()
            .filter_map(|client| client.poll(&now))
            .collect();
        let ended = left.len() < before;
        let mut newer = self.0.lock();
        left.append(&mut newer);
        *newer = left;
        ended
    }

    /// When the first of them has waited long enough.
    pub(super) fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let waiting = self.0.lock();
        let deadlines = waiting.iter().filter_map(|client| client.deadline);
        // One that is over waits for its gate alone.
        deadlines.filter(|deadline| *deadline > now).min()
    }
}

impl Waiting {
    fn poll(mut self, now: impl Fn() -> Instant) -> Option<Self> {
        let mut waker = task::Context::from_waker(Waker::noop());
        let outcome = &mut self.outcome;
        let cx = &self.gate.cx;
        match cx.scope(|| outcome.as_mut().poll(&mut waker)) {
            Poll::Pending => Some(self),
            Poll::Ready(outcome) => {
                self.ended.set((now(), outcome)).unwrap_or_default();
                None
            }
        }
    }
}
