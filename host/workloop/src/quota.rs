//! How long the sources of one owner may keep a closed gate.

use std::time::Duration;

use crate::sync::atomic::{AtomicU64, Ordering};

/// A time that several event sources on one work loop share, in each closing
/// of its gate.
///
/// Whoever calls the actions of these sources [charges](Quota::charge) what
/// they took. Once the charges of one closing reach the limit, the passes of
/// that closing go past the sources, which keep their work, and the loop
/// signals itself: the next closing serves them, after the gate was open. What
/// runs already is not interrupted, so that the last action of a closing may
/// overrun the limit by its own length.
///
/// This core never reads the clock for it. A source gets its quota by
/// [`Attachment::set_quota`](crate::Attachment::set_quota).
#[derive(Debug)]
pub struct Quota {
    /// In nanoseconds, like `spent`.
    limit: u64,
    /// The closing that `spent` belongs to.
    closing: AtomicU64,
    spent: AtomicU64,
}

impl Quota {
    /// Nothing charged yet. A `limit` of zero still lets one action run in each
    /// closing that charges anything.
    pub fn new(limit: Duration) -> Self {
        Self {
            limit: nanos(limit).max(1),
            closing: AtomicU64::new(0),
            spent: AtomicU64::new(0),
        }
    }

    /// Adds `span` to what this closing has used. To be called in the gate; it
    /// takes no lock and allocates nothing. What is charged before one of the
    /// sources is polled in a closing, as for calls from outside between two
    /// runs, is forgotten when that one is.
    pub fn charge(&self, span: Duration) {
        let span = nanos(span);
        // In the gate there is one writer at a time; a stray one outside it
        // can only miscount.
        let spent = self.spent.load(Ordering::Relaxed);
        self.spent
            .store(spent.saturating_add(span), Ordering::Relaxed);
    }

    /// Whether this closing's time is used up: for an action that could go on
    /// with more, and leaves the rest to the next closing.
    pub fn is_spent(&self) -> bool {
        self.spent.load(Ordering::Relaxed) >= self.limit
    }

    /// Whether sources with this quota may be polled in `closing`. Any other
    /// than that of the last call counts from nothing, an older one too: after
    /// an action that slept, a run goes on in its closing behind later ones.
    pub(crate) fn admits(&self, closing: u64) -> bool {
        if self.closing.load(Ordering::Relaxed) != closing {
            self.closing.store(closing, Ordering::Relaxed);
            self.spent.store(0, Ordering::Relaxed);
        }
        !self.is_spent()
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)
}
