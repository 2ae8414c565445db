//! What goes over a port besides bytes: breaks, line errors, modem lines.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use serial2::SerialPort as Lines;

use super::{End, Port, State};
use crate::linux::sending_break::SendingBreak;
use crate::serial::{Error, LineErrors, ModemLines};

impl Port {
    pub(in crate::linux) fn take_line_errors(&self) -> LineErrors {
        self.state.lock().wire.take_line_errors()
    }

    pub(in crate::linux) fn modem_lines(&self) -> Result<ModemLines, Error> {
        let lines = self.lines("modem lines")?;
        let read = || {
            Ok(ModemLines {
                cts: lines.read_cts()?,
                dsr: lines.read_dsr()?,
                dcd: lines.read_cd()?,
                ri: lines.read_ri()?,
            })
        };
        read().map_err(|error| self.failed("modem lines", "tell its modem lines", error))
    }

    pub(in crate::linux) fn set_dtr(&self, active: bool) -> Result<(), Error> {
        let set = self.lines("modem lines")?.set_dtr(active);
        set.map_err(|error| self.failed("modem lines", "switch DTR", error))
    }

    pub(in crate::linux) fn set_rts(&self, active: bool) -> Result<(), Error> {
        self.request.check_rts()?;
        let set = self.lines("modem lines")?.set_rts(active);
        set.map_err(|error| self.failed("modem lines", "switch RTS", error))
    }

    pub(in crate::linux) fn send_break(self: &Arc<Self>, length: Duration) -> Result<(), Error> {
        let lines = self.lines("break")?;
        // A pseudo-terminal would take it and do nothing; it has no lines either.
        let there = lines.read_cts();
        there.map_err(|error| self.failed("break", "send a break", error))?;
        self.with_state(|state| {
            // It may have gone since, and the end of its break would not be ours.
            if !state.is_attached_to(&lines) {
                return Err(self.gone());
            }
            if state.sending_break.is_some() {
                return Err(Error::Breaking {
                    device: self.request.device.to_string(),
                });
            }
            let after = state.wire.unsent();
            let started = SendingBreak::start(self, lines, after, length);
            state.sending_break = Some(started.map_err(|source| Error::Io {
                device: self.request.device.to_string(),
                operation: "start the thread that sends a break",
                source,
            })?);
            Ok(())
        })
    }

    /// A break on these lines is over.
    pub(in crate::linux) fn break_is_over(&self, lines: &Arc<Lines>) {
        self.with_state(|state| {
            // The device may have gone meanwhile, and be back with another one.
            if state.is_attached_to(lines) {
                state.sending_break = None;
            }
        });
    }

    /// The tty's own; calls on them can take a while, so with no lock held.
    fn lines(&self, what: &str) -> Result<Arc<Lines>, Error> {
        let state = self.state.lock();
        match state.attached.as_ref().map(|attached| &attached.end) {
            Some(End::Tty(tty)) => Ok(Arc::clone(tty.lines())),
            Some(End::Pty(_)) => Err(self.request.lacks(what)),
            None => Err(self.gone()),
        }
    }

    fn failed(&self, what: &str, operation: &'static str, source: io::Error) -> Error {
        match Errno::from_io_error(&source) {
            Some(Errno::NOTTY | Errno::INVAL) => self.request.lacks(what),
            Some(Errno::IO | Errno::NODEV) => self.gone(),
            _ => Error::Io {
                device: self.request.device.to_string(),
                operation,
                source,
            },
        }
    }
}

impl State {
    fn is_attached_to(&self, lines: &Arc<Lines>) -> bool {
        let end = self.attached.as_ref().map(|attached| &attached.end);
        matches!(end, Some(End::Tty(tty)) if Arc::ptr_eq(tty.lines(), lines))
    }
}
