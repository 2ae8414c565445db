//! The device side of interrupts: what a line is, and what it calls.

use std::sync::Arc;

use crate::error::Error;
use crate::instant::Instant;

/// One interrupt, as the device saw it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Occurrence {
    /// Counts up by one for every occurrence of the line, so that a gap tells
    /// what was lost.
    pub sequence: u64,
    /// When it happened, by the device's own time stamp.
    pub timestamp: Instant,
    /// The level after the edge.
    pub high: bool,
}

/// When a line interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// Once for each change.
    Edge,
    /// As long as the level is active: the line is masked from the first
    /// occurrence until the action has returned.
    Level,
}

/// A device line that can interrupt. An implementation
///
/// - is off after [`register`](InterruptLine::register), until `enable`;
/// - calls the sink from one place at a time, with no lock held that `disable`
///   takes: a level line is disabled from within the call;
/// - may be called with a work loop's gate closed, and so must not wait for
///   anything that waits for a gate.
pub trait InterruptLine: Send + Sync {
    /// When the line interrupts. Asked once, when a source is made of it.
    fn trigger(&self) -> Trigger;

    /// Takes the one sink to call.
    ///
    /// # Errors
    /// `NoResources` where there is a sink already; what the device says.
    fn register(&self, sink: Arc<dyn InterruptSink>) -> Result<(), Error>;

    /// Drops the sink: once this has returned it is not called any more. Waits
    /// for a running call, unless it is called from within that.
    fn unregister(&self);

    /// Switches the line on. Idempotent, not counted. An active level
    /// interrupts at once.
    fn enable(&self);

    /// Switches the line off. Idempotent, not counted.
    fn disable(&self);

    /// Switches a level line off for work that waits, until `enable`, or until
    /// `disable` says that nobody will look for more. What shares a line tells
    /// the two apart: only work that waits holds it for the others.
    fn mask(&self) {
        self.disable();
    }
}

/// What a line calls, in its primary context: it blocks for nothing, allocates
/// nothing and takes no gate.
pub trait InterruptSink: Send + Sync {
    /// One interrupt.
    fn interrupt_occurred(&self, occurrence: Occurrence);

    /// `count` interrupts of which nothing else is known: the device, or its
    /// queue in the kernel, ran over.
    fn occurrences_lost(&self, count: u32);
}

/// Decides whether an interrupt is its driver's, in the primary context: with
/// no gate closed, perhaps while an action of the same driver runs. An
/// implementation
///
/// - takes no gate, waits for nothing that waits for one, and allocates nothing;
/// - sees its arguments and what it keeps itself, nothing of the driver's;
/// - is called from one place at a time, as the sink is, but for a source whose
///   filter is replaced: the call before may still run then.
pub trait InterruptFilter: Send + Sync {
    /// The verdict on one interrupt; `word` is what the driver set last.
    ///
    /// # Errors
    /// Where it could not decide: the interrupt counts, and the filter is not
    /// called again.
    fn filter(&self, word: u64, occurrence: Occurrence) -> Result<Verdict, FilterFault>;
}

impl<F> InterruptFilter for F
where
    F: Fn(u64, Occurrence) -> Result<Verdict, FilterFault> + Send + Sync,
{
    fn filter(&self, word: u64, occurrence: Occurrence) -> Result<Verdict, FilterFault> {
        self(word, occurrence)
    }
}

/// What a filter says of an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not this driver's: it is not counted, and the line stays as it is.
    NotMine,
    /// Counted; a level line is off until the action has returned.
    Mine,
    /// Counted, and a level line stays on (pseudo-DMA).
    MineKeepLineOn,
}

/// A filter ran for too long, or broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterFault;

/// What one call of an interrupt action stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupts {
    /// So many, software interrupts included; 0 where all were lost.
    pub count: u32,
    /// And so many more that found no room.
    pub lost: u32,
    /// The latest of those not lost, of this call or an earlier one.
    pub latest: Occurrence,
}
