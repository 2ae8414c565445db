//! Whether a board goes on, for who watches over it.

use super::Board;
use crate::time::Time;
use loopgate_workloop::Context;
use std::time::Duration;

impl Board {
    /// The work loops that do not go on: that have ended, or whose gate somebody
    /// has kept closed all the while that this waits, at most `within`. None
    /// does, as long as the limits of the drivers hold. Not from within a handler.
    pub fn stuck_loops(&self, within: Duration) -> Vec<String> {
        if let Time::Virtual(_) = self.time {
            // Whoever moves time on serves all loops.
            let stepped = self.stepping.try_lock_for(within).is_some();
            return if stepped {
                Vec::new()
            } else {
                vec!["board".to_owned()]
            };
        }
        let deadline = self.time.now().saturating_add(within);
        let goes_on = |known: &super::NamedLoop| {
            Context::with_current(|cx| {
                let gate = known.work_loop.gate();
                let closed = gate.close_until(cx, deadline).is_ok();
                closed && gate.open(cx).is_ok() && !known.work_loop.is_terminated()
            })
        };
        let roster = self.roster();
        let stuck = roster.loops.iter().filter(|known| !goes_on(known));
        stuck.map(|known| known.name.clone()).collect()
    }
}
