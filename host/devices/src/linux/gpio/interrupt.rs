//! What a line has to tell its sink.

use std::sync::Arc;

use loopgate_workloop::{Instant, InterruptSink, Occurrence, Trigger};

use crate::gpio::Edges;

/// The one interrupt of a line.
pub(super) struct Interrupt {
    pub(super) edges: Edges,
    pub(super) sink: Option<Arc<dyn InterruptSink>>,
    /// `Some`: the line is on, since then. Each time has a number of its own, so
    /// that what was read before it is not told after.
    on: Option<(u64, Instant)>,
    sequence: u64,
    lost: u32,
    due: Option<(Instant, bool)>,
}

/// A call of the sink.
pub(super) enum Call {
    Lost(u32),
    Occurred(Occurrence),
}

impl Interrupt {
    pub(super) fn new(edges: Edges) -> Self {
        Self {
            edges,
            sink: None,
            on: None,
            sequence: 0,
            lost: 0,
            due: None,
        }
    }

    /// Which time it is on.
    pub(super) fn time(&self) -> Option<u64> {
        self.on.map(|(time, _)| time)
    }

    pub(super) fn switch_on(&mut self, time: u64, now: Instant) {
        self.on = Some((time, now));
    }

    /// What was not told is forgotten.
    pub(super) fn switch_off(&mut self) {
        self.on = None;
        self.lost = 0;
        self.due = None;
    }

    /// An edge towards `high`, with `missed` of them before it that the kernel
    /// dropped. What is from before the line was switched on counts for nothing.
    pub(super) fn edge(&mut self, at: Instant, high: bool, missed: u32) {
        if self.on.is_some_and(|(_, since)| at < since) {
            return;
        }
        // A level that has begun and ended is not told either.
        if self.edges.trigger() == Trigger::Edge {
            self.lose(missed.saturating_add(self.due.is_some().into()));
        }
        self.due = Some((at, high));
    }

    /// A level was found active.
    pub(super) fn found(&mut self, at: Instant, high: bool) {
        self.due = Some((at, high));
    }

    pub(super) fn lose(&mut self, count: u32) {
        if self.on.is_some() {
            self.lost = self.lost.saturating_add(count);
        }
    }

    pub(super) fn next_call(&mut self) -> Option<(Arc<dyn InterruptSink>, Call)> {
        self.on?;
        let sink = self.sink.clone()?;
        if self.lost > 0 {
            let lost = std::mem::take(&mut self.lost);
            self.sequence += u64::from(lost);
            return Some((sink, Call::Lost(lost)));
        }
        let (timestamp, high) = self.due.take()?;
        self.sequence += 1;
        let occurrence = Occurrence {
            sequence: self.sequence,
            timestamp,
            high,
        };
        Some((sink, Call::Occurred(occurrence)))
    }
}

impl Call {
    pub(super) fn make(self, sink: &dyn InterruptSink) {
        match self {
            Self::Lost(count) => sink.occurrences_lost(count),
            Self::Occurred(occurrence) => sink.interrupt_occurred(occurrence),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Deaf;

    impl InterruptSink for Deaf {
        fn interrupt_occurred(&self, _: Occurrence) {}
        fn occurrences_lost(&self, _: u32) {}
    }

    fn told(interrupt: &mut Interrupt) -> Vec<(u64, Option<u64>)> {
        let call = || interrupt.next_call().map(|(_, call)| call);
        std::iter::from_fn(call)
            .map(|call| match call {
                Call::Lost(count) => (count.into(), None),
                Call::Occurred(one) => (one.timestamp.as_nanos(), Some(one.sequence)),
            })
            .collect()
    }

    fn on(edges: Edges) -> Interrupt {
        let mut interrupt = Interrupt::new(edges);
        interrupt.sink = Some(Arc::new(Deaf));
        interrupt.switch_on(1, Instant::from_nanos(0));
        interrupt
    }

    #[test]
    fn an_edge_that_the_next_one_finds_untold_is_told_as_lost() {
        let mut interrupt = on(Edges::Both);
        interrupt.edge(Instant::from_nanos(1), true, 0);
        interrupt.edge(Instant::from_nanos(2), false, 3);
        assert_eq!(told(&mut interrupt), [(4, None), (2, Some(5))]);
    }

    #[test]
    fn a_level_is_told_once_however_often_it_was_found() {
        let mut interrupt = on(Edges::HighLevel);
        interrupt.edge(Instant::from_nanos(1), true, 0);
        interrupt.found(Instant::from_nanos(2), true);
        interrupt.edge(Instant::from_nanos(3), true, 7);
        assert_eq!(told(&mut interrupt), [(3, Some(1))]);
    }
}
