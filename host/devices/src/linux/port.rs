//! An open port: a descriptor that comes and goes, and what has passed it.

mod reopening;
mod wires;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use loopgate_workloop::Clock;
use parking_lot::Mutex;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;

use super::marks::Marks;
use super::pty::Pty;
use super::sending_break::SendingBreak;
use super::tty::{Closing, Tty};
use crate::serial::{Counts, Device, Error, FlowControl, PortRequest, Signals, Wire};

/// How much one descriptor may take or give in one go, in bytes: others are
/// served in between.
pub(super) const PIECE: usize = 16 << 10;

pub(super) struct Port {
    id: u64,
    request: PortRequest,
    epoll: Arc<OwnedFd>,
    signals: Signals,
    // Held over reads and writes, which do not wait. What can wait (opening,
    // closing, modem lines) and sinks are called without.
    state: Mutex<State>,
    /// A thread looks for the device.
    reopening: AtomicBool,
    /// Why the device, which is back, could not be opened.
    // Nothing is called under it.
    refused: Mutex<Option<String>>,
}

struct State {
    wire: Wire,
    /// `None` while the device is gone, and after the release.
    attached: Option<Attached>,
    sending_break: Option<SendingBreak>,
    /// Why the last break was not sent; told to who sends the next.
    unsent_break: Option<io::Error>,
    released: bool,
}

/// A device that is there, and what of it is asked of `epoll`.
struct Attached {
    end: End,
    interest: EventFlags,
    /// Input for which there is no room is taken all the same, and lost here:
    /// left to the kernel it would be lost there, uncounted.
    overruns: bool,
    marks: Marks,
}

enum End {
    Tty(Tty),
    Pty(Pty),
}

impl Attached {
    /// Closes it; tells how that goes where it can take a while.
    fn close(self) -> Option<Closing> {
        match self.end {
            End::Tty(tty) => Some(tty.close()),
            End::Pty(_) => None,
        }
    }
}

impl Port {
    pub(super) fn open(
        id: u64,
        request: &PortRequest,
        epoll: &Arc<OwnedFd>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let end = End::open(request)?;
        let wire = Wire::new(request.buffer, clock);
        let port = Self {
            id,
            request: request.clone(),
            epoll: Arc::clone(epoll),
            signals: wire.signals().clone(),
            state: Mutex::new(State {
                wire,
                attached: None,
                sending_break: None,
                unsent_break: None,
                released: false,
            }),
            reopening: AtomicBool::new(false),
            refused: Mutex::default(),
        };
        port.state.lock().attached = Some(port.watch(end)?);
        Ok(port)
    }

    pub(super) fn device(&self) -> &Device {
        &self.request.device
    }

    pub(super) fn consumer(&self) -> &str {
        &self.request.consumer
    }

    pub(super) fn signals(&self) -> &Signals {
        &self.signals
    }

    pub(super) fn counts(&self) -> Counts {
        self.state.lock().wire.counts()
    }

    /// Whether its device is to be looked for.
    pub(super) fn is_gone(&self) -> bool {
        let state = self.state.lock();
        state.wire.is_gone() && !state.released
    }

    pub(super) fn gone(&self) -> Error {
        Error::Gone {
            device: self.request.device.to_string(),
            refused: self.refused.lock().clone(),
        }
    }

    pub(super) fn has(&self, line: &'static str) -> Error {
        Error::HasInterrupt {
            device: self.request.device.to_string(),
            line,
        }
    }

    pub(super) fn read(&self, max: usize, into: &mut Vec<u8>) -> Result<usize, Error> {
        let count = self.with_state(|state| state.wire.read(max, into));
        count.ok_or_else(|| self.gone())
    }

    pub(super) fn write(&self, bytes: &[u8]) -> Result<usize, Error> {
        let count = self.with_state(|state| {
            let sent = state.send_at_once(bytes)?;
            Some(state.wire.write(bytes, sent))
        });
        count.ok_or_else(|| self.gone())
    }

    /// The controller's: `epoll` has told of the descriptor. Whether the device
    /// was found to have vanished.
    pub(super) fn serve(&self, flags: EventFlags, scratch: &mut [u8; PIECE]) -> bool {
        let vanished = self.with_state(|state| {
            let served = state.receive(flags, scratch).and_then(|()| state.send());
            served.err()?;
            state.wire.vanish();
            self.detach(state)
        });
        vanished.map(Attached::close).is_some()
    }

    /// Closes the device, for good; tells where that takes longer than a moment.
    pub(super) fn release(&self) -> Option<Closing> {
        let mut state = self.state.lock();
        state.released = true;
        let attached = self.detach(&mut state);
        drop(state);
        self.signals.end();
        attached?.close()?.wait()
    }

    fn watch(&self, end: End) -> Result<Attached, Error> {
        let interest = EventFlags::IN;
        epoll::add(
            &*self.epoll,
            end.fd(),
            EventData::new_u64(self.id),
            interest,
        )
        .map_err(|errno| {
            super::serial::io(&self.request.device.to_string(), "be watched", errno)
        })?;
        let is_held_back = self.request.flow != FlowControl::None;
        let overruns = !is_held_back && matches!(&end, End::Tty(tty) if tty.claimed().is_uart());
        Ok(Attached {
            end,
            interest,
            overruns,
            marks: Marks::default(),
        })
    }

    /// What it gives is closed with no lock held.
    fn detach(&self, state: &mut State) -> Option<Attached> {
        state.sending_break = None;
        state.unsent_break = None;
        let attached = state.attached.take()?;
        // Closing it does the same, but not where a child has inherited it.
        let _ = epoll::delete(&*self.epoll, attached.end.fd());
        Some(attached)
    }

