//! The thread that serves every port: their primary context.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fs, io};

use loopgate_workloop::{Clock, InterruptLine};
use parking_lot::Mutex;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};

use super::port::{PIECE, Port};
use crate::serial::{Counts, Device, Error, PortRequest, SerialController, SerialPort};

/// How often a vanished device is looked for. Not by `inotify`: the folder of
/// a link (`/dev/serial/by-id`) vanishes with its last link.
const RETRY_AFTER: Duration = Duration::from_millis(250);
const RETRY: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: RETRY_AFTER.as_nanos() as i64,
};

/// The `epoll` key of the eventfd; ports count from 1.
const WAKE: u64 = 0;

/// The kernel's serial ports, and pseudo-terminals that are made on request.
///
/// One thread serves all of them. It sleeps while nothing comes or goes, and
/// looks four times a second for devices that have vanished. It ends when this
/// and every open port was dropped.
pub struct SerialPorts {
    controller: Arc<Controller>,
}

/// The thread's owner.
struct Controller {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    clock: Arc<dyn Clock>,
    epoll: Arc<OwnedFd>,
    wake: OwnedFd,
    stop: AtomicBool,
    // Lock order: `opening` before `ports`, and that before a port's own.
    opening: Mutex<u64>,
    ports: Mutex<BTreeMap<u64, Arc<Port>>>,
}

/// A port in the hands of its holder.
struct OpenPort {
    id: u64,
    port: Arc<Port>,
    controller: Arc<Controller>,
}

impl SerialPorts {
    /// Starts the thread. `clock` gives occurrences their time stamps.
    ///
    /// # Errors
    ///
    /// What the operating system says of a thread and two descriptors.
    pub fn new(clock: Arc<dyn Clock>) -> io::Result<Self> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &wake, EventData::new_u64(WAKE), EventFlags::IN)?;
        let shared = Arc::new(Shared {
            clock,
            epoll: Arc::new(epoll),
            wake,
            stop: AtomicBool::new(false),
            opening: Mutex::new(WAKE),
            ports: Mutex::default(),
        });
        let thread = thread::Builder::new().name("serial".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.run()
        })?;
        Ok(Self {
            controller: Arc::new(Controller {
                shared,
                thread: Some(thread),
            }),
        })
    }
}

impl SerialController for SerialPorts {
    fn open(&self, request: &PortRequest) -> Result<Arc<dyn SerialPort>, Error> {
        let (id, port) = self.controller.shared.open(request)?;
        Ok(Arc::new(OpenPort {
            id,
            port,
            controller: Arc::clone(&self.controller),
        }))
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        // It fails only where the counter is full, and then it wakes too.
        let _ = rustix::io::write(&self.shared.wake, &1u64.to_ne_bytes());
        if let Some(thread) = self.thread.take()
            // A sink may have dropped the last port.
            && thread.thread().id() != thread::current().id()
        {
            // A sink's panic has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn open(&self, request: &PortRequest) -> Result<(u64, Arc<Port>), Error> {
        // Two at once would find each other's device free.
        let mut last = self.opening.lock();
        if let Some(consumer) = self.holder(&request.device) {
            return Err(Error::Busy {
                device: request.device.to_string(),
                consumer: Some(consumer),
            });
        }
        *last += 1;
        let id = *last;
        let port = Arc::new(Port::open(id, request, &self.epoll, &self.clock)?);
        self.ports.lock().insert(id, Arc::clone(&port));
        Ok((id, port))
    }

    /// Who holds this device, also while it is gone.
    fn holder(&self, device: &Device) -> Option<String> {
        let ports = self.ports.lock();
        let same = ports.values().find(|port| is_same(port.device(), device))?;
        Some(same.consumer().to_owned())
    }

    fn run(&self) {
        let mut scratch = Box::new([0; PIECE]);
        let mut events = Vec::with_capacity(32);
        let mut retry_at = None;
        while !self.stop.load(Ordering::Acquire) {
            let timeout = retry_at.is_some().then_some(&RETRY);
            let buffer = rustix::buffer::spare_capacity(&mut events);
            // Interrupted by a signal: there is nothing to dispatch, that is all.
            let _ = epoll::wait(&*self.epoll, buffer, timeout);
            for event in events.drain(..) {
                if self.dispatch(event, &mut scratch) {
                    retry_at.get_or_insert_with(Instant::now);
                }
            }
            if retry_at.is_some_and(|at| at <= Instant::now()) {
                retry_at = self.retry();
            }
        }
    }

    /// Whether a device was found to have vanished.
    fn dispatch(&self, event: Event, scratch: &mut [u8; PIECE]) -> bool {
        let (id, flags) = (event.data.u64(), event.flags);
        if id == WAKE {
            let _ = rustix::io::read(&self.wake, &mut [0; 8]);
            return false;
        }
        let port = self.ports.lock().get(&id).cloned();
        port.is_some_and(|port| port.serve(flags, scratch))
    }

    /// Looks for vanished devices, and says when to look again; `None` where
    /// all are there.
    fn retry(&self) -> Option<Instant> {
        let gone = self.gone();
        for port in &gone {
            port.retry();
        }
        let left = gone.iter().any(|port| port.is_gone());
        left.then(|| Instant::now() + RETRY_AFTER)
    }

    fn gone(&self) -> Vec<Arc<Port>> {
        let ports = self.ports.lock();
        ports
            .values()
            .filter(|port| port.is_gone())
            .cloned()
            .collect()
    }
}

impl SerialPort for OpenPort {
    fn read(&self, max: usize, into: &mut Vec<u8>) -> Result<usize, Error> {
        self.port.read(max, into)
    }

    fn write(&self, bytes: &[u8]) -> Result<usize, Error> {
        self.port.write(bytes)
    }

    fn readable(&self) -> Result<Arc<dyn InterruptLine>, Error> {
        let line = self.port.signals().readable.line();
        line.ok_or_else(|| self.port.has("readable"))
    }

    fn writable(&self) -> Result<Arc<dyn InterruptLine>, Error> {
        let line = self.port.signals().writable.line();
        line.ok_or_else(|| self.port.has("writable"))
    }

    fn counts(&self) -> Counts {
        self.port.counts()
    }
}

impl Drop for OpenPort {
    fn drop(&mut self) {
        self.controller.shared.ports.lock().remove(&self.id);
        self.port.release();
    }
}

/// Whether two names are of one device. A device by two names that are both
/// gone cannot be told; opening it finds the other's lock then.
fn is_same(a: &Device, b: &Device) -> bool {
    match (a, b) {
        (Device::Path(a), Device::Path(b)) => a == b || resolved(a) == resolved(b),
        (Device::Pty { link: a }, Device::Pty { link: b }) => a == b,
        _ => false,
    }
}

fn resolved(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}
