//! What several test programs share; not every one uses everything.
#![allow(dead_code, reason = "each test program uses its part")]

pub(crate) mod serial;

use std::sync::Arc;

use loopgate_devices::gpio::{Direction, Edges, GpioController, GpioLine, LineRequest};
use loopgate_devices::sim::{Pull, SimBoard, SimLineConfig};
use loopgate_workloop::{Instant, InterruptLine, InterruptSink, Occurrence, VirtualClock};
use parking_lot::Mutex;

/// A board with the lines `up`, `down` and `float`, named after their pulls.
pub(crate) struct Fixture {
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) board: Arc<SimBoard>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(VirtualClock::new());
        let lines = vec![
            SimLineConfig::new("up", Pull::Up),
            SimLineConfig::new("down", Pull::Down),
            SimLineConfig::new("float", Pull::None),
        ];
        let board = SimBoard::new(clock.clone(), lines);
        Self { clock, board }
    }

    pub(crate) fn input(&self, line: &str) -> Arc<dyn GpioLine> {
        self.board
            .request(&LineRequest::new(line, "test", Direction::Input))
            .unwrap()
    }

    pub(crate) fn output(&self, line: &str, initial: bool) -> Arc<dyn GpioLine> {
        let direction = Direction::Output { initial };
        self.board
            .request(&LineRequest::new(line, "test", direction))
            .unwrap()
    }

    /// Lets time pass to `nanos`, applying what is due at its own time.
    pub(crate) fn run_to(&self, nanos: u64) {
        let end = at(nanos);
        while let Some(due) = self.board.next_due().filter(|due| *due <= end) {
            self.clock.advance_to(due);
            self.board.run_due(due);
        }
        self.clock.advance_to(end);
    }

    /// Every change from now on, as line, voltage and nanoseconds.
    pub(crate) fn record(&self) -> Arc<Mutex<Vec<(String, bool, u64)>>> {
        let log = Arc::new(Mutex::new(Vec::new()));
        self.board.observe({
            let log = Arc::clone(&log);
            move |change| {
                log.lock().push((
                    change.line.to_owned(),
                    change.high,
                    change.timestamp.as_nanos(),
                ));
            }
        });
        log
    }
}

pub(crate) fn at(nanos: u64) -> Instant {
    Instant::from_nanos(nanos)
}

/// Keeps what it is told.
#[derive(Default)]
pub(crate) struct Sink {
    pub(crate) seen: Mutex<Vec<Occurrence>>,
}

impl Sink {
    /// As sequence number, nanoseconds and level.
    pub(crate) fn take(&self) -> Vec<(u64, u64, bool)> {
        let seen = std::mem::take(&mut *self.seen.lock());
        seen.iter()
            .map(|o| (o.sequence, o.timestamp.as_nanos(), o.high))
            .collect()
    }
}

impl InterruptSink for Sink {
    fn interrupt_occurred(&self, occurrence: Occurrence) {
        self.seen.lock().push(occurrence);
    }

    fn occurrences_lost(&self, count: u32) {
        panic!("the simulated board loses nothing, and reported {count}");
    }
}

/// An interrupt of `line` that is on, and its sink.
pub(crate) fn listen(
    line: &Arc<dyn GpioLine>,
    edges: Edges,
) -> (Arc<dyn InterruptLine>, Arc<Sink>) {
    let sink = Arc::new(Sink::default());
    let interrupt = line.interrupt(edges).unwrap();
    interrupt.register(sink.clone()).unwrap();
    interrupt.enable();
    (interrupt, sink)
}

/// A small generator, so that failures repeat (splitmix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}
