//! How time passes on a board.

use loopgate_workloop::{Clock, Instant, SystemClock, VirtualClock};
use std::sync::Arc;
use std::time::Duration;

/// Below this a delay spins: a sleeping thread comes back 50 us late.
const SPIN: Duration = Duration::from_micros(100);

/// The board's clock.
#[derive(Clone)]
pub(crate) enum Time {
    Real(Arc<SystemClock>),
    Virtual(Arc<VirtualClock>),
}

impl Time {
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        match self {
            Self::Real(clock) => clock.clone(),
            Self::Virtual(clock) => clock.clone(),
        }
    }

    pub(crate) fn now(&self) -> Instant {
        match self {
            Self::Real(clock) => clock.now(),
            Self::Virtual(clock) => clock.now(),
        }
    }

    /// Blocks the thread, or moves virtual time on.
    pub(crate) fn delay(&self, span: Duration) {
        match self {
            Self::Virtual(clock) => clock.advance(span),
            Self::Real(_) if span >= SPIN => std::thread::sleep(span),
            Self::Real(_) => {
                let start = std::time::Instant::now();
                while start.elapsed() < span {
                    std::hint::spin_loop();
                }
            }
        }
    }
}
