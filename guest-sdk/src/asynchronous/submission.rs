//! Requests to other drivers that a request of this one awaits.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::Seat;
use crate::bindings::loopgate::driver::request as raw;
use crate::{Reply, RequestId, Result};

thread_local! {
    /// The request whose future runs.
    static CURRENT: RefCell<Option<Rc<Seat>>> = const { RefCell::new(None) };
    /// Each from `submit` until it is over and was awaited or dropped. How many
    /// there can be is the host's limit.
    static SUBMITTED: RefCell<BTreeMap<RequestId, State>> = const { RefCell::new(BTreeMap::new()) };
}

#[derive(Debug)]
enum State {
    /// The host has it; with the request that awaits it, if one does already.
    Open(Option<Rc<Seat>>),
    Over(Result<Reply>),
    /// Nobody is interested in its end, which is still to come.
    Dropped,
}

/// What [`Client::submit`](crate::Client::submit) returns: the request is on
/// its way already, and `await` gives the reply.
///
/// Dropping it cancels the request. Several can be on their way at once; each
/// `await` then takes what is there.
#[derive(Debug)]
#[must_use = "dropping it cancels the request"]
pub struct Submission {
    id: RequestId,
    /// To cancel it; tests have none.
    client: Option<Rc<raw::Client>>,
}

impl Submission {
    pub(crate) fn new(id: RequestId, client: Option<Rc<raw::Client>>) -> Self {
        SUBMITTED.with_borrow_mut(|submitted| submitted.insert(id, State::Open(None)));
        Self { id, client }
    }

    /// Names the request.
    pub fn id(&self) -> RequestId {
        self.id
    }
}

impl Future for Submission {
    type Output = Result<Reply>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<Reply>> {
        SUBMITTED.with_borrow_mut(|submitted| match submitted.get_mut(&self.id) {
            Some(State::Open(by)) => {
                leave(by.take());
                *by = CURRENT.with_borrow(Option::clone);
                if let Some(seat) = by {
                    seat.awaited.set(seat.awaited.get() + 1);
                }
                Poll::Pending
            }
            Some(State::Over(_)) => match submitted.remove(&self.id) {
                Some(State::Over(outcome)) => Poll::Ready(outcome),
                _ => Poll::Pending,
            },
            Some(State::Dropped) | None => Poll::Pending,
        })
    }
}

impl Drop for Submission {
    fn drop(&mut self) {
        let open = SUBMITTED.with_borrow_mut(|submitted| match submitted.remove(&self.id) {
            Some(State::Open(by)) => {
                leave(by);
                submitted.insert(self.id, State::Dropped);
                true
            }
            _ => false,
        });
        if let (true, Some(client)) = (open, &self.client) {
            // `bad-argument` tells that its end is on its way already.
            let _ = client.cancel(self.id.0);
        }
    }
}

/// Whom the end of a submitted request concerns.
pub(crate) enum Completed {
    /// Nobody, for now or at all.
    Ignored,
    /// This request, which awaits it.
    Awaited(RequestId),
    /// The driver: it was submitted with a context.
    Other(Result<Reply>),
}

/// The host tells that a request is over.
pub(crate) fn completed(id: RequestId, outcome: Result<Reply>) -> Completed {
    SUBMITTED.with_borrow_mut(|submitted| {
        let Some(state) = submitted.get_mut(&id) else {
            return Completed::Other(outcome);
        };
        match std::mem::replace(state, State::Over(outcome)) {
            State::Open(Some(seat)) => {
                let request = seat.id;
                leave(Some(seat));
                Completed::Awaited(request)
            }
            State::Open(None) => Completed::Ignored,
            State::Over(_) | State::Dropped => {
                submitted.remove(&id);
                Completed::Ignored
            }
        }
    })
}

/// Polls a future of the request that sits there.
pub(super) fn within<R>(seat: &Rc<Seat>, poll: impl FnOnce() -> R) -> R {
    let outer = CURRENT.replace(Some(seat.clone()));
    let result = poll();
    CURRENT.set(outer);
    result
}

/// The request does not await it any more.
fn leave(by: Option<Rc<Seat>>) {
    if let Some(seat) = by {
        seat.awaited.set(seat.awaited.get() - 1);
    }
}

#[cfg(test)]
mod tests;
