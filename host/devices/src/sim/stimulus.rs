//! What is to happen: streams of levels from outside, and debounces to end.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::thread::{self, ThreadId};

use loopgate_workloop::Instant;

use super::delivery::Notice;
use super::pin::Pin;
use super::{Pins, SimBoard};
use crate::gpio::Error;

type Edges = Box<dyn Iterator<Item = (Instant, bool)> + Send>;

/// Moments at which a pin may have settled: one a pin, so bounded.
pub(super) type Settling = BTreeSet<(Instant, usize)>;

/// The streams that are being played.
#[derive(Default)]
pub(super) struct Schedule {
    streams: BinaryHeap<Reverse<Stream>>,
    added: u64,
    /// The thread that runs what is due.
    running: Option<ThreadId>,
    /// The time of the edge being applied, whose stream is not in `streams`.
    applying: Option<Instant>,
}

/// A stream, by its next edge.
struct Stream {
    at: Instant,
    high: bool,
    number: u64,
    pin: usize,
    rest: Edges,
}

enum Due {
    Settling(Instant),
    Edge(Stream),
}

impl Schedule {
    pub(super) fn next(&self) -> Option<Instant> {
        let stream = self.streams.peek().map(|Reverse(stream)| stream.at);
        self.applying.into_iter().chain(stream).min()
    }

    fn add(&mut self, stream: Stream) {
        self.streams.push(Reverse(stream));
    }

    fn take_due(&mut self, now: Instant) -> Option<Stream> {
        if self.streams.peek()?.0.at > now {
            return None;
        }
        let Reverse(stream) = self.streams.pop()?;
        self.applying = Some(stream.at);
        Some(stream)
    }
}

impl Stream {
    /// The stream by its next edge; `None` at its end.
    fn advance(mut self) -> Option<Self> {
        let (at, high) = self.rest.next()?;
        self.at = at.max(self.at);
        self.high = high;
        Some(self)
    }

    fn key(&self) -> (Instant, u64) {
        (self.at, self.number)
    }
}

impl PartialEq for Stream {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Stream {}

impl PartialOrd for Stream {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Stream {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl SimBoard {
    pub(super) fn drive_from_outside(&self, line: &str, level: Option<bool>) -> Result<(), Error> {
        self.transact(|pins| {
            let pin = pins.find(line)?;
            pins.change(pin, self.clock.now(), |pin| pin.drive_from_outside(level));
            Ok(())
        })
    }

    pub(super) fn add_stream(&self, pin: usize, mut rest: Edges) {
        let Some((at, high)) = rest.next() else {
            return;
        };
        let mut schedule = self.schedule.lock();
        schedule.added += 1;
        let number = schedule.added;
        schedule.add(Stream {
            at,
            high,
            number,
            pin,
            rest,
        });
        drop(schedule);
        self.pins.lock().wake_player();
    }

    /// Ends early where `stop` says so: what is due can take longer to apply
    /// than it took to become due, and then grows without end.
    pub(super) fn run_schedule(&self, now: Instant, stop: impl Fn() -> bool) {
        let Some(_run) = self.begin_run() else {
            return;
        };
        while !stop()
            && let Some(due) = self.take_due(now)
        {
            match due {
                Due::Settling(at) => self.transact(|pins| pins.settle_first(at)),
                Due::Edge(stream) => {
                    self.transact(|pins| {
                        let level = Some(stream.high);
                        pins.change(stream.pin, stream.at, |pin| pin.drive_from_outside(level));
                    });
                    self.go_on(stream);
                }
            }
        }
    }

    /// `None` where this thread would wait for itself.
    fn begin_run(&self) -> Option<Run<'_>> {
        // Inside a delivery of another call than `run_due`, waiting for a run
        // that in turn waits for this delivery would never end.
        if self.is_delivering() {
            return None;
        }
        let mut schedule = self.schedule.lock();
        let this = thread::current().id();
        if schedule.running == Some(this) {
            return None;
        }
        while schedule.running.is_some() {
            self.run_ended.wait(&mut schedule);
        }
        schedule.running = Some(this);
        Some(Run(self))
    }

    /// The earliest of what is due. A debounce that ends at the time of an
    /// edge ends before it.
    fn take_due(&self, now: Instant) -> Option<Due> {
        let mut schedule = self.schedule.lock();
        let settling = self.pins.lock().next_settling().filter(|at| *at <= now);
        match settling {
            Some(at) if schedule.next().is_none_or(|stream| at <= stream) => {
                Some(Due::Settling(at))
            }
            _ => schedule.take_due(now).map(Due::Edge),
        }
    }

    /// Asks a stream for its next edge with no lock held: a recording may have
    /// to decompress a long silence to find it.
    fn go_on(&self, stream: Stream) {
        let next = stream.advance();
        let mut schedule = self.schedule.lock();
        schedule.applying = None;
        if let Some(stream) = next {
            schedule.add(stream);
        }
    }
}

/// The right to run the schedule; given up on drop, also by a panic.
struct Run<'a>(&'a SimBoard);

impl Drop for Run<'_> {
    fn drop(&mut self) {
        let mut schedule = self.0.schedule.lock();
        schedule.running = None;
        schedule.applying = None;
        self.0.run_ended.notify_all();
    }
}

impl Pins {
    /// Changes who drives a pin, and posts what comes of it.
    pub(super) fn change(&mut self, index: usize, at: Instant, f: impl FnOnce(&mut Pin)) {
        let at = self.all[index].not_before_last_change(at);
        // Else this change would start a period again that is over.
        self.settle(index, at);
        f(&mut self.all[index]);
        let Some(high) = self.all[index].update(at) else {
            return;
        };
        self.delivery.post(Notice::Change {
            pin: index,
            high,
            at,
        });
        if !self.unsettle(index, at) {
            self.post_edge(index, high, at);
        }
    }

    pub(super) fn next_settling(&self) -> Option<Instant> {
        self.settling.first().map(|(at, _)| *at)
    }

    /// Forgets the debounce of a pin that is being released.
    pub(super) fn forget_settling(&mut self, index: usize) {
        if let Some(at) = self.all[index].settles_at() {
            self.settling.remove(&(at, index));
        }
    }

    /// Ends the debounce that is due first, at `at` or earlier.
    fn settle_first(&mut self, at: Instant) {
        if let Some((_, index)) = self.settling.first().copied().filter(|first| first.0 <= at) {
            self.settle(index, at);
        }
    }

    fn settle(&mut self, index: usize, now: Instant) {
        let Some(due) = self.all[index].settles_at().filter(|due| *due <= now) else {
            return;
        };
        self.settling.remove(&(due, index));
        if let Some(high) = self.all[index].settle() {
            self.post_edge(index, high, due);
        }
    }

    /// False where the pin has no debounce.
    fn unsettle(&mut self, index: usize, at: Instant) -> bool {
        self.forget_settling(index);
        let Some(due) = self.all[index].unsettle(at) else {
            return false;
        };
        self.settling.insert((due, index));
        if self.next_settling() == Some(due) {
            self.wake_player();
        }
        true
    }

    fn wake_player(&self) {
        if let Some(player) = &self.player {
            player.wake();
        }
    }
}
