//! Write Loopgate drivers in Rust.
//!
//! A driver is a type that implements [`Driver`] and is named to [`driver!`].
//! The host creates it with [`Driver::start`] and from then on calls one
//! handler at a time, with the gate of the driver's work loop closed: a driver
//! needs no locks, and must not wait.
//!
//! ```
//! #![forbid(unsafe_code)]
//! use loopgate_guest::prelude::*;
//!
//! struct Counter {
//!     button: Interrupt,
//!     presses: u32,
//!     _service: Service,
//! }
//!
//! impl Driver for Counter {
//!     fn start(cx: &Context) -> Result<Self> {
//!         Ok(Self {
//!             button: cx.interrupt(&cx.input("button")?.edges(Edges::Falling)?)?,
//!             presses: 0,
//!             _service: cx
//!                 .service("counter")
//!                 .selector(1, "presses", "", "how often the button was pressed")
//!                 .publish()?,
//!         })
//!     }
//!
//!     fn interrupt(&mut self, source: InterruptId, event: Interrupts) -> Result<()> {
//!         if source == self.button {
//!             self.presses += event.count;
//!         }
//!         Ok(())
//!     }
//!
//!     fn command(&mut self, _: Request) -> Result<Reply> {
//!         Ok(self.presses.into())
//!     }
//! }
//! driver!(Counter);
//! # fn main() {}
//! ```
//!
//! Built with `--target wasm32-wasip2` as a `cdylib`, the crate is a component
//! of the world `loopgate:driver/driver`. On any other target it compiles, so
//! that what needs no host can be tested natively, and every call of the host
//! panics.
//!
//! Dropping a pin, source, service or client gives it back to the host: what
//! is to stay alive is kept in the driver's fields.

#[doc(hidden)]
pub mod bindings;
mod context;
mod driver;
mod error;
mod gpio;
mod interrupt;
mod log;
mod request;
mod service;
mod time;
mod timer;
mod work_loop;

pub mod prelude;

pub use context::{Cause, Context};
pub use driver::Driver;
pub use error::{Error, ErrorCode, Result};
pub use gpio::{Edges, InputPin, Line, OutputPin};
pub use interrupt::{Interrupt, InterruptId, Interrupts, Occurrence};
pub use log::{Level, log};
pub use request::{Ask, Client, Pending, Reply, Request, RequestId, complete};
pub use service::{CommandGate, GateId, Queueing, Selector, Service, ServiceBuilder};
pub use time::{Duration, DurationExt, Instant, delay, now};
pub use timer::{Timeout, Timer, TimerId};
pub use work_loop::{EventSource, WorkLoop};

/// What [`driver!`] expands to; nothing here is for drivers to name.
#[doc(hidden)]
pub mod __private {
    pub use crate::bindings;
    pub use crate::driver::{Export, Slot, keep};
}
