//! Misuses sources and handles when it is set off, in the way that `how` says:
//!
//! - `twice` (unless told): adds a source twice, removes it twice, uses it
//!   while it is on no loop, and tells what it got;
//! - `stale`: uses a handle after dropping it;
//! - `foreign`: uses a handle that it was never given;
//! - `mistaken`: uses a timer's handle as a pin;
//! - `double-drop`: drops a handle twice.
//!
//! All but the first break the contract itself: a trap.

#![allow(unsafe_code, reason = "the wrappers exist to make this impossible")]

use loopgate_guest::prelude::*;
use loopgate_guest::{EventSource, WorkLoop};
use loopgate_test_guests::{Trigger, misbehaves};

mod raw {
    #[link(wasm_import_module = "loopgate:driver/work-loop@0.1.0")]
    unsafe extern "C" {
        #[link_name = "[static]timer-event-source.create"]
        pub(crate) fn create(token: i32, result: *mut u8);
        #[link_name = "[method]timer-event-source.cancel-timeout"]
        pub(crate) fn cancel_timeout(timer: i32);
        #[link_name = "[resource-drop]timer-event-source"]
        pub(crate) fn drop(timer: i32);
    }

    #[link(wasm_import_module = "loopgate:driver/gpio@0.1.0")]
    unsafe extern "C" {
        #[link_name = "[method]pin.is-high"]
        pub(crate) fn is_high(pin: i32, result: *mut u8);
    }
}

fn misuse(trigger: &Trigger) -> Reply {
    match trigger.how.as_str() {
        "stale" => {
            let timer = timer();
            // SAFETY: numbers alone cross the boundary; the host must cope.
            unsafe {
                raw::drop(timer);
                raw::cancel_timeout(timer);
            }
        }
        // SAFETY: as above.
        "foreign" => unsafe { raw::cancel_timeout(12_345) },
        "mistaken" => {
            let mut result = [0; 2];
            // SAFETY: as above; `result` has room for a `result<bool, enum>`.
            unsafe { raw::is_high(timer(), result.as_mut_ptr()) }
        }
        "double-drop" => {
            let timer = timer();
            // SAFETY: as above.
            unsafe {
                raw::drop(timer);
                raw::drop(timer);
            }
        }
        _ => {
            let told = twice().unwrap_or_else(|error| error.to_string());
            return told.into();
        }
    }
    "survived".into()
}

/// The handle of a new timer.
fn timer() -> i32 {
    let mut result = [0_i32; 2];
    // SAFETY: a `result<own, enum>` is two words: the case, and the handle.
    unsafe { raw::create(1_000_000, result.as_mut_ptr().cast()) };
    result[1]
}

fn twice() -> Result<String> {
    let work_loop = WorkLoop::get();
    let (timer, interrupt, gate) = (
        Timer::create()?,
        Interrupt::create(None)?,
        CommandGate::create()?,
    );
    Ok([
        told("timer", add_and_remove(work_loop, &timer)),
        told("armed off the loop", timer.set_timeout(1.millis())),
        told("interrupt", add_and_remove(work_loop, &interrupt)),
        told("signalled off the loop", interrupt.signal()),
        told("gate", add_and_remove(work_loop, &gate)),
        told(
            "published off the loop",
            ServiceBuilder::new("misbehave").publish_through(&gate),
        ),
    ]
    .join("; "))
}

fn add_and_remove(work_loop: WorkLoop, source: &impl EventSource) -> Result<()> {
    work_loop.add_event_source(source)?;
    work_loop.add_event_source(source)?;
    work_loop.remove_event_source(source)?;
    work_loop.remove_event_source(source)?;
    work_loop.add_event_source(source)?;
    work_loop.remove_event_source(source)
}

fn told(what: &str, result: Result<()>) -> String {
    let got = result.map_or_else(|error| error.code().name(), |()| "ok");
    format!("{what}: {got}")
}

misbehaves!(misuse);
