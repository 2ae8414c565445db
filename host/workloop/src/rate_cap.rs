//! A filter that needs no code: so many interrupts a second, and no more.

use std::sync::Arc;

use crate::clock::Clock;
use crate::error::Error;
use crate::instant::Instant;
use crate::interrupt::{InterruptLine, InterruptSink, Occurrence, Trigger};
use crate::sync::Mutex;

/// An edge line of which only so many interrupts a second come through. The
/// others are lost, and reported as lost: the first of a second at once, the
/// rest before the next one that comes through, or when the line is
/// unregistered. So a line that chatters costs its driver no more than the cap
/// and one call a second.
///
/// A level line has nothing to lose, and passes as it is.
pub struct RateCapped {
    line: Arc<dyn InterruptLine>,
    per_second: u32,
    arrival: Option<Arc<dyn Clock>>,
    sink: Mutex<Option<Arc<Capped>>>,
}

/// What the line calls.
struct Capped {
    sink: Arc<dyn InterruptSink>,
    per_second: u32,
    arrival: Option<Arc<dyn Clock>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    second: u64,
    /// Of this second, so many came through or were reported as lost.
    told: u32,
    /// Lost, and not reported yet.
    held: u32,
}

impl RateCapped {
    /// At most `per_second` of the interrupts of `line`, by their time stamps.
    pub fn new(line: Arc<dyn InterruptLine>, per_second: u32) -> Self {
        Self {
            line,
            per_second,
            arrival: None,
            sink: Mutex::new(None),
        }
    }

    /// As [`new`](Self::new), by the time of `clock` at which each interrupt comes:
    /// for a line whose time stamps are not the host's own. Who gives those could
    /// otherwise repeat one for ever, and silence the line.
    pub fn by_arrival(
        line: Arc<dyn InterruptLine>,
        per_second: u32,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self {
            arrival: Some(clock),
            ..Self::new(line, per_second)
        }
    }
}

impl InterruptLine for RateCapped {
    fn trigger(&self) -> Trigger {
        self.line.trigger()
    }

    fn register(&self, sink: Arc<dyn InterruptSink>) -> Result<(), Error> {
        if self.line.trigger() == Trigger::Level {
            return self.line.register(sink);
        }
        let capped = Arc::new(Capped {
            sink,
            per_second: self.per_second,
            arrival: self.arrival.clone(),
            state: Mutex::new(State::default()),
        });
        self.line.register(capped.clone())?;
        *self.sink.lock() = Some(capped);
        Ok(())
    }

    fn unregister(&self) {
        self.line.unregister();
        let capped = self.sink.lock().take();
        if let Some(capped) = capped {
            let held = std::mem::take(&mut capped.state.lock().held);
            capped.report(held);
        }
    }

    fn enable(&self) {
        self.line.enable();
    }

    fn disable(&self) {
        self.line.disable();
    }

    fn mask(&self) {
        self.line.mask();
    }
}

impl Capped {
    fn report(&self, lost: u32) {
        if lost > 0 {
            self.sink.occurrences_lost(lost);
        }
    }
}

impl InterruptSink for Capped {
    fn interrupt_occurred(&self, occurrence: Occurrence) {
        let clock = self.arrival.as_ref();
        let at = clock.map_or(occurrence.timestamp, |clock| clock.now());
        let (passes, lost) = self.state.lock().admit(at, self.per_second);
        self.report(lost);
        if passes {
            self.sink.interrupt_occurred(occurrence);
        }
    }

    fn occurrences_lost(&self, count: u32) {
        self.sink.occurrences_lost(count);
    }
}

impl State {
    /// Whether the occurrence comes through, and how many to report as lost
    /// before it.
    fn admit(&mut self, at: Instant, per_second: u32) -> (bool, u32) {
        let second = at.as_nanos() / 1_000_000_000;
        if self.second != second {
            (self.second, self.told) = (second, 0);
        }
        if self.told > per_second {
            self.held = self.held.saturating_add(1);
            return (false, 0);
        }
        self.told += 1;
        let passes = self.told <= per_second;
        let held = std::mem::take(&mut self.held);
        let lost = held.saturating_add(u32::from(!passes));
        (passes, lost)
    }
}