    /// Calls `f`, asks `epoll` for what is of interest then, and calls the
    /// sinks that are due.
    fn with_state<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.lock();
        let result = f(&mut state);
        let wanted = state.interest();
        if let Some(attached) = &mut state.attached
            && attached.interest != wanted
            && epoll::modify(
                &*self.epoll,
                attached.end.fd(),
                EventData::new_u64(self.id),
                wanted,
            )
            .is_ok()
        {
            attached.interest = wanted;
        }
        drop(state);
        self.signals.deliver();
        result
    }
}

/// The device does not answer any more.
struct Vanished;

impl State {
    /// A full buffer stops the input, and half a free one starts it again, so
    /// that a slow reader does not make a system call for every byte.
    fn interest(&self) -> EventFlags {
        let Some(attached) = &self.attached else {
            return EventFlags::empty();
        };
        let mut wanted = EventFlags::empty();
        let reading = attached.interest.contains(EventFlags::IN);
        let room = self.wire.input_room() > 0 && (reading || self.wire.is_input_roomy());
        if room || attached.overruns {
            wanted |= EventFlags::IN;
        }
        if self.next_to_send() > 0 {
            wanted |= EventFlags::OUT;
        }
        wanted
    }

    /// How many bytes may be sent now: none from a break on until it is over.
    fn next_to_send(&self) -> usize {
        let before = self
            .sending_break
            .as_ref()
            .map_or(PIECE, SendingBreak::after);
        self.wire.to_send().len().min(before).min(PIECE)
    }

    fn receive(&mut self, flags: EventFlags, scratch: &mut [u8; PIECE]) -> Result<(), Vanished> {
        let Some(attached) = &mut self.attached else {
            return Ok(());
        };
        let hung_up = flags.intersects(EventFlags::HUP | EventFlags::ERR);
        if !hung_up && !flags.contains(EventFlags::IN) {
            return Ok(());
        }
        let room = if attached.overruns {
            PIECE
        } else {
            self.wire.input_room().min(PIECE)
        };
        // A hung-up tty has nothing to give any more: with no room this is
        // certain too, and the event would come again and again.
        if room == 0 {
            return if hung_up { Err(Vanished) } else { Ok(()) };
        }
        match rustix::io::read(attached.end.fd(), &mut scratch[..room]) {
            Ok(0) => Err(Vanished),
            Ok(count) => {
                match &attached.end {
                    End::Tty(_) => attached.marks.arrive(&scratch[..count], &mut self.wire),
                    End::Pty(_) => self.wire.arrive(&scratch[..count]),
                }
                Ok(())
            }
            Err(Errno::AGAIN | Errno::INTR) if !hung_up => Ok(()),
            Err(_) => Err(Vanished),
        }
    }

    fn send(&mut self) -> Result<(), Vanished> {
        let Some(attached) = &self.attached else {
            return Ok(());
        };
        let bytes = &self.wire.to_send()[..self.next_to_send()];
        if bytes.is_empty() {
            return Ok(());
        }
        match rustix::io::write(attached.end.fd(), bytes) {
            Ok(count) => {
                self.wire.sent(count);
                if let Some(sending) = &mut self.sending_break {
                    sending.has_sent(count);
                }
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
        let attached = self.attached.as_ref()?;
        let is_waiting = !self.wire.to_send().is_empty() || self.sending_break.is_some();
        if bytes.is_empty() || is_waiting {
            return Some(0);
        }
        let piece = &bytes[..bytes.len().min(PIECE)];
        Some(rustix::io::write(attached.end.fd(), piece).unwrap_or(0))
    }
}

impl End {
    fn open(request: &PortRequest) -> Result<Self, Error> {
        match &request.device {
            Device::Path(path) => Tty::open(path, request).map(Self::Tty),
            Device::Pty { link } => Pty::open(link, request).map(Self::Pty),
            Device::Sim(name) => Err(Error::NoDevice {
                device: name.clone(),
                cause: "the board is not simulated".to_owned(),
                remedy: "name a device",
            }),
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tty(tty) => tty.claimed().lines().as_fd(),
            Self::Pty(pty) => pty.fd().as_fd(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use loopgate_workloop::SystemClock;
    use rustix::pty::OpenptFlags;

    use super::*;

    /// A pseudo-terminal stands for the UART: machines that test have none, or
    /// their console is on it.
    #[test]
    fn a_uart_is_read_beyond_its_buffer_and_the_rest_is_counted() {
        let device = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        rustix::pty::unlockpt(&device).unwrap();
        let name = rustix::pty::ptsname(&device, Vec::new()).unwrap();
        let path = Path::new(name.to_str().unwrap());
        let request = PortRequest::new(Device::Path(path.into()), 9_600, "test");
        let tty = Tty::open(path, &request).unwrap();
        assert!(!tty.claimed().is_uart());
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let mut state = State {
            wire: Wire::new(10, &clock),
            attached: Some(Attached {
                end: End::Tty(tty),
                interest: EventFlags::IN,
                overruns: true,
                marks: Marks::default(),
            }),
            sending_break: None,
            unsent_break: None,
            released: false,
        };
        rustix::io::write(&device, &[b'x'; 25]).unwrap();
        let mut scratch = [0; PIECE];
        for _ in 0..1_000_000 {
            assert_eq!(state.interest(), EventFlags::IN);
            assert!(state.receive(EventFlags::IN, &mut scratch).is_ok());
            let counts = state.wire.counts();
            if counts.input + counts.lost == 25 {
                assert_eq!(counts.lost, 15);
                return;
            }
        }
        panic!("the bytes never came");
    }
}
