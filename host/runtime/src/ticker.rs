//! The clock that interrupts guests: it moves the engine's epoch on while a
//! call is in flight, and sleeps otherwise.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread::{JoinHandle, Thread};
use std::time::Duration;

/// How often a running handler is looked at; the grain of every time limit.
pub(crate) const TICK: Duration = Duration::from_millis(1);

/// Ticks without a call after which the thread goes to sleep. Waking it costs
/// the next caller a system call, so a busy board keeps it awake.
const LINGER: u32 = 50;

pub(crate) struct Ticker {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    handle: Thread,
}

#[derive(Default)]
struct Shared {
    in_flight: AtomicUsize,
    awake: AtomicBool,
    stop: AtomicBool,
}

/// A call in flight: the epoch moves while one exists.
pub(crate) struct InFlight<'a>(&'a Ticker);

impl Ticker {
    pub(crate) fn start(engine: &wasmtime::Engine) -> std::io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let (engine, state) = (engine.clone(), shared.clone());
        let thread = std::thread::Builder::new()
            .name("loopgate-ticker".into())
            .spawn(move || run(&engine, &state))?;
        let handle = thread.thread().clone();
        Ok(Self {
            shared,
            thread: Some(thread),
            handle,
        })
    }

    /// To be held for the time of a call into a guest.
    pub(crate) fn enter(&self) -> InFlight<'_> {
        // Sequentially consistent, with the ticker's "not awake, then is
        // anyone in flight?": one of the two always sees the other.
        self.shared.in_flight.fetch_add(1, SeqCst);
        if !self.shared.awake.load(SeqCst) {
            self.handle.unpark();
        }
        InFlight(self)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.shared.in_flight.fetch_sub(1, SeqCst);
    }
}

impl Drop for Ticker {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        self.handle.unpark();
        if let Some(thread) = self.thread.take() {
            // The thread cannot panic; and there is nothing to do if it did.
            let _ = thread.join();
        }
    }
}

fn run(engine: &wasmtime::Engine, shared: &Shared) {
    while !shared.stop.load(SeqCst) {
        shared.awake.store(true, SeqCst);
        let mut idle = 0;
        while idle < LINGER && !shared.stop.load(SeqCst) {
            std::thread::sleep(TICK);
            engine.increment_epoch();
            idle = if shared.in_flight.load(SeqCst) == 0 {
                idle + 1
            } else {
                0
            };
        }
        shared.awake.store(false, SeqCst);
        if shared.in_flight.load(SeqCst) == 0 && !shared.stop.load(SeqCst) {
            std::thread::park();
        }
    }
}
