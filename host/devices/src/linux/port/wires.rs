//! What goes over a port besides bytes: breaks, line errors, modem lines.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;

use super::{End, Port, State};
use crate::linux::sending_break::SendingBreak;
use crate::linux::tty::{ClaimedTty, retried};
use crate::serial::{Error, LineErrors, ModemLines};

impl Port {
    pub(in crate::linux) fn take_line_errors(&self) -> LineErrors {
        self.state.lock().wire.take_line_errors()
    }

    pub(in crate::linux) fn modem_lines(&self) -> Result<ModemLines, Error> {
        let tty = self.wired("modem lines")?;
        let lines = tty.lines();
        // The kernel tells all at once, but no crate here asks for that.
        let read = || {
            Ok(ModemLines {
                cts: retried(|| lines.read_cts())?,
                dsr: retried(|| lines.read_dsr())?,
                dcd: retried(|| lines.read_cd())?,
                ri: retried(|| lines.read_ri())?,
            })
        };
        read().map_err(|error| self.failed("modem lines", "tell its modem lines", error))
    }

    pub(in crate::linux) fn set_dtr(&self, active: bool) -> Result<(), Error> {
        let tty = self.wired("modem lines")?;
        let set = retried(|| tty.lines().set_dtr(active));
        set.map_err(|error| self.failed("modem lines", "switch DTR", error))
    }

    pub(in crate::linux) fn set_rts(&self, active: bool) -> Result<(), Error> {
        let tty = self.wired("modem lines")?;
        self.request.check_rts(tty.is_rs485())?;
        let set = retried(|| tty.lines().set_rts(active));
        set.map_err(|error| self.failed("modem lines", "switch RTS", error))
    }

    pub(in crate::linux) fn send_break(self: &Arc<Self>, length: Duration) -> Result<(), Error> {
        let tty = self.wired("break")?;
        self.with_state(|state| {
            // It may have gone since, and the end of its break would not be ours.
            if !state.is_attached_to(&tty) {
                return Err(self.gone());
            }
            if state.sending_break.is_some() {
                return Err(Error::Breaking {
                    device: self.request.device.to_string(),
                });
            }
            if let Some(error) = state.unsent_break.take() {
                return Err(self.failed("break", "send the break before this one", error));
            }
            let after = state.wire.unsent();
            let started = SendingBreak::start(self, tty, after, length);
            state.sending_break = Some(started.map_err(|source| Error::Io {
                device: self.request.device.to_string(),
                operation: "start the thread that sends a break",
                source,
            })?);
            Ok(())
        })
    }

    /// A break of this tty is over, or could not be sent.
    pub(in crate::linux) fn break_is_over(&self, tty: &Arc<ClaimedTty>, unsent: Option<io::Error>) {
        self.with_state(|state| {
            // The device may have gone meanwhile, and be back with another one.
            if state.is_attached_to(tty) {
                state.sending_break = None;
                state.unsent_break = unsent;
            }
        });
    }

    /// The tty, if it has wires; calls on them can take seconds, so with no lock
    /// held.
    fn wired(&self, what: &str) -> Result<Arc<ClaimedTty>, Error> {
        let state = self.state.lock();
        match state.attached.as_ref().map(|attached| &attached.end) {
            Some(End::Tty(tty)) if tty.claimed().has_wires() => Ok(Arc::clone(tty.claimed())),
            Some(_) => Err(self.request.lacks(what)),
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
    fn is_attached_to(&self, tty: &Arc<ClaimedTty>) -> bool {
        let end = self.attached.as_ref().map(|attached| &attached.end);
        matches!(end, Some(End::Tty(own)) if Arc::ptr_eq(own.claimed(), tty))
    }
}
