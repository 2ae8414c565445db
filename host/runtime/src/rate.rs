//! What a driver instance may do in a second, by the board's clock.
//!
//! A handler that another driver has asked for is not the driver's own doing: what
//! it does counts for who asked, or a client could use up what its provider may. A
//! call down counts at once, a submission with the submitter's next handler.

use loopgate_workloop::Instant;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;

/// Calls of the host.
///
/// The clock is read only when as many were made as a second allows: reading it
/// costs more than to count. So twice as many can come at once after a rest.
pub(crate) struct CallRate {
    limit: u64,
    left: u64,
    /// Up to when what was left has been handed out.
    since: Instant,
    exceeded: bool,
}

impl CallRate {
    pub(crate) fn new(limit: u64, now: Instant) -> Self {
        Self {
            limit,
            left: limit,
            since: now,
            exceeded: false,
        }
    }

    /// Whether it is one too many.
    #[inline]
    pub(crate) fn count(&mut self, now: impl FnOnce() -> Instant) -> bool {
        if let Some(left) = self.left.checked_sub(1) {
            self.left = left;
            return false;
        }
        self.refill(now());
        self.exceeded
    }

    /// As [`count`](Self::count), for calls that others have made for this one.
    pub(crate) fn count_all(&mut self, mut calls: u64, now: Instant) {
        while calls > 0 && !self.exceeded {
            let some = calls.min(self.left);
            self.left -= some;
            calls -= some;
            if calls > 0 {
                self.refill(now);
                calls -= 1;
            }
        }
    }

    /// What follows is for somebody else. Gives what is to be given back.
    pub(crate) fn lend(&mut self) -> Self {
        let lent = Self {
            limit: u64::MAX,
            left: u64::MAX,
            since: self.since,
            exceeded: false,
        };
        std::mem::replace(self, lent)
    }

    /// What follows is its own again. How many calls were for somebody else.
    pub(crate) fn give_back(&mut self, own: Self) -> u64 {
        u64::MAX - std::mem::replace(self, own).left
    }

    /// Whether there were too many.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.exceeded
    }

    #[cold]
    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_since(self.since).as_nanos();
        let earned = passed * u128::from(self.limit) / u128::from(SECOND);
        let earned = u64::try_from(earned).unwrap_or(u64::MAX);
        if earned >= self.limit {
            self.since = now;
            self.left = self.limit - 1;
        } else if let Some(left) = earned.checked_sub(1) {
            // Not `now`: what is left of the last one's time is kept.
            let spent = u128::from(earned) * u128::from(SECOND) / u128::from(self.limit);
            let spent = Duration::from_nanos(u64::try_from(spent).unwrap_or(u64::MAX));
            self.since = self.since.saturating_add(spent);
            self.left = left;
        } else {
            self.exceeded = true;
        }
    }
}

/// What a driver does while another asks it, in calls of the host.
#[derive(Default)]
pub(crate) struct ForAnother {
    on: AtomicBool,
    calls: AtomicU64,
}

impl ForAnother {
    /// Runs `f`, in which handlers of this driver run for another. How many calls
    /// they made.
    pub(crate) fn during<R>(&self, f: impl FnOnce() -> R) -> (R, u64) {
        self.on.store(true, Relaxed);
        let result = f();
        self.on.store(false, Relaxed);
        (result, self.calls.swap(0, Relaxed))
    }

    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Relaxed)
    }

    pub(crate) fn add(&self, calls: u64) {
        self.calls.fetch_add(calls, Relaxed);
    }
}

/// What others have done for a driver, and its limits have not counted yet.
#[derive(Default)]
pub(crate) struct Debt {
    calls: AtomicU64,
    nanoseconds: AtomicU64,
}

impl Debt {
    pub(crate) fn add(&self, calls: u64, time: Duration) {
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.calls.fetch_add(calls, Relaxed);
        self.nanoseconds.fetch_add(time, Relaxed);
    }

    /// What there was.
    pub(crate) fn take(&self) -> (u64, Duration) {
        // There is hardly ever one, and to look costs less than to take.
        let take = |of: &AtomicU64| match of.load(Relaxed) {
            0 => 0,
            _ => of.swap(0, Relaxed),
        };
        (
            take(&self.calls),
            Duration::from_nanos(take(&self.nanoseconds)),
        )
    }
}

/// Steps in which the second slides.
const SLOTS: u64 = 16;
const SLOT: u64 = SECOND / SLOTS;

/// The time that handlers take of a second that slides along. It is never more
/// than that, and up to one step less.
pub(crate) struct LoopShare {
    percent: u32,
    /// Nanoseconds taken, of the latest slots.
    taken: [u64; SLOTS as usize],
    /// Counted from the clock's zero.
    latest: u64,
}

