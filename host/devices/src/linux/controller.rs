//! The thread that serves every device: their primary context.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use loopgate_workloop::Clock;
use parking_lot::Mutex;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::event::{EventfdFlags, Timespec, eventfd};

use super::gpio::Line;
use super::port::{PIECE, Port};

/// How often a vanished device is looked for. Not by `inotify`: the folder of
/// a link (`/dev/serial/by-id`) vanishes with its last link.
const RETRY_AFTER: Duration = Duration::from_millis(250);
const RETRY: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: RETRY_AFTER.as_nanos() as i64,
};

/// The `epoll` key of the eventfd; devices count from 1.
const WAKE: u64 = 0;

/// The thread's owner. It sleeps while nothing comes or goes, and looks four
/// times a second for devices that have vanished. Dropping this ends it.
pub(super) struct Controller {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// A device that is open.
#[derive(Clone)]
pub(super) enum Served {
    Port(Arc<Port>),
    Line(Arc<Line>),
}

struct Shared {
    clock: Arc<dyn Clock>,
    epoll: Arc<OwnedFd>,
    wake: OwnedFd,
    stop: AtomicBool,
    last: AtomicU64,
    // Lock order: before a device's own.
    served: Mutex<BTreeMap<u64, Served>>,
}

impl Controller {
    pub(super) fn start(clock: Arc<dyn Clock>) -> io::Result<Self> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &wake, EventData::new_u64(WAKE), EventFlags::IN)?;
        let shared = Arc::new(Shared {
            clock,
            epoll: Arc::new(epoll),
            wake,
            stop: AtomicBool::new(false),
            last: AtomicU64::new(WAKE),
            served: Mutex::default(),
        });
        let thread = thread::Builder::new().name("devices".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.run()
        })?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.shared.clock
    }

    pub(super) fn epoll(&self) -> &Arc<OwnedFd> {
        &self.shared.epoll
    }

    /// The `epoll` key of a device that is about to be opened.
    pub(super) fn next_id(&self) -> u64 {
        self.shared.last.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Serves a device from now on.
    pub(super) fn add(&self, id: u64, served: Served) {
        self.shared.served.lock().insert(id, served);
    }

    pub(super) fn remove(&self, id: u64) {
        let removed = self.shared.served.lock().remove(&id);
        drop(removed);
    }

    /// What `f` finds first among the ports.
    pub(super) fn find_port<R>(&self, f: impl Fn(&Port) -> Option<R>) -> Option<R> {
        let served = self.shared.served.lock();
        served.values().find_map(|served| match served {
            Served::Port(port) => f(port),
            Served::Line(_) => None,
        })
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        // It fails only where the counter is full, and then it wakes too.
        let _ = rustix::io::write(&self.shared.wake, &1u64.to_ne_bytes());
        if let Some(thread) = self.thread.take()
            // A sink may have dropped the last device.
            && thread.thread().id() != thread::current().id()
        {
            // A sink's panic has been reported by the panic hook.
            let _ = thread.join();
        }
    }
}

impl Shared {
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
        let served = self.served.lock().get(&id).cloned();
        match served {
            Some(Served::Port(port)) => port.serve(flags, scratch),
            Some(Served::Line(line)) => line.serve(flags),
            None => false,
        }
    }

    /// Looks for vanished devices, and says when to look again; `None` where
    /// all are there.
    fn retry(&self) -> Option<Instant> {
        let gone = self.gone();
        gone.iter().for_each(Served::retry);
        let left = gone.iter().any(Served::is_gone);
        left.then(|| Instant::now() + RETRY_AFTER)
    }

    fn gone(&self) -> Vec<Served> {
        let served = self.served.lock();
        let gone = served.values().filter(|served| served.is_gone());
        gone.cloned().collect()
    }
}

impl Served {
    fn is_gone(&self) -> bool {
        match self {
            Self::Port(port) => port.is_gone(),
            Self::Line(line) => line.is_gone(),
        }
    }

    fn retry(&self) {
        match self {
            Self::Port(port) => port.retry(),
            Self::Line(line) => line.retry(),
        }
    }
}
