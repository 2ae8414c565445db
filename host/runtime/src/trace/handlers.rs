//! Every handler, in one list: what is between the host and a driver's instance, and what
//! a trace is replayed from.

use super::replay::Replayed;
use super::wire::{Put, Take};
use crate::bindings::WitErrorCode;
use crate::bindings::exports::loopgate::driver::handlers::{
    Cause, Circumstances, Guest as Wit, Outcome, PowerChange, PowerState, Readiness,
    StructuralEvent, Wake,
};
use crate::bindings::loopgate::driver::gpio::Direction;
use crate::bindings::loopgate::driver::request::{Arguments, Reply};
use crate::guest::Guest;
use crate::interface::wasi_i2c::wit::Granted;
use crate::interface::wasi_i2c::{Connect, Delay};
use wasmtime::Store;
use wasmtime::component::Resource;

/// The handlers of an instance, as the host calls them.
#[derive(Clone, Copy)]
pub(crate) struct Handlers<'a>(&'a Wit);

impl<'a> Handlers<'a> {
    pub(crate) fn of(bindings: &'a crate::bindings::Driver) -> Self {
        Self(bindings.loopgate_driver_handlers())
    }
}

/// A call into a driver's instance, which the trace has if there is one.
pub(crate) fn handler<R: Put>(
    store: &mut Store<Guest>,
    number: u8,
    put: impl FnOnce(&mut Vec<u8>),
    call: impl FnOnce(&mut Store<Guest>) -> wasmtime::Result<R>,
) -> wasmtime::Result<R> {
    if store.data().witness.is_none() {
        return call(store);
    }
    store.data_mut().handler_begins(number, put);
    let answer = call(store);
    store.data_mut().handler_returned(&answer);
    answer
}

/// For each handler: its number in traces, for good; its name; its signature, with what
/// its arguments are on a trace and how they are lent from there.
macro_rules! handlers {
    ($(
        $number:literal $case:ident $label:literal
        $function:ident($($argument:ident: $ty:ty = $kept:ty, $lent:expr;)*) -> $answer:ty;
    )*) => {
        impl Handlers<'_> {$(
            #[inline]
            #[allow(clippy::too_many_arguments, reason = "as many as the contract has")]
            pub(crate) fn $function(
                self,
                store: &mut Store<Guest>,
                $($argument: $ty,)*
            ) -> wasmtime::Result<$answer> {
                let put = |_out: &mut Vec<u8>| { $($argument.put(_out);)* };
                handler(store, $number, put, |store| self.0.$function(store, $($argument),*))
            }
        )*}

        /// As the contract calls the handler.
        #[cfg(test)]
        pub(super) fn name(number: u8) -> Option<&'static str> {
            match number {
                $($number => Some($label),)*
                CONNECT => Some("connect"),
                _ => None,
            }
        }

        /// A handler's call.
        pub(super) enum Event {
            $($case { $($argument: $kept),* },)*
            /// What takes the devices of `wasi:i2c`.
            Connect { devices: Vec<Granted>, delay: Resource<Delay> },
        }

        impl Event {
            /// Takes the handler's arguments off a trace.
            pub(super) fn take(number: u8, input: &mut &[u8]) -> Option<Self> {
                Some(match number {
                    $($number => Self::$case { $($argument: <$kept>::take(input)?),* },)*
                    CONNECT => Self::Connect { devices: Take::take(input)?, delay: Take::take(input)? },
                    _ => return None,
                })
            }

            /// As the contract calls the handler.
            pub(super) fn name(&self) -> &'static str {
                match self {
                    $(Self::$case { .. } => $label,)*
                    Self::Connect { .. } => "connect",
                }
            }

            /// Its arguments in words.
            pub(super) fn show(&self, to: &mut String) {
                let begin = to.len();
                match self {
                    $(Self::$case { $($argument),* } => {$(
                        if to.len() > begin {
                            to.push_str(", ");
                        }
                        $argument.show(to);
                    )*})*
                    Self::Connect { devices, .. } => devices.show(to),
                }
            }

            /// Calls it; the answer is as it is on a trace.
            pub(super) fn call(
                &self,
                store: &mut Store<Replayed>,
                handlers: &Wit,
                connect: Option<&Connect>,
            ) -> wasmtime::Result<Vec<u8>> {
                let mut out = Vec::new();
                match (self, connect) {
                    $((Self::$case { $($argument),* }, _) => {
                        handlers.$function(store, $($lent),*)?.put(&mut out);
                    })*
                    (Self::Connect { devices, delay }, Some(connect)) => {
                        let connect = connect.loopgate_driver_wasi_i2c();
                        connect.call_connect(store, devices, Resource::new_own(delay.rep()))?;
                    }
                    (Self::Connect { .. }, None) => wasmtime::bail!("it exports no `connect`"),
                }
                Ok(out)
            }
        }

        /// Takes a handler's answer off a trace, in words.
        pub(super) fn show_answer(number: u8, input: &mut &[u8]) -> Option<String> {
            let mut to = String::new();
            match number {
                $($number => <$answer>::take(input)?.show(&mut to),)*
                CONNECT => {}
                _ => return None,
            }
            Some(to)
        }
    };
}

