#![doc = include_str!("../README.md")]

mod asynchronous;
#[doc(hidden)]
pub mod bindings;
mod context;
mod driver;
mod error;
mod export;
mod gpio;
#[cfg(feature = "embedded-hal")]
mod hal;
pub mod i2c;
mod interrupt;
mod line_reader;
mod log;
mod power;
mod published_pins;
mod request;
mod saved;
mod serial;
mod service;
pub mod spi;
mod structural;
mod time;
mod timer;
mod work_loop;

pub mod prelude;

pub use asynchronous::alarm::{Wait, wait, wait_until};
pub use asynchronous::executor::spawn;
pub use asynchronous::submission::Submission;
pub use asynchronous::{AsyncDriver, Gated, Sleep};
/// The traits that pins, devices on buses and [`Delay`] implement.
#[cfg(feature = "embedded-hal")]
pub use embedded_hal;
/// The traits that a [`Port`] implements.
pub use embedded_io;
#[cfg(feature = "embedded-hal")]
pub use hal::Delay;

pub use context::{Cause, Context};
pub use driver::Driver;
pub use error::{Error, ErrorCode, Result};
pub use gpio::{Edges, InputPin, Line, OutputPin};
pub use interrupt::{FilterEvent, Interrupt, InterruptId, Interrupts, Occurrence, Verdict};
pub use line_reader::LineReader;
pub use log::{Level, log};
pub use power::{PowerChange, PowerState, acknowledge_set_power_state};
pub use published_pins::PublishedPins;
pub use request::{Ask, Client, Pending, Reply, Request, RequestId, complete};
pub use saved::Saved;
pub use serial::{LineErrors, ModemLines, Port};
pub use service::{CommandGate, GateId, Queueing, Selector, Service, ServiceBuilder};
pub use structural::{Readiness, StructuralEvent};
pub use time::{Duration, DurationExt, Instant, delay, now};
pub use timer::{Timeout, Timer, TimerId};
pub use work_loop::{EventSource, WorkLoop};

/// What [`driver!`] expands to; nothing here is for drivers to name.
#[doc(hidden)]
pub mod __private {
    pub use crate::asynchronous::Asynchronous;
    pub use crate::bindings;
    pub use crate::export::{Export, Plain, Slot, keep};
}
