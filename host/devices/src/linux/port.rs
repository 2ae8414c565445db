//! An open port: a descriptor that comes and goes, and what has passed it.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use loopgate_workloop::Clock;
use parking_lot::Mutex;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;

use super::pty::Pty;
use super::serial::Tty;
use crate::serial::{Counts, Device, Error, PortRequest, Signals, Wire};

/// How much one descriptor may take or give in one go, in bytes: others are
/// served in between.
pub(super) const PIECE: usize = 16 << 10;

pub(super) struct Port {
    id: u64,
    device: Device,
    baud: u32,
    consumer: String,
    epoll: Arc<OwnedFd>,
    signals: Signals,
    // Held over non-blocking system calls; sinks are called without.
    link: Mutex<Link>,
}

struct Link {
    wire: Wire,
    /// `None` while the device is gone, and after the release.
    line: Option<Line>,
    released: bool,
}

/// A device that is there, and what of it is asked of `epoll`.
struct Line {
    end: End,
    interest: EventFlags,
}

enum End {
    Tty(Tty),
    Pty(Pty),
}

impl Port {
    pub(super) fn open(
        id: u64,
        request: &PortRequest,
        epoll: &Arc<OwnedFd>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let end = End::open(&request.device, request.baud)?;
        let wire = Wire::new(request.buffer, clock);
        let port = Self {
            id,
            device: request.device.clone(),
            baud: request.baud,
            consumer: request.consumer.clone(),
            epoll: Arc::clone(epoll),
            signals: wire.signals().clone(),
            link: Mutex::new(Link {
                wire,
                line: None,
                released: false,
            }),
        };
        port.link.lock().line = Some(port.watch(end)?);
        Ok(port)
    }

    pub(super) fn device(&self) -> &Device {
        &self.device
    }

    pub(super) fn consumer(&self) -> &str {
        &self.consumer
    }

    pub(super) fn signals(&self) -> &Signals {
        &self.signals
    }

    pub(super) fn counts(&self) -> Counts {
        self.link.lock().wire.counts()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.link.lock().wire.is_gone()
    }

    pub(super) fn gone(&self) -> Error {
        Error::Gone {
            device: self.device.to_string(),
        }
    }

    pub(super) fn has(&self, line: &'static str) -> Error {
        Error::HasInterrupt {
            device: self.device.to_string(),
            line,
        }
    }

    pub(super) fn read(&self, max: usize, into: &mut Vec<u8>) -> Result<usize, Error> {
        let count = self.with_link(|link| link.wire.read(max, into));
        count.ok_or_else(|| self.gone())
    }

    pub(super) fn write(&self, bytes: &[u8]) -> Result<usize, Error> {
        let count = self.with_link(|link| {
            let sent = link.send_at_once(bytes)?;
            Some(link.wire.write(bytes, sent))
        });
        count.ok_or_else(|| self.gone())
    }

    /// The controller's: `epoll` has told of the descriptor. Whether the device
    /// was found to have vanished.
    pub(super) fn serve(&self, flags: EventFlags, scratch: &mut [u8; PIECE]) -> bool {
        self.with_link(|link| {
            let served = link.receive(flags, scratch).and_then(|()| link.send());
            if served.is_ok() {
                return false;
            }
            self.forget(link);
            link.wire.vanish();
            true
        })
    }

    /// The controller's: tries whether the device is back.
    pub(super) fn retry(&self) {
        if !self.is_gone() {
            return;
        }
        // With no lock held: it can take long.
        let Ok(end) = End::open(&self.device, self.baud) else {
            return;
        };
        self.with_link(|link| {
            if !link.released
                && let Ok(line) = self.watch(end)
            {
                link.line = Some(line);
                link.wire.come_back();
            }
        });
    }

    /// Closes the device, for good.
    pub(super) fn release(&self) {
        let mut link = self.link.lock();
        link.released = true;
        self.forget(&mut link);
        drop(link);
        self.signals.end();
    }

    fn watch(&self, end: End) -> Result<Line, Error> {
        let interest = EventFlags::IN;
        epoll::add(
            &*self.epoll,
            end.fd(),
            EventData::new_u64(self.id),
            interest,
        )
        .map_err(|errno| super::serial::io(&self.device.to_string(), "be watched", errno))?;
        Ok(Line { end, interest })
    }

