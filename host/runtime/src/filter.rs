//! Filters: the guest's `filter`, called as an interrupt occurs.
//!
//! It runs in an instance of the component that has no imports and counts
//! instructions, one for each source, which nothing but the primary context
//! enters. So it needs no gate, ends in time, and is deterministic.

mod levels;
mod program;

use crate::bindings::Driver as Bindings;
use crate::driver::Driver;
use crate::limits::{LimitHit, Limits};
use crate::{bindings, stack};
use loopgate_workloop::{FilterFault, InterruptFilter, Occurrence, Verdict};
use parking_lot::Mutex;
use std::sync::Arc;
use wasmtime::Store;

pub(crate) use levels::Levels;
use program::State;
pub(crate) use program::{Program, STACK, is_wanted};

/// Instructions for the initialisers of an instance, some of which run in its
/// first call.
const INITIALISERS: u64 = 1_000_000;

/// The filter of one source.
pub(crate) struct Filter {
    driver: Arc<Driver>,
    /// What the instance calls the source.
    token: u32,
    levels: Arc<Levels>,
    /// Locked by the primary context, and by who ends it. `None`: it failed, or
    /// has a successor.
    running: Mutex<Option<Running>>,
}

struct Running {
    store: Store<State>,
    bindings: Bindings,
    /// Its first call, in which initialisers may run, is still to come.
    fresh: bool,
    budget: Budget,
}

/// What the filter has used in the second that runs.
#[derive(Default)]
struct Budget {
    second: u64,
    used: u64,
}

impl Filter {
    /// # Errors
    /// Why there can be no instance without imports, for the log.
    pub(crate) fn new(
        driver: &Arc<Driver>,
        program: &Program,
        token: u32,
        levels: Arc<Levels>,
    ) -> Result<Arc<Self>, String> {
        let (store, bindings) = program.instantiate(&driver.limits)?;
        Ok(Arc::new(Self {
            driver: driver.clone(),
            token,
            levels,
            running: Mutex::new(Some(Running {
                store,
                bindings,
                fresh: true,
                budget: Budget::default(),
            })),
        }))
    }

    fn ask(&self, word: u64, occurrence: Occurrence) -> Result<Verdict, FilterFault> {
        let levels = self.levels.now();
        // On whatever stack the interrupt occurs. Without room for it nobody
        // can say that the interrupt is not the driver's.
        let Some(_nested) = stack::enter() else {
            return Ok(Verdict::Mine);
        };
        let mut guard = self.running.lock();
        let Some(running) = guard.as_mut() else {
            return Ok(Verdict::Mine);
        };
        // By the board's clock: the times of another driver's pin are that driver's.
        let second = self.driver.time.now().as_nanos() / 1_000_000_000;
        let called = running.call(
            &self.driver.limits,
            self.token,
            (word, levels),
            occurrence,
            second,
        );
        called.map_err(|cause| {
            *guard = None;
            self.driver.filter_failed(self.token, &cause);
            FilterFault
        })
    }

    /// Gives its instance back: another filter has its place.
    pub(crate) fn end(&self) {
        let ended = self.running.lock().take();
        drop(ended);
    }
}

impl InterruptFilter for Filter {
    fn filter(&self, word: u64, occurrence: Occurrence) -> Result<Verdict, FilterFault> {
        let verdict = self.ask(word, occurrence);
        let claimed = verdict != Ok(Verdict::NotMine);
        self.driver.counters.filtered(claimed);
        verdict
    }
}

impl Running {
    /// # Errors
    /// What keeps it from being called again.
    fn call(
        &mut self,
        limits: &Limits,
        token: u32,
        (word, levels): (u64, u64),
        occurrence: Occurrence,
        second: u64,
    ) -> Result<Verdict, String> {
        let first = if self.fresh { INITIALISERS } else { 0 };
        self.fresh = false;
        let fuel = limits.filter_fuel + first;
        // Without fuel accounting there would be no such engine.
        let _ = self.store.set_fuel(fuel);
        self.store.data_mut().forget_refusals();
        let called = self.bindings.loopgate_driver_handlers().call_filter(
            &mut self.store,
            token,
            word,
            levels,
            occurrence.sequence,
            occurrence.timestamp.as_nanos(),
            occurrence.high,
        );
        let verdict = called.map_err(|error| program::cause(&self.store, limits, &error))?;
        // Initialisers are not charged.
        let left = self.store.get_fuel().unwrap_or(0);
        let used = fuel.saturating_sub(left).saturating_sub(first);
        if self.budget.spend(second, used) > limits.filter_budget {
            return Err(LimitHit::FilterBudget(limits.filter_budget).to_string());
        }
        Ok(verdict.into())
    }
}

impl Budget {
    /// What was used in `second`, with this.
    fn spend(&mut self, second: u64, used: u64) -> u64 {
        if self.second != second {
            *self = Self { second, used: 0 };
        }
        self.used += used;
        self.used
    }
}

impl From<bindings::exports::loopgate::driver::handlers::Verdict> for Verdict {
    fn from(verdict: bindings::exports::loopgate::driver::handlers::Verdict) -> Self {
        use bindings::exports::loopgate::driver::handlers::Verdict as Wit;
        match verdict {
            Wit::NotMine => Self::NotMine,
            Wit::Mine => Self::Mine,
            Wit::MineKeepLineOn => Self::MineKeepLineOn,
        }
    }
}
