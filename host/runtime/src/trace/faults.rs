//! Calls that fail as devices do, for tests of drivers.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// Has one of a driver's calls of the host fail: with what a device that is gone, a full
/// table or a provider that is late would give. Calls that fail by the driver's own fault
/// only are not counted, and never fail.
#[derive(Debug, Default)]
pub struct Faults {
    nth: u64,
    made: AtomicU64,
}

impl Faults {
    /// The `nth` such call fails; the first is 1. With 0 they are only counted.
    pub fn nth(nth: u64) -> Self {
        Self {
            nth,
            made: AtomicU64::new(0),
        }
    }

    /// How many calls could have failed so far.
    pub fn made(&self) -> u64 {
        self.made.load(Relaxed)
    }

    /// Whether the one was reached that fails.
    pub fn has_failed(&self) -> bool {
        self.nth > 0 && self.made() >= self.nth
    }

    /// One more: whether it fails.
    pub(super) fn next(&self) -> bool {
        self.made.fetch_add(1, Relaxed) + 1 == self.nth
    }
}
