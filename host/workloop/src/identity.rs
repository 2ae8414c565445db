//! Numbers that name things.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number never given out before, and never 0. Not from `sync`: an identity
/// is no point at which schedules differ.
pub(crate) fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
