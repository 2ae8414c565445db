//! What the host's calls mean to tasks and to requests that wait.

use std::cell::Cell;
use std::task::Poll;

#[cfg(feature = "embedded-hal-async")]
use super::edges::occurred as is_waited_for;
use super::tasks::{self, TaskId};
use super::{TASKS, alarm, answer_later};
use crate::{InterruptId, Interrupts, Level, Reply, Result, TimerId, log};

/// A call of the host's that may concern them.
pub(crate) enum Call {
    Interrupt(InterruptId, Interrupts),
    Timeout(TimerId),
    /// A submission is over, and has woken who awaits it.
    Completed,
    /// A handler of the driver's has returned.
    Handled,
    /// The last call, while the driver is still there: guards reach for it.
    Stop,
}

thread_local! {
    /// Set by the first task, so that the component of a driver that has none is
    /// without all of this.
    static EXECUTOR: Cell<fn(&Call) -> bool> = const { Cell::new(|_| false) };
}

/// Whether the call was for them, and not for the driver.
pub(crate) fn tell(call: &Call) -> bool {
    EXECUTOR.get()(call)
}

/// There are tasks from now on.
pub(super) fn begin() {
    EXECUTOR.set(serve);
}

fn serve(call: &Call) -> bool {
    match *call {
        Call::Timeout(timer) if alarm::rang(timer) => run_woken(),
        Call::Interrupt(source, event) if is_waited_for(source, event) => run_woken(),
        Call::Completed => run_woken(),
        Call::Handled => alarm::arm(),
        Call::Stop => drop(tasks::take_all(&TASKS)),
        Call::Timeout(_) | Call::Interrupt(..) => return false,
    }
    true
}

/// There is no way to wait for a pin.
#[cfg(not(feature = "embedded-hal-async"))]
fn is_waited_for(_: InterruptId, _: Interrupts) -> bool {
    false
}

/// Polls each that was woken, once: what they wake comes in a call of its own.
fn run_woken() {
    for id in tasks::take_woken() {
        let polled = tasks::go_on(&TASKS, id);
        match (id, polled) {
            (TaskId::Request(id), polled) => answer_later(id, polled),
            (TaskId::Spawned(_), Poll::Ready(Err(error))) => {
                log(Level::Error, &format!("a task: {error}"));
            }
            (TaskId::Spawned(_), _) => {}
        }
    }
    alarm::arm();
}

/// Has a task run beside the driver's handlers: with the gate closed, and with the gate
/// open while it waits for a time ([`wait`](crate::wait)), for a pin or for a
/// submission, or for anything else that keeps its waker. It begins after the running
/// handler has returned; where that is `start`, after the driver has taken over from
/// its last version.
///
/// What it shares with the driver it has in an [`Rc`](std::rc::Rc). A task ends with the driver, and
/// is not handed to the next version, whose `start` has to spawn its own. What it
/// returns as an error goes to the host's log.
///
/// ```no_run
/// # use loopgate_guest::prelude::*;
/// use std::{cell::Cell, rc::Rc};
///
/// struct Clock { seconds: Rc<Cell<u64>> }
///
/// impl Driver for Clock {
///     fn start(_: &Context) -> Result<Self> {
///         let seconds = Rc::new(Cell::new(0));
///         let count = seconds.clone();
///         spawn(async move {
///             loop {
///                 wait(1.secs()).await?;
///                 count.set(count.get() + 1);
///             }
///         })?;
///         Ok(Self { seconds })
///     }
/// }
/// # driver!(Clock);
/// ```
///
/// # Errors
///
/// `no-resources` where the driver has no handle left for the one timer that all its
/// tasks share.
pub fn spawn(task: impl Future<Output = Result<()>> + 'static) -> Result<()> {
    begin();
    alarm::provide()?;
    let task = Box::pin(async { task.await.map(Reply::from) });
    TASKS.with_borrow_mut(|tasks| tasks.spawn(task));
    Ok(())
}
