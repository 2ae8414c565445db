//! The executor: futures that slept, each resumed when the host says so.
//!
//! It never polls on its own account, so that it needs no waker and no queue.
//! No borrow of the table is held while a future runs or is dropped: either may
//! come back here.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::thread::LocalKey;

use super::{Park, Seat, Wake, submission};
use crate::{Error, ErrorCode, Reply, RequestId, Result};

/// One request, as [`AsyncDriver::command`](super::AsyncDriver::command) makes
/// it.
pub(super) type Task = Pin<Box<dyn Future<Output = Result<Reply>>>>;

type Table = LocalKey<RefCell<Tasks>>;

/// The requests that wait. How many there can be is the host's limit.
pub(super) struct Tasks {
    waiting: BTreeMap<RequestId, (Rc<Seat>, Task)>,
    park: Park,
}

impl Tasks {
    pub(super) const fn new(park: Park) -> Self {
        Self {
            waiting: BTreeMap::new(),
            park,
        }
    }

    /// A seat for a request that arrives.
    pub(super) fn seat(&self, id: RequestId) -> Rc<Seat> {
        Rc::new(Seat {
            id,
            park: self.park,
            asleep: Cell::new(false),
            wake: Cell::new(None),
            awaited: Cell::new(0),
        })
    }
}

/// Runs a request until it is done or waits.
pub(super) fn run(table: &'static Table, seat: Rc<Seat>, mut task: Task) -> Poll<Result<Reply>> {
    let mut poll = || task.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    if let Poll::Ready(result) = submission::within(&seat, &mut poll) {
        return Poll::Ready(result);
    }
    if !seat.waits() {
        let what = "a request waited for something other than `sleep` or a submission, which would never end";
        return Poll::Ready(Err(Error::new(ErrorCode::Unsupported, what)));
    }
    table.with_borrow_mut(|tasks| tasks.waiting.insert(seat.id, (seat, task)));
    Poll::Pending
}

/// Goes on with a request that slept. `Pending` also where there is none.
pub(super) fn resume(table: &'static Table, id: RequestId, wake: Wake) -> Poll<Result<Reply>> {
    let Some((seat, task)) = take(table, id) else {
        return Poll::Pending;
    };
    seat.asleep.set(false);
    seat.wake.set(Some(wake));
    run(table, seat, task)
}

/// Goes on with a request that awaited a submission.
pub(super) fn go_on(table: &'static Table, id: RequestId) -> Poll<Result<Reply>> {
    match take(table, id) {
        Some((seat, task)) => run(table, seat, task),
        None => Poll::Pending,
    }
}

/// Takes a request out, for the caller to drop.
pub(super) fn take(table: &'static Table, id: RequestId) -> Option<(Rc<Seat>, Task)> {
    table.with_borrow_mut(|tasks| tasks.waiting.remove(&id))
}

/// Takes all of them out.
pub(super) fn take_all(table: &'static Table) -> BTreeMap<RequestId, (Rc<Seat>, Task)> {
    table.with_borrow_mut(|tasks| std::mem::take(&mut tasks.waiting))
}

#[cfg(test)]
mod tests;
