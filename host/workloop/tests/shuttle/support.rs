//! What the scenarios share.

use std::sync::Arc;
use std::time::{Duration, Instant};

use loopgate_workloop::{
    CommandGate, Context, Error, Event, EventSource as _, InterruptLine, InterruptSink, Trigger,
    VirtualClock, WorkLoop,
};
use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::sync::atomic::Ordering;
use shuttle::{Config, Runner, thread};

pub const EVENT: Event = Event { scope: 1, key: 1 };

/// Runs `scenario` under schedules, half of them chosen by priorities with a few
/// changes (PCT), which finds what few preemptions cause, half at random. Prints
/// how long each half took; what fails prints its schedule.
///
/// `LOOPGATE_SCHEDULES` says how many, `LOOPGATE_REPLAY` is a schedule to follow
/// instead.
pub fn explore(scenario: impl Fn() + Send + Sync + 'static) {
    let name = name_of(&scenario);
    let scenario = Arc::new(scenario);
    if let Ok(schedule) = std::env::var("LOOPGATE_REPLAY") {
        return shuttle::replay(move || scenario(), &schedule);
    }
    let half = schedules().div_ceil(2);
    run(name, "pct", half, PctScheduler::new(3, half), &scenario);
    run(name, "random", half, RandomScheduler::new(half), &scenario);
}

fn run(
    name: &str,
    kind: &str,
    number: usize,
    scheduler: impl Scheduler + 'static,
    scenario: &Arc<impl Fn() + Send + Sync + 'static>,
) {
    let begun = Instant::now();
    let scenario = scenario.clone();
    Runner::new(scheduler, Config::new()).run(move || scenario());
    let took = begun.elapsed().as_millis();
    // `cargo xtask shuttle` reads this.
    println!("explored {name} {kind} {number} schedules in {took} ms");
}

fn schedules() -> usize {
    let wanted = std::env::var("LOOPGATE_SCHEDULES").ok();
    wanted.map_or(3_000, |wanted| {
        wanted.parse().expect("a number of schedules")
    })
}

/// The path of the test that `_` is a closure of, in this program.
fn name_of<T>(_: &T) -> &'static str {
    let path = std::any::type_name::<T>();
    let path = path.split_once("::").map_or(path, |(_, path)| path);
    path.trim_end_matches("::{{closure}}")
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
