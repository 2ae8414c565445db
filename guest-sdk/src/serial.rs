//! Serial ports, by the names that the board file gives them.

use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};

use crate::bindings::loopgate::driver::serial as raw;
use crate::error::named;
use crate::time::nanos;
use crate::{Duration, Error, ErrorCode, Line, Result};

/// What one call takes from the host for [`Read`], in bytes.
const CHUNK: u32 = 4096;

/// A serial port that the driver has open.
///
/// Nothing here waits: [`receive`](Self::receive) and [`send`](Self::send) do
/// what is possible now and tell how much that was, and the lines
/// [`readable`](Self::readable) and [`writable`](Self::writable) interrupt when
/// there is more to do.
///
/// For code that is generic over `embedded-io` the port implements [`Read`],
/// [`ReadReady`] and [`Write`]. Those traits would wait where the port cannot:
/// it returns an error with the code `busy` instead, which no other fault of a
/// port has. There is no `WriteReady`: only a `write` tells whether there is
/// room, and `writable` that there is room again. `flush` is done at once,
/// since what was written is the host's and not lost.
#[derive(Debug)]
pub struct Port {
    handle: raw::Port,
    /// What [`Read`] or [`ReadReady`] took from the host and nobody has taken
    /// yet, from `at` on.
    ahead: Vec<u8>,
    at: usize,
}

/// What came over the wire that was no sound byte. Each count stays at its
/// highest value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineErrors {
    /// Breaks. A break is not read as a byte.
    pub breaks: u32,
    /// Bytes with a wrong parity or stop bit, which are read all the same.
    pub damaged: u32,
    /// Bytes that found no room in the port's buffer.
    pub lost: u32,
}

/// The lines that a device drives; true is active.
#[expect(clippy::struct_excessive_bools, reason = "they are four wires")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModemLines {
    /// Clear to send.
    pub cts: bool,
    /// Data set ready.
    pub dsr: bool,
    /// Data carrier detected.
    pub dcd: bool,
    /// Ring indicator.
    pub ri: bool,
}

