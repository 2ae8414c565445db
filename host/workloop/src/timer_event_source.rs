//! One-shot timers.

use std::sync::Arc;
use std::time::Duration;

use crate::action::ActionSlot;
use crate::attachment::Attachment;
use crate::clock::Clock;
use crate::context::Context;
use crate::error::Error;
use crate::event_source::{EventSource, Pass};
use crate::instant::Instant;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};

/// What a timer calls: the deadline that it was armed for, and the time now,
/// which is never earlier.
pub type TimerAction = Arc<dyn Fn(&Context, &TimerEventSource, Instant, Instant) + Send + Sync>;

/// Calls its action once for each arming, in the gate, never early.
///
/// An armed timer is polled by its loop like every other source, in the order
/// of addition. Deadline and delivery meet in one step in the gate: nothing
/// that has expired waits anywhere, so what is cancelled in the gate is
/// cancelled. (I/O Kit, whose expiries wait for the gate on another thread,
/// needs a generation stamp for this: \[102\].)
pub struct TimerEventSource {
    attachment: Attachment,
    clock: Arc<dyn Clock>,
    action: ActionSlot<TimerAction>,
    /// The deadline of `state` while it is armed, else [`NEVER`]. Written under
    /// `state` only; what polls read without it.
    armed: AtomicU64,
    state: Mutex<State>,
}

const NEVER: u64 = u64::MAX;

struct State {
    /// Remembered while the timer cannot be armed (\[98\]).
    deadline: Option<Instant>,
    attached: bool,
    /// The action runs, or sleeps: calls never overlap (\[104\]).
    running: bool,
}

impl TimerEventSource {
    /// A timer that is enabled, on no loop, and not armed. `clock` must be that
    /// of the loop to come: time is counted before the timer is added, too.
    pub fn new(clock: Arc<dyn Clock>, action: Option<TimerAction>) -> Arc<Self> {
        Arc::new(Self {
            attachment: Attachment::new(),
            clock,
            action: ActionSlot::new(action),
            armed: AtomicU64::new(NEVER),
            state: Mutex::new(State {
                deadline: None,
                attached: false,
                running: false,
            }),
        })
    }

    /// Replaces the action, from the next call on. Without one an armed timer
    /// is held back.
    pub fn set_action(&self, action: Option<TimerAction>) {
        self.action.set(action);
        self.update(|_| ());
    }

    /// Arms the timer for `after` from now, replacing what was armed. Zero
    /// fires on the next occasion, but never from within this call.
    ///
    /// # Errors
    /// As [`wake_at`](TimerEventSource::wake_at).
    pub fn set_timeout(&self, after: Duration) -> Result<(), Error> {
        self.arm(self.clock.now().saturating_add(after))
    }

    /// Arms the timer for `deadline`, replacing what was armed; while it is
    /// disabled or on no loop the deadline is remembered. A past one fires
    /// promptly. [`Instant::ZERO`] changes nothing.
    ///
    /// # Errors
    /// `NoResources` where there is no action; nothing is remembered then.
    pub fn wake_at(&self, deadline: Instant) -> Result<(), Error> {
        if deadline == Instant::ZERO {
            return Ok(());
        }
        self.arm(deadline)
    }

    /// Arms the timer for `deadline` unless it is armed for an earlier one: for
    /// several that share it, each of which looks anew when it has fired.
    pub(crate) fn wake_by(&self, deadline: Instant) {
        self.update(|state| {
            let earlier = state.deadline.filter(|armed| *armed <= deadline);
            state.deadline = earlier.or(Some(deadline));
        });
    }

    /// Disarms the timer and forgets its deadline. Called in the gate: the
    /// action does not run until the timer is armed again. Without the gate
    /// it may be running just now.
    pub fn cancel_timeout(&self) {
        self.update(|state| state.deadline = None);
    }

    fn arm(&self, deadline: Instant) -> Result<(), Error> {
        self.update(|state| {
            if !self.action.is_some() {
                return Err(Error::NoResources);
            }
            state.deadline = Some(deadline);
            Ok(())
        })
    }

    /// Changes the state, brings `armed` into line, and tells the loop where
    /// it could be waiting for something later.
    fn update<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let mut state = self.state.lock();
        let result = change(&mut state);
        let armed = self.arming(&state);
        let before = self.armed.swap(armed, Ordering::AcqRel);
        drop(state);
        if armed != NEVER && armed != before {
            self.tell_loop();
        }
        result
    }

    fn arming(&self, state: &State) -> u64 {
        let may_fire = state.attached
            && !state.running
            && self.action.is_some()
            && self.attachment.is_enabled();
        match state.deadline {
            Some(deadline) if may_fire => deadline.as_nanos(),
            _ => NEVER,
        }
    }

    /// The loop's own thread looks for the next deadline by itself before it
    /// waits.
    fn tell_loop(&self) {
        let Some(shared) = self.attachment.shared() else {
            return;
        };
        if !Context::with_current(|cx| shared.is_runner(cx)) {
            shared.signal();
        }
    }

    /// Takes what is due, in one step.
    fn expire(&self, now: Instant) -> Option<Instant> {
        let mut state = self.state.lock();
        let armed = Instant::from_nanos(self.armed.load(Ordering::Acquire));
        if armed.as_nanos() == NEVER || now < armed {
            return None;
        }
        // Forgotten, so that `enable` does not fire it again ([105b] deviates).
        state.deadline = None;
        state.running = true;
        self.armed.store(NEVER, Ordering::Release);
        Some(armed)
    }
}

impl EventSource for TimerEventSource {
    fn attachment(&self) -> &Attachment {
        &self.attachment
    }

    fn check_for_work(&self, pass: &Pass<'_>) -> bool {
        let armed = self.armed.load(Ordering::Acquire);
        if armed == NEVER || pass.now().as_nanos() < armed {
            return false;
        }
        let Some(action) = self.action.get() else {
            return false;
        };
        if let Some(deadline) = self.expire(pass.now()) {
            let _running = Running(self);
            action(pass.context(), self, deadline, pass.now());
        }
        false
    }

    fn next_deadline(&self) -> Option<Instant> {
        let armed = self.armed.load(Ordering::Acquire);
        (armed != NEVER).then_some(Instant::from_nanos(armed))
    }

    fn attached(&self, _: &Context) -> Result<(), Error> {
        self.update(|state| state.attached = true);
        Ok(())
    }

    fn detached(&self, _: &Context) {
        self.update(|state| {
            state.attached = false;
            self.attachment.set_enabled(false);
        });
    }

    /// Arms a remembered deadline; a past one fires promptly. Without an action
    /// the timer stays disabled (\[105c\]).
    fn enable(&self, _: &Context) {
        self.update(|_| self.attachment.set_enabled(self.action.is_some()));
    }

    /// Disarms the timer, and keeps the deadline. In the gate this is final,
    /// as [`cancel_timeout`](TimerEventSource::cancel_timeout) is.
    fn disable(&self, _: &Context) {
        self.update(|_| self.attachment.set_enabled(false));
    }
}

/// Lets the timer fire again when its action has returned or unwound.
struct Running<'a>(&'a TimerEventSource);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.update(|state| state.running = false);
    }
}
