//! Requests and tasks that wait: the asynchronous form of a driver.

pub(crate) mod alarm;
#[cfg(feature = "embedded-hal-async")]
pub(crate) mod edges;
pub(crate) mod executor;
pub(crate) mod submission;
mod tasks;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tasks::{TaskId, Tasks};

use crate::bindings::loopgate::driver::request as raw;
use crate::export::{Commands, Slot};
use crate::request::{Answer, answer};
use crate::{Driver, ErrorCode, Instant, Level, Reply, Request, RequestId, Result, complete, log};

/// A driver whose requests can wait, named to the macro as
/// `driver!(async Type)`.
///
/// Each request is a future of its own, which runs in handlers and nowhere
/// else: with the gate closed, one at a time, never beside another handler.
/// While it sleeps the gate is open, and the driver's other handlers run. All
/// other handlers are those of [`Driver`]; its `command` is not called.
///
/// A service whose requests are to wait at the same time is
/// [`concurrent`](crate::ServiceBuilder::concurrent); with the default the
/// second waits outside until the first was answered.
///
/// ```no_run
/// # use loopgate_guest::prelude::*;
/// # struct Gauge { ready: bool, service: Service }
/// # impl Driver for Gauge { fn start(_: &Context) -> Result<Self> { unimplemented!() } }
/// const READY: u64 = 1;
///
/// impl AsyncDriver for Gauge {
///     async fn command(this: Gated<Self>, _: Request) -> Result<Reply> {
///         // In a loop: something else may have run between the wake-up and now.
///         while this.with(|gauge| !gauge.ready) {
///             this.sleep(READY).await?;
///         }
///         Ok(().into())
///     }
/// }
/// # driver!(async Gauge);
/// ```
pub trait AsyncDriver: Driver {
    /// A client's request, on a service that this driver publishes.
    ///
    /// It can wait for what `this` offers, for what
    /// [`Client::submit`](crate::Client::submit) returns, for time with
    /// [`wait`](crate::wait), for a pin with `embedded-hal-async`, and for
    /// whatever else keeps a waker. A request that waits for what does not would
    /// never go on, and is answered `unsupported`.
    ///
    /// Where the client gives up, dies or runs out of time the future is
    /// dropped at its `await`. What must be undone then belongs into a guard:
    /// a value whose `drop` does it, with a clone of `this`.
    ///
    /// # Errors
    ///
    /// The code goes to the client.
    fn command(
        this: Gated<Self>,
        request: Request,
    ) -> impl Future<Output = Result<Reply>> + 'static;
}

/// A request's way to the driver that it shares with others, and to sleep.
pub struct Gated<D> {
    seat: Rc<Seat>,
    driver: PhantomData<D>,
}

impl<D: Slot> Gated<D> {
    /// Lends the driver. Not across an `await`: other handlers run there, and
    /// what was read before one may be different after it.
    ///
    /// # Panics
    ///
    /// Within another `with`, and where the driver has stopped.
    pub fn with<R>(&self, f: impl FnOnce(&mut D) -> R) -> R {
        D::with(|slot| f(slot.as_mut().expect("the driver has stopped")))
    }

    /// Sleeps until [`wakeup_one`](crate::CommandGate::wakeup_one) or
    /// [`wakeup_all`](crate::CommandGate::wakeup_all) for `event`, a number of
    /// the driver's choice, on the gate that the request came through.
    ///
    /// Wake-ups are not remembered: what has happened already has to be looked
    /// at before.
    ///
    /// # Errors
    ///
    /// `bad-argument` where the request sleeps already, in another future of
    /// the same request, or was answered.
    pub fn sleep(&self, event: u64) -> Sleep {
        self.park(event, 0)
    }

    /// As [`sleep`](Self::sleep), until `deadline` at the latest.
    ///
    /// # Errors
    ///
    /// As there, and `timed-out` once the deadline has passed.
    pub fn sleep_until(&self, event: u64, deadline: Instant) -> Sleep {
        // Zero is the contract's "none"; here it is long past.
        self.park(event, deadline.as_nanos().max(1))
    }

