//! One run of a loop: passes over the chain until there is no more to do, or
//! until it is the others' turn.

use super::WorkLoop;
use crate::context::Context;
use crate::event_source::{EventSource, Pass};

/// After so many passes the gate opens, whatever is left, so that a source that
/// always has more starves nobody for ever.
const PASSES_PER_CLOSING: usize = 64;

/// So often does a change of the chain start the walk again at its head (\[6\]).
/// Unbounded, an action that changes the chain each time would keep the walk
/// from whatever is behind its source.
const RESTARTS_PER_CLOSING: u32 = 8;

/// Lives while the gate is closed.
pub(super) struct Run<'a> {
    work_loop: &'a WorkLoop,
    cx: &'a Context,
    /// The closing that quotas are to account it to.
    closing: u64,
    restarts_left: u32,
}

impl<'a> Run<'a> {
    /// `depth` is how deep the gate is closed, the run's own level included.
    pub(super) fn new(work_loop: &'a WorkLoop, cx: &'a Context, depth: u32) -> Self {
        Self {
            work_loop,
            cx,
            closing: work_loop.shared.begin_run(depth),
            restarts_left: RESTARTS_PER_CLOSING,
        }
    }

    /// False where the loop ended meanwhile.
    pub(super) fn run(mut self) -> bool {
        let shared = &self.work_loop.shared;
        for _ in 0..PASSES_PER_CLOSING {
            let more = self.pass();
            if shared.is_terminated() {
                return false;
            }
            if !more {
                return true;
            }
        }
        shared.signal();
        true
    }

    /// Polls each active source once; true where another pass is wanted.
    fn pass(&mut self) -> bool {
        let shared = &self.work_loop.shared;
        shared.begin_pass();
        let version = shared.chain_version();
        let pass = Pass::new(self.cx, shared);
        let mut more = false;
        for source in self.work_loop.chain.active().iter() {
            if !self.may_poll(&**source) {
                continue;
            }
            more |= source.check_for_work(&pass);
            if shared.is_terminated() {
                return false;
            }
            if shared.chain_version() != version && self.restarts_left > 0 {
                self.restarts_left -= 1;
                return true;
            }
        }
        more
    }

    /// Whether the walk stops at this source. It may have left the chain since
    /// the walk began; what came since is not in the walk, and had its addition
    /// signal the loop: sources that add sources would make the walk endless.
    fn may_poll(&self, source: &dyn EventSource) -> bool {
        let attachment = source.attachment();
        let shared = &self.work_loop.shared;
        if !attachment.is_on(shared) {
            return false;
        }
        let admitted = attachment.is_within_quota(self.closing);
        if !admitted {
            // For the next closing. The passes of this one clear it, and come
            // by here again.
            shared.signal();
        }
        admitted
    }
}
