//! How the host's calls reach the driver.

use std::marker::PhantomData;

use crate::asynchronous::Wake;
use crate::asynchronous::executor::{self, Call};
use crate::asynchronous::submission::{self, Completed};
use crate::bindings::exports::loopgate::driver::handlers;
use crate::bindings::loopgate::driver::{request as raw, types};
use crate::request::{Answer, answer, lift};
use crate::{
    Context, Driver, ErrorCode, FilterEvent, GateId, Instant, InterruptId, Interrupts, Level,
    Occurrence, Request, RequestId, Result, Saved, Timeout, TimerId, Verdict, log, power,
};

/// Makes the type, which implements [`Driver`], the driver that this crate
/// builds to. Once in a crate.
///
/// `driver!(async Type)` for one whose requests can wait:
/// [`AsyncDriver`](crate::AsyncDriver).
#[macro_export]
macro_rules! driver {
    (async $driver:ty) => {
        $crate::driver!(@export $driver, $crate::__private::Asynchronous);
    };
    (@export $driver:ty, $commands:ty) => {
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

            type Export = $crate::__private::Export<$driver, $commands>;

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
    ($driver:ty) => {
        $crate::driver!(@export $driver, $crate::__private::Plain);
    };
}

/// Where the one instance of a driver lives. A generic function cannot hold a
/// static of its parameter's type, so [`driver!`] does.
pub trait Slot: Driver {
    /// Lends the instance; `None` before `start` and after `stop`.
    fn with<R>(f: impl FnOnce(&mut Option<Self>) -> R) -> R;
}

/// What becomes of a driver's requests: the two forms of `command`.
pub trait Commands<D: Slot> {
    /// The request arrives.
    fn command(request: Request) -> Answer;

    /// It slept, and goes on.
    fn resume(id: RequestId, wake: Wake);

    /// Its client gave up.
    fn cancelled(id: RequestId);
}

/// Requests go to [`Driver::command`], and none can sleep.
pub struct Plain;

impl<D: Slot> Commands<D> for Plain {
    fn command(request: Request) -> Answer {
        let result = deliver::<D, _>(|driver| driver.command(request));
        answer(result.unwrap_or_else(|| Err(ErrorCode::NotReady.into())))
    }

    fn resume(_: RequestId, _: Wake) {}

    fn cancelled(_: RequestId) {}
}

/// Takes the host's calls for the driver `D`.
pub struct Export<D, C>(PhantomData<(D, C)>);

/// Natively nobody calls a driver; this keeps the compiler from finding its
/// code dead.
pub fn keep<E: handlers::Guest>() {}

impl<D: Slot, C: Commands<D>> handlers::Guest for Export<D, C> {
    fn start(
        cause: handlers::Cause,
        config: Vec<(String, String)>,
    ) -> std::result::Result<(), String> {
        let driver = D::start(&Context::new(cause, config)).map_err(|error| error.to_string())?;
        D::with(|slot| *slot = Some(driver));
        executor::tell(&Call::Handled);
        Ok(())
    }

    fn stop() {
        executor::tell(&Call::Stop);
        let taken = D::with(Option::take);
        if let Some(mut driver) = taken {
            driver.stop();
        }
    }

    fn save_state() -> std::result::Result<(u32, Vec<u8>), types::ErrorCode> {
        let saved = asked::<D, _>(|driver| driver.save().inspect_err(unless_unsupported("save")));
        saved.map(Saved::lower)
    }

    fn restore_state(version: u32, state: Vec<u8>) -> std::result::Result<(), types::ErrorCode> {
        let saved = Saved::lift(version, state);
        asked::<D, _>(|driver| {
            let restored = driver.restore(&saved);
            restored.inspect_err(unless_unsupported("restore"))
        })
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
        let source = InterruptId(source);
        if !executor::tell(&Call::Interrupt(source, event)) {
            let result = deliver::<D, _>(|driver| driver.interrupt(source, event));
            report("interrupt", result);
        }
    }

    fn filter(
        source: types::Token,
        word: u64,
        levels: u64,
        sequence: u64,
        timestamp: types::Instant,
        high: bool,
    ) -> handlers::Verdict {
        let verdict = D::filter(FilterEvent {
            source: InterruptId(source),
            word,
            levels,
            occurrence: Occurrence {
                sequence,
                timestamp: Instant::from_nanos(timestamp),
                high,
            },
        });
        match verdict {
            Verdict::NotMine => handlers::Verdict::NotMine,
            Verdict::Mine => handlers::Verdict::Mine,
            Verdict::MineKeepLineOn => handlers::Verdict::MineKeepLineOn,
        }
    }

    fn timeout_occurred(source: types::Token, deadline: types::Instant, now: types::Instant) {
        let expiry = Timeout {
            deadline: Instant::from_nanos(deadline),
            now: Instant::from_nanos(now),
        };
        let timer = TimerId(source);
        if !executor::tell(&Call::Timeout(timer)) {
            let result = deliver::<D, _>(|driver| driver.timeout(timer, expiry));
            report("timeout", result);
        }
    }

    fn command(
        gate: types::Token,
        id: raw::RequestId,
        circumstances: handlers::Circumstances,
        arguments: raw::Arguments,
    ) -> handlers::Outcome {
        let request = Request::new(GateId(gate), id, circumstances, arguments);
        match C::command(request) {
            Answer::Now(result) => handlers::Outcome::Done(result),
            Answer::Later => handlers::Outcome::Pending,
        }
    }

    fn resume(id: raw::RequestId, wake: handlers::Wake) {
        let wake = match wake {
            handlers::Wake::Awakened => Wake::Awakened,
            handlers::Wake::TimedOut => Wake::TimedOut,
        };
        C::resume(RequestId(id), wake);
    }

    fn cancelled(id: raw::RequestId) {
        C::cancelled(RequestId(id));
        deliver::<D, ()>(|driver| driver.cancelled(RequestId(id)));
    }

    fn completed(
        context: types::Token,
        id: raw::RequestId,
        outcome: std::result::Result<raw::Reply, types::ErrorCode>,
    ) {
        let id = RequestId(id);
        match submission::completed(id, lift(outcome)) {
            Completed::Taken => {
                executor::tell(&Call::Completed);
            }
            Completed::Other(outcome) => {
                let result = deliver::<D, _>(|driver| driver.completed(context, id, outcome));
                report("completed", result);
            }
        }
    }

    fn pin_read(pin: u32) -> std::result::Result<bool, types::ErrorCode> {
        asked::<D, _>(|driver| driver.pin_read(pin))
    }

    fn pin_write(pin: u32, high: bool) -> std::result::Result<(), types::ErrorCode> {
        asked::<D, _>(|driver| driver.pin_write(pin, high))
    }

    fn pin_configure(
        pin: u32,
        direction: handlers::Direction,
    ) -> std::result::Result<(), types::ErrorCode> {
        let output = match direction {
            handlers::Direction::Input => None,
            handlers::Direction::Output(high) => Some(high),
        };
        asked::<D, _>(|driver| driver.pin_configure(pin, output))
    }

    fn structural(event: handlers::StructuralEvent, service: String) -> handlers::Readiness {
        let readiness = deliver::<D, _>(|driver| driver.structural(event.into(), &service));
        readiness.unwrap_or_default().into()
    }

    fn allow_power_change(state: handlers::PowerState) -> bool {
        deliver::<D, _>(|driver| driver.allow_power_change(state.into())).unwrap_or(true)
    }

    fn set_power_state(state: handlers::PowerState) -> handlers::PowerChange {
        power::answer(deliver::<D, _>(|driver| {
            driver.set_power_state(state.into())
        }))
    }

    fn power_state_did_change(state: handlers::PowerState) {
        deliver::<D, _>(|driver| driver.power_state_did_change(state.into()));
    }
}

/// The host is told no more than the code: the log has the rest.
fn unless_unsupported(handler: &str) -> impl Fn(&crate::Error) {
    move |error| {
        if error.code() != ErrorCode::Unsupported {
            report(handler, Some(Err(error.clone())));
        }
    }
}

/// Calls a handler whose result goes to another driver, or to the host.
fn asked<D: Slot, R>(
    handler: impl FnOnce(&mut D) -> Result<R>,
) -> std::result::Result<R, types::ErrorCode> {
    let result = deliver::<D, _>(handler).unwrap_or(Err(ErrorCode::NotReady.into()));
    result.map_err(|error| error.code().into())
}

/// Calls a handler. Before `start` and after `stop` the host calls none; if it
/// did, there would be nobody to call.
fn deliver<D: Slot, R>(handler: impl FnOnce(&mut D) -> R) -> Option<R> {
    let result = D::with(|slot| slot.as_mut().map(handler));
    executor::tell(&Call::Handled);
    result
}

/// An event has nobody to return an error to but the log.
fn report(handler: &str, result: Option<Result<()>>) {
    if let Some(Err(error)) = result {
        log(Level::Error, &format!("handler `{handler}`: {error}"));
    }
}
