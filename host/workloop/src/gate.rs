//! The gate: a recursive lock that a context holds, and can sleep in.

mod state;

use std::sync::Arc;
use std::task::Poll;

use crate::clock::Clock;
use crate::context::{Context, ContextId};
use crate::error::{Error, Wake};
use crate::instant::Instant;
use crate::sync::Mutex;
use state::State;

/// A recursive lock owned by a [`Context`], with sleep and wake-up.
///
/// Every operation exists in a form that never blocks: `poll_` functions
/// answer `Pending` and leave a record, on behalf of which the context is
/// [woken](Context::wake) when polling again is worth while. The blocking
/// forms park the calling thread on the same record.
///
/// What the gate does not do: it finds no deadlock between gates, and its
/// wake-ups are not remembered (\[42\]).
pub struct Gate {
    clock: Arc<dyn Clock>,
    /// A leaf: nothing is called with it locked but the clock's `now`.
    state: Mutex<State>,
}

/// What sleepers wait for: `key` means something within `scope` only, so that
/// one driver cannot wake another's sleepers by accident or on purpose.
///
/// The key 0 is refused wherever an event is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// Whose event, for example the driver instance's number.
    pub scope: u64,
    /// Which, by the choice of its owner.
    pub key: u64,
}

/// How many sleepers a wake-up ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wakeups {
    /// The one that fell asleep first.
    One,
    /// Every one.
    All,
}

/// What a record sleeps on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    User(Event),
    /// Until the command gate with this id is enabled.
    Enabled(u64),
    /// Until the callers stalled in the command gate with this id are out.
    Left(u64),
}

/// How an attempt to close the gate went.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Entry {
    /// `depth` counts the new level, too.
    Closed {
        waited: bool,
        depth: u32,
    },
    Queued {
        first: bool,
    },
}

/// Opens the gate when dropped: on return and on unwinding.
pub(crate) struct Closed<'a> {
    gate: &'a Gate,
    cx: &'a Context,
}

