//! Calls of clients outside that go on by themselves, in virtual time.

use super::Board;
use super::request::Request;
use crate::error::RequestError;
use crate::requests::Reply;
use crate::time::Time;
use loopgate_workloop::{Context, Instant};
use parking_lot::Mutex;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Waker};

type Outcome = Result<Reply, RequestError>;

/// A call that was submitted. It goes on whether this is kept or not.
#[derive(Clone, Debug, Default)]
pub struct Submitted(Arc<Mutex<Option<Outcome>>>);

impl Submitted {
    /// What came of it, once that is known. Only the first to ask is told.
    pub fn take(&self) -> Option<Result<Reply, RequestError>> {
        self.0.lock().take()
    }
}

/// Those that have not ended, in the order in which they were submitted.
#[derive(Default)]
pub(super) struct Calls(Vec<Call>);

struct Call {
    cx: Context,
    deadline: Option<Instant>,
    future: Pin<Box<dyn Future<Output = Outcome> + Send>>,
    submitted: Submitted,
    /// It has waited since anything last went on.
    waits: bool,
}

impl Board {
    /// Virtual time only: asks a service as [`call`](Self::call) does, but returns at
    /// once. The call goes on as time does, on the threads of those who move it, and
    /// beside others.
    ///
    /// # Panics
    ///
    /// When the board's clock is real: there a call has a thread.
    pub fn submit(&self, service: &str, request: Request) -> Submitted {
        assert!(
            matches!(self.time, Time::Virtual(_)),
            "`submit` is for boards with a virtual clock"
        );
        let submitted = Submitted::default();
        let cx = Context::detached("client");
        match self.prepare(service, request) {
            Ok(prepared) => self.calls.lock().0.push(Call {
                cx: cx.clone(),
                deadline: prepared.deadline,
                future: Box::pin(prepared.run(self.time.clone(), cx)),
                submitted: submitted.clone(),
                waits: false,
            }),
            Err(error) => *submitted.0.lock() = Some(Err(error)),
        }
        submitted
    }
}

impl Calls {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Something has gone on that they may have waited for.
    pub(super) fn look_again(&mut self) {
        self.0.iter_mut().for_each(|call| call.waits = false);
    }

    /// How many may go on.
    pub(super) fn ready(&self) -> usize {
        self.0.iter().filter(|call| !call.waits).count()
    }

    /// Lets one of those go on; whether it has ended.
    pub(super) fn poll(&mut self, which: usize) -> bool {
        let mut ready = self.0.iter().enumerate().filter(|(_, call)| !call.waits);
        let Some((index, _)) = ready.nth(which) else {
            return false;
        };
        let call = &mut self.0[index];
        let mut nobody = task::Context::from_waker(Waker::noop());
        let polled = call.cx.scope(|| call.future.as_mut().poll(&mut nobody));
        call.waits = true;
        let task::Poll::Ready(outcome) = polled else {
            return false;
        };
        *call.submitted.0.lock() = Some(outcome);
        self.0.remove(index);
        true
    }

    /// When the first of them is late.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.0.iter().filter_map(|call| call.deadline).min()
    }
}
