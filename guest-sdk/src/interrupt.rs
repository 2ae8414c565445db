//! Interrupts, from lines and from the driver itself.

use crate::bindings::loopgate::driver::types::ErrorCode as RawCode;
use crate::bindings::loopgate::driver::work_loop as raw;
use crate::error::named;
use crate::work_loop::{EventSource, Tokens, added, sealed};
use crate::{ErrorCode, Instant, Line, Result};

thread_local! {
    static TOKENS: Tokens = const { Tokens::from(1) };
    /// Of sources without a line, which alone go by their tokens.
    static SOFTWARE: Tokens = const { Tokens::from(1 << 31) };
}

/// Counts interrupts and delivers them as
/// [`Driver::interrupt`](crate::Driver::interrupt). Dropping it takes it off
/// the loop.
///
/// What was counted is delivered or reported as lost, also after `disable`.
#[derive(Debug)]
pub struct Interrupt {
    source: raw::InterruptEventSource,
    id: InterruptId,
}

impl Interrupt {
    /// What [`Driver::interrupt`](crate::Driver::interrupt) is told.
    pub fn id(&self) -> InterruptId {
        self.id
    }

    /// Counts one interrupt, as the line would. It is delivered after the
    /// running handler has returned.
    ///
    /// # Errors
    ///
    /// `not-ready` while the source is on no loop.
    pub fn signal(&self) -> Result<()> {
        Ok(self.source.interrupt_occurred().map_err(ErrorCode::from)?)
    }

    /// Within the handler of this source: the interrupts that the call stands
    /// for, oldest first, at most `max` of them; call again for more. What is
    /// not taken is dropped when the handler returns. Empty for software
    /// interrupts.
    pub fn take_occurrences(&self, max: u32) -> Vec<Occurrence> {
        let taken = self.source.take_occurrences(max);
        taken.into_iter().map(Occurrence::from).collect()
    }

    /// Sets the one word of this driver's that its filter sees, at once.
    pub fn set_filter_word(&self, word: u64) {
        self.source.set_filter_word(word);
    }

    /// Whether the filter decides: false without one, and after it failed.
    pub fn is_filtered(&self) -> bool {
        self.source.is_filtered()
    }

    /// Switches the line on, as it is after creation. A level line comes back
    /// by itself when the handler for its interrupt has returned.
    pub fn enable(&self) {
        self.source.enable();
    }

    /// Switches the line off: edges while it is off are not counted. It stays
    /// off, also a level line when its handler has returned.
    pub fn disable(&self) {
        self.source.disable();
    }

    /// Whether the line is on.
    pub fn is_enabled(&self) -> bool {
        self.source.is_enabled()
    }

    /// A source fed by `line`, or by [`signal`](Self::signal) alone: on the work
    /// loop, and enabled. See [`Context::interrupt`](crate::Context::interrupt),
    /// which is the same.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn create(line: Option<&Line>) -> Result<Self> {
        let tokens = if line.is_some() { &TOKENS } else { &SOFTWARE };
        let token = tokens.with(Tokens::next);
        let created = raw::InterruptEventSource::create(line.map(|line| &line.line), token);
        Self::made(created, token)
    }

    /// A source fed by `line`, of whose interrupts a filter says which count.
    /// See [`Context::filtered_interrupt`](crate::Context::filtered_interrupt),
    /// which is the same.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn create_filtered(line: &Line, word: u64) -> Result<Self> {
        let token = TOKENS.with(Tokens::next);
        let created = raw::InterruptEventSource::create_filtered(&line.line, token);
        Self::made(
            created.inspect(|source| source.set_filter_word(word)),
            token,
        )
    }

    fn made(
        created: std::result::Result<raw::InterruptEventSource, RawCode>,
        token: u32,
    ) -> Result<Self> {
        let interrupt = Self {
            source: named(created, || "interrupt source".into())?,
            id: InterruptId(token),
        };
        added(interrupt).inspect(Self::enable)
    }
}

impl EventSource for Interrupt {}

impl sealed::Source for Interrupt {
    fn source(&self) -> raw::EventSource<'_> {
        raw::EventSource::Interrupt(&self.source)
    }
}

/// Names an [`Interrupt`] of this driver; compare it with the `Interrupt`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InterruptId(pub(crate) u32);

impl PartialEq<Interrupt> for InterruptId {
    fn eq(&self, interrupt: &Interrupt) -> bool {
        *self == interrupt.id
    }
}

/// The interrupts that one call stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupts {
    /// How many were counted; 0 where all were lost.
    pub count: u32,
    /// How many more there were, for which the host had no room.
    pub lost: u32,
    /// The latest.
    pub latest: Occurrence,
}

/// One interrupt, as the device saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// Counts up by one for every occurrence of the line, so that a gap tells
    /// what was lost.
    pub sequence: u64,
    /// When it happened, by the device's (for a kernel line: the kernel's) own
    /// time stamp.
    pub timestamp: Instant,
    /// The level after the edge.
    pub high: bool,
}

/// What a filter is told: an interrupt, and what it may know besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilterEvent {
    /// The source.
    pub source: InterruptId,
    /// What [`Interrupt::set_filter_word`] set last.
    pub word: u64,
    /// The levels of the inputs that the board entry grants, a bit each in the
    /// file's order, the first one's the lowest; 0 where one is not open.
    pub levels: u64,
    /// The interrupt.
    pub occurrence: Occurrence,
}

/// What a filter says of an interrupt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Not this driver's: it is not counted, and the line stays as it is.
    NotMine,
    /// Counted; a level line is off until the handler has returned.
    Mine,
    /// Counted, and a level line stays on (pseudo-DMA).
    MineKeepLineOn,
}

impl From<raw::Occurrence> for Occurrence {
    fn from(raw: raw::Occurrence) -> Self {
        Self {
            sequence: raw.sequence,
            timestamp: Instant::from_nanos(raw.timestamp),
            high: raw.high,
        }
    }
}
