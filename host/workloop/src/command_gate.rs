//! Command gates: how outside callers come in.

use std::borrow::Cow;
use std::sync::Arc;
use std::task::{Poll, ready};

use crate::action::ActionSlot;
use crate::attachment::Attachment;
use crate::context::Context;
use crate::error::{Error, Wake};
use crate::event_source::EventSource;
use crate::gate::{Entry, Event, Gate, Key, Wakeups};
use crate::instant::Instant;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::work_loop::shared::Shared;

/// The action of [`CommandGate::run_command`]: four scalars in, one out.
pub type CommandAction = Arc<dyn Fn(&Context, &CommandGate, [u64; 4]) -> u64 + Send + Sync>;

/// Runs callers' actions in its work loop's gate, and can be disabled: callers
/// then stall, while the loop's own sources go on.
///
/// A stall is a sleep in the work loop's gate: it can be
/// [aborted](CommandGate::abort), and it releases every level that the caller
/// holds, those of outer actions included (\[110\]).
pub struct CommandGate {
    attachment: Attachment,
    /// Whose events the sleeps are.
    scope: u64,
    action: ActionSlot<CommandAction>,
    /// Callers inside by `run_action` or `poll_enter`, running or asleep.
    /// Changed in the gate; \[118\].
    calls: AtomicU32,
    /// Callers who wait for `enable`. A count, for a flag forgets those who
    /// stay when one leaves (X3, X4). Changed in the gate.
    stalled: AtomicU32,
    /// Callers with a record in the gate's queue: a removed gate must be there
    /// until they have taken it back, or it would be offered to them for ever.
    entering: AtomicU32,
}

impl CommandGate {
    /// A gate that is enabled and on no loop. `scope` is that of the
    /// [events](Event) on which its callers sleep.
    pub fn new(scope: u64, action: Option<CommandAction>) -> Arc<Self> {
        Arc::new(Self {
            attachment: Attachment::new(),
            scope,
            action: ActionSlot::new(action),
            calls: AtomicU32::new(0),
            stalled: AtomicU32::new(0),
            entering: AtomicU32::new(0),
        })
    }

    /// Replaces the stored action, from the next command on.
    pub fn set_action(&self, action: Option<CommandAction>) {
        self.action.set(action);
    }

    /// Calls `f` in the gate, waiting for it, and for `enable` where the gate
    /// is disabled and `cx` is not the loop's own thread.
    ///
    /// # Errors
    /// `NotReady` on no loop; `Aborted` where the gate was removed, the loop
    /// terminated or the stall aborted. `f` was not called then.
    pub fn run_action<R>(&self, cx: &Context, f: impl FnOnce() -> R) -> Result<R, Error> {
        let shared = self.attachment.shared().ok_or(Error::NotReady)?;
        shared
            .gate()
            .block(cx, || (self.poll_enter_on(cx, &shared), None))?;
        let _inside = self.inside(cx, shared);
        Ok(f())
    }

    /// Calls `f` in the gate if nothing has to be waited for.
    ///
    /// # Errors
    /// `NotReady` on no loop, `CannotLock` where another context holds the
    /// gate, `NotPermitted` where it is disabled and `cx` is not the loop's own
    /// thread; looked at in this order.
    pub fn attempt_action<R>(&self, cx: &Context, f: impl FnOnce() -> R) -> Result<R, Error> {
        let shared = self.attachment.shared().ok_or(Error::NotReady)?;
        if !shared.gate().try_close(cx) {
            return Err(Error::CannotLock);
        }
        let _closed = shared.gate().adopt(cx);
        if !self.attachment.is_on(&shared) {
            return Err(Error::NotReady);
        }
        if !self.admits(cx, &shared) {
            return Err(Error::NotPermitted);
        }
        Ok(f())
    }

