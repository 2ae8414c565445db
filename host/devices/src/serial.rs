//! Serial ports: bytes in, bytes out, and two lines that interrupt when either
//! is worth trying.
//!
//! Every port is raw. Its framing, 7E2 to 8N1, and its flow control are part of
//! the request; what the hardware does not do is refused, never left out.
//!
//! # Bytes
//!
//! A port has a buffer of its own each way, of the size requested. Nothing
//! waits: a read takes what is there, a write gives what finds room. A kernel
//! port stops taking from the kernel while its input buffer is full, so that a
//! peer behind a PTY or USB is slowed down and loses nothing. A bare UART
//! cannot slow anyone down without flow control: there, as on the simulated
//! board, what finds no room is lost and counted.
//!
//! # Breaks and damage
//!
//! Besides bytes there come breaks, bytes with a wrong parity or stop bit, and
//! bytes that find no room. Each has its place among the bytes: a read ends
//! there, and [`take_line_errors`](SerialPort::take_line_errors) tells after it
//! what that was. Up to 64 places are remembered; what comes while there are
//! that many moves the last one on. The kernel tells neither a wrong parity
//! from a wrong stop bit, nor a break from a damaged byte of zero, which here
//! is a break.
//!
//! # Modem lines
//!
//! The lines that a device drives can be asked for. That they have changed is
//! told by nobody: the kernel tells it only to a thread that waits for nothing
//! else. A port that is opened, or is back, has DTR and RTS active, as the
//! kernel has it. A USB adapter answers within a few milliseconds; with one that
//! does not, each of the four lines takes the kernel up to 5 s.
//!
//! # Releasing
//!
//! What was not sent is discarded. An adapter that its peer holds back keeps
//! that all the same, and a break behind it: nobody waits for it for more than
//! 100 ms, and the device gives [`Error::Closing`] to whoever opens it until it
//! was sent, or the kernel has given up (30 s; a break never).
//!
//! # Lines
//!
//! What the [`InterruptLine`]s of a port do, beyond what that trait says:
//!
//! 1. [`readable`](SerialPort::readable) occurs when there is input, a break
//!    included, or the device has gone or come back, and it has not occurred
//!    since the last read. A read that leaves something makes it occur again. So one
//!    occurrence can stand for any number of arrivals, none is without one,
//!    and they never come faster than someone reads.
//! 2. [`writable`](SerialPort::writable) occurs once after a write that took
//!    less than it was given, as soon as half of the output buffer is free.
//! 3. There *is* a latch, unlike with a GPIO edge: what came while the line was
//!    off occurs when it is switched on, since the bytes are still there. So a
//!    successor hears of what its predecessor left.
//! 4. Sequence numbers start at 1 and have no gaps; `high` is true.
//! 5. The sink is called with no lock held, by one thread at a time for each
//!    line: the backend's, or the one that reads, writes or enables. `disable`
//!    and `unregister` wait until a call on another thread has returned.
//! 6. A line does not keep its port open; after the port was dropped it is
//!    silent.
//!
//! # Vanishing
//!
//! A device that vanishes can be read until its buffer is empty, then reads
//! and writes give [`Error::Gone`] until it is back under the same name. One
//! that is back and cannot be opened as it was is tried again every 4 s at
//! most; the error says why, and `readable` occurs for it once. The
//! port stays open all the while. Output that it had not taken is lost, and
//! counted.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use loopgate_workloop::InterruptLine;

mod buffer;
mod framing;
mod line;
mod signal;
mod wire;

pub use framing::{FlowControl, Framing, NoFraming, Parity};
pub use line::{LineErrors, ModemLines};

pub(crate) use signal::Signals;
pub(crate) use wire::Wire;

/// The largest buffer, in bytes. It is allocated when the port is opened.
pub const MAX_BUFFER_BYTES: usize = 16 << 20;

/// The longest break that can be sent.
pub const MAX_BREAK: Duration = Duration::from_secs(10);

/// What a port is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// A device that is there, `/dev/ttyAMA0`.
    Path(PathBuf),
    /// A pseudo-terminal to be made, for any program to be the device at the
    /// other end.
    Pty {
        /// Where a symbolic link to the other end is put while the port is
        /// open. Missing folders are made; a link that is there is replaced.
        link: PathBuf,
    },
    /// A port of the simulated board.
    Sim(String),
}

impl std::fmt::Display for Device {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) | Self::Pty { link: path } => path.display().fmt(f),
            Self::Sim(name) => name.fmt(f),
        }
    }
}

