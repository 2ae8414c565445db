//! Every call that a driver can make, in one list: what is between its instance and the
//! host's own implementation, and stands in for the host when a trace is replayed.

use super::read::Asked;
use super::replay::Replayed;
use super::wire::{Put as _, Take};
use crate::bindings::WitErrorCode;
use crate::bindings::loopgate::driver::{
    gpio, i2c, interrupt, log, power, published_pins, request, serial, spi, types, work_loop,
};
use crate::guest::Guest;
use crate::interface::gpio::Pin;
use crate::interface::i2c::Device as I2cDevice;
use crate::interface::interrupt::Line;
use crate::interface::request::Client;
use crate::interface::serial::Port;
use crate::interface::spi::Device as SpiDevice;
use crate::interface::wasi_i2c::{self, Bus, Delay};
use crate::interface::work_loop::{Gate, Interrupt, Loop, Timer};
use wasmtime::component::{HasData, Resource};

/// The host, as a driver's instance calls it.
pub(crate) struct Crossing<'a>(&'a mut Guest);

impl HasData for Crossing<'static> {
    type Data<'a> = Crossing<'a>;
}

/// A call of the host begins.
pub(crate) fn called(guest: &mut Guest) -> Crossing<'_> {
    Crossing(guest.counted())
}

/// What a call has answered where it failed as devices and resources do.
pub(super) trait Fails: Sized {
    fn failed(code: WitErrorCode) -> Option<Self>;
}

macro_rules! never_fail {
    ($($ty:ty)*) => {$(
        impl Fails for $ty {
            fn failed(_: WitErrorCode) -> Option<Self> {
                None
            }
        }
    )*};
}
never_fail!(() bool u64 Resource<Loop> Vec<work_loop::Occurrence>);

impl<T> Fails for Result<T, WitErrorCode> {
    fn failed(code: WitErrorCode) -> Option<Self> {
        Some(Err(code))
    }
}

impl<T> Fails for Result<T, i2c::BusError> {
    fn failed(_: WitErrorCode) -> Option<Self> {
        let source = i2c::NoAcknowledgeSource::Address;
        Some(Err(i2c::BusError::NoAcknowledge(source)))
    }
}

impl<T> Fails for Result<T, spi::BusError> {
    fn failed(code: WitErrorCode) -> Option<Self> {
        Some(Err(spi::BusError::Other(code)))
    }
}

impl<T> Fails for Result<T, wasi_i2c::wit::ErrorCode> {
    fn failed(_: WitErrorCode) -> Option<Self> {
        Some(Err(wasi_i2c::wit::ErrorCode::Bus))
    }
}

/// Takes a call's arguments or its answer off a trace, in words.
fn shown<T: Take>(input: &mut &[u8]) -> Option<String> {
    let mut to = String::new();
    T::take(input)?.show(&mut to);
    Some(to)
}

/// For each function: its number in traces, for good; its name; with which code it can
/// fail through no fault of the driver's; its signature.
macro_rules! crossings {
    ($($host:path { $(
        $number:literal $label:literal $code:ident
        $function:ident($($argument:ident: $ty:ty),*) -> $answer:ty;
    )* })*) => {
        $(
            impl $host for Crossing<'_> {$(
                #[inline]
                fn $function(&mut self, $($argument: $ty),*) -> wasmtime::Result<$answer> {
                    let guest = &mut *self.0;
                    if guest.witness.is_none() {
                        return <Guest as $host>::$function(guest, $($argument),*);
                    }
                    guest.calls($number, |_out| { $($argument.put(_out);)* });
                    let failing = guest.failing(crossings!(@code $code));
                    let answer = match failing.and_then(<$answer as Fails>::failed) {
                        Some(failed) => Ok(failed),
                        None => <Guest as $host>::$function(guest, $($argument),*),
                    };
                    guest.answered(&answer);
                    answer
                }
            )*}

            impl $host for Replayed {$(
                fn $function(&mut self, $($argument: $ty),*) -> wasmtime::Result<$answer> {
                    self.calls($number, |_out| { $($argument.put(_out);)* })
                }
            )*}
        )*

        /// As the contract calls the function, with its interface.
        pub(super) fn name(number: u8) -> Option<&'static str> {
            match number {
                $($($number => Some($label),)*)*
                _ => super::CLOCKS.iter().find(|clock| clock.0 == number).map(|clock| clock.1),
            }
        }

        /// Whether it can fail through no fault of the driver's.
        pub(super) fn can_fail(number: u8) -> bool {
            let code: Option<WitErrorCode> = match number {
                $($($number => crossings!(@code $code),)*)*
                _ => None,
            };
            code.is_some()
        }

        /// Takes a function's arguments off a trace.
        pub(super) fn show_arguments(number: u8, input: &mut &[u8]) -> Option<String> {
            match number {
                $($($number => shown::<($($ty,)*)>(input),)*)*
                _ => name(number).map(|_| String::new()),
            }
        }

        /// Takes a function's answer off a trace.
        pub(super) fn show_answer(number: u8, input: &mut &[u8]) -> Option<String> {
            match number {
                $($($number => shown::<$answer>(input),)*)*
                super::MONOTONIC => shown::<u64>(input),
                super::WALL => shown::<(u64, u32)>(input),
                _ => None,
            }
        }
    };
    (@code never) => { None };
    (@code $code:ident) => { Some(WitErrorCode::$code) };
}

