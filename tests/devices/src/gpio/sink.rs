//! A sink that keeps what it is told.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use loopgate_devices::gpio::{Edges, GpioLine};
use loopgate_workloop::{InterruptLine, InterruptSink, Occurrence};
use parking_lot::Mutex;

use super::Bench;
use crate::{LIMIT, called, until};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    Occurred(Occurrence),
    Lost(u32),
}

/// An interrupt that is on, and what it has told.
pub(super) struct Listener {
    pub(super) line: Arc<dyn InterruptLine>,
    sink: Arc<Sink>,
}

#[derive(Default)]
pub(super) struct Sink(Mutex<Vec<Told>>);

impl Listener {
    pub(super) fn on(line: &Arc<dyn GpioLine>, edges: Edges) -> Self {
        let listener = Self::off(line, edges);
        listener.line.enable();
        listener
    }

    pub(super) fn off(line: &Arc<dyn GpioLine>, edges: Edges) -> Self {
        let sink = Arc::new(Sink::default());
        let line = line.interrupt(edges).unwrap_or_else(|e| panic!("{e}"));
        line.register(sink.clone()).unwrap();
        Self { line, sink }
    }

    pub(super) fn count(&self) -> usize {
        self.sink.0.lock().len()
    }

    pub(super) fn told(&self) -> Vec<Told> {
        self.sink.0.lock().clone()
    }

    /// Waits until so many things were told, and gives them.
    pub(super) fn wait(&self, bench: &dyn Bench, count: usize) -> Vec<Told> {
        let what = format!("{count} calls of the sink");
        until(&what, || bench.pass(), || self.count() >= count);
        self.told()
    }

    /// As `wait`, as number and level; nothing was lost.
    pub(super) fn edges(&self, bench: &dyn Bench, count: usize) -> Vec<(u64, bool)> {
        let edge = |told: &Told| match told {
            Told::Occurred(occurrence) => (occurrence.sequence, occurrence.high),
            Told::Lost(count) => panic!("{count} lost"),
        };
        self.wait(bench, count).iter().map(edge).collect()
    }
}

impl InterruptSink for Sink {
    fn interrupt_occurred(&self, occurrence: Occurrence) {
        self.0.lock().push(Told::Occurred(occurrence));
        called();
    }

    fn occurrences_lost(&self, count: u32) {
        self.0.lock().push(Told::Lost(count));
        called();
    }
}

/// Stays in its first call until it is told to leave.
pub(super) struct Slow {
    entered: Sender<()>,
    leave: Mutex<Option<Receiver<()>>>,
    pub(super) told: Mutex<Vec<Told>>,
}

/// When a slow sink was entered, and how to let it leave.
pub(super) struct Held {
    pub(super) entered: Receiver<()>,
    pub(super) leave: Sender<()>,
}

impl Slow {
    pub(super) fn new() -> (Arc<Self>, Held) {
        let (entered, has_entered) = channel();
        let (let_leave, leave) = channel();
        let slow = Self {
            entered,
            leave: Mutex::new(Some(leave)),
            told: Mutex::default(),
        };
        let held = Held {
            entered: has_entered,
            leave: let_leave,
        };
        (Arc::new(slow), held)
    }

    fn call(&self, told: Told) {
        let leave = self.leave.lock().take();
        if let Some(leave) = leave {
            self.entered.send(()).unwrap();
            leave.recv_timeout(LIMIT).unwrap();
        }
        self.told.lock().push(told);
        called();
    }
}

impl InterruptSink for Slow {
    fn interrupt_occurred(&self, occurrence: Occurrence) {
        self.call(Told::Occurred(occurrence));
    }

    fn occurrences_lost(&self, count: u32) {
        self.call(Told::Lost(count));
    }
}
