//! The time of handlers.

use crate::limits::{LimitHit, Limits};
use crate::ticker::TICK;
use crate::time::Time;
use std::time::{Duration, Instant};

/// Instructions of WebAssembly, where they are counted in place of time: a PC does
/// about twice as many.
const PER_NANOSECOND: u64 = 4;

/// What a call of the host counts for there.
const HOST_CALL: Duration = Duration::from_nanos(250);

/// Watches the time of the running handler.
///
/// Reading clocks costs a fifth of a whole call, so nothing is read unless a
/// call is still running at a tick; it is then measured from that tick on.
/// What was before is less than one tick.
#[derive(Default)]
pub(crate) struct CallClock {
    cpu: Duration,
    wall: Duration,
    starting: bool,
    since: Option<Reading>,
    /// Delays that the handler asked for, which virtual time does not show on
    /// the wall.
    delayed: Duration,
    /// Calls into other drivers, by the board's clock.
    down: Duration,
    /// Waits for what others had, a gate or a bus.
    pub(crate) waited: Duration,
    /// Whether instructions and calls of the host are counted, and no clock is read.
    is_counted: bool,
    /// What was executed, and by those that it called.
    executed: Duration,
    executed_down: Duration,
    /// What its calls of the host are taken to have cost.
    host: Duration,
}

/// Both clocks at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    cpu: Duration,
    wall: Instant,
}

impl Reading {
    fn now() -> Self {
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        let cpu = Duration::new(cpu.tv_sec.unsigned_abs(), cpu.tv_nsec.unsigned_abs() as u32);
        Self {
            cpu,
            wall: Instant::now(),
        }
    }
}

impl CallClock {
    pub(crate) fn new(is_counted: bool) -> Self {
        Self {
            is_counted,
            ..Self::default()
        }
    }

    /// A handler begins.
    pub(crate) fn begin(&mut self, limits: &Limits, starting: bool) {
        self.starting = starting;
        (self.cpu, self.wall) = if starting {
            (limits.start, limits.start)
        } else {
            (limits.handler_cpu, limits.handler_wall)
        };
        self.since = None;
        self.delayed = Duration::ZERO;
        self.down = Duration::ZERO;
        self.waited = Duration::ZERO;
        self.executed = Duration::ZERO;
        self.executed_down = Duration::ZERO;
        self.host = Duration::ZERO;
    }

    /// The host was called; whether that was once too often.
    pub(crate) fn host_called(&mut self) -> bool {
        if !self.is_counted {
            return false;
        }
        self.host += HOST_CALL;
        self.host >= self.cpu
    }

    /// As [`executed`](Self::executed), without those that it called.
    pub(crate) fn executed_itself(&self) -> Duration {
        self.executed + self.host
    }

    /// What it has taken so far that no virtual clock shows.
    pub(crate) fn executed(&self) -> Duration {
        self.executed + self.host + self.executed_down
    }

    /// As [`called_down`](Self::called_down), for what no virtual clock shows.
    pub(crate) fn executed_down(&mut self, span: Duration) {
        self.executed_down += span;
        self.down += span;
    }

    pub(crate) fn is_counted(&self) -> bool {
        self.is_counted
    }

    /// As many as the handler may execute, where they are counted.
    pub(crate) fn instructions(&self) -> u64 {
        let limit = self.cpu.min(self.wall).as_nanos();
        u64::try_from(limit).map_or(u64::MAX, |nanos| nanos.saturating_mul(PER_NANOSECOND))
    }

    /// And so many of them it has not.
    pub(crate) fn left_over(&mut self, instructions: u64) {
        self.executed = Duration::from_nanos((self.instructions() - instructions) / PER_NANOSECOND);
    }

    /// It has executed all of them.
    pub(crate) fn exhausted(&self) -> LimitHit {
        if self.cpu > self.wall {
            return self.over();
        }
        self.spent()
    }

    fn spent(&self) -> LimitHit {
        if self.starting {
            LimitHit::Start(self.cpu)
        } else {
            LimitHit::HandlerCpu(self.cpu)
        }
    }

    /// How long the handler has kept its loop, where it has seen a tick, or has
    /// counted as many instructions and delays, or has called another driver.
    pub(crate) fn spanned(&self) -> Option<Duration> {
        let own = self.since.map(|_| self.own() + TICK);
        let counted = self.executed + self.host + self.delayed;
        let own = own.or((counted >= TICK).then_some(counted));
        let down = (!self.down.is_zero()).then_some(self.down);
        own.map_or(down, |own| Some(own + self.down))
    }

