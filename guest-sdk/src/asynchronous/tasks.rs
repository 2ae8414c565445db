//! The executor: futures that wait, each polled when something has woken it.
//!
//! It polls in handlers alone, and never on its own account: what is woken in a
//! handler of the driver's is polled in a call of its own (`alarm.rs`). No borrow
//! of a table is held while a future runs or is dropped: either may come back here.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{self, Context, Poll, Waker};
use std::thread::LocalKey;

use super::{Park, Seat, Wake};
use crate::{Error, ErrorCode, Reply, RequestId, Result};

/// One request, as [`AsyncDriver::command`](super::AsyncDriver::command) makes
/// it; or a task of the driver's own, whose reply nobody gets.
pub(super) type Task = Pin<Box<dyn Future<Output = Result<Reply>>>>;

type Table = LocalKey<RefCell<Tasks>>;

/// Whose future it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TaskId {
    Request(RequestId),
    Spawned(u64),
}

thread_local! {
    /// What was woken and not polled since.
    static WOKEN: RefCell<BTreeSet<TaskId>> = const { RefCell::new(BTreeSet::new()) };
}

/// What wakers refer to. Whoever holds one besides the executor will wake it.
struct Wakeup(TaskId);

impl task::Wake for Wakeup {
    fn wake(self: Arc<Self>) {
        wake(self.0);
    }
}

fn wake(id: TaskId) {
    WOKEN.with_borrow_mut(|woken| woken.insert(id));
}

/// What waits, and with what it is polled.
pub(super) struct Waiting {
    /// A request's.
    seat: Option<Rc<Seat>>,
    wakeup: Arc<Wakeup>,
    task: Task,
}

impl Waiting {
    fn new(id: TaskId, seat: Option<Rc<Seat>>, task: Task) -> Self {
        let wakeup = Arc::new(Wakeup(id));
        Self { seat, wakeup, task }
    }

    /// Whether anything will have it go on.
    fn waits(&self) -> bool {
        self.seat.as_ref().is_some_and(|seat| seat.asleep.get())
            || Arc::strong_count(&self.wakeup) > 1
            || WOKEN.with_borrow(|woken| woken.contains(&self.wakeup.0))
    }
}

/// What waits. How many requests there can be is the host's limit; how many tasks,
/// the driver's memory.
pub(super) struct Tasks {
    waiting: BTreeMap<TaskId, Waiting>,
    spawned: u64,
    park: Park,
}

impl Tasks {
    pub(super) const fn new(park: Park) -> Self {
        Self {
            waiting: BTreeMap::new(),
            spawned: 0,
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
        })
    }

    /// Takes in a task of the driver's own, woken.
    pub(super) fn spawn(&mut self, task: Task) {
        self.spawned += 1;
        let id = TaskId::Spawned(self.spawned);
        self.waiting.insert(id, Waiting::new(id, None, task));
        wake(id);
    }
}

/// Runs a request until it is done or waits.
pub(super) fn run(table: &'static Table, seat: Rc<Seat>, task: Task) -> Poll<Result<Reply>> {
    let id = TaskId::Request(seat.id);
    poll(table, Waiting::new(id, Some(seat), task))
}

/// Goes on with a request that slept. `Pending` also where there is none.
pub(super) fn resume(table: &'static Table, id: RequestId, wake: Wake) -> Poll<Result<Reply>> {
    let Some(waiting) = take(table, TaskId::Request(id)) else {
        return Poll::Pending;
    };
    if let Some(seat) = &waiting.seat {
        seat.asleep.set(false);
        seat.wake.set(Some(wake));
    }
    poll(table, waiting)
}

/// Goes on with what was woken.
pub(super) fn go_on(table: &'static Table, id: TaskId) -> Poll<Result<Reply>> {
    take(table, id).map_or(Poll::Pending, |waiting| poll(table, waiting))
}

/// Takes one out, for the caller to drop.
pub(super) fn take(table: &'static Table, id: TaskId) -> Option<Waiting> {
    table.with_borrow_mut(|tasks| tasks.waiting.remove(&id))
}

/// Takes all of them out.
pub(super) fn take_all(table: &'static Table) -> BTreeMap<TaskId, Waiting> {
    table.with_borrow_mut(|tasks| std::mem::take(&mut tasks.waiting))
}

/// What was woken so far: what these wake in turn comes later.
pub(super) fn take_woken() -> BTreeSet<TaskId> {
    WOKEN.take()
}

/// Whether something is to be polled.
pub(super) fn is_woken() -> bool {
    WOKEN.with_borrow(|woken| !woken.is_empty())
}

fn poll(table: &'static Table, mut waiting: Waiting) -> Poll<Result<Reply>> {
    let waker = Waker::from(waiting.wakeup.clone());
    let polled = waiting.task.as_mut().poll(&mut Context::from_waker(&waker));
    drop(waker);
    if polled.is_ready() {
        return polled;
    }
    if !waiting.waits() {
        let what = "it waited for something that never wakes it, and would never end";
        return Poll::Ready(Err(Error::new(ErrorCode::Unsupported, what)));
    }
    let id = waiting.wakeup.0;
    table.with_borrow_mut(|tasks| tasks.waiting.insert(id, waiting));
    Poll::Pending
}

#[cfg(test)]
mod tests;
