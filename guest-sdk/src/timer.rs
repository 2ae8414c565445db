//! Timers.

use crate::bindings::loopgate::driver::work_loop as raw;
use crate::error::named;
use crate::time::nanos;
use crate::work_loop::{EventSource, Tokens, added, sealed};
use crate::{Duration, ErrorCode, Instant, Result};

thread_local!(static TOKENS: Tokens = const { Tokens::from(1) });

/// Calls [`Driver::timeout`](crate::Driver::timeout) once for each arming,
/// never early. Dropping it disarms it.
#[derive(Debug)]
pub struct Timer {
    source: raw::TimerEventSource,
    id: TimerId,
}

impl Timer {
    /// What [`Driver::timeout`](crate::Driver::timeout) is told.
    pub fn id(&self) -> TimerId {
        self.id
    }

    /// Arms the timer, replacing what was armed. Zero is the next occasion
    /// after this handler.
    ///
    /// # Errors
    ///
    /// What the host makes of a span that it cannot count.
    pub fn set_timeout(&self, after: Duration) -> Result<()> {
        let armed = self.source.set_timeout(nanos(after));
        Ok(armed.map_err(ErrorCode::from)?)
    }

    /// Arms the timer for a point in time; a past one fires promptly. A
    /// periodic timer that adds its period to the last deadline does not
    /// drift.
    ///
    /// # Errors
    ///
    /// As [`set_timeout`](Self::set_timeout).
    pub fn wake_at(&self, deadline: Instant) -> Result<()> {
        let armed = self.source.wake_at(deadline.as_nanos());
        Ok(armed.map_err(ErrorCode::from)?)
    }

    /// Once this has returned, the timer does not fire until it is armed
    /// again.
    pub fn cancel_timeout(&self) {
        self.source.cancel_timeout();
    }

    /// Arms a deadline that was set while the timer was disabled.
    pub fn enable(&self) {
        self.source.enable();
    }

    /// Holds an armed deadline back until `enable`.
    pub fn disable(&self) {
        self.source.disable();
    }

    /// Whether deadlines are served; they are from creation on.
    pub fn is_enabled(&self) -> bool {
        self.source.is_enabled()
    }

    /// A timer on the work loop, not armed. See
    /// [`Context::timer`](crate::Context::timer), which is the same.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn create() -> Result<Self> {
        Self::with_token(TOKENS.with(Tokens::next))
    }

    pub(crate) fn with_token(token: u32) -> Result<Self> {
        let created = raw::TimerEventSource::create(token);
        let timer = Self {
            source: named(created, || "timer".into())?,
            id: TimerId(token),
        };
        // Enabled from birth; one that is taken over stays as it was left.
        added(timer)
    }
}

impl EventSource for Timer {}

impl sealed::Source for Timer {
    fn source(&self) -> raw::EventSource<'_> {
        raw::EventSource::Timer(&self.source)
    }
}

/// Names a [`Timer`] of this driver; compare it with the `Timer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerId(pub(crate) u32);

impl PartialEq<Timer> for TimerId {
    fn eq(&self, timer: &Timer) -> bool {
        *self == timer.id
    }
}

/// One expiry of a timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout {
    /// When it was to fire.
    pub deadline: Instant,
    /// When it did.
    pub now: Instant,
}