impl types::Host for Crossing<'_> {}
impl types::Host for Replayed {}

crossings! {
    gpio::Host {}
    gpio::HostPin {
        1 "gpio.pin.open" NoDevice
            open(name: String, direction: gpio::Direction) -> Result<Resource<Pin>, WitErrorCode>;
        2 "gpio.pin.is-high" Io is_high(this: Resource<Pin>) -> Result<bool, WitErrorCode>;
        3 "gpio.pin.set" Io set(this: Resource<Pin>, high: bool) -> Result<(), WitErrorCode>;
        4 "gpio.pin.interrupt" Busy
            interrupt(this: Resource<Pin>, edge: gpio::Edge) -> Result<Resource<Line>, WitErrorCode>;
        5 "gpio.pin.drop" never drop(this: Resource<Pin>) -> ();
    }
    interrupt::Host {}
    interrupt::HostLine {
        10 "interrupt.line.drop" never drop(this: Resource<Line>) -> ();
    }
    work_loop::Host {
        20 "work-loop.now" never now() -> u64;
        21 "work-loop.delay" never delay(span: u64) -> Result<(), WitErrorCode>;
    }
    work_loop::HostWorkLoop {
        22 "work-loop.get" never get() -> Resource<Loop>;
        23 "work-loop.add-event-source" NoResources
            add_event_source(this: Resource<Loop>, source: work_loop::EventSource) -> Result<(), WitErrorCode>;
        24 "work-loop.remove-event-source" never
            remove_event_source(this: Resource<Loop>, source: work_loop::EventSource) -> Result<(), WitErrorCode>;
        25 "work-loop.in-gate" never in_gate(this: Resource<Loop>) -> bool;
        26 "work-loop.on-thread" never on_thread(this: Resource<Loop>) -> bool;
        27 "work-loop.drop" never drop(this: Resource<Loop>) -> ();
    }
    work_loop::HostInterruptEventSource {
        30 "interrupt-event-source.create" NoResources
            create(line: Option<Resource<Line>>, token: u32) -> Result<Resource<Interrupt>, WitErrorCode>;
        31 "interrupt-event-source.create-filtered" NoResources
            create_filtered(line: Resource<Line>, token: u32) -> Result<Resource<Interrupt>, WitErrorCode>;
        32 "interrupt-event-source.set-filter-word" never
            set_filter_word(this: Resource<Interrupt>, word: u64) -> ();
        33 "interrupt-event-source.is-filtered" never is_filtered(this: Resource<Interrupt>) -> bool;
        34 "interrupt-event-source.interrupt-occurred" never
            interrupt_occurred(this: Resource<Interrupt>) -> Result<(), WitErrorCode>;
        35 "interrupt-event-source.take-occurrences" never
            take_occurrences(this: Resource<Interrupt>, max: u32) -> Vec<work_loop::Occurrence>;
        36 "interrupt-event-source.enable" never enable(this: Resource<Interrupt>) -> ();
        37 "interrupt-event-source.disable" never disable(this: Resource<Interrupt>) -> ();
        38 "interrupt-event-source.is-enabled" never is_enabled(this: Resource<Interrupt>) -> bool;
        39 "interrupt-event-source.drop" never drop(this: Resource<Interrupt>) -> ();
    }
    work_loop::HostTimerEventSource {
        40 "timer-event-source.create" NoResources create(token: u32) -> Result<Resource<Timer>, WitErrorCode>;
        41 "timer-event-source.set-timeout" never
            set_timeout(this: Resource<Timer>, after: u64) -> Result<(), WitErrorCode>;
        42 "timer-event-source.wake-at" never
            wake_at(this: Resource<Timer>, deadline: u64) -> Result<(), WitErrorCode>;
        43 "timer-event-source.cancel-timeout" never cancel_timeout(this: Resource<Timer>) -> ();
        44 "timer-event-source.enable" never enable(this: Resource<Timer>) -> ();
        45 "timer-event-source.disable" never disable(this: Resource<Timer>) -> ();
        46 "timer-event-source.is-enabled" never is_enabled(this: Resource<Timer>) -> bool;
        47 "timer-event-source.drop" never drop(this: Resource<Timer>) -> ();
    }
    work_loop::HostCommandGate {
        50 "command-gate.create" NoResources create(token: u32) -> Result<Resource<Gate>, WitErrorCode>;
        51 "command-gate.command-wakeup" never
            command_wakeup(this: Resource<Gate>, event: u64, one: bool) -> ();
        52 "command-gate.enable" never enable(this: Resource<Gate>) -> ();
        53 "command-gate.disable" never disable(this: Resource<Gate>) -> ();
        54 "command-gate.is-enabled" never is_enabled(this: Resource<Gate>) -> bool;
        55 "command-gate.drop" never drop(this: Resource<Gate>) -> ();
    }
    request::Host {
        60 "request.publish" NoResources
            publish(service: String, gate: u32, queueing: request::Queueing, input_max: u32,
                selectors: Vec<request::Selector>) -> Result<(), WitErrorCode>;
        61 "request.io-command-is-complete" never
            io_command_is_complete(id: u64, outcome: Result<request::Reply, WitErrorCode>)
            -> Result<(), WitErrorCode>;
        62 "request.command-sleep" never
            command_sleep(id: u64, event: u64, deadline: u64) -> Result<(), WitErrorCode>;
    }
    request::HostClient {
        63 "request.client.open" NoDevice open(service: String) -> Result<Resource<Client>, WitErrorCode>;
        64 "request.client.run-command" TimedOut
            run_command(this: Resource<Client>, arguments: request::Arguments, reply_max: u32, timeout: u64)
            -> Result<request::Reply, WitErrorCode>;
        65 "request.client.attempt-command" CannotLock
            attempt_command(this: Resource<Client>, arguments: request::Arguments, reply_max: u32)
            -> Result<request::Reply, WitErrorCode>;
        66 "request.client.immediate-command" Busy
            immediate_command(this: Resource<Client>, arguments: request::Arguments, reply_max: u32, timeout: u64)
            -> Result<request::Reply, WitErrorCode>;
        67 "request.client.submit" NoResources
            submit(this: Resource<Client>, arguments: request::Arguments, reply_max: u32, deadline: u64, context: u32)
            -> Result<u64, WitErrorCode>;
        68 "request.client.cancel" never cancel(this: Resource<Client>, id: u64) -> Result<(), WitErrorCode>;
        69 "request.client.drop" never drop(this: Resource<Client>) -> ();
    }
    published_pins::Host {
        75 "published-pins.publish-pins" NoResources
            publish_pins(service: String, names: Vec<String>) -> Result<(), WitErrorCode>;
        76 "published-pins.pin-changed" never
            pin_changed(pin: u32, high: bool, timestamp: u64) -> Result<(), WitErrorCode>;
    }
    serial::Host {}
    serial::HostPort {
        80 "serial.port.open" NoDevice open(name: String, baud: u32) -> Result<Resource<Port>, WitErrorCode>;
        81 "serial.port.read" Io read(this: Resource<Port>, max: u32) -> Result<Vec<u8>, WitErrorCode>;
        82 "serial.port.write" Io write(this: Resource<Port>, bytes: Vec<u8>) -> Result<u32, WitErrorCode>;
        83 "serial.port.readable" Busy readable(this: Resource<Port>) -> Result<Resource<Line>, WitErrorCode>;
        84 "serial.port.writable" Busy writable(this: Resource<Port>) -> Result<Resource<Line>, WitErrorCode>;
        85 "serial.port.take-line-errors" Io
            take_line_errors(this: Resource<Port>) -> Result<serial::LineErrors, WitErrorCode>;
        86 "serial.port.send-break" Io send_break(this: Resource<Port>, duration: u64) -> Result<(), WitErrorCode>;
        87 "serial.port.modem-lines" Io
            modem_lines(this: Resource<Port>) -> Result<serial::ModemLines, WitErrorCode>;
        88 "serial.port.set-dtr" Io set_dtr(this: Resource<Port>, active: bool) -> Result<(), WitErrorCode>;
        89 "serial.port.set-rts" Io set_rts(this: Resource<Port>, active: bool) -> Result<(), WitErrorCode>;
        90 "serial.port.drop" never drop(this: Resource<Port>) -> ();
    }
    i2c::Host {}
    i2c::HostDevice {
        95 "i2c.device.open" NoDevice open(name: String) -> Result<Resource<I2cDevice>, WitErrorCode>;
        96 "i2c.device.transaction" Io
            transaction(this: Resource<I2cDevice>, operations: Vec<i2c::Operation>)
            -> Result<Vec<Vec<u8>>, i2c::BusError>;
        97 "i2c.device.drop" never drop(this: Resource<I2cDevice>) -> ();
    }
    spi::Host {}
    spi::HostDevice {
        100 "spi.device.open" NoDevice open(name: String) -> Result<Resource<SpiDevice>, WitErrorCode>;
        101 "spi.device.transaction" Io
            transaction(this: Resource<SpiDevice>, operations: Vec<spi::Operation>)
            -> Result<Vec<Vec<u8>>, spi::BusError>;
        102 "spi.device.drop" never drop(this: Resource<SpiDevice>) -> ();
    }
    power::Host {
        105 "power.acknowledge-set-power-state" never acknowledge_set_power_state() -> ();
    }
    log::Host {
        106 "log.log" never log(level: log::Level, message: String) -> ();
    }
    wasi_i2c::wit::Host {}
    wasi_i2c::wit::HostI2c {
        110 "wasi:i2c.i2c.transaction" Io
            transaction(this: Resource<Bus>, address: u16, operations: Vec<wasi_i2c::wit::Operation>)
            -> Result<Vec<Vec<u8>>, wasi_i2c::wit::ErrorCode>;
        111 "wasi:i2c.i2c.read" Io
            read(this: Resource<Bus>, address: u16, len: u64) -> Result<Vec<u8>, wasi_i2c::wit::ErrorCode>;
        112 "wasi:i2c.i2c.write" Io
            write(this: Resource<Bus>, address: u16, data: Vec<u8>) -> Result<(), wasi_i2c::wit::ErrorCode>;
        113 "wasi:i2c.i2c.write-read" Io
            write_read(this: Resource<Bus>, address: u16, write: Vec<u8>, read_len: u64)
            -> Result<Vec<u8>, wasi_i2c::wit::ErrorCode>;
        114 "wasi:i2c.i2c.drop" never drop(this: Resource<Bus>) -> ();
    }
    wasi_i2c::wit::DelayHost {}
    wasi_i2c::wit::HostDelay {
        115 "wasi:i2c.delay.delay-ns" never delay_ns(this: Resource<Delay>, ns: u32) -> ();
        116 "wasi:i2c.delay.drop" never drop(this: Resource<Delay>) -> ();
    }
}

/// What a call asks the board for.
pub(super) fn asked(number: u8, input: &mut &[u8]) -> Option<Asked> {
    let name = |input: &mut &[u8]| String::take(input);
    Some(match number {
        1 => Asked::Pin {
            name: name(input)?,
            output: matches!(gpio::Direction::take(input)?, gpio::Direction::Output(_)),
        },
        60 | 75 => Asked::Publish(name(input)?),
        63 => Asked::Service(name(input)?),
        80 => Asked::Port(name(input)?),
        95 => Asked::I2c(name(input)?),
        100 => Asked::Spi(name(input)?),
        _ => return None,
    })
}
