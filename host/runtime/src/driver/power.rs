//! A driver's part in a change of power: what it is called with, on its loop's
//! thread, and how far it is.

use super::{Driver, Handler};
use crate::bindings::exports::loopgate::driver::handlers::{self as wit, PowerChange};
use crate::error::ErrorCode;
use crate::status::PowerState;
use loopgate_workloop::{Clock, Context, Error, Instant, InterruptEventSource, WorkLoop};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// How long a driver is waited for: at least, and at most where it asks for
/// more. One that never acknowledges must not hold the board for ever.
const LEAST: Duration = Duration::from_secs(10);
const MOST: Duration = Duration::from_mins(1);

/// What a driver can be called with in a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PowerCall {
    Allow,
    Set,
    DidChange,
}

/// How far a driver is with its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Waited for, at most until then.
    Until(Instant),
    Over {
        allowed: bool,
    },
    /// Not waited for any more.
    Late {
        begun: bool,
    },
}

/// What the drivers of a board are set to, or are to be set to next. Whoever
/// starts meanwhile follows it.
#[derive(Default)]
pub(crate) struct Target {
    asleep: AtomicBool,
}

impl Target {
    pub(crate) fn get(&self) -> PowerState {
        if self.asleep.load(SeqCst) {
            PowerState::Sleep
        } else {
            PowerState::On
        }
    }

    pub(crate) fn set(&self, state: PowerState) {
        self.asleep.store(state == PowerState::Sleep, SeqCst);
    }
}

/// The power calls of one loop, which its thread makes.
pub(crate) struct PowerCalls {
    clock: Arc<dyn Clock>,
    source: Arc<InterruptEventSource>,
    due: Arc<Mutex<VecDeque<Weak<Driver>>>>,
}

impl PowerCalls {
    /// With its source on the loop.
    pub(crate) fn new(
        cx: &Context,
        work_loop: &WorkLoop,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, Error> {
        let due = Arc::<Mutex<VecDeque<Weak<Driver>>>>::default();
        let taken = due.clone();
        let next = move || taken.lock().pop_front();
        let source = InterruptEventSource::new(
            None,
            0,
            Some(Arc::new(
                move |cx: &Context, _: &InterruptEventSource, _| {
                    while let Some(driver) = next() {
                        if let Some(driver) = driver.upgrade() {
                            driver.deliver_power(cx);
                        }
                    }
                },
            )),
        )?;
        work_loop.add_event_source(cx, source.clone())?;
        Ok(Arc::new(Self { clock, source, due }))
    }

    fn push(&self, driver: &Arc<Driver>) {
        self.due.lock().push_back(Arc::downgrade(driver));
        // On no loop the board has ended.
        let _ = self.source.signal(self.clock.now());
    }
}

/// One driver's part. A leaf among the locks.
#[derive(Default)]
pub(crate) struct Part(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    phase: Phase,
    /// Who makes the change, and is to look again.
    waiting: Option<Context>,
}

#[derive(Default)]
enum Phase {
    #[default]
    Idle,
    /// Its loop's thread has not come to it yet.
    Due(PowerCall, Instant),
    /// In the handler.
    Inside(PowerCall, Instant, Acknowledged),
    /// It answered `later`.
    Later(Instant),
    Over(Allowed),
}

type Acknowledged = bool;
type Allowed = bool;

/// What a handler has answered.
enum Answer {
    Made,
    Refused,
    Later(Instant),
}

impl Part {
    fn post(&self, cx: &Context, call: PowerCall, until: Instant) {
        *self.0.lock() = Inner {
            phase: Phase::Due(call, until),
            waiting: Some(cx.clone()),
        };
    }

    /// The call, which begins now.
    fn begin(&self) -> Option<PowerCall> {
        let mut inner = self.0.lock();
        let Phase::Due(call, until) = inner.phase else {
            return None;
        };
        inner.phase = Phase::Inside(call, until, false);
        Some(call)
    }

