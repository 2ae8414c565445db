//! Requests to other drivers that a request or a task of this one awaits.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use crate::bindings::loopgate::driver::request as raw;
use crate::{Reply, RequestId, Result};

thread_local! {
    /// Each from `submit` until it is over and was awaited or dropped. How many
    /// there can be is the host's limit.
    static SUBMITTED: RefCell<BTreeMap<RequestId, State>> = const { RefCell::new(BTreeMap::new()) };
}

#[derive(Debug)]
enum State {
    /// The host has it; with who awaits it, if someone does already.
    Open(Option<Waker>),
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

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<Reply>> {
        SUBMITTED.with_borrow_mut(|submitted| match submitted.get_mut(&self.id) {
            Some(State::Open(by)) => {
                *by = Some(cx.waker().clone());
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
            Some(State::Open(_)) => {
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
    /// Who awaits it, and was woken; or nobody, for now or at all.
    Taken,
    /// The driver: it was submitted with a context.
    Other(Result<Reply>),
}

/// The host tells that a request is over.
pub(crate) fn completed(id: RequestId, outcome: Result<Reply>) -> Completed {
    let woken = SUBMITTED.with_borrow_mut(|submitted| {
        let Some(state) = submitted.get_mut(&id) else {
            return Err(outcome);
        };
        let by = match std::mem::replace(state, State::Over(outcome)) {
            State::Open(by) => by,
            State::Over(_) | State::Dropped => {
                submitted.remove(&id);
                None
            }
        };
        Ok(by)
    });
    match woken {
        Ok(by) => {
            by.into_iter().for_each(Waker::wake);
            Completed::Taken
        }
        Err(outcome) => Completed::Other(outcome),
    }
}

#[cfg(test)]
mod tests;
