//! Time enters the core here and nowhere else.

use std::time::Duration;

use crate::context::Context;
use crate::instant::Instant;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU64, Ordering};

/// Monotonic time, and waiting in it.
///
/// An implementation must never go back, and must let
/// [`Context::wake`] end a [`park`](Clock::park) at once, also when it came
/// before. [`now`](Clock::now) is called with locks of the core held and must
/// not call back into it. Callers may not assume that `park` returns only for a
/// reason.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Instant;

    /// Blocks the calling thread until `cx` is woken or `deadline` has come;
    /// without a deadline, until woken. May return early.
    fn park(&self, cx: &Context, deadline: Option<Instant>);
}

/// `CLOCK_MONOTONIC`: comparable with the timestamps that the kernel puts on
/// GPIO edges.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// A clock that stands still until it is advanced.
///
/// It drives tests and the deterministic mode: parked contexts whose deadline
/// has come are woken by [`advance_to`](VirtualClock::advance_to).
pub struct VirtualClock {
    /// Written under `parked` only, so that no deadline is missed between a
    /// look at the time and the entry in the list.
    now: AtomicU64,
    parked: Mutex<Vec<(Instant, Context)>>,
}

impl Clock for SystemClock {
    fn now(&self) -> Instant {
        monotonic()
    }

    fn park(&self, cx: &Context, deadline: Option<Instant>) {
        cx.park(deadline.map(|deadline| deadline.saturating_since(self.now())));
    }
}

impl VirtualClock {
    /// A clock at [`Instant::ZERO`].
    pub fn new() -> Self {
        Self {
            now: AtomicU64::new(0),
            parked: Mutex::new(Vec::new()),
        }
    }

    /// Sets the time to `instant`, or leaves it where that is in the past, and
    /// wakes the contexts whose deadline has come.
    pub fn advance_to(&self, instant: Instant) {
        let parked = self.parked.lock();
        let now = instant.max(self.now());
        self.now.store(now.as_nanos(), Ordering::Release);
        for (deadline, cx) in parked.iter() {
            if *deadline <= now {
                cx.wake();
            }
        }
    }

    /// Sets the time forward by `span`.
    pub fn advance(&self, span: Duration) {
        self.advance_to(self.now().saturating_add(span));
    }

    /// The earliest deadline for which a context is parked: where to advance
    /// to when nothing else is left to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.parked
            .lock()
            .iter()
            .map(|(deadline, _)| *deadline)
            .min()
    }
}

impl Default for VirtualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for VirtualClock {
    fn now(&self) -> Instant {
        Instant::from_nanos(self.now.load(Ordering::Acquire))
    }

    fn park(&self, cx: &Context, deadline: Option<Instant>) {
        let Some(deadline) = deadline else {
            return cx.park(None);
        };
        {
            let mut parked = self.parked.lock();
            if deadline <= self.now() {
                return;
            }
            parked.push((deadline, cx.clone()));
        }
        cx.park(None);
        self.parked.lock().retain(|(_, parked)| parked != cx);
    }
}

#[cfg(not(miri))]
fn monotonic() -> Instant {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    Instant::from_nanos(seconds.saturating_mul(1_000_000_000).saturating_add(nanos))
}

/// Miri cannot make the system call.
#[cfg(miri)]
fn monotonic() -> Instant {
    use std::sync::OnceLock;
    use std::time;
    static ORIGIN: OnceLock<time::Instant> = OnceLock::new();
    let origin = *ORIGIN.get_or_init(time::Instant::now);
    Instant::ZERO.saturating_add(origin.elapsed() + Duration::from_secs(1))
}