    fn answered(&self, answer: &Answer) {
        self.step(|phase| match (phase, answer) {
            (Phase::Inside(_, _, true), _) | (Phase::Inside(..), Answer::Made) => {
                Some(Phase::Over(true))
            }
            (Phase::Inside(..), Answer::Later(until)) => Some(Phase::Later(*until)),
            (Phase::Inside(..), Answer::Refused) => Some(Phase::Over(false)),
            // It ended in the call, or its time was over and another is due.
            _ => None,
        });
    }

    /// Ignored where nobody waits for it \[142\].
    pub(crate) fn acknowledge(&self) {
        self.step(|phase| match *phase {
            Phase::Inside(PowerCall::Set, until, _) => {
                Some(Phase::Inside(PowerCall::Set, until, true))
            }
            Phase::Later(_) => Some(Phase::Over(true)),
            _ => None,
        });
    }

    /// The instance has ended, and what it was to do counts as done \[145\].
    pub(super) fn ended(&self) {
        self.step(|phase| match phase {
            Phase::Idle | Phase::Over(_) => None,
            _ => Some(Phase::Over(true)),
        });
    }

    /// How far it is. What was late stays so: an acknowledgement that comes
    /// now finds nobody (X26). But a driver that its loop has not come to yet
    /// is still to learn of the change.
    pub(crate) fn progress(&self, now: Instant) -> Progress {
        let mut inner = self.0.lock();
        match inner.phase {
            Phase::Idle => Progress::Over { allowed: true },
            Phase::Over(allowed) => Progress::Over { allowed },
            Phase::Due(_, until) | Phase::Inside(_, until, _) | Phase::Later(until)
                if now < until =>
            {
                Progress::Until(until)
            }
            Phase::Due(call, _) => {
                if call == PowerCall::Allow {
                    inner.phase = Phase::Idle;
                }
                Progress::Late { begun: false }
            }
            Phase::Inside(..) => Progress::Late { begun: true },
            Phase::Later(_) => {
                inner.phase = Phase::Idle;
                Progress::Late { begun: true }
            }
        }
    }

    /// Takes a call back that has not begun; whether it had.
    pub(crate) fn withdraw(&self) -> bool {
        let mut inner = self.0.lock();
        let begun = !matches!(inner.phase, Phase::Due(..));
        if !begun {
            inner.phase = Phase::Idle;
        }
        begun
    }

    fn step(&self, next: impl FnOnce(&Phase) -> Option<Phase>) {
        let mut inner = self.0.lock();
        let Some(phase) = next(&inner.phase) else {
            return;
        };
        inner.phase = phase;
        let waiting = inner.waiting.clone();
        drop(inner);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }
}

impl Driver {
    /// Has the loop's thread call it; `cx` is woken when it gets on.
    pub(crate) fn post_power(self: &Arc<Self>, cx: &Context, call: PowerCall) {
        let limit = LEAST.max(self.limits.handler_wall);
        let until = self.time.now().saturating_add(limit);
        self.power.post(cx, call, until);
        self.power_calls.push(self);
    }

    fn deliver_power(self: &Arc<Self>, cx: &Context) {
        let answer = match self.power.begin() {
            None => return,
            Some(PowerCall::Allow) => self.allow_power_change(cx),
            Some(PowerCall::Set) => self.set_power_state(cx),
            Some(PowerCall::DidChange) => {
                let state = self.target.get().into();
                self.deliver(cx, Handler::PowerStateDidChange, |store, handlers| {
                    handlers.call_power_state_did_change(store, state)
                });
                Answer::Made
            }
        };
        self.power.answered(&answer);
    }

    /// Only sleep is asked for. One that ended is asked nothing.
    fn allow_power_change(self: &Arc<Self>, cx: &Context) -> Answer {
        let allowed = self.call(cx, Handler::AllowPowerChange, |store, handlers| {
            handlers.call_allow_power_change(store, wit::PowerState::Sleep)
        });
        if allowed.unwrap_or(true) {
            Answer::Made
        } else {
            Answer::Refused
        }
    }