impl LoopShare {
    /// Nothing where all may be taken.
    pub(crate) fn new(percent: u32) -> Option<Self> {
        (percent < 100).then_some(Self {
            percent,
            taken: [0; SLOTS as usize],
            latest: 0,
        })
    }

    /// A handler has run. False where all of them took too much.
    pub(crate) fn charge(&mut self, begun: Instant, ended: Instant) -> bool {
        let (begun, ended) = (begun.as_nanos(), ended.as_nanos());
        self.slide(ended / SLOT);
        let first = (begun / SLOT).max((self.latest + 1).saturating_sub(SLOTS));
        for slot in first..=self.latest {
            let from = begun.max(slot * SLOT);
            let to = ended.min((slot + 1) * SLOT);
            let taken = &mut self.taken[(slot % SLOTS) as usize];
            *taken = taken.saturating_add(to.saturating_sub(from));
        }
        self.taken
            .iter()
            .fold(0, |sum: u64, taken| sum.saturating_add(*taken))
            <= SECOND / 100 * u64::from(self.percent)
    }

    /// What others have done for this one, up to now.
    pub(crate) fn owe(&mut self, time: Duration, now: Instant) {
        self.slide(now.as_nanos() / SLOT);
        let time = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let latest = &mut self.taken[(self.latest % SLOTS) as usize];
        *latest = latest.saturating_add(time);
    }

    fn slide(&mut self, to: u64) {
        let new = to.saturating_sub(self.latest).min(SLOTS);
        for slot in to + 1 - new..=to {
            self.taken[(slot % SLOTS) as usize] = 0;
        }
        self.latest = self.latest.max(to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(at: u64) -> Instant {
        Instant::from_nanos(at * 1_000_000)
    }

    /// How many calls of `each` a millisecond there were before it was too much.
    fn calls(limit: u64, each: u64, until: u64) -> Option<u64> {
        let mut rate = CallRate::new(limit, ms(0));
        for at in 0..until {
            for call in 0..each {
                rate.count(|| ms(at));
                if rate.is_exceeded() {
                    return Some(at * each + call);
                }
            }
        }
        None
    }

    #[test]
    fn what_a_second_allows_can_go_on_for_ever() {
        assert_eq!(calls(1_000, 1, 100_000), None);
        assert_eq!(calls(300_000, 300, 3_000), None);
        assert_eq!(calls(1_000, 1_000, 1), None, "at once");
    }

    #[test]
    fn what_is_more_ends() {
        assert_eq!(calls(1_000, 1_001, 1), Some(1_000));
        // 1,000 to begin with, and as many in each second.
        let more = calls(1_000, 2, 10_000).unwrap();
        assert!((1_990..2_010).contains(&more), "{more}");
    }

    #[test]
    fn a_rest_earns_no_more_than_a_second_does() {
        let mut rate = CallRate::new(10, ms(0));
        let mut made = 0;
        while !rate.is_exceeded() {
            rate.count(|| ms(3_600_000));
            made += 1;
        }
        assert_eq!(made, 21, "two seconds' worth, and the one that is too much");
    }

    #[test]
    fn a_share_is_of_any_second_and_not_of_all_time() {
        let mut share = LoopShare::new(50).unwrap();
        for at in (0..100_000).step_by(10) {
            assert!(share.charge(ms(at), ms(at + 5)), "{at}");
        }
        // As much at once is as much.
        let mut share = LoopShare::new(50).unwrap();
        assert!(share.charge(ms(7), ms(507)));
        assert!(!share.charge(ms(507), ms(508)));
        assert!(share.charge(ms(2_000), ms(2_500)), "that was long ago");
    }

    #[test]
    fn more_than_the_share_is_seen_within_a_second() {
        let mut share = LoopShare::new(50).unwrap();
        let crossed = (0..100).find(|at| !share.charge(ms(at * 10), ms(at * 10 + 6)));
        let crossed = crossed.unwrap();
        assert!(
            (80..90).contains(&crossed),
            "after {crossed} handlers of 6 ms"
        );
        let mut share = LoopShare::new(10).unwrap();
        assert!(!share.charge(ms(0), ms(5_000)), "longer than a second");
        assert!(LoopShare::new(100).is_none());
    }

    #[test]
    fn a_clock_that_stands_still_or_began_long_ago_does_no_harm() {
        let mut share = LoopShare::new(1).unwrap();
        let late = Instant::from_nanos(u64::MAX - SLOT);
        assert!(share.charge(late, late) && share.charge(ms(0), ms(0)));
        assert!(share.charge(late, late));
    }
}
