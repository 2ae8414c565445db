//! What a work loop polls.

use std::cell::Cell;

use crate::attachment::Attachment;
use crate::context::Context;
use crate::error::Error;
use crate::instant::Instant;
use crate::work_loop::shared::Shared;

/// A source of work for a [`WorkLoop`](crate::WorkLoop).
///
/// The three of this crate are [`InterruptEventSource`](crate::InterruptEventSource),
/// [`TimerEventSource`](crate::TimerEventSource) and
/// [`CommandGate`](crate::CommandGate); anything else that keeps these rules
/// can be added as well. An implementation
///
/// - owns one [`Attachment`] and returns it always;
/// - calls actions with no lock of its own held, and from
///   [`check_for_work`](EventSource::check_for_work) only;
/// - calls [`Attachment::signal`] after it recorded work, never before;
/// - tests [`is_enabled`](EventSource::is_enabled) itself where it means to
///   hold work back: the loop does not (\[56\]).
pub trait EventSource: Send + Sync + 'static {
    /// This source's place on a work loop.
    fn attachment(&self) -> &Attachment;

    /// Whether the loop polls it. Asked once, when it is added.
    fn performs_work(&self) -> bool {
        true
    }

    /// Does some of the pending work, with the gate closed; true asks for
    /// another pass over the whole chain before the gate opens.
    fn check_for_work(&self, pass: &Pass<'_>) -> bool {
        let _ = pass;
        false
    }

    /// When it will have work without a signal.
    fn next_deadline(&self) -> Option<Instant> {
        None
    }

    /// Called in the gate when the source was attached, before its first poll.
    ///
    /// # Errors
    /// What prevents it: the source is then not added.
    fn attached(&self, cx: &Context) -> Result<(), Error> {
        let _ = cx;
        Ok(())
    }

    /// Called when the source has left the chain: by a removal or
    /// [`terminate`](crate::WorkLoop::terminate) in the gate, but ungated when
    /// the loop was dropped. No action may begin afterwards.
    fn detached(&self, cx: &Context) {
        self.disable(cx);
    }

    /// Whether callers are inside, running or not: a removed source then keeps
    /// its gate until the last one calls [`Attachment::detach`].
    fn has_callers(&self) -> bool {
        false
    }

    /// Whether callers wait inside for a condition that the removal has made
    /// void. The removal waits, with the gate open, until none does: only those
    /// of a [`CommandGate`](crate::CommandGate) end by themselves.
    fn has_stalled_callers(&self) -> bool {
        false
    }

    /// Lets work through, and has what is pending looked at.
    fn enable(&self, cx: &Context) {
        let _ = cx;
        self.attachment().set_enabled(true);
        self.attachment().signal();
    }

    /// Holds work back. A running action is not waited for.
    fn disable(&self, cx: &Context) {
        let _ = cx;
        self.attachment().set_enabled(false);
    }

    /// Whether it is enabled; true from birth.
    fn is_enabled(&self) -> bool {
        self.attachment().is_enabled()
    }

    /// Whether this is an interrupt source, for
    /// [`disable_all_interrupts`](crate::WorkLoop::disable_all_interrupts).
    fn is_interrupt(&self) -> bool {
        false
    }
}

/// One pass over the chain, as its sources see it.
pub struct Pass<'a> {
    cx: &'a Context,
    shared: &'a Shared,
    now: Cell<Option<Instant>>,
}

impl<'a> Pass<'a> {
    pub(crate) fn new(cx: &'a Context, shared: &'a Shared) -> Self {
        Self {
            cx,
            shared,
            now: Cell::new(None),
        }
    }

    /// Who makes the pass, and holds the gate.
    pub fn context(&self) -> &Context {
        self.cx
    }

    /// The time of this pass. The first call reads the clock: reading it costs
    /// a fifth of a handler call, and most passes need none.
    pub fn now(&self) -> Instant {
        self.now.get().unwrap_or_else(|| {
            let now = self.shared.clock().now();
            self.now.set(Some(now));
            now
        })
    }
}