    /// Sets the instance to what the board is set to, unless it is. So it also
    /// is right for one that started in the midst, or was late. In the gate.
    fn set_power_state(self: &Arc<Self>, cx: &Context) -> Answer {
        let state = self.target.get();
        let was = self.with_guest(|guest| std::mem::replace(&mut guest.power, state));
        if was.is_none_or(|was| was == state) {
            return Answer::Made;
        }
        let change = self.call(cx, Handler::SetPowerState, |store, handlers| {
            handlers.call_set_power_state(store, state.into())
        });
        match change {
            Ok(PowerChange::Later(within)) => {
                let within = Duration::from_nanos(within).clamp(LEAST, MOST);
                Answer::Later(self.time.now().saturating_add(within))
            }
            Ok(PowerChange::Failed(code)) => {
                let code = ErrorCode::from(code);
                self.log.host(&format!(
                    "`set-power-state` failed: {code}; it counts as made"
                ));
                Answer::Made
            }
            // If it died, that was reported.
            Ok(PowerChange::Made) | Err(_) => Answer::Made,
        }
    }

    /// It has started: where the board is asleep, so it is to be. Nobody waits
    /// for it. In the gate.
    pub(super) fn follow_power(self: &Arc<Self>, cx: &Context) {
        self.set_power_state(cx);
    }

    /// It is not waited for any longer.
    pub(crate) fn power_is_late(&self, call: PowerCall) {
        let (handler, counts_as) = match call {
            PowerCall::Allow => (Handler::AllowPowerChange, "allowed"),
            PowerCall::Set => (Handler::SetPowerState, "made"),
            PowerCall::DidChange => (Handler::PowerStateDidChange, "told"),
        };
        self.log.host(&format!(
            "`{}` was not done with in time; it counts as {counts_as}",
            handler.name(),
        ));
    }
}

impl From<PowerState> for wit::PowerState {
    fn from(state: PowerState) -> Self {
        match state {
            PowerState::On => Self::On,
            PowerState::Sleep => Self::Sleep,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATE: Instant = Instant::from_nanos(1_000);

    /// A part whose driver has answered `later`.
    fn later() -> Part {
        let part = Part::default();
        part.post(&Context::current(), PowerCall::Set, LATE);
        assert_eq!(part.begin(), Some(PowerCall::Set));
        part.answered(&Answer::Later(LATE));
        part
    }

    /// Whoever is first, the change goes on once, and what comes after finds
    /// nobody.
    #[test]
    fn race_x26_an_acknowledgement_at_the_moment_it_is_late() {
        let mut seen = [0; 2];
        for _ in 0..10_000 {
            let part = later();
            let first = std::thread::scope(|scope| {
                scope.spawn(|| part.acknowledge());
                part.progress(LATE)
            });
            let late = first == Progress::Late { begun: true };
            assert!(late || first == Progress::Over { allowed: true });
            seen[usize::from(late)] += 1;
            part.acknowledge();
            assert_eq!(part.progress(LATE), Progress::Over { allowed: true });
            assert_eq!(part.begin(), None);
        }
        eprintln!("in time, late: {seen:?}");
    }

    #[test]
    fn a_call_that_its_loop_comes_to_late_is_still_made_but_for_the_question() {
        for (call, made) in [
            (PowerCall::Allow, None),
            (PowerCall::Set, Some(PowerCall::Set)),
        ] {
            let part = Part::default();
            part.post(&Context::current(), call, LATE);
            assert_eq!(
                part.progress(Instant::from_nanos(999)),
                Progress::Until(LATE)
            );
            assert_eq!(part.progress(LATE), Progress::Late { begun: false });
            assert_eq!(part.begin(), made);
        }
    }

    /// The first call returns when the next is due already.
    #[test]
    fn the_answer_to_a_call_that_was_given_up_does_not_count_for_the_next() {
        let part = Part::default();
        part.post(&Context::current(), PowerCall::Allow, LATE);
        assert_eq!(part.begin(), Some(PowerCall::Allow));
        assert_eq!(part.progress(LATE), Progress::Late { begun: true });
        part.post(&Context::current(), PowerCall::Set, LATE);
        part.answered(&Answer::Refused);
        part.acknowledge();
        assert_eq!(part.progress(Instant::ZERO), Progress::Until(LATE));
        assert_eq!(part.begin(), Some(PowerCall::Set));
    }
}
