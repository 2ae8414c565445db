//! Where interrupts are counted: all that primary contexts touch.

use std::sync::Arc;

use crate::attachment::Attachment;
use crate::instant::Instant;
use crate::interrupt::{
    InterruptFilter, InterruptLine, InterruptSink, Occurrence, Trigger, Verdict,
};
use crate::sync::Ring;
use crate::sync::atomic::{AtomicU64, Ordering};

use super::filtering::Filtering;
use super::mask::Mask;

pub(super) struct Intake {
    pub(super) attachment: Attachment,
    pub(super) device: Option<Device>,
    /// Counted by the line; reported lost by it; software interrupts.
    pub(super) occurred: Counter,
    pub(super) lost: Counter,
    pub(super) signalled: Counter,
    signalled_at: AtomicU64,
}

pub(super) struct Device {
    pub(super) line: Arc<dyn InterruptLine>,
    pub(super) filtering: Filtering,
    /// `None` for an edge line, which no occurrence switches off.
    pub(super) mask: Option<Mask>,
    /// When full it loses the oldest, as the kernel's queue of edges does.
    pub(super) ring: Ring<Occurrence>,
}

/// Goes up only, so that what was counted stays pending until it is consumed,
/// across disabling and removal (\[61\], \[66\]).
pub(super) struct Counter {
    produced: AtomicU64,
    /// Written by the one who polls, in the gate.
    consumed: AtomicU64,
}

impl Intake {
    pub(super) fn new(
        line: Option<Arc<dyn InterruptLine>>,
        queue: usize,
        filter: Option<Arc<dyn InterruptFilter>>,
    ) -> Self {
        Self {
            attachment: Attachment::new(),
            device: line.map(|line| Device {
                filtering: Filtering::new(filter),
                mask: (line.trigger() == Trigger::Level).then(Mask::new),
                ring: Ring::new(queue),
                line,
            }),
            occurred: Counter::new(),
            lost: Counter::new(),
            signalled: Counter::new(),
            signalled_at: AtomicU64::new(0),
        }
    }

    /// Counts a software interrupt, unless the source is on no loop.
    pub(super) fn signal(&self, at: Instant) -> bool {
        self.attachment.signal_after(|| {
            self.signalled_at
                .fetch_max(at.as_nanos(), Ordering::Relaxed);
            self.signalled.add(1);
        })
    }

    /// The last software interrupt consumed; its sequence is how many there
    /// were.
    pub(super) fn latest_signal(&self) -> Occurrence {
        Occurrence {
            sequence: self.signalled.consumed.load(Ordering::Relaxed),
            timestamp: Instant::from_nanos(self.signalled_at.load(Ordering::Relaxed)),
            high: false,
        }
    }

    pub(super) fn pending(&self) -> u64 {
        let counters = [&self.occurred, &self.signalled, &self.lost];
        counters.into_iter().map(Counter::pending).sum()
    }

    pub(super) fn has_pending(&self) -> bool {
        self.occurred.is_pending() || self.signalled.is_pending() || self.lost.is_pending()
    }
}

impl Device {
    /// Switches the line on, unless it went off for an occurrence meanwhile.
    pub(super) fn switch_on(&self) {
        self.line.enable();
        if self.mask.as_ref().is_some_and(Mask::is_masked) {
            self.line.mask();
        }
    }
}

impl InterruptSink for Intake {
    fn interrupt_occurred(&self, occurrence: Occurrence) {
        let Some(device) = &self.device else { return };
        let verdict = device.filtering.verdict(occurrence);
        // Pushed before it is counted: the poll finds all that it counts,
        // except what was displaced.
        let count = || {
            device.ring.force_push(occurrence);
            self.occurred.add(1);
        };
        match (verdict, &device.mask) {
            (Verdict::NotMine, _) => return,
            // Off first ([70]): an active level would interrupt for ever.
            (Verdict::Mine, Some(mask)) => {
                mask.begin();
                device.line.mask();
                mask.counted(count);
            }
            (Verdict::Mine, None) | (Verdict::MineKeepLineOn, _) => count(),
        }
        self.attachment.signal();
    }

    fn occurrences_lost(&self, count: u32) {
        self.lost.add(count);
        self.attachment.signal();
    }
}

impl Counter {
    fn new() -> Self {
        Self {
            produced: AtomicU64::new(0),
            consumed: AtomicU64::new(0),
        }
    }

    pub(super) fn add(&self, count: u32) {
        self.produced.fetch_add(u64::from(count), Ordering::Release);
    }

    pub(super) fn is_pending(&self) -> bool {
        self.produced.load(Ordering::Acquire) != self.consumed.load(Ordering::Relaxed)
    }

    /// In the gate, where nobody else consumes.
    fn pending(&self) -> u64 {
        self.produced.load(Ordering::Acquire) - self.consumed.load(Ordering::Relaxed)
    }

    /// Consumes what is pending, at most `limit`; the rest stays pending.
    pub(super) fn take(&self, limit: u32) -> u32 {
        let consumed = self.consumed.load(Ordering::Relaxed);
        let pending = self.produced.load(Ordering::Acquire) - consumed;
        let taken = u32::try_from(pending).unwrap_or(u32::MAX).min(limit);
        let consumed = consumed + u64::from(taken);
        self.consumed.store(consumed, Ordering::Relaxed);
        taken
    }
}
