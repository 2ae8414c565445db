//! The kernel's devices.
//!
//! # Why not a crate for serial ports
//!
//! `serialport` and `serial2` open ports that block or time out; both would
//! have to be turned into non-blocking descriptors behind their back, and
//! neither makes a PTY. What is left for them is the setting of modes and odd
//! speeds (`TCSETS2`), which `rustix` has, together with `epoll` and PTYs, and
//! it is a dependency already.

mod controller;
mod i2c;
mod port;
mod pty;
mod serial;
mod spi;

pub use controller::SerialPorts;
pub use i2c::KernelI2c;
pub use spi::KernelSpi;