impl Gate {
    /// A free gate, which takes the time of deadlines from `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::new(State::default()),
        }
    }

    /// The clock of its deadlines.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Closes the gate, or one level more of it, waiting as long as it takes.
    pub fn close(&self, cx: &Context) {
        self.block(cx, || (self.poll_close(cx), None));
    }

    /// As [`close`](Gate::close), without blocking. `Pending` leaves a record;
    /// who will not poll again must [`abandon`](Gate::abandon) it.
    pub fn poll_close(&self, cx: &Context) -> Poll<()> {
        match self.poll_entry(cx) {
            Entry::Closed { .. } => Poll::Ready(()),
            Entry::Queued { .. } => Poll::Pending,
        }
    }

    /// Closes the gate if that needs no waiting.
    pub fn try_close(&self, cx: &Context) -> bool {
        self.state.lock().try_close(cx.id())
    }

    /// As [`close`](Gate::close), but gives up at `deadline`.
    ///
    /// # Errors
    /// `TimedOut`; the gate is then as it was.
    pub fn close_until(&self, cx: &Context, deadline: Instant) -> Result<(), Error> {
        self.block(cx, || {
            if self.poll_close(cx).is_ready() {
                return (Poll::Ready(Ok(())), None);
            }
            if self.clock.now() < deadline {
                return (Poll::Pending, Some(deadline));
            }
            self.abandon(cx);
            (Poll::Ready(Err(Error::TimedOut)), None)
        })
    }

    /// Opens one level; the last one lets the next context in.
    ///
    /// # Errors
    /// `NotPermitted` where `cx` does not hold the gate, which stays as it is.
    pub fn open(&self, cx: &Context) -> Result<(), Error> {
        let next = self.state.lock().open(cx.id())?;
        wake(next);
        Ok(())
    }

    /// Whether `cx` holds the gate.
    pub fn is_closed_by(&self, cx: &Context) -> bool {
        self.state.lock().is_owner(cx.id())
    }

    pub(crate) fn owner(&self) -> Option<ContextId> {
        self.state.lock().owner()
    }

    /// How many levels are closed, whoever holds them.
    pub fn depth(&self) -> u32 {
        self.state.lock().depth()
    }

    /// How many contexts wait for the gate, those woken from a sleep included.
    pub fn waiting(&self) -> usize {
        self.state.lock().waiting()
    }

    /// Gives up what `cx` waits for here: a pending close, or a sleep, whose
    /// levels are then gone. A gate already handed to it goes to the next.
    pub fn abandon(&self, cx: &Context) {
        self.abandon_entry(cx);
    }

    /// Releases every level, waits for a wake-up of `event` until `deadline`
    /// (`None`: for ever), and takes every level back, however it ended.
    /// Outer frames that hold the gate lose their exclusivity meanwhile.
    ///
    /// # Errors
    /// `NotPermitted` where `cx` does not hold the gate, `BadArgument` for the
    /// event key 0 or a deadline of [`Instant::ZERO`], `Aborted` where the work
    /// loop was terminated; the gate is then as it was.
    pub fn sleep(
        &self,
        cx: &Context,
        event: Event,
        deadline: Option<Instant>,
    ) -> Result<Wake, Error> {
        self.block(cx, || {
            let poll = self.poll_sleep(cx, event, deadline);
            (poll, self.state.lock().deadline_of(cx.id()))
        })
    }

    /// As [`sleep`](Gate::sleep), without blocking: the first call falls
    /// asleep, further ones ask. Nobody wakes a context for its deadline but
    /// its clock: drive it by [`next_deadline`](Gate::next_deadline).
    pub fn poll_sleep(
        &self,
        cx: &Context,
        event: Event,
        deadline: Option<Instant>,
    ) -> Poll<Result<Wake, Error>> {
        if event.key == 0 || deadline == Some(Instant::ZERO) {
            return Poll::Ready(Err(Error::BadArgument));
        }
        self.poll_sleep_on(cx, Key::User(event), deadline)
    }

    /// Wakes sleepers of `event`, and says how many. Callable without the
    /// gate, but then it can come just before the sleeper falls asleep, and
    /// does nothing.
    pub fn wakeup(&self, event: Event, which: Wakeups) -> usize {
        self.wakeup_on(Key::User(event), which)
    }

    /// Ends the sleep of `cx` as [`Wake::Interrupted`], and a stall on a
    /// disabled command gate as `Aborted`. Whether there was one.
    pub fn abort(&self, cx: &Context) -> bool {
        let (aborted, next) = self.state.lock().abort(cx.id());
        wake(next);
        aborted
    }

    /// Whether `cx` sleeps here, or was woken and waits for its levels.
    pub fn is_asleep(&self, cx: &Context) -> bool {
        self.state.lock().is_asleep(cx.id(), None)
    }

    /// The earliest deadline of a sleeper.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.state.lock().next_deadline()
    }

    pub(crate) fn closed<'a>(&'a self, cx: &'a Context) -> Closed<'a> {
        self.close(cx);
        Closed { gate: self, cx }
    }

    /// Takes over a level that `cx` closed already.
    pub(crate) fn adopt<'a>(&'a self, cx: &'a Context) -> Closed<'a> {
        Closed { gate: self, cx }
    }

    /// As [`poll_close`](Gate::poll_close), for who counts those that wait.
    pub(crate) fn poll_entry(&self, cx: &Context) -> Entry {
        self.state.lock().poll_close(cx)
    }

    /// As [`abandon`](Gate::abandon); whether `cx` waited for the gate.
    pub(crate) fn abandon_entry(&self, cx: &Context) -> bool {
        let (waited, next) = self.state.lock().abandon(cx.id());
        wake(next);
        waited
    }

    pub(crate) fn is_asleep_on(&self, cx: &Context, key: Key) -> bool {
        self.state.lock().is_asleep(cx.id(), Some(key))
    }

    pub(crate) fn poll_sleep_on(
        &self,
        cx: &Context,
        key: Key,
        deadline: Option<Instant>,
    ) -> Poll<Result<Wake, Error>> {
        let mut state = self.state.lock();
        let asleep = state.is_asleep(cx.id(), None);
        let first = if asleep {
            None
        } else {
            state.sleep(cx, key, deadline)?
        };
        let second = state.expire(cx.id(), || self.clock.now());
        let poll = state.poll_resume(cx.id());
        drop(state);
        wake(first);
        wake(second);
        poll.map(Ok)
    }

    pub(crate) fn wakeup_on(&self, key: Key, which: Wakeups) -> usize {
        let (woken, next) = self.state.lock().wakeup(key, which);
        wake(next);
        woken
    }

    /// Interrupts every sleeper, now and from now on.
    pub(crate) fn end(&self) {
        let next = self.state.lock().end();
        wake(next);
    }

    /// Parks the calling thread between polls, until the deadline that a poll
    /// names.
    pub(crate) fn block<T>(
        &self,
        cx: &Context,
        mut poll: impl FnMut() -> (Poll<T>, Option<Instant>),
    ) -> T {
        loop {
            match poll() {
                (Poll::Ready(value), _) => return value,
                (Poll::Pending, deadline) => self.clock.park(cx, deadline),
            }
        }
    }
}

impl Drop for Closed<'_> {
    fn drop(&mut self) {
        // Fails only where the action opened more than it closed: nothing is
        // left to open then.
        let _ = self.gate.open(self.cx);
    }
}

/// Wakes outside the gate's lock, so that the woken does not run into it.
fn wake(next: state::ToWake) {
    if let Some(cx) = next {
        cx.wake();
    }
}
