//! Boards whose time goes from event to event, on the caller's thread.

use super::Board;
use crate::time::Time;
use loopgate_workloop::{Context, Instant, VirtualClock, WorkLoop};
use std::time::Duration;

impl Board {
    /// Virtual time only: handles everything up to `deadline`, event after
    /// event, and leaves the clock there.
    ///
    /// # Panics
    ///
    /// When the board's clock is real: there the loops have threads of their own.
    pub fn run_until(&self, deadline: Instant) {
        let Time::Virtual(clock) = &self.time else {
            panic!("`run_until` is for boards with a virtual clock")
        };
        Context::with_current(|cx| {
            loop {
                self.settle(cx);
                match self.next_event().filter(|&next| next <= deadline) {
                    Some(next) => self.advance(clock, next),
                    None => break,
                }
            }
        });
        clock.advance_to(deadline);
    }

    /// Virtual time only: [`Board::run_until`] `span` from now.
    pub fn run_for(&self, span: Duration) {
        self.run_until(self.now().saturating_add(span));
    }

    /// One step of virtual time; `None` if nothing would ever happen.
    pub(super) fn step(&self, clock: &VirtualClock, deadline: Option<Instant>) -> Option<()> {
        // A context of its own: the waiting client's holds a record in a gate.
        let stepper = Context::detached("virtual time");
        if stepper.scope(|| self.settle(&stepper)) {
            return Some(());
        }
        let next = self.next_event().into_iter().chain(deadline).min()?;
        self.advance(clock, next);
        Some(())
    }

    /// Serves what is due now, on every loop; whether there was anything.
    fn settle(&self, cx: &Context) -> bool {
        let now = self.time.now();
        let mut any = false;
        loop {
            let due = |work_loop: &WorkLoop| {
                work_loop.has_work()
                    || work_loop
                        .next_deadline()
                        .is_some_and(|deadline| deadline <= now)
            };
            let Some(busy) = self.loops.iter().find(|known| due(&known.work_loop)) else {
                return any;
            };
            busy.work_loop.run_event_sources(cx);
            any = true;
        }
    }

    fn next_event(&self) -> Option<Instant> {
        let timers = self
            .loops
            .iter()
            .filter_map(|known| known.work_loop.next_deadline());
        let sleepers = self
            .loops
            .iter()
            .filter_map(|known| known.work_loop.gate().next_deadline());
        timers
            .chain(sleepers)
            .chain(self.simulation.board().next_due())
            .min()
    }

    fn advance(&self, clock: &VirtualClock, to: Instant) {
        clock.advance_to(to);
        self.simulation.board().run_due(to);
    }
}