    /// Its own time so far, from the first tick on.
    fn own(&self) -> Duration {
        let since = self.since.map(|since| since.wall.elapsed());
        since.unwrap_or_default() + self.delayed
    }

    /// The engine has interrupted the guest.
    pub(crate) fn look(&mut self) -> Result<(), LimitHit> {
        if !self.is_counted {
            return self.tick();
        }
        if self.host >= self.cpu {
            return Err(self.spent());
        }
        Ok(())
    }

    /// The engine's epoch moved on while guest code ran.
    fn tick(&mut self) -> Result<(), LimitHit> {
        let now = Reading::now();
        let Some(since) = self.since else {
            self.since = Some(now);
            return Ok(());
        };
        if now.cpu.saturating_sub(since.cpu) >= self.cpu {
            return Err(self.spent());
        }
        if now.wall.duration_since(since.wall) + self.delayed >= self.wall {
            return Err(self.over());
        }
        Ok(())
    }

    /// What is left for waiting in this handler.
    pub(crate) fn left(&mut self) -> Duration {
        let since = *self.since.get_or_insert_with(Reading::now);
        self.wall
            .saturating_sub(since.wall.elapsed() + self.delayed)
    }

    /// What is left for waiting for others in this handler. What they take is not
    /// its own time, but its loop waits along, as in [`may_call_down`](Self::may_call_down).
    pub(crate) fn room(&mut self) -> Duration {
        self.left().saturating_sub(self.down)
    }

    /// What is left for waiting in virtual time: to the nanosecond, whatever the
    /// machine does.
    pub(crate) fn undelayed(&self) -> Duration {
        self.wall.saturating_sub(self.delayed)
    }

    /// [`room`](Self::room) in virtual time.
    pub(crate) fn undelayed_room(&self) -> Duration {
        self.undelayed().saturating_sub(self.down)
    }

    /// What is left for waiting, in whichever time that passes.
    pub(crate) fn left_in(&mut self, time: &Time) -> Duration {
        match time {
            Time::Virtual(_) => self.undelayed(),
            Time::Real(_) => self.left(),
        }
    }

    /// Its time is over.
    pub(crate) fn over(&self) -> LimitHit {
        if self.starting {
            LimitHit::Start(self.wall)
        } else {
            LimitHit::HandlerWall(self.wall)
        }
    }

    /// Runs a delay, which counts as time on the wall and not as processor
    /// time, even where it spins; `elsewhere` if it passes in virtual time.
    pub(crate) fn delay(&mut self, span: Duration, elsewhere: bool, delay: impl FnOnce()) {
        let before = self.pause();
        delay();
        if let (Some(since), Some(before)) = (&mut self.since, before) {
            since.cpu += Reading::now().cpu.saturating_sub(before.cpu);
        }
        if elsewhere {
            self.delayed += span;
        }
    }

    /// Whether it may call another driver. That time is the other's own, and
    /// nobody ends this one for it; but its loop waits along, and calls without
    /// end would keep it for as long (rule 13).
    pub(crate) fn may_call_down(&self) -> bool {
        self.own() + self.down < self.wall
    }

    /// A call into another driver has kept the loop for so long.
    pub(crate) fn called_down(&mut self, span: Duration) {
        self.down += span;
    }

    /// Others had what this handler waited for.
    pub(crate) fn waited(&mut self, span: Duration) {
        self.waited += span;
    }

    /// Before a call into another driver, whose time is its own.
    pub(crate) fn pause(&self) -> Option<Reading> {
        self.since.map(|_| Reading::now())
    }

    /// After that call: what passed does not count here.
    pub(crate) fn resume(&mut self, paused: Option<Reading>) {
        if let (Some(since), Some(paused)) = (&mut self.since, paused) {
            let now = Reading::now();
            since.cpu += now.cpu.saturating_sub(paused.cpu);
            since.wall += now.wall.duration_since(paused.wall);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn a_delay_is_no_processor_time() {
        let limits = Limits {
            handler_cpu: Duration::from_millis(10),
            handler_wall: Duration::from_hours(1),
            ..Limits::default()
        };
        let time = Time::Real(Arc::default());
        let mut clock = CallClock::default();
        clock.begin(&limits, false);
        let short = Duration::from_micros(90);
        for _ in 0..1000 {
            assert!(clock.left() > short);
            clock.delay(short, false, || time.delay(short));
        }
        assert!(clock.tick().is_ok());
        assert!(clock.spanned().unwrap() >= 1000 * short);
    }
}
