//! The part of a work loop that its event sources hold on to. It refers to no
//! source, so that neither keeps the other alive.

use std::sync::{Arc, OnceLock, Weak};

use crate::clock::Clock;
use crate::context::Context;
use crate::gate::Gate;
use crate::identity;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::waits::Waits;
use crate::work_loop::WorkLoop;

pub(crate) struct Shared {
    /// Never 0, never reused.
    id: u64,
    gate: Gate,
    waits: Arc<Waits>,
    work_loop: Weak<WorkLoop>,
    /// Who runs the loop: its thread, or what stands in for it.
    runner: OnceLock<Context>,
    work: AtomicBool,
    /// Counts changes. A flag would not do: a pass nested in an action would
    /// clear it under the outer one.
    chain_version: AtomicU64,
    /// Counts the runs that closed the gate themselves, from 1.
    closing: AtomicU64,
    terminated: AtomicBool,
}

impl Shared {
    pub(crate) fn new(clock: Arc<dyn Clock>, waits: Arc<Waits>, work_loop: Weak<WorkLoop>) -> Self {
        Self {
            id: identity::next(),
            gate: Gate::new(clock),
            waits,
            work_loop,
            runner: OnceLock::new(),
            work: AtomicBool::new(false),
            chain_version: AtomicU64::new(0),
            closing: AtomicU64::new(1),
            terminated: AtomicBool::new(false),
        }
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(crate) fn waits(&self) -> &Waits {
        &self.waits
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &**self.gate.clock()
    }

    pub(crate) fn work_loop(&self) -> Option<Arc<WorkLoop>> {
        self.work_loop.upgrade()
    }

    /// False where there is a runner already.
    pub(crate) fn set_runner(&self, cx: &Context) -> bool {
        self.runner.set(cx.clone()).is_ok()
    }

    pub(crate) fn is_runner(&self, cx: &Context) -> bool {
        self.runner.get() == Some(cx)
    }

    /// Records that there is work and wakes the runner. The flag is cleared
    /// before a pass polls, and looked at before the runner parks: what is
    /// signalled in between is not lost. A second signal finds the flag set
    /// and has nothing to do.
    pub(crate) fn signal(&self) {
        if !self.work.swap(true, Ordering::AcqRel)
            && let Some(runner) = self.runner.get()
        {
            runner.wake();
        }
    }

    pub(crate) fn has_signal(&self) -> bool {
        self.work.load(Ordering::Acquire)
    }

    pub(crate) fn begin_pass(&self) {
        // A swap, not a store: it must see what was recorded before the
        // signal that it clears.
        self.work.swap(false, Ordering::AcqRel);
    }

    pub(crate) fn chain_version(&self) -> u64 {
        self.chain_version.load(Ordering::Acquire)
    }

    pub(crate) fn mark_chain_changed(&self) {
        self.chain_version.fetch_add(1, Ordering::Release);
    }

    /// The number of the closing that a run belongs to, never 0; to be asked
    /// in the gate. At another `depth` than 1 the run is nested in an action,
    /// or in what else its caller does in the gate: it counts as part of the
    /// latest closing, or nesting would be the way around every quota.
    pub(crate) fn begin_run(&self, depth: u32) -> u64 {
        let latest = self.closing.load(Ordering::Relaxed);
        let closing = latest + u64::from(depth == 1);
        self.closing.store(closing, Ordering::Relaxed);
        closing
    }

    pub(crate) fn is_terminated(&self) -> bool {
        self.terminated.load(Ordering::Acquire)
    }

    /// The first call ends every sleep and has the runner notice.
    pub(crate) fn terminate(&self) {
        self.terminated.store(true, Ordering::Release);
        self.gate.end();
        self.work.store(true, Ordering::Release);
        if let Some(runner) = self.runner.get() {
            runner.wake();
        }
    }
}