    /// As [`run_action`](CommandGate::run_action), with the stored action.
    ///
    /// # Errors
    /// `BadArgument` where there is none; as there.
    pub fn run_command(&self, cx: &Context, arguments: [u64; 4]) -> Result<u64, Error> {
        let action = self.stored_action()?;
        self.run_action(cx, || action(cx, self, arguments))
    }

    /// As [`attempt_action`](CommandGate::attempt_action), with the stored
    /// action.
    ///
    /// # Errors
    /// `BadArgument` where there is none; as there.
    pub fn attempt_command(&self, cx: &Context, arguments: [u64; 4]) -> Result<u64, Error> {
        let action = self.stored_action()?;
        self.attempt_action(cx, || action(cx, self, arguments))
    }

    /// Comes in without blocking: on `Ready(Ok)` the gate is closed, and
    /// [`leave`](CommandGate::leave) must follow. `Pending` leaves a record:
    /// poll again, or [`abandon`](CommandGate::abandon) it.
    pub fn poll_enter(&self, cx: &Context) -> Poll<Result<(), Error>> {
        match self.attachment.shared() {
            Some(shared) => self.poll_enter_on(cx, &shared),
            None => Poll::Ready(Err(Error::NotReady)),
        }
    }

    /// As [`poll_enter`](CommandGate::poll_enter), for who goes out by dropping
    /// what it gets.
    pub fn poll_inside<'a>(&'a self, cx: &'a Context) -> Poll<Result<Inside<'a>, Error>> {
        let Some(shared) = self.attachment.shared() else {
            return Poll::Ready(Err(Error::NotReady));
        };
        ready!(self.poll_enter_on(cx, &shared))?;
        Poll::Ready(Ok(self.inside(cx, shared)))
    }

    /// Comes in, waiting at most until `deadline`;
    /// [`leave`](CommandGate::leave) must follow.
    ///
    /// # Errors
    /// `TimedOut`; as [`run_action`](CommandGate::run_action).
    pub fn enter_until(&self, cx: &Context, deadline: Instant) -> Result<(), Error> {
        let shared = self.attachment.shared().ok_or(Error::NotReady)?;
        shared.gate().block(cx, || {
            let poll = self.poll_enter_on(cx, &shared);
            if poll.is_ready() || shared.clock().now() < deadline {
                return (poll, Some(deadline));
            }
            self.abandon_on(cx, &shared);
            (Poll::Ready(Err(Error::TimedOut)), None)
        })
    }

    /// Goes out again.
    ///
    /// # Errors
    /// `NotReady` on no loop, `NotPermitted` where `cx` is not inside; nothing
    /// has changed then.
    pub fn leave(&self, cx: &Context) -> Result<(), Error> {
        let shared = self.attachment.shared().ok_or(Error::NotReady)?;
        if !shared.gate().is_closed_by(cx) || self.calls.load(Ordering::Acquire) == 0 {
            return Err(Error::NotPermitted);
        }
        self.leave_on(cx, &shared);
        Ok(())
    }

    /// Gives up a pending [`poll_enter`](CommandGate::poll_enter). Levels that
    /// the caller held outside are gone if it was stalled.
    pub fn abandon(&self, cx: &Context) {
        if let Some(shared) = self.attachment.shared() {
            self.abandon_on(cx, &shared);
        }
    }

    /// Sleeps on `key`, in this gate's scope; as [`Gate::sleep`](crate::Gate::sleep).
    ///
    /// # Errors
    /// `NotReady` on no loop; as there.
    pub fn sleep(&self, cx: &Context, key: u64, until: Option<Instant>) -> Result<Wake, Error> {
        let shared = self.attachment.shared().ok_or(Error::NotReady)?;
        shared.gate().sleep(cx, self.event(key), until)
    }

    /// As [`sleep`](CommandGate::sleep), without blocking.
    pub fn poll_sleep(
        &self,
        cx: &Context,
        key: u64,
        until: Option<Instant>,
    ) -> Poll<Result<Wake, Error>> {
        match self.attachment.shared() {
            Some(shared) => shared.gate().poll_sleep(cx, self.event(key), until),
            None => Poll::Ready(Err(Error::NotReady)),
        }
    }