/// What is asked of a [`SerialController`].
#[derive(Clone, Debug)]
pub struct PortRequest {
    /// Which port.
    pub device: Device,
    /// Bits a second, both ways.
    pub baud: u32,
    /// The bits of a byte.
    pub framing: Framing,
    /// How receivers hold senders back, both ways.
    pub flow: FlowControl,
    /// Whether RTS, active while something is sent, switches the driver of an
    /// RS-485 pair on.
    pub rs485: bool,
    /// The size of the buffer, in bytes, each way: 1 to [`MAX_BUFFER_BYTES`];
    /// what is outside of that is brought into it.
    pub buffer: usize,
    /// Who asks; shown to others who want the port.
    pub consumer: String,
}

impl PortRequest {
    /// A request for `device` at `baud` bits a second in the name of
    /// `consumer`: 8N1, without flow control, with 16 KiB each way.
    pub fn new(device: Device, baud: u32, consumer: impl Into<String>) -> Self {
        Self {
            device,
            baud,
            framing: Framing::default(),
            flow: FlowControl::None,
            rs485: false,
            buffer: 16 << 10,
            consumer: consumer.into(),
        }
    }
}

/// What has gone through a port since it was opened, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Arrived, and readable now or earlier.
    pub input: u64,
    /// Taken by the device.
    pub output: u64,
    /// Arrived without finding room, or accepted by `write` and never taken
    /// since the device vanished. What a UART's own few bytes of memory overran
    /// before the kernel came is not known here.
    pub lost: u64,
    /// Arrived with a wrong parity or stop bit; counted as input, too.
    pub damaged: u64,
    /// Breaks that arrived; they are no bytes.
    pub breaks: u64,
}

/// A set of ports that can be opened. Callable from any thread.
pub trait SerialController: Send + Sync {
    /// Opens a port for one holder.
    ///
    /// # Errors
    ///
    /// Every kind of [`Error`] but [`Error::Gone`], [`Error::HasInterrupt`] and
    /// [`Error::Breaking`].
    /// After an error the device is as it was.
    fn open(&self, request: &PortRequest) -> Result<Arc<dyn SerialPort>, Error>;
}

/// An open port. Dropping it releases it; what the device has not sent yet is
/// then discarded, since waiting for a slow line could take minutes.
///
/// Callable from any thread, also with a gate closed: nothing here waits, but
/// the modem lines for a USB adapter, for seconds at worst, and the drop for up
/// to 100 ms.
pub trait SerialPort: Send + Sync {
    /// Appends what has arrived to `into`, at most `max` bytes, and returns how
    /// many. Nothing is 0. It ends at a break and at what was damaged or lost,
    /// after which there can be more; so it gives nothing where that came first.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`] once everything that arrived was read.
    fn read(&self, max: usize, into: &mut Vec<u8>) -> Result<usize, Error>;

    /// Hands bytes over and returns how many found room.
    ///
    /// # Errors
    ///
    /// [`Error::Gone`]; none was taken.
    fn write(&self, bytes: &[u8]) -> Result<usize, Error>;

    /// The line that occurs when a read is worth it. There is at most one at a
    /// time; dropping it makes room.
    ///
    /// # Errors
    ///
    /// [`Error::HasInterrupt`] while another lives.
    fn readable(&self) -> Result<Arc<dyn InterruptLine>, Error>;

    /// The line that occurs when there is room again after a write that took
    /// less than it was given. There is at most one at a time, as above.
    ///
    /// # Errors
    ///
    /// [`Error::HasInterrupt`] while another lives.
    fn writable(&self) -> Result<Arc<dyn InterruptLine>, Error>;

    /// What the reads so far have passed besides sound bytes, and have not been
    /// asked for.
    fn take_line_errors(&self) -> LineErrors;

    /// Sends a break of this length, at most [`MAX_BREAK`], after what was
    /// written before it and before what is written after it. Nothing waits for
    /// it, and nobody is told that it is over. It ends early with the port.
    /// That it could not be sent is the error of the next call.
    ///
    /// # Errors
    ///
    /// [`Error::Breaking`], [`Error::Lacks`], [`Error::Gone`], [`Error::Io`].
    fn send_break(&self, length: Duration) -> Result<(), Error>;

    /// The lines that the device drives, as they are now.
    ///
    /// # Errors
    ///
    /// [`Error::Lacks`], [`Error::Gone`], [`Error::Io`].
    fn modem_lines(&self) -> Result<ModemLines, Error>;

    /// Switches the line DTR.
    ///
    /// # Errors
    ///
    /// [`Error::Lacks`], [`Error::Gone`], [`Error::Io`].
    fn set_dtr(&self, active: bool) -> Result<(), Error>;

