//! The devices of a board: small traits, and the backends that provide them.
//!
//! | module | what it is |
//! |---|---|
//! | [`gpio`] | general-purpose lines: the traits, modelled on the kernel's GPIO uAPI v2 |
//! | [`serial`] | serial ports: the traits |
//! | [`i2c`], [`spi`] | devices on buses: the traits |
//! | [`bus`] | the thread that each bus has |
//! | [`sim`] | a simulated board, exact in virtual time, and simulated serial ports |
//! | [`linux`] | what the kernel has: GPIO lines, ttys and pseudo-terminals; and a survey of what a machine has |
//! | [`capture`] | recordings of logic analysers, to be played into simulated lines |
//!
//! Nothing here knows of drivers or of WebAssembly. A device meets the work
//! loop at one seam: it implements [`InterruptLine`] and calls an
//! [`InterruptSink`] from its own *primary context*, the place where it learns
//! of an edge.
//!
//! ```
//! use std::sync::Arc;
//! use loopgate_devices::gpio::{Direction, GpioController, GpioLine, LineRequest};
//! use loopgate_devices::sim::{Pull, SimBoard, SimLineConfig};
//! use loopgate_workloop::VirtualClock;
//!
//! # fn main() -> Result<(), loopgate_devices::gpio::Error> {
//! let clock = Arc::new(VirtualClock::new());
//! let board = SimBoard::new(clock, vec![SimLineConfig::new("GPIO17", Pull::Up)]);
//!
//! let button = board.request(&LineRequest::new("GPIO17", "button-led", Direction::Input))?;
//! assert!(button.is_high()?);
//! board.set("GPIO17", false)?; // someone presses the button
//! assert!(!button.is_high()?);
//! # Ok(())
//! # }
//! ```
//!
//! [`InterruptLine`]: loopgate_workloop::InterruptLine
//! [`InterruptSink`]: loopgate_workloop::InterruptSink

#![forbid(unsafe_code)]

pub mod bus;
pub mod capture;
pub mod gpio;
pub mod i2c;
pub mod linux;
pub mod serial;
pub mod sim;
pub mod spi;