    /// Wakes those who sleep on `key` in this gate's scope, and says how many.
    pub fn wakeup(&self, key: u64, which: Wakeups) -> usize {
        let shared = self.attachment.shared();
        shared.map_or(0, |shared| shared.gate().wakeup(self.event(key), which))
    }

    /// Ends the stall of `cx` as `Aborted`, or its sleep as
    /// [`Wake::Interrupted`]. Whether there was one. A wait for a busy gate
    /// goes on (\[122\]).
    pub fn abort(&self, cx: &Context) -> bool {
        let shared = self.attachment.shared();
        shared.is_some_and(|shared| shared.gate().abort(cx))
    }

    /// As [`enable`](EventSource::enable), without waiting for the gate.
    pub fn poll_enable(&self, cx: &Context) -> Poll<()> {
        let Some(shared) = self.attachment.shared() else {
            return Poll::Ready(());
        };
        // In the gate: a caller between its look at the flag and its sleep
        // would miss the wake-up.
        if ready!(self.poll_close(cx, &shared)).is_err() {
            return Poll::Ready(());
        }
        let _closed = shared.gate().adopt(cx);
        if !self.attachment.is_on(&shared) {
            self.detach_if_left();
            return Poll::Ready(());
        }
        self.attachment.set_enabled(true);
        shared.gate().wakeup_on(self.enabled(), Wakeups::All);
        Poll::Ready(())
    }

    /// How many callers are stalled.
    pub fn stalled_callers(&self) -> u32 {
        self.stalled.load(Ordering::Acquire)
    }

    fn poll_enter_on(&self, cx: &Context, shared: &Shared) -> Poll<Result<(), Error>> {
        let gate = shared.gate();
        let mut woken = if self.is_stalled(cx, gate) {
            ready!(self.poll_stall(cx, gate))
        } else {
            if let Err(error) = ready!(self.poll_close(cx, shared)) {
                return Poll::Ready(Err(error));
            }
            Wake::Awakened
        };
        // In the gate, with one level more than the caller had.
        loop {
            if woken == Wake::Interrupted || !self.attachment.is_on(shared) {
                let _closed = gate.adopt(cx);
                self.detach_if_left();
                return Poll::Ready(Err(Error::Aborted));
            }
            if self.admits(cx, shared) {
                self.count_calls(1);
                return Poll::Ready(Ok(()));
            }
            self.stalled.fetch_add(1, Ordering::AcqRel);
            woken = ready!(self.poll_stall(cx, gate));
        }
    }

    /// Closes the gate, and counts the caller while it waits. An error where
    /// the source has left meanwhile.
    fn poll_close(&self, cx: &Context, shared: &Shared) -> Poll<Result<(), Error>> {
        match shared.gate().poll_entry(cx) {
            Entry::Queued { first } => {
                if first {
                    self.entering.fetch_add(1, Ordering::AcqRel);
                    // Whoever removed it before saw nobody entering, and has
                    // let go of the loop, or is about to: the next poll would
                    // not find the way back to the record.
                    if self.attachment.has_left(shared) {
                        self.abandon_on(cx, shared);
                        return Poll::Ready(Err(Error::Aborted));
                    }
                }
                Poll::Pending
            }
            Entry::Closed { waited, .. } => {
                if waited {
                    self.entering.fetch_sub(1, Ordering::AcqRel);
                }
                Poll::Ready(Ok(()))
            }
        }
    }

    /// Whether `cx` may come in now: the loop's own thread always.
    fn admits(&self, cx: &Context, shared: &Shared) -> bool {
        self.attachment.is_enabled() || shared.is_runner(cx)
    }

    fn is_stalled(&self, cx: &Context, gate: &Gate) -> bool {
        self.stalled_callers() > 0 && gate.is_asleep_on(cx, self.enabled())
    }

