//! Boards whose time goes from event to event, on the threads of those who
//! wait for something.

use super::{Board, NamedLoop};
use crate::random::Random;
use crate::time::Time;
use loopgate_workloop::{Instant, VirtualClock};
use parking_lot::Mutex;
use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

/// Rounds for each loop in which they are served at one instant, and runs of one loop
/// in a round. A driver that always causes itself more work would otherwise keep
/// time from going on.
const ROUNDS_MAX: usize = 4;
const RUNS_MAX: u32 = 16;

/// How far time goes on then: about what a real loop would have taken.
const GRAIN: Duration = Duration::from_micros(100);

/// Who goes on where several loops have something to do at one instant.
pub(super) struct Schedule(Option<Mutex<Random>>);

impl Schedule {
    /// Without a seed, the first of them.
    pub(super) fn drawn_from(seed: Option<u64>) -> Self {
        Self(seed.map(|seed| Mutex::new(Random::new(seed))))
    }

    /// Rounds for each loop at one instant.
    fn rounds(&self) -> usize {
        // A round is as many runs as it can, or one at least.
        match self.0 {
            Some(_) => ROUNDS_MAX * RUNS_MAX as usize,
            None => ROUNDS_MAX,
        }
    }

    /// And for how many runs; `None` where nobody has anything to do.
    fn next<'a>(&self, loops: &'a [Arc<NamedLoop>]) -> Option<(&'a NamedLoop, u32)> {
        let mut busy = loops.iter().filter(|known| known.work_loop.has_work());
        let Some(random) = &self.0 else {
            return Some((busy.next()?, RUNS_MAX));
        };
        let busy: Vec<_> = busy.collect();
        let mut random = random.lock();
        let chosen = random.below(busy.len() as u64);
        let runs = 1 + random.below(u64::from(RUNS_MAX));
        Some((*busy.get(chosen as usize)?, runs as u32))
    }
}

/// What a step of virtual time came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stepped {
    /// Something may have happened: look again.
    On,
    /// Nothing would ever happen.
    Never,
}

/// How the loops are at one instant.
enum Settled {
    /// They have nothing to do; whether they had.
    Quiet { before: bool },
    /// Someone else holds a gate.
    Held,
    /// They would go on for ever.
    Endless,
}

impl Board {
    /// Virtual time only: handles everything up to `deadline`, event after
    /// event, and leaves the clock there. A driver that always has more to do
    /// is served for a while, and then time goes on by 100 us.
    ///
    /// # Panics
    ///
    /// When the board's clock is real: there the loops have threads of their own.
    pub fn run_until(&self, deadline: Instant) {
        let Time::Virtual(clock) = &self.time else {
            panic!("`run_until` is for boards with a virtual clock")
        };
        let _turn = self.stepping.lock();
        loop {
            match self.settle() {
                Settled::Quiet { .. } => match self.next_event().filter(|&next| next <= deadline) {
                    Some(next) => self.advance(clock, next),
                    None => break,
                },
                Settled::Endless => {
                    let next = self.time.now().saturating_add(GRAIN);
                    if next > deadline {
                        break;
                    }
                    self.advance(clock, next);
                }
                Settled::Held => std::thread::yield_now(),
            }
        }
        self.advance(clock, deadline);
    }

    /// Virtual time only: [`Board::run_until`] `span` from now.
    pub fn run_for(&self, span: Duration) {
        self.run_until(self.now().saturating_add(span));
    }

    /// Virtual time only: the clock goes on by `span` at once, and what was due
    /// meanwhile is late, as after a machine's suspension. Then handles what is due.
    ///
    /// # Panics
    ///
    /// When the board's clock is real.
    pub fn skip(&self, span: Duration) {
        let Time::Virtual(clock) = &self.time else {
            panic!("`skip` is for boards with a virtual clock")
        };
        let to = self.now().saturating_add(span);
        {
            let _turn = self.stepping.lock();
            clock.advance_to(to);
        }
        self.run_until(to);
    }

    /// One step of virtual time, for who waits until `deadline`.
    pub(super) fn step(&self, clock: &VirtualClock, deadline: Option<Instant>) -> Stepped {
        let Some(_turn) = self.stepping.try_lock() else {
            // Someone else moves time on.
            std::thread::yield_now();
            return Stepped::On;
        };
        match self.settle() {
            Settled::Quiet { before: true } => {}
            Settled::Quiet { before: false } => {
                let Some(next) = self.next_event().into_iter().chain(deadline).min() else {
                    return if self.is_idle() {
                        Stepped::Never
                    } else {
                        Stepped::On
                    };
                };
                self.advance(clock, next);
            }
            Settled::Endless => self.advance(clock, self.time.now().saturating_add(GRAIN)),
            Settled::Held => std::thread::yield_now(),
        }
        Stepped::On
    }

    /// Serves what is due now, on every loop, each in its own context.
    fn settle(&self) -> Settled {
        let mut before = false;
        let roster = self.roster();
        // What comes from outside at one instant comes once: to look is not free.
        let looked = Cell::new(None);
        let outside = || {
            let now = self.time.now();
            if looked.replace(Some(now)) != Some(now) {
                self.simulation.board().run_due(now);
            }
        };
        for _ in 0..self.schedule.rounds() * roster.loops.len() {
            let Some((busy, runs)) = self.schedule.next(&roster.loops) else {
                // What is answered at its deadline is answered.
                let now = self.time.now();
                if self.clients.expire(|deadline| deadline <= now) {
                    continue;
                }
                return Settled::Quiet { before };
            };
            if !busy.run(runs, outside) {
                return Settled::Held;
            }
            before = true;
        }
        Settled::Endless
    }

    /// Whether no handler runs anywhere.
    fn is_idle(&self) -> bool {
        let roster = self.roster();
        roster
            .loops
            .iter()
            .all(|known| known.work_loop.gate().depth() == 0)
    }

    /// When something happens next by itself: a timer, a deadline, an edge that
    /// is played. `None`: nothing, unless someone causes it.
    pub fn next_event(&self) -> Option<Instant> {
        let roster = self.roster();
        let timers = roster
            .loops
            .iter()
            .filter_map(|known| known.work_loop.next_deadline());
        let sleepers = roster
            .loops
            .iter()
            .filter_map(|known| known.work_loop.gate().next_deadline());
        timers
            .chain(sleepers)
            .chain(self.simulation.board().next_due())
            .chain(self.clients.next_deadline())
            .min()
    }

    fn advance(&self, clock: &VirtualClock, to: Instant) {
        clock.advance_to(to);
        self.simulation.board().run_due(to);
        self.clients.expire(|deadline| deadline < to);
    }
}

impl NamedLoop {
    /// Serves the loop's events as its thread would; false where someone else
    /// holds its gate, be it the one who steps. Calls `outside` while the gate is
    /// open: a handler's `delay` may have moved time over what comes from there.
    fn run(&self, runs: u32, outside: impl Fn()) -> bool {
        self.runner.scope(|| {
            for _ in 0..runs {
                if self
                    .work_loop
                    .poll_run_event_sources(&self.runner)
                    .is_pending()
                {
                    self.work_loop.gate().abandon(&self.runner);
                    return false;
                }
                outside();
                if !self.work_loop.has_work() {
                    break;
                }
            }
            true
        })
    }
}
