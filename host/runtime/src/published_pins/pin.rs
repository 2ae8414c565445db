//! One published pin: who offers it, who has it open, and its level.

use super::owed::Owed;
use crate::bindings::loopgate::driver::gpio::Direction;
use crate::board_file::Published;
use crate::driver::Driver;
use crate::error::ErrorCode;
use crate::status::State as Life;
use crate::structural;
use loopgate_devices::gpio::Edges;
use loopgate_workloop::{Clock, Instant, InterruptSink, Occurrence};
use parking_lot::{Condvar, Mutex};
use std::sync::{Arc, Weak};
use std::thread::{self, ThreadId};

/// A pin that one driver may publish and one other may open. Levels are those
/// of the pin itself in here, and logical for its user.
pub(crate) struct PublishedPin {
    pub(super) line: String,
    pub(super) service: String,
    pub(super) active_low: bool,
    pub(super) clock: Arc<dyn Clock>,
    /// A leaf among the locks.
    pub(super) state: Mutex<State>,
    /// A thread has told the sink all that there was.
    told: Condvar,
}

pub(super) struct State {
    /// The one driver that may open it.
    user: String,
    /// Who published it last.
    provider: Weak<Driver>,
    /// While it is published.
    bound: Option<Bound>,
    pub(super) open: Option<Open>,
    /// The provider has to be told how it is open now, or that it is not.
    owed: bool,
    /// And finds it among what it is owed. Told beforehand, it stays there: once.
    queued: bool,
    /// The level that the provider told last, and when it was so.
    pub(super) high: bool,
    latest: Instant,
    pub(super) interrupt: Option<Interrupt>,
    /// What the sink is to be told next, with its logical level.
    due: Option<(bool, Instant)>,
    /// The thread that calls the sink.
    turn: Option<ThreadId>,
}

/// The instance that publishes it.
pub(super) struct Bound {
    pub(super) number: u32,
    pub(super) owed: Arc<Owed>,
}

/// How its user has it open.
pub(super) struct Open {
    /// The level of an output.
    pub(super) output: Option<bool>,
    /// A later version of the provider would not have it so.
    pub(super) refused: bool,
    /// For the instance that publishes it.
    held: Option<structural::Open>,
}

pub(super) struct Interrupt {
    pub(super) edges: Edges,
    pub(super) sink: Option<Arc<dyn InterruptSink>>,
    pub(super) enabled: bool,
    pub(super) sequence: u64,
}

impl PublishedPin {
    pub(super) fn new(pin: &Published<'_>, clock: Arc<dyn Clock>) -> Self {
        Self {
            line: pin.entry.line.get_ref().clone(),
            service: pin.service.to_owned(),
            active_low: pin.entry.active_low,
            clock,
            state: Mutex::new(State {
                user: pin.user.to_owned(),
                provider: Weak::new(),
                bound: None,
                open: None,
                owed: false,
                queued: false,
                high: false,
                latest: Instant::ZERO,
                interrupt: None,
                due: None,
                turn: None,
            }),
            told: Condvar::new(),
        }
    }

    /// A board file grants it to this driver from now on.
    pub(super) fn grant_to(&self, user: &str) {
        user.clone_into(&mut self.state.lock().user);
    }

    /// Who publishes it, or did so last.
    pub(crate) fn provider(&self) -> Option<Arc<Driver>> {
        self.state.lock().provider.upgrade()
    }

    /// An instance publishes it from now on. Where it is open, that instance
    /// is told so.
    pub(super) fn bind(self: &Arc<Self>, provider: &Arc<Driver>, bound: Bound) {
        // It can be closed meanwhile, but not opened: it is not published yet.
        let is_open = self.state.lock().open.is_some();
        let mut held = is_open.then(|| self.hold(provider)).flatten();
        let mut state = self.state.lock();
        state.provider = Arc::downgrade(provider);
        state.bound = Some(bound);
        state.queued = false;
        if let Some(open) = &mut state.open {
            open.refused = false;
            std::mem::swap(&mut open.held, &mut held);
            self.owe(state);
        }
    }

    /// Has the provider know that it is open, until what is returned is dropped,
    /// with no lock held.
    pub(super) fn hold(&self, provider: &Driver) -> Option<structural::Open> {
        let user = self.state.lock().user.clone();
        provider.services.open_pin(&self.service, &user)
    }

    /// The instance that publishes it has ended.
    pub(super) fn unbind(&self) {
        let mut state = self.state.lock();
        let bound = state.bound.take();
        state.owed = false;
        drop(state);
        // With no lock held: what it is owed may end with it.
        drop(bound);
    }

    /// Changes how it is open, and owes that to the provider.
    pub(super) fn reopen<R>(self: &Arc<Self>, change: impl FnOnce(&mut Option<Open>) -> R) -> R {
        let mut state = self.state.lock();
        let result = change(&mut state.open);
        self.owe(state);
        result
    }

    fn owe(self: &Arc<Self>, mut state: parking_lot::MutexGuard<'_, State>) {
        let Some(bound) = &state.bound else {
            return;
        };
        let owed = bound.owed.clone();
        state.owed = true;
        if !std::mem::replace(&mut state.queued, true) {
            drop(state);
            owed.post(self.clone());
        }
    }

