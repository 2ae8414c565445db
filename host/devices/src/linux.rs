//! The kernel's devices.
//!
//! # Why not a crate for serial ports
//!
//! `serialport` and `serial2` open ports that block or time out; both would
//! have to be turned into non-blocking descriptors behind their back, and
//! neither makes a PTY. What is left for them is the setting of modes and odd
//! speeds (`TCSETS2`), which `rustix` has, together with `epoll` and PTYs, and
//! it is a dependency already. What `rustix` has not either is `serial2`'s, on a
//! descriptor of ours: modem lines, breaks and RS-485. Neither has the kernel's
//! counts of errors (`TIOCGICOUNT`), so those come as marks in the input.
//!
//! # Why `gpiocdev-uapi` for lines
//!
//! It is the kernel's interface and nothing else. `gpiocdev` above it reads
//! edges with a buffer and a wait of its own, which a thread that waits for
//! many things at once has to undo.

mod controller;
mod devices;
mod gpio;
mod i2c;
mod marks;
mod port;
mod pty;
mod sending_break;
mod serial;
mod spi;
pub mod survey;
mod tty;

pub use devices::KernelDevices;
pub use gpio::QUEUE as EDGE_QUEUE;
pub use i2c::KernelI2c;
pub use spi::KernelSpi;
