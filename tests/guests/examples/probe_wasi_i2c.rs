//! Reads a sensor through `wasi:i2c` alone, with the crate `wasi-embedded-hal` and
//! without the SDK: no function of another interface is imported, so it tells what it
//! got in the only way that is left, as the reason for which it does not start. It
//! leaves `transaction` alone, whose errors that crate drops.

#![allow(
    unsafe_code,
    missing_docs,
    clippy::all,
    clippy::pedantic,
    unused_qualifications,
    unreachable_pub,
    unexpected_cfgs,
    reason = "generated code, and macros of the crate"
)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "wasi-i2c-driver",
    generate_all,
});

mod hal {
    use crate::wasi::i2c::i2c;
    wasi_embedded_hal::add_i2c_hal!(i2c);
}

mod hal_delay {
    use crate::wasi::i2c::delay;
    wasi_embedded_hal::add_delay_hal!(delay);
}

use std::cell::RefCell;

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::{Error as _, I2c};
use exports::loopgate::driver::handlers::{
    Arguments, Cause, Circumstances, Direction, ErrorCode, Guest as Handlers, Outcome, PowerChange,
    PowerState, Readiness, Reply, StructuralEvent, Verdict, Wake,
};
use exports::loopgate::driver::wasi_i2c::{Granted, Guest as Connect};
use wasi::i2c::delay::Delay;

struct Driver;

thread_local! {
    static DEVICES: RefCell<Vec<Granted>> = const { RefCell::new(Vec::new()) };
    static DELAY: RefCell<Option<Delay>> = const { RefCell::new(None) };
}

impl Connect for Driver {
    fn connect(devices: Vec<Granted>, delay: Delay) {
        DEVICES.set(devices);
        DELAY.set(Some(delay));
    }
}

fn register(number: u8, elsewhere: bool) -> Result<u8, String> {
    DEVICES.with_borrow_mut(|devices| {
        let device = devices.first_mut().ok_or("nothing is granted")?;
        let address = device.address as u8 + u8::from(elsewhere);
        let mut value = [0];
        // A driver that knows `embedded-hal` alone.
        let bus: &mut dyn I2c<Error = _> = &mut device.bus;
        bus.write_read(address, &[number], &mut value)
            .map_err(|error| format!("{:?}", error.kind()))?;
        Ok(value[0])
    })
}

fn wait(ns: u32) -> Result<u8, String> {
    DELAY.with_borrow_mut(|delay| delay.as_mut().map(|delay| delay.delay_ns(ns)));
    Ok(0)
}

impl Handlers for Driver {
    fn start(_: Cause, _: Vec<(String, String)>) -> Result<(), String> {
        let id = register(0xd0, false)?;
        let elsewhere = register(0xd0, true);
        wait(1_000_000)?;
        Err(format!("read {id:#04x}; elsewhere: {elsewhere:?}"))
    }

    fn stop() {}

    fn save_state() -> Result<(u32, Vec<u8>), ErrorCode> {
        Err(ErrorCode::Unsupported)
    }

    fn restore_state(_: u32, _: Vec<u8>) -> Result<(), ErrorCode> {
        Err(ErrorCode::Unsupported)
    }

    fn interrupt_occurred(_: u32, _: u32, _: u32, _: u64, _: u64, _: bool) {}

    fn filter(_: u32, _: u64, _: u64, _: u64, _: u64, _: bool) -> Verdict {
        Verdict::Mine
    }

    fn timeout_occurred(_: u32, _: u64, _: u64) {}

    fn command(_: u32, _: u64, _: Circumstances, _: Arguments) -> Outcome {
        Outcome::Done(Err(ErrorCode::Unsupported))
    }

    fn resume(_: u64, _: Wake) {}

    fn cancelled(_: u64) {}

    fn completed(_: u32, _: u64, _: Result<Reply, ErrorCode>) {}

    fn pin_read(_: u32) -> Result<bool, ErrorCode> {
        Err(ErrorCode::Unsupported)
    }

    fn pin_write(_: u32, _: bool) -> Result<(), ErrorCode> {
        Err(ErrorCode::Unsupported)
    }

    fn pin_configure(_: u32, _: Direction) -> Result<(), ErrorCode> {
        Err(ErrorCode::Unsupported)
    }

    fn structural(_: StructuralEvent, _: String) -> Readiness {
        Readiness::Ready
    }

    fn allow_power_change(_: PowerState) -> bool {
        true
    }

    fn set_power_state(_: PowerState) -> PowerChange {
        PowerChange::Made
    }

    fn power_state_did_change(_: PowerState) {}
}

export!(Driver);