    /// The provider has found it there.
    pub(super) fn dequeued(&self) {
        self.state.lock().queued = false;
    }

    /// Its user has it open like this, and the provider knows.
    pub(super) fn opened(&self, output: Option<bool>, held: structural::Open) {
        let mut state = self.state.lock();
        state.owed = false;
        state.open = Some(Open {
            output,
            refused: false,
            held: Some(held),
        });
    }

    /// What the provider is owed, which it is about to be told.
    pub(super) fn take_owed(&self) -> Option<Direction> {
        let mut state = self.state.lock();
        let owed = std::mem::take(&mut state.owed);
        let output = state.open.as_ref().and_then(|open| open.output);
        owed.then(|| output.map_or(Direction::Input, Direction::Output))
    }

    /// It could not be told.
    pub(super) fn still_owed(&self) {
        self.state.lock().owed = true;
    }

    /// The provider's number for the open pin. In its gate.
    pub(super) fn number(&self) -> Result<u32, ErrorCode> {
        let state = self.state.lock();
        let refused = state.open.as_ref().is_some_and(|open| open.refused);
        if let Some(bound) = state.bound.as_ref().filter(|_| !refused) {
            return Ok(bound.number);
        }
        let provider = state.provider.upgrade();
        drop(state);
        let life = provider.map(|provider| provider.life().state);
        Err(match life {
            Some(Life::Running) => ErrorCode::NoDevice,
            _ => ErrorCode::DriverDied,
        })
    }

    /// The provider's number for a pin to be opened. In its gate.
    pub(super) fn free_number(&self) -> Result<u32, ErrorCode> {
        let state = self.state.lock();
        if state.open.is_some() {
            return Err(ErrorCode::Busy);
        }
        let bound = state.bound.as_ref().ok_or(ErrorCode::NoDevice)?;
        Ok(bound.number)
    }

    /// By the provider's word it has this level since `at`.
    pub(super) fn changed(&self, high: bool, at: Instant) {
        self.transact(|state| {
            if state.high != high {
                let at = self.stamp(state, at);
                state.high = high;
                state.post(high != self.active_low, at);
            }
        });
    }

    /// An active level interrupts as soon as its line is switched on.
    pub(super) fn post_level(&self) {
        self.transact(|state| {
            let high = state.high != self.active_low;
            if state.is_wanted(high) {
                let at = self.stamp(state, self.clock.now());
                state.post(high, at);
            }
        });
    }

    /// A time that was, and not before that of the last change or interrupt.
    fn stamp(&self, state: &mut State, at: Instant) -> Instant {
        state.latest = at.min(self.clock.now()).max(state.latest);
        state.latest
    }

    /// Changes the state by `f` when it is this thread's turn, and tells the
    /// sink what came of it. From within the sink it only changes the state:
    /// the call around it goes on with what came of it.
    fn transact(&self, f: impl FnOnce(&mut State)) {
        let turn = self.take_turn();
        f(&mut self.state.lock());
        if turn.is_some() {
            while let Some((sink, occurrence)) = self.next() {
                sink.interrupt_occurred(occurrence);
            }
        }
    }

    /// `None` where this thread has it already.
    fn take_turn(&self) -> Option<Turn<'_>> {
        let this = thread::current().id();
        let mut state = self.state.lock();
        if state.turn == Some(this) {
            return None;
        }
        while state.turn.is_some() {
            self.told.wait(&mut state);
        }
        state.turn = Some(this);
        Some(Turn(self))
    }

    fn next(&self) -> Option<(Arc<dyn InterruptSink>, Occurrence)> {
        let mut state = self.state.lock();
        let (high, timestamp) = state.due.take()?;
        let interrupt = state.interrupt.as_mut()?;
        let sink = interrupt.sink.clone()?;
        interrupt.sequence += 1;
        let occurrence = Occurrence {
            sequence: interrupt.sequence,
            timestamp,
            high,
        };
        Some((sink, occurrence))
    }

    /// Switches the line off, and waits until no other thread is in its sink.
    pub(super) fn switch_off(&self) {
        let this = thread::current().id();
        let mut state = self.state.lock();
        if let Some(interrupt) = &mut state.interrupt {
            interrupt.enabled = false;
        }
        // An edge that nobody was told of yet is forgotten with that.
        state.due = None;
        while state.turn.is_some_and(|turn| turn != this) {
            self.told.wait(&mut state);
        }
    }
}

impl State {
    /// Whether anyone is to hear of the change to this logical level.
    fn is_wanted(&self, high: bool) -> bool {
        let wanted = |interrupt: &Interrupt| interrupt.enabled && interrupt.edges.contains(high);
        self.interrupt.as_ref().is_some_and(wanted)
    }

    fn post(&mut self, high: bool, at: Instant) {
        if self.is_wanted(high) {
            self.due = Some((high, at));
        }
    }
}

/// The right to call the sink; given up on drop, also by a panic.
struct Turn<'a>(&'a PublishedPin);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.state.lock().turn = None;
        self.0.told.notify_all();
    }
}
