//! What a driver has done so far. Written with the gate closed, but for what
//! filters do; read by anyone at any time.

use crate::status::{Counts, HandlerTime, Usage};
use loopgate_workloop::Unhandled;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// One call in this many is measured: two clock readings cost nearly half of
/// a call. The first ones are measured all, for drivers that have few.
const SAMPLE: u64 = 64;
const FIRST: u64 = 256;

#[derive(Default)]
pub(crate) struct Counters {
    interrupts: AtomicU64,
    lost: AtomicU64,
    set_aside: AtomicU64,
    claimed: AtomicU64,
    declined: AtomicU64,
    filters_off: AtomicU64,
    timeouts: AtomicU64,
    commands: AtomicU64,
    calls: AtomicU64,
    deaths: AtomicU64,
    measured: AtomicU64,
    total_ns: AtomicU64,
    longest_ns: AtomicU64,
    memory: AtomicU64,
    sources: AtomicU64,
    requests: AtomicU64,
    submissions: AtomicU64,
}

/// With the gate closed there is one writer, so that no read-modify-write is
/// needed.
fn add(counter: &AtomicU64, by: u64) -> u64 {
    let value = counter.load(Relaxed) + by;
    counter.store(value, Relaxed);
    value
}

impl Counters {
    pub(crate) fn interrupts(&self, count: u32, lost: u32) {
        add(&self.interrupts, u64::from(count));
        self.lost(u64::from(lost));
    }

    /// Interrupts that found no room, or nobody to take them.
    pub(crate) fn lost(&self, count: u64) {
        if count > 0 {
            add(&self.lost, count);
        }
    }

    /// The driver has died over these, which are not delivered then.
    pub(crate) fn unhandled(&self, unhandled: &Unhandled) {
        let aside = u64::from(unhandled.set_aside.is_some());
        add(&self.set_aside, aside);
        let taken_back = u64::from(unhandled.again) + aside;
        self.interrupts
            .store(self.interrupts.load(Relaxed) - taken_back, Relaxed);
        let lost = self.lost.load(Relaxed) - u64::from(unhandled.lost);
        self.lost.store(lost, Relaxed);
    }

    pub(crate) fn set_aside(&self) -> u64 {
        self.set_aside.load(Relaxed)
    }

    /// A filter has decided: as interrupts occur, with no gate closed.
    pub(crate) fn filtered(&self, claimed: bool) {
        let counter = if claimed {
            &self.claimed
        } else {
            &self.declined
        };
        counter.fetch_add(1, Relaxed);
    }

    /// A filter was switched off, also with no gate closed.
    pub(crate) fn filter_off(&self) {
        self.filters_off.fetch_add(1, Relaxed);
    }

    pub(crate) fn timeout(&self) {
        add(&self.timeouts, 1);
    }

    pub(crate) fn command(&self) {
        add(&self.commands, 1);
    }

    /// A call begins: the time, if this one is measured.
    pub(crate) fn begin(&self) -> Option<Instant> {
        let calls = add(&self.calls, 1);
        (calls <= FIRST || calls.is_multiple_of(SAMPLE)).then(Instant::now)
    }

    /// A call ends; `spanned` is its length where it was still running at a
    /// tick. Those are no fair sample, so the mean leaves them out.
    pub(crate) fn end(&self, begun: Option<Instant>, spanned: Option<Duration>) {
        let measured = begun.map(|begun| begun.elapsed());
        if let Some(length) = measured {
            self.measured(length);
        }
        let measured = measured.map(|length| length.as_nanos() as u64);
        let spanned = spanned.map(|length| length.as_nanos() as u64);
        if let Some(nanos) = measured.or(spanned)
            && nanos > self.longest_ns.load(Relaxed)
        {
            self.longest_ns.store(nanos, Relaxed);
        }
    }

    /// As that, where instructions are counted; whether it may be the longest.
    pub(crate) fn counted(&self, length: Duration, counts: bool) {
        self.measured(length);
        let nanos = length.as_nanos() as u64;
        if counts && nanos > self.longest_ns.load(Relaxed) {
            self.longest_ns.store(nanos, Relaxed);
        }
    }

    fn measured(&self, length: Duration) {
        add(&self.measured, 1);
        add(&self.total_ns, length.as_nanos() as u64);
    }

    /// An instance has failed.
    pub(crate) fn died(&self) {
        self.deaths.fetch_add(1, Relaxed);
    }

    /// What the instance uses, as of the end of its latest call.
    pub(crate) fn usage(&self, usage: Usage) {
        self.memory.store(usage.memory, Relaxed);
        self.sources.store(usage.sources as u64, Relaxed);
        self.requests.store(usage.requests as u64, Relaxed);
        self.submissions.store(usage.submissions as u64, Relaxed);
    }

    /// Whether requests were pending at the end of the latest call. With the
    /// gate closed that is whether they are.
    pub(crate) fn has_pending(&self) -> bool {
        self.requests.load(Relaxed) > 0
    }

    pub(crate) fn used(&self) -> Usage {
        Usage {
            memory: self.memory.load(Relaxed),
            sources: self.sources.load(Relaxed) as usize,
            requests: self.requests.load(Relaxed) as usize,
            submissions: self.submissions.load(Relaxed) as usize,
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts {
            interrupts: self.interrupts.load(Relaxed),
            lost: self.lost.load(Relaxed),
            claimed: self.claimed.load(Relaxed),
            declined: self.declined.load(Relaxed),
            filters_off: self.filters_off.load(Relaxed),
            timeouts: self.timeouts.load(Relaxed),
            commands: self.commands.load(Relaxed),
            calls: self.calls.load(Relaxed),
            deaths: self.deaths.load(Relaxed),
        }
    }

    pub(crate) fn handler_time(&self) -> HandlerTime {
        let measured = self.measured.load(Relaxed);
        HandlerTime {
            measured,
            mean_ns: self
                .total_ns
                .load(Relaxed)
                .checked_div(measured)
                .unwrap_or(0),
            longest_ns: self.longest_ns.load(Relaxed),
        }
    }
}
