//! Does what programs say that others wrote for it, a fuzzer for instance: one
//! import after another, with whatever handles and values there are.
//!
//! Config `service` names its service and `program`, in hexadecimal, what `start`
//! does. Selector `run` does what the request's data says, `store` keeps it
//! for handler number `scalars[0]`. A program has no jumps, and an instance does
//! so many steps in all: the program's author decides when nothing is left to do.

#![allow(
    unsafe_code,
    reason = "it makes handles up, which the bindings exist to prevent"
)]

#[path = "probe_program/machine.rs"]
mod machine;
#[path = "probe_program/program.rs"]
mod program;

use loopgate_guest::__private::bindings;
use loopgate_guest::__private::bindings::exports::loopgate::driver::handlers;
use loopgate_guest::__private::bindings::loopgate::driver::{gpio, request, types};
use machine::{End, Machine};
use std::cell::RefCell;

/// Does what the data says.
const RUN: u32 = 1;
/// Keeps it for a handler.
const STORE: u32 = 2;
/// As `RUN`, to leave the client waiting.
const PENDING: u32 = 3;

thread_local! {
    static MACHINE: RefCell<Machine> = RefCell::default();
}

/// The programs of the handlers.
#[derive(Clone, Copy)]
enum Slot {
    Interrupt,
    Timeout,
    Resume,
    Cancelled,
    Completed,
    PinRead,
    PinWrite,
    PinConfigure,
    Structural,
    Power,
    Stop,
    Save,
    Restore,
}

fn handle(slot: Slot) -> End {
    MACHINE.with_borrow_mut(|machine| machine.handle(slot as usize))
}

struct Driver;

impl handlers::Guest for Driver {
    fn start(_: handlers::Cause, config: Vec<(String, String)>) -> Result<(), String> {
        let said = |key: &str| {
            let pair = config.iter().find(|(known, _)| known == key);
            pair.map(|(_, value)| value.as_str()).unwrap_or_default()
        };
        let program = program::from_hex(said("program"));
        MACHINE.with_borrow_mut(|machine| {
            machine
                .publish(said("service"), &[RUN, STORE, PENDING])
                .map_err(|code| format!("{code:?}"))?;
            match machine.run(&program) {
                End::Failed(code) => Err(format!("{code:?}")),
                End::Done(_) | End::Pending => Ok(()),
            }
        })
    }

    fn stop() {
        handle(Slot::Stop);
    }

    fn save_state() -> Result<(u32, Vec<u8>), types::ErrorCode> {
        let length = handle(Slot::Save).value()?;
        let bytes = vec![length as u8; machine::length(length)];
        Ok((length as u32, bytes))
    }

    fn restore_state(_: u32, _: Vec<u8>) -> Result<(), types::ErrorCode> {
        handle(Slot::Restore).value().map(drop)
    }

    fn interrupt_occurred(_: u32, _: u32, _: u32, _: u64, _: u64, _: bool) {
        handle(Slot::Interrupt);
    }

    fn filter(_: u32, word: u64, levels: u64, _: u64, _: u64, high: bool) -> handlers::Verdict {
        match word % 8 {
            1 | 2 => handlers::Verdict::Mine,
            3 => handlers::Verdict::MineKeepLineOn,
            4 if levels != 0 => handlers::Verdict::Mine,
            5 if high => loop {
                std::hint::spin_loop();
            },
            6 if high => panic!("as the program says"),
            _ => handlers::Verdict::NotMine,
        }
    }

    fn timeout_occurred(_: u32, _: u64, _: u64) {
        handle(Slot::Timeout);
    }

    fn command(
        _: u32,
        id: request::RequestId,
        _: handlers::Circumstances,
        arguments: request::Arguments,
    ) -> handlers::Outcome {
        MACHINE.with_borrow_mut(|machine| {
            if arguments.selector == STORE {
                machine.store(arguments.scalars.0, arguments.data);
                return handlers::Outcome::Done(Ok(machine::reply(0)));
            }
            machine.requests.push(id);
            let end = machine.run(&arguments.data);
            match end {
                End::Pending => handlers::Outcome::Pending,
                End::Done(_) if arguments.selector == PENDING => handlers::Outcome::Pending,
                end => handlers::Outcome::Done(end.value().map(machine::reply)),
            }
        })
    }

    fn resume(_: request::RequestId, _: handlers::Wake) {
        handle(Slot::Resume);
    }

    fn cancelled(_: request::RequestId) {
        handle(Slot::Cancelled);
    }

    fn completed(_: u32, _: request::RequestId, _: Result<request::Reply, types::ErrorCode>) {
        handle(Slot::Completed);
    }

    fn pin_read(pin: u32) -> Result<bool, types::ErrorCode> {
        handle(Slot::PinRead)
            .value()
            .map(|value| value >> pin & 1 == 1)
    }

    fn pin_write(_: u32, _: bool) -> Result<(), types::ErrorCode> {
        handle(Slot::PinWrite).value().map(drop)
    }

    fn pin_configure(_: u32, _: gpio::Direction) -> Result<(), types::ErrorCode> {
        handle(Slot::PinConfigure).value().map(drop)
    }

    fn structural(_: handlers::StructuralEvent, _: String) -> handlers::Readiness {
        match handle(Slot::Structural) {
            End::Pending => handlers::Readiness::Closing,
            End::Done(_) | End::Failed(_) => handlers::Readiness::Ready,
        }
    }

    fn allow_power_change(_: handlers::PowerState) -> bool {
        !matches!(handle(Slot::Power), End::Failed(_))
    }

    fn set_power_state(_: handlers::PowerState) -> handlers::PowerChange {
        match handle(Slot::Power) {
            End::Done(0) => handlers::PowerChange::Made,
            End::Done(within) => handlers::PowerChange::Later(within),
            End::Pending => handlers::PowerChange::Later(u64::MAX),
            End::Failed(code) => handlers::PowerChange::Failed(code),
        }
    }

    fn power_state_did_change(_: handlers::PowerState) {
        handle(Slot::Power);
    }
}

bindings::export_handlers!(Driver with_types_in bindings);
