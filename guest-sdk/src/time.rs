//! Time, as the host counts it.

use std::ops::{Add, Sub};

pub use std::time::Duration;

use crate::bindings::loopgate::driver::work_loop as raw;
use crate::{ErrorCode, Result};

/// A point in time on the host's monotonic clock. Its zero has no meaning.
///
/// `std::time::Instant` is another clock to the compiler, and a driver that
/// asks for it imports WASI's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The point `nanos` nanoseconds after the clock's zero.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the clock's zero.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The span since `earlier`; zero where that is later.
    pub const fn duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(nanos(span)))
    }
}

impl Sub for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.duration_since(earlier)
    }
}

/// The time.
pub fn now() -> Instant {
    Instant(raw::now())
}

/// Waits, with the gate closed and every driver of the loop waiting along: for
/// the few microseconds that data sheets ask for.
///
/// # Errors
///
/// `timed-out` at once where `span` exceeds what is left of the handler's wall
/// limit. A timer is for everything longer.
pub fn delay(span: Duration) -> Result<()> {
    Ok(raw::delay(nanos(span)).map_err(ErrorCode::from)?)
}

/// Spans of time as one says them: `5.millis()`.
///
/// For `u64` alone, so that the literal's type is inferred.
pub trait DurationExt {
    /// That many microseconds.
    fn micros(self) -> Duration;
    /// That many milliseconds.
    fn millis(self) -> Duration;
    /// That many seconds.
    fn secs(self) -> Duration;
}

impl DurationExt for u64 {
    fn micros(self) -> Duration {
        Duration::from_micros(self)
    }

    fn millis(self) -> Duration {
        Duration::from_millis(self)
    }

    fn secs(self) -> Duration {
        Duration::from_secs(self)
    }
}

/// What the contract counts in; 584 years where the span is longer.
pub(crate) fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_need_no_type() {
        assert_eq!(5.millis() + 7.micros(), Duration::from_micros(5_007));
    }

    #[test]
    fn points_in_time_saturate() {
        let early = Instant::from_nanos(3);
        assert_eq!(early - Instant::from_nanos(5), Duration::ZERO);
        assert_eq!((early + Duration::MAX).as_nanos(), u64::MAX);
    }
}