    /// Switches the line RTS.
    ///
    /// # Errors
    ///
    /// [`Error::Lacks`], also where flow control or RS-485 has the line,
    /// [`Error::Gone`], [`Error::Io`].
    fn set_rts(&self, active: bool) -> Result<(), Error>;

    /// What has gone through.
    fn counts(&self) -> Counts;
}

/// Why a port could not be had or used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller's fault, or nothing is plugged in.
    #[error("there is no serial port `{device}`: {cause}; {remedy}")]
    NoDevice {
        /// The port.
        device: String,
        /// What is not there.
        cause: String,
        /// What would do.
        remedy: &'static str,
    },
    /// Someone holds the port.
    #[error("serial port `{device}` is held by {}; stop that, or use another port", holder(consumer.as_deref()))]
    Busy {
        /// The port.
        device: String,
        /// Its holder; `None` where it is another program.
        consumer: Option<String>,
    },
    /// Its last holder's break, or the last bytes, wait to be sent.
    #[error(
        "serial port `{device}` is being closed still: a break of its last holder, or bytes, wait \
         to be sent; have its other end take them, or unplug it"
    )]
    Closing {
        /// The port.
        device: String,
    },
    /// The caller's fault: it is something else.
    #[error("`{device}` is not a serial port but {found}; name a device such as `/dev/ttyAMA0`")]
    NotATty {
        /// The path.
        device: String,
        /// What is there.
        found: &'static str,
    },
    /// The caller's fault: something is where the link is to be.
    #[error(
        "no link to a pseudo-terminal can be made at `{link}`: there is a file that is no link; \
         remove it, or name another path"
    )]
    LinkTaken {
        /// The path.
        link: String,
    },
    /// The system's administrator's fault, so to say.
    #[error(
        "serial port `{device}` cannot be opened: permission denied; add this user to the group \
         that owns the device, often `dialout`"
    )]
    Denied {
        /// The port.
        device: String,
    },
    /// The hardware does not run at this speed, or said so by running at
    /// another.
    #[error(
        "serial port `{device}` does not run at {asked} baud: it stays at {got}; \
         name a speed that the hardware has"
    )]
    BaudRefused {
        /// The port.
        device: String,
        /// The speed asked for, in bits a second.
        asked: u32,
        /// The speed that it would have run at.
        got: u32,
    },
    /// The hardware or the kernel does not do this.
    #[error("serial port `{device}` has no {what}; {remedy}")]
    Lacks {
        /// The port.
        device: String,
        /// What was asked for.
        what: String,
        /// What would do.
        remedy: &'static str,
    },
    /// The caller's fault: one break at a time.
    #[error("serial port `{device}` sends a break already; wait until that is over")]
    Breaking {
        /// The port.
        device: String,
    },
    /// The device has vanished; the port comes back by itself.
    #[error("serial port `{device}` is gone{}; it is tried again until it is back", but(refused.as_deref()))]
    Gone {
        /// The port.
        device: String,
        /// Why it could not be opened again, where it is there.
        refused: Option<String>,
    },
    /// The caller's fault: the port has this line already.
    #[error("serial port `{device}` has a `{line}` line already; drop that one first")]
    HasInterrupt {
        /// The port.
        device: String,
        /// `readable` or `writable`.
        line: &'static str,
    },
    /// The operating system or the device failed.
    #[error("serial port `{device}` failed to {operation}: {source}")]
    Io {
        /// The port.
        device: String,
        /// What was tried.
        operation: &'static str,
        /// The operating system's error.
        source: io::Error,
    },
}

impl PortRequest {
    /// Whether RTS is the holder's to switch.
    pub(crate) fn check_rts(&self, is_rs485: bool) -> Result<(), Error> {
        if self.flow != FlowControl::RtsCts && !is_rs485 {
            return Ok(());
        }
        Err(self.lacks_but(
            "line RTS of its own, since flow control or RS-485 switches it",
            "leave RTS alone, or take `flow` or `rs485` out of the port's entry",
        ))
    }

    pub(crate) fn lacks(&self, what: impl Into<String>) -> Error {
        self.lacks_but(what, "do without, or use a port that has")
    }

    pub(crate) fn lacks_but(&self, what: impl Into<String>, remedy: &'static str) -> Error {
        Error::Lacks {
            device: self.device.to_string(),
            what: what.into(),
            remedy,
        }
    }
}

fn but(refused: Option<&str>) -> String {
    refused.map_or_else(String::new, |why| format!(", and back, but refused: {why}"))
}

fn holder(consumer: Option<&str>) -> String {
    consumer.map_or_else(
        || "another program".to_owned(),
        |consumer| format!("`{consumer}`"),
    )
}
