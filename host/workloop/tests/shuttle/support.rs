//! What the scenarios share.

use std::sync::Arc;
use std::time::Duration;

use loopgate_workloop::{
    CommandGate, Context, Error, Event, EventSource as _, InterruptLine, InterruptSink, Trigger,
    VirtualClock, WorkLoop,
};
use shuttle::sync::atomic::Ordering;
use shuttle::thread;

pub const EVENT: Event = Event { scope: 1, key: 1 };

pub fn explore(scenario: impl Fn() + Send + Sync + 'static) {
    let schedules = std::env::var("LOOPGATE_SCHEDULES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(3_000);
    shuttle::check_pct(scenario, schedules, 3);
}

pub fn clock() -> Arc<VirtualClock> {
    let clock = Arc::new(VirtualClock::new());
    clock.advance(Duration::from_secs(1));
    clock
}

pub fn spawn(name: &str, f: impl FnOnce(&Context) + Send + 'static) -> thread::JoinHandle<()> {
    let cx = Context::detached(name);
    thread::spawn(move || f(&cx))
}

pub fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().unwrap();
    }
}

/// A line whose sink the test calls.
#[derive(Default)]
pub struct Line(std::sync::Mutex<Option<Arc<dyn InterruptSink>>>);

impl Line {
    pub fn sink(&self) -> Arc<dyn InterruptSink> {
        self.0.lock().unwrap().take().unwrap()
    }
}

impl InterruptLine for Line {
    fn trigger(&self) -> Trigger {
        Trigger::Edge
    }
    fn register(&self, sink: Arc<dyn InterruptSink>) -> Result<(), Error> {
        *self.0.lock().unwrap() = Some(sink);
        Ok(())
    }
    fn unregister(&self) {}
    fn enable(&self) {}
    fn disable(&self) {}
}

/// A level line that tells whether it is on.
#[derive(Default)]
pub struct Level(
    std::sync::Mutex<Option<Arc<dyn InterruptSink>>>,
    shuttle::sync::atomic::AtomicBool,
);

impl Level {
    pub fn sink(&self) -> Arc<dyn InterruptSink> {
        self.0.lock().unwrap().take().unwrap()
    }

    pub fn is_on(&self) -> bool {
        self.1.load(Ordering::SeqCst)
    }
}

impl InterruptLine for Level {
    fn trigger(&self) -> Trigger {
        Trigger::Level
    }
    fn register(&self, sink: Arc<dyn InterruptSink>) -> Result<(), Error> {
        *self.0.lock().unwrap() = Some(sink);
        Ok(())
    }
    fn unregister(&self) {}
    fn enable(&self) {
        self.1.store(true, Ordering::SeqCst);
    }
    fn disable(&self) {
        self.1.store(false, Ordering::SeqCst);
    }
}

/// A command gate on a loop, its loop, and who may do what with them.
pub fn stalled() -> (Arc<WorkLoop>, Arc<CommandGate>, Context) {
    let work_loop = WorkLoop::new(clock());
    let gate = CommandGate::new(1, None);
    let cx = Context::detached("main");
    work_loop.add_event_source(&cx, gate.clone()).unwrap();
    gate.disable(&cx);
    (work_loop, gate, cx)
}