    /// The request that this belongs to.
    pub fn id(&self) -> RequestId {
        self.seat.id
    }

    fn park(&self, event: u64, deadline: u64) -> Sleep {
        Sleep {
            seat: self.seat.clone(),
            event,
            deadline,
            parked: false,
        }
    }

    fn new(seat: Rc<Seat>) -> Self {
        Self {
            seat,
            driver: PhantomData,
        }
    }
}

impl<D> Clone for Gated<D> {
    fn clone(&self) -> Self {
        Self {
            seat: self.seat.clone(),
            driver: PhantomData,
        }
    }
}

impl<D> fmt::Debug for Gated<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gated").field(&self.seat.id).finish()
    }
}

/// What [`Gated::sleep`] returns: it begins with the first `await`.
#[derive(Debug)]
#[must_use = "nothing sleeps without `.await`"]
pub struct Sleep {
    seat: Rc<Seat>,
    event: u64,
    deadline: u64,
    parked: bool,
}

impl Future for Sleep {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<()>> {
        if !self.parked {
            self.seat.park(self.event, self.deadline)?;
            self.parked = true;
            return Poll::Pending;
        }
        let Some(wake) = self.seat.wake.take() else {
            return Poll::Pending;
        };
        self.parked = false;
        Poll::Ready(match wake {
            Wake::Awakened => Ok(()),
            Wake::TimedOut => Err(ErrorCode::TimedOut.into()),
        })
    }
}

/// Why a sleep is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wake {
    /// Somebody woke it.
    Awakened,
    /// Its deadline has passed.
    TimedOut,
}

/// The host's `command-sleep`; tests have their own.
type Park = fn(RequestId, u64, u64) -> Result<()>;

/// What a request's futures and the executor share.
#[derive(Debug)]
struct Seat {
    id: RequestId,
    park: Park,
    /// The host has it parked.
    asleep: Cell<bool>,
    /// Why it goes on, until the sleep that is over has seen it.
    wake: Cell<Option<Wake>>,
}

impl Seat {
    fn park(&self, event: u64, deadline: u64) -> Result<()> {
        (self.park)(self.id, event, deadline)?;
        self.wake.set(None);
        self.asleep.set(true);
        Ok(())
    }
}

/// Requests are futures of [`AsyncDriver::command`].
pub struct Asynchronous;

thread_local! {
    static TASKS: RefCell<Tasks> = const { RefCell::new(Tasks::new(park)) };
}

fn park(id: RequestId, event: u64, deadline: u64) -> Result<()> {
    Ok(raw::command_sleep(id.0, event, deadline).map_err(ErrorCode::from)?)
}

impl<D: Slot + AsyncDriver> Commands<D> for Asynchronous {
    fn command(request: Request) -> Answer {
        executor::begin();
        let id = request.id();
        let seat = TASKS.with_borrow(|tasks| tasks.seat(id));
        let future = <D as AsyncDriver>::command(Gated::new(seat.clone()), request);
        let polled = tasks::run(&TASKS, seat, Box::pin(future));
        alarm::arm();
        match polled {
            Poll::Ready(result) => answer(result),
            Poll::Pending => Answer::Later,
        }
    }

    fn resume(id: RequestId, wake: Wake) {
        answer_later(id, tasks::resume(&TASKS, id, wake));
        alarm::arm();
    }

    fn cancelled(id: RequestId) {
        drop(tasks::take(&TASKS, TaskId::Request(id)));
    }
}

/// Answers a request that has waited, if it is done.
fn answer_later(id: RequestId, result: Poll<Result<Reply>>) {
    let Poll::Ready(result) = result else {
        return;
    };
    // A request that was deferred is its `Pending`'s to answer.
    if let Answer::Now(_) = answer(result.clone())
        && let Err(error) = complete(id, result)
    {
        log(Level::Error, &format!("answer to a request: {error}"));
    }
}