impl Port {
    /// Opens the port that the board entry calls `name`. See
    /// [`Context::port`](crate::Context::port), which is the same.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open(name: &str, baud: u32) -> Result<Self> {
        let opened = raw::Port::open(name, baud);
        let handle = named(opened, || match baud {
            0 => format!("port `{name}`"),
            baud => format!("port `{name}` at {baud} baud"),
        })?;
        Ok(Self {
            handle,
            ahead: Vec::new(),
            at: 0,
        })
    }

    /// Takes what has arrived, at most `max` bytes; empty where nothing has.
    /// What it leaves makes `readable` occur again. It ends at a break, at a
    /// damaged byte and where bytes were lost, and is empty where that came
    /// first: see [`take_line_errors`](Self::take_line_errors).
    ///
    /// # Errors
    ///
    /// `no-device` while the device is gone and what arrived before has been
    /// taken, `io` where it reported a fault.
    pub fn receive(&mut self, max: u32) -> Result<Vec<u8>> {
        if self.at == self.ahead.len() {
            return Ok(self.handle.read(max).map_err(ErrorCode::from)?);
        }
        let mut taken = self.ahead.split_off(self.at);
        self.ahead = taken.split_off(taken.len().min(max as usize));
        self.at = 0;
        Ok(taken)
    }

    /// Hands bytes over and returns how many of them were taken, from the
    /// front: 0 where there is no room. If it was not all, `writable` occurs
    /// when there is room again.
    ///
    /// # Errors
    ///
    /// `no-device` while the device is gone, `io` where it reported a fault.
    pub fn send(&self, bytes: &[u8]) -> Result<usize> {
        let taken = self.handle.write(bytes).map_err(ErrorCode::from)?;
        Ok(taken as usize)
    }

    /// The line that occurs when there is something to read: input that arrived
    /// since the last time that some was taken, input that was left then, the
    /// device that went or came back. It is not said again until the driver
    /// takes something.
    ///
    /// # Errors
    ///
    /// `busy` where it was asked for already.
    pub fn readable(&self) -> Result<Line> {
        let line = named(self.handle.readable(), || "line `readable`".into())?;
        Ok(Line { line })
    }

    /// The line that occurs when there is room again after a
    /// [`send`](Self::send) that took less than it was given.
    ///
    /// # Errors
    ///
    /// `busy` where it was asked for already.
    pub fn writable(&self) -> Result<Line> {
        let line = named(self.handle.writable(), || "line `writable`".into())?;
        Ok(Line { line })
    }

    /// What came right after the bytes that were taken last, besides sound
    /// bytes; a damaged byte is the last of them. All zero where nothing did.
    ///
    /// # Errors
    ///
    /// None but those of every call.
    pub fn take_line_errors(&self) -> Result<LineErrors> {
        // It came after these.
        if self.at < self.ahead.len() {
            return Ok(LineErrors::default());
        }
        let errors = self.handle.take_line_errors().map_err(ErrorCode::from)?;
        Ok(LineErrors {
            breaks: errors.breaks,
            damaged: errors.damaged,
            lost: errors.lost,
        })
    }

    /// Sends a break, at most 10 s long, after what was sent before it and
    /// before what is sent after it. Nobody waits for it, or is told that it is
    /// over.
    ///
    /// # Errors
    ///
    /// `busy` while another one is being sent, `unsupported` where the port has
    /// none, `no-device` while the device is gone, `bad-argument` for a length
    /// of 0 or more than 10 s.
    pub fn send_break(&self, length: Duration) -> Result<()> {
        Ok(self
            .handle
            .send_break(nanos(length))
            .map_err(ErrorCode::from)?)
    }

    /// The lines that the device drives, as they are now. No source tells of a
    /// change.
    ///
    /// # Errors
    ///
    /// `unsupported` where the port has none, `no-device` while the device is
    /// gone.
    pub fn modem_lines(&self) -> Result<ModemLines> {
        let lines = self.handle.modem_lines().map_err(ErrorCode::from)?;
        Ok(ModemLines {
            cts: lines.cts,
            dsr: lines.dsr,
            dcd: lines.dcd,
            ri: lines.ri,
        })
    }

    /// Switches the line DTR, which is active when the port is opened.
    ///
    /// # Errors
    ///
    /// As [`modem_lines`](Self::modem_lines).
    pub fn set_dtr(&self, active: bool) -> Result<()> {
        Ok(self.handle.set_dtr(active).map_err(ErrorCode::from)?)
    }

    /// Switches the line RTS, which is active when the port is opened.
    ///
    /// # Errors
    ///
    /// As [`modem_lines`](Self::modem_lines); `unsupported` also where flow
    /// control or RS-485 switches it.
    pub fn set_rts(&self, active: bool) -> Result<()> {
        Ok(self.handle.set_rts(active).map_err(ErrorCode::from)?)
    }

    /// Whether there is something to read, after a look for more.
    fn fill(&mut self) -> Result<bool> {
        if self.at == self.ahead.len() {
            self.ahead = self.handle.read(CHUNK).map_err(ErrorCode::from)?;
            self.at = 0;
        }
        Ok(!self.ahead.is_empty())
    }
}

impl ErrorType for Port {
    type Error = Error;
}

impl Read for Port {
    fn read(&mut self, buf: &mut [u8]) -> Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        if !self.fill()? {
            return Err(Error::new(ErrorCode::Busy, "nothing has arrived yet"));
        }
        let ahead = &self.ahead[self.at..];
        let count = ahead.len().min(buf.len());
        buf[..count].copy_from_slice(&ahead[..count]);
        self.at += count;
        Ok(count)
    }
}

impl ReadReady for Port {
    fn read_ready(&mut self) -> Result<bool> {
        self.fill()
    }
}

impl Write for Port {
    fn write(&mut self, buf: &[u8]) -> Result<usize> {
        match self.send(buf)? {
            0 if !buf.is_empty() => Err(Error::new(ErrorCode::Busy, "no room to write yet")),
            count => Ok(count),
        }
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl embedded_io::Error for Error {
    fn kind(&self) -> ErrorKind {
        match self.code() {
            ErrorCode::BadArgument => ErrorKind::InvalidInput,
            ErrorCode::NotReady => ErrorKind::NotConnected,
            ErrorCode::NotPermitted | ErrorCode::NotGranted => ErrorKind::PermissionDenied,
            ErrorCode::NoResources => ErrorKind::OutOfMemory,
            ErrorCode::TimedOut => ErrorKind::TimedOut,
            ErrorCode::Aborted => ErrorKind::ConnectionAborted,
            ErrorCode::Unsupported => ErrorKind::Unsupported,
            ErrorCode::NoDevice => ErrorKind::NotFound,
            ErrorCode::DriverDied => ErrorKind::BrokenPipe,
            ErrorCode::Busy | ErrorCode::CannotLock | ErrorCode::WouldDeadlock | ErrorCode::Io => {
                ErrorKind::Other
            }
        }
    }
}