    fn forget(&self, link: &mut Link) {
        if let Some(line) = link.line.take() {
            // Closing it does the same, but not where a child has inherited it.
            let _ = epoll::delete(&*self.epoll, line.end.fd());
        }
    }

    /// Calls `f`, asks `epoll` for what is of interest then, and calls the
    /// sinks that are due.
    fn with_link<R>(&self, f: impl FnOnce(&mut Link) -> R) -> R {
        let mut link = self.link.lock();
        let result = f(&mut link);
        let wanted = link.interest();
        if let Some(line) = &mut link.line
            && line.interest != wanted
            && epoll::modify(
                &*self.epoll,
                line.end.fd(),
                EventData::new_u64(self.id),
                wanted,
            )
            .is_ok()
        {
            line.interest = wanted;
        }
        drop(link);
        self.signals.deliver();
        result
    }
}

/// The device does not answer any more.
struct Vanished;

impl Link {
    /// A full buffer stops the input, and half a free one starts it again, so
    /// that a slow reader does not make a system call for every byte.
    fn interest(&self) -> EventFlags {
        let Some(line) = &self.line else {
            return EventFlags::empty();
        };
        let mut wanted = EventFlags::empty();
        let reading = line.interest.contains(EventFlags::IN);
        if self.wire.input_room() > 0 && (reading || self.wire.is_input_roomy()) {
            wanted |= EventFlags::IN;
        }
        if !self.wire.to_send().is_empty() {
            wanted |= EventFlags::OUT;
        }
        wanted
    }

    fn receive(&mut self, flags: EventFlags, scratch: &mut [u8; PIECE]) -> Result<(), Vanished> {
        let Some(line) = &self.line else {
            return Ok(());
        };
        let hung_up = flags.intersects(EventFlags::HUP | EventFlags::ERR);
        if !hung_up && !flags.contains(EventFlags::IN) {
            return Ok(());
        }
        let room = self.wire.input_room().min(PIECE);
        // A hung-up tty has nothing to give any more: with no room this is
        // certain too, and the event would come again and again.
        if room == 0 {
            return if hung_up { Err(Vanished) } else { Ok(()) };
        }
        match rustix::io::read(line.end.fd(), &mut scratch[..room]) {
            Ok(0) => Err(Vanished),
            Ok(count) => {
                self.wire.arrive(&scratch[..count]);
                Ok(())
            }
            Err(Errno::AGAIN | Errno::INTR) if !hung_up => Ok(()),
            Err(_) => Err(Vanished),
        }
    }

    fn send(&mut self) -> Result<(), Vanished> {
        let Some(line) = &self.line else {
            return Ok(());
        };
        let bytes = self.wire.to_send();
        if bytes.is_empty() {
            return Ok(());
        }
        match rustix::io::write(line.end.fd(), &bytes[..bytes.len().min(PIECE)]) {
            Ok(count) => {
                self.wire.sent(count);
                Ok(())
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            Err(_) => Err(Vanished),
        }
    }

    /// What the device takes from the writer's own thread, which spares a hop
    /// to the controller; `None` where it is gone. A fault is left for the
    /// controller to find when it sends the rest.
    fn send_at_once(&self, bytes: &[u8]) -> Option<usize> {
        let line = self.line.as_ref()?;
        if bytes.is_empty() || !self.wire.to_send().is_empty() {
            return Some(0);
        }
        let piece = &bytes[..bytes.len().min(PIECE)];
        Some(rustix::io::write(line.end.fd(), piece).unwrap_or(0))
    }
}

impl End {
    fn open(device: &Device, baud: u32) -> Result<Self, Error> {
        match device {
            Device::Path(path) => Tty::open(path, baud).map(Self::Tty),
            Device::Pty { link } => Pty::open(link, baud).map(Self::Pty),
            Device::Sim(name) => Err(Error::NoDevice {
                device: name.clone(),
                cause: "the board is not simulated".to_owned(),
                remedy: "name a device",
            }),
        }
    }

    fn fd(&self) -> &OwnedFd {
        match self {
            Self::Tty(tty) => tty.fd(),
            Self::Pty(pty) => pty.fd(),
        }
    }
}