    /// Sleeps until `enable`, a removal or an abort.
    fn poll_stall(&self, cx: &Context, gate: &Gate) -> Poll<Wake> {
        let woken = ready!(gate.poll_sleep_on(cx, self.enabled(), None));
        self.end_stall(gate);
        // An error is the loop's end; the gate was not released.
        Poll::Ready(woken.unwrap_or(Wake::Interrupted))
    }

    fn end_stall(&self, gate: &Gate) {
        if self.stalled.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.attachment.caller_left(gate);
        }
    }

    fn inside<'a>(&'a self, cx: &'a Context, shared: Arc<Shared>) -> Inside<'a> {
        Inside {
            command_gate: self,
            shared,
            cx,
        }
    }

    fn leave_on(&self, cx: &Context, shared: &Shared) {
        let _closed = shared.gate().adopt(cx);
        self.count_calls(-1);
        // Removals are made in the gate, too: no need to look closer.
        if !self.attachment.is_on(shared) {
            self.detach_if_left();
        }
    }

    fn abandon_on(&self, cx: &Context, shared: &Shared) {
        let gate = shared.gate();
        let stalled = self.is_stalled(cx, gate);
        let waited = gate.abandon_entry(cx);
        if stalled {
            self.end_stall(gate);
        } else if waited {
            self.entering.fetch_sub(1, Ordering::AcqRel);
        }
        self.detach_if_left();
    }

    /// The end of a removal that found callers inside. The removal is looked
    /// for first, since who gives up does so without the gate: who comes after
    /// it takes its record back by itself, and who came before is counted.
    fn detach_if_left(&self) {
        if self.attachment.is_leaving() && !self.has_callers() {
            self.attachment.detach();
        }
    }

    /// Not one atomic operation, which would cost as much as half a gate: the
    /// gate is closed.
    fn count_calls(&self, change: i32) {
        let calls = self.calls.load(Ordering::Relaxed);
        self.calls
            .store(calls.wrapping_add_signed(change), Ordering::Release);
    }

    fn stored_action(&self) -> Result<Cow<'_, CommandAction>, Error> {
        self.action.get().ok_or(Error::BadArgument)
    }

    fn event(&self, key: u64) -> Event {
        Event {
            scope: self.scope,
            key,
        }
    }

    fn enabled(&self) -> Key {
        Key::Enabled(self.attachment.id())
    }
}

impl EventSource for CommandGate {
    fn attachment(&self) -> &Attachment {
        &self.attachment
    }

    fn performs_work(&self) -> bool {
        false
    }

    /// Wakes the stalled callers: off the chain, they are aborted.
    fn detached(&self, _: &Context) {
        self.attachment.set_enabled(false);
        if let Some(shared) = self.attachment.shared() {
            shared.gate().wakeup_on(self.enabled(), Wakeups::All);
        }
    }

    fn has_callers(&self) -> bool {
        self.calls.load(Ordering::Acquire) > 0
            || self.has_stalled_callers()
            || self.entering.load(Ordering::Acquire) > 0
    }

    fn has_stalled_callers(&self) -> bool {
        self.stalled_callers() > 0
    }

    /// Lets stalled callers and new ones in, waiting for the gate. Nothing
    /// changes on no loop (\[114\]).
    fn enable(&self, cx: &Context) {
        if let Some(shared) = self.attachment.shared() {
            shared.gate().block(cx, || (self.poll_enable(cx), None));
        }
    }

    /// From now on callers stall. To be called in the gate; without it, one
    /// who is just coming in may still run.
    fn disable(&self, _: &Context) {
        self.attachment.set_enabled(false);
    }
}

/// A caller inside a [`CommandGate`], who goes out when it is dropped.
#[must_use = "dropping it opens the gate"]
pub struct Inside<'a> {
    command_gate: &'a CommandGate,
    shared: Arc<Shared>,
    cx: &'a Context,
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.command_gate.leave_on(self.cx, &self.shared);
    }
}
