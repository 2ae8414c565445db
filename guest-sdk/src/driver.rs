//! The trait that a driver implements, and how the host's calls reach it.

use std::marker::PhantomData;

use crate::bindings::exports::loopgate::driver::handlers;
use crate::bindings::loopgate::driver::{request as raw, types};
use crate::request::{Answer, answer};
use crate::{
    Context, GateId, InterruptId, Interrupts, Occurrence, Reply, Request, RequestId, Result,
    Timeout, TimerId,
};
use crate::{Error, ErrorCode, Instant, Level, log};

/// A driver: what the host calls, one handler at a time, with the gate of the
/// driver's work loop closed.
///
/// No handler may wait. Each has the time that the board entry allows
/// (`handler-cpu`, `handler-wall`); a handler that exceeds it, or panics, ends
/// this instance and harms nobody else.
pub trait Driver: Sized + 'static {
    /// Opens the devices and creates the sources, which go live when this
    /// returns `Ok`.
    ///
    /// # Errors
    ///
    /// Whatever keeps the driver from working. The text goes to the host's
    /// log, and everything that was opened is released again.
    fn start(cx: &Context) -> Result<Self>;

    /// `event.count` interrupts of `source` arrived since the last call, and
    /// `event.lost` more found no room.
    ///
    /// `source == self.button` tells several sources apart.
    /// [`Interrupt::take_occurrences`](crate::Interrupt::take_occurrences)
    /// gives each interrupt with its time.
    ///
    /// # Errors
    ///
    /// Go to the host's log, and the driver goes on.
    fn interrupt(&mut self, source: InterruptId, event: Interrupts) -> Result<()> {
        let _ = (source, event);
        Ok(())
    }

    /// The timer `timer` expired. It does not fire again until it is armed
    /// again.
    ///
    /// # Errors
    ///
    /// Go to the host's log, and the driver goes on.
    fn timeout(&mut self, timer: TimerId, expiry: Timeout) -> Result<()> {
        let _ = (timer, expiry);
        Ok(())
    }

    /// A client's request, on a service that this driver publishes.
    ///
    /// A driver that cannot answer yet keeps [`Request::defer`]'s `Pending`
    /// and returns its `Reply`.
    ///
    /// # Errors
    ///
    /// The [`ErrorCode`](crate::ErrorCode) goes to the client. What a driver
    /// does not override is `unsupported`.
    fn command(&mut self, request: Request) -> Result<Reply> {
        let _ = request;
        Err(ErrorCode::Unsupported.into())
    }

    /// The client of the deferred request `id` gave up, died or ran out of
    /// time: the driver forgets it, and drops its `Pending`.
    fn cancelled(&mut self, id: RequestId) {
        let _ = id;
    }

    /// The last call. What the driver still holds is released afterwards.
    fn stop(&mut self) {}
}

/// Makes the type, which implements [`Driver`], the driver that this crate
/// builds to. Once in a crate.
#[macro_export]
macro_rules! driver {
    ($driver:ty) => {
        const _: () = {
            ::std::thread_local! {
                static DRIVER: ::core::cell::RefCell<::core::option::Option<$driver>> =
                    const { ::core::cell::RefCell::new(::core::option::Option::None) };
            }

            impl $crate::__private::Slot for $driver {
                fn with<R>(f: impl FnOnce(&mut ::core::option::Option<Self>) -> R) -> R {
                    DRIVER.with_borrow_mut(f)
                }
            }

            type Export = $crate::__private::Export<$driver>;

            // Only the component has a host to export to: the names would not
            // link on every native target.
            #[cfg(target_arch = "wasm32")]
            $crate::__private::bindings::export_handlers!(
                Export with_types_in $crate::__private::bindings
            );
            #[cfg(not(target_arch = "wasm32"))]
            const _: fn() = $crate::__private::keep::<Export>;
        };
    };
}

/// Where the one instance of a driver lives. A generic function cannot hold a
/// static of its parameter's type, so [`driver!`] does.
pub trait Slot: Driver {
    /// Lends the instance; `None` before `start` and after `stop`.
    fn with<R>(f: impl FnOnce(&mut Option<Self>) -> R) -> R;
}

/// Takes the host's calls for the driver `D`.
pub struct Export<D>(PhantomData<D>);

/// Natively nobody calls a driver; this keeps the compiler from finding its
/// code dead.
pub fn keep<E: handlers::Guest>() {}

impl<D: Slot> handlers::Guest for Export<D> {
    fn start(
        cause: handlers::Cause,
        config: Vec<(String, String)>,
    ) -> std::result::Result<(), String> {
        let driver = D::start(&Context::new(cause, config)).map_err(|error| error.to_string())?;
        D::with(|slot| *slot = Some(driver));
        Ok(())
    }

    fn stop() {
        let taken = D::with(Option::take);
        if let Some(mut driver) = taken {
            driver.stop();
        }
    }

    fn interrupt_occurred(
        source: types::Token,
        count: u32,
        lost: u32,
        sequence: u64,
        timestamp: types::Instant,
        high: bool,
    ) {
        let latest = Occurrence {
            sequence,
            timestamp: Instant::from_nanos(timestamp),
            high,
        };
        let event = Interrupts {
            count,
            lost,
            latest,
        };
        let result = deliver::<D, _>(|driver| driver.interrupt(InterruptId(source), event));
        report("interrupt", result);
    }

    fn timeout_occurred(source: types::Token, deadline: types::Instant, now: types::Instant) {
        let expiry = Timeout {
            deadline: Instant::from_nanos(deadline),
            now: Instant::from_nanos(now),
        };
        let result = deliver::<D, _>(|driver| driver.timeout(TimerId(source), expiry));
        report("timeout", result);
    }

    fn command(
        gate: types::Token,
        id: raw::RequestId,
        circumstances: handlers::Circumstances,
        arguments: raw::Arguments,
    ) -> handlers::Outcome {
        let request = Request::new(GateId(gate), id, circumstances, arguments);
        let result = deliver::<D, _>(|driver| driver.command(request))
            .unwrap_or_else(|| Err(Error::from(ErrorCode::NotReady)));
        match answer(result) {
            Answer::Now(result) => handlers::Outcome::Done(result),
            Answer::Later => handlers::Outcome::Pending,
        }
    }

    fn cancelled(id: raw::RequestId) {
        deliver::<D, ()>(|driver| driver.cancelled(RequestId(id)));
    }
}

/// Calls a handler. Before `start` and after `stop` the host calls none; if it
/// did, there would be nobody to call.
fn deliver<D: Slot, R>(handler: impl FnOnce(&mut D) -> R) -> Option<R> {
    D::with(|slot| slot.as_mut().map(handler))
}

/// An event has nobody to return an error to but the log.
fn report(handler: &str, result: Option<Result<()>>) {
    if let Some(Err(error)) = result {
        log(Level::Error, &format!("handler `{handler}`: {error}"));
    }
}