/// Of what takes the devices of `wasi:i2c`.
pub(crate) const CONNECT: u8 = 20;

handlers! {
    1 Start "start" call_start(
        cause: Cause = Cause, *cause;
        config: &[(String, String)] = Vec<(String, String)>, config;
    ) -> Result<(), String>;
    2 Stop "stop" call_stop() -> ();
    3 SaveState "save-state" call_save_state() -> Result<(u32, Vec<u8>), WitErrorCode>;
    4 RestoreState "restore-state" call_restore_state(
        version: u32 = u32, *version;
        state: &[u8] = Vec<u8>, state;
    ) -> Result<(), WitErrorCode>;
    5 Interrupt "interrupt-occurred" call_interrupt_occurred(
        source: u32 = u32, *source;
        count: u32 = u32, *count;
        lost: u32 = u32, *lost;
        sequence: u64 = u64, *sequence;
        timestamp: u64 = u64, *timestamp;
        high: bool = bool, *high;
    ) -> ();
    6 Timeout "timeout-occurred" call_timeout_occurred(
        source: u32 = u32, *source;
        deadline: u64 = u64, *deadline;
        now: u64 = u64, *now;
    ) -> ();
    7 Command "command" call_command(
        gate: u32 = u32, *gate;
        id: u64 = u64, *id;
        circumstances: Circumstances = Circumstances, *circumstances;
        arguments: &Arguments = Arguments, arguments;
    ) -> Outcome;
    8 Resume "resume" call_resume(id: u64 = u64, *id; wake: Wake = Wake, *wake;) -> ();
    9 Cancelled "cancelled" call_cancelled(id: u64 = u64, *id;) -> ();
    10 Completed "completed" call_completed(
        context: u32 = u32, *context;
        id: u64 = u64, *id;
        outcome: Result<&Reply, WitErrorCode> = Result<Reply, WitErrorCode>, outcome.as_ref().map_err(|&code| code);
    ) -> ();
    11 PinRead "pin-read" call_pin_read(pin: u32 = u32, *pin;) -> Result<bool, WitErrorCode>;
    12 PinWrite "pin-write" call_pin_write(
        pin: u32 = u32, *pin;
        high: bool = bool, *high;
    ) -> Result<(), WitErrorCode>;
    13 PinConfigure "pin-configure" call_pin_configure(
        pin: u32 = u32, *pin;
        direction: Direction = Direction, *direction;
    ) -> Result<(), WitErrorCode>;
    14 Structural "structural" call_structural(
        event: StructuralEvent = StructuralEvent, *event;
        service: &str = String, service;
    ) -> Readiness;
    15 AllowPowerChange "allow-power-change" call_allow_power_change(
        state: PowerState = PowerState, *state;
    ) -> bool;
    16 SetPowerState "set-power-state" call_set_power_state(
        state: PowerState = PowerState, *state;
    ) -> PowerChange;
    17 PowerStateDidChange "power-state-did-change" call_power_state_did_change(
        state: PowerState = PowerState, *state;
    ) -> ();
}
