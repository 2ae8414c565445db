//! Down calls: from a handler into another driver, which answers at once.

use crate::driver::Driver;
use crate::error::ErrorCode;
use crate::guest::Guest;
use crate::limits::LimitHit;
use crate::stack;
use crate::ticker::TICK;
use loopgate_workloop::Context;
use std::time::Duration;

impl Guest {
    /// Calls `f` with the other driver's gate closed. Its time is that
    /// driver's own; only the wait for its gate counts here. Where that is not
    /// free, `wait` says how long to wait for it, if at all. `timed-out` once
    /// this handler and what it has called have taken one limit together.
    pub(super) fn down_call<R>(
        &mut self,
        other: &Driver,
        wait: impl FnOnce() -> Result<Duration, ErrorCode>,
        f: impl FnOnce(&Context) -> Result<R, ErrorCode>,
    ) -> Result<R, ErrorCode> {
        if !self.clock.may_call_down() {
            return Err(ErrorCode::TimedOut);
        }
        if !stack::has_room() {
            self.driver.log.host(&LimitHit::Nesting.to_string());
            return Err(ErrorCode::NoResources);
        }
        Context::with_current(|cx| {
            if !other.work_loop.try_close_gate(cx) {
                self.wait_for_gate(cx, other, wait()?)?;
            }
            let paused = self.clock.pause();
            let begun = self.driver.time.now();
            let (outcome, calls) = other.for_another.during(|| f(cx));
            let ended = self.driver.time.now();
            self.clock.called_down(ended.saturating_since(begun));
            if self.clock.is_counted() {
                let executed = other.with_guest(|guest| guest.clock.executed());
                // One that has died of it has had all of its time.
                self.clock
                    .executed_down(executed.unwrap_or(other.limits.handler_cpu));
            }
            self.clock.resume(paused);
            self.calls.count_all(calls, ended);
            other.work_loop.open_gate(cx)?;
            outcome
        })
    }

    fn wait_for_gate(
        &mut self,
        cx: &Context,
        other: &Driver,
        timeout: Duration,
    ) -> Result<(), ErrorCode> {
        // Given up some ticks before the limit: the wait is the provider's
        // fault, and must not end this driver.
        let left = self
            .clock
            .left_in(&self.driver.time)
            .saturating_sub(5 * TICK);
        let begun = self.driver.time.now();
        let deadline = begun.saturating_add(timeout.min(left));
        let closed = other.work_loop.close_gate_until(cx, deadline);
        self.clock
            .waited(self.driver.time.now().saturating_since(begun));
        Ok(closed?)
    }
}
