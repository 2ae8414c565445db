//! Who shares a line, and what of it reaches whom: all that primary contexts
//! touch.

use std::sync::Arc;

use super::{Owner, SharedLine};
use crate::clock::Clock;
use crate::error::Error;
use crate::instant::Instant;
use crate::interrupt::{InterruptSink, Occurrence, Trigger};
use crate::sync::atomic::Ordering;
use crate::sync::thread::{self, ThreadId};
use crate::sync::{Condvar, Mutex};
use crate::timer_event_source::TimerEventSource;

/// What the line calls.
pub(super) struct Fan {
    pub(super) trigger: Trigger,
    clock: Arc<dyn Clock>,
    watch: Arc<TimerEventSource>,
    /// A leaf: held for a look at the slots.
    state: Mutex<State>,
    /// A call of a sharer's sink has returned.
    called: Condvar,
}

struct State {
    slots: Vec<Option<Slot>>,
    /// Whose sink is being called, and by whom.
    calling: Option<(u64, ThreadId)>,
    /// As the line was switched last.
    on: bool,
    /// Somebody has switched on, or a mask has ended, since then: a level that
    /// is active already is to interrupt.
    due: bool,
    /// When to switch it on once more, since nobody claimed a level, or not
    /// everyone was asked.
    look_again: Option<Instant>,
    rounds: Rounds,
    /// Somebody is switching it, and will look again.
    switching: Option<Switcher>,
}

/// Who is switching the line, and whether a level that it finds active is for
/// all, or only for those who ask.
struct Switcher {
    by: ThreadId,
    for_all: bool,
}

/// How often sharers may still have all be called.
struct Rounds {
    left: u32,
    until: Instant,
}

/// A sharer that is registered.
pub(super) struct Slot {
    owner: Arc<Owner>,
    sink: Arc<dyn InterruptSink>,
    switch: Switch,
    /// It has switched on, and was not called since.
    asks: bool,
    /// Of the latest occurrence that it was told of, or told to have lost.
    sequence: u64,
}

/// What a sharer wants of the line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Switch {
    Off,
    On,
    /// On, but off for all until its work is done.
    Masked {
        since: Instant,
        /// At most.
        until: Instant,
    },
}

/// The right to switch the line; over on drop.
pub(super) struct Switching<'a> {
    pub(super) on: bool,
    fan: &'a Fan,
}

/// A running call of a sink; over on drop, also by a panic.
struct Call<'a> {
    slot: usize,
    sequence: u64,
    // Dropped before the call counts as over, so that who has waited for that
    // holds the last one: what its owner had open is closed then.
    sink: Arc<dyn InterruptSink>,
    _running: Running<'a>,
}

/// Others wait for its drop.
struct Running<'a>(&'a Fan);

impl Fan {
    pub(super) fn new(
        trigger: Trigger,
        clock: Arc<dyn Clock>,
        watch: Arc<TimerEventSource>,
    ) -> Self {
        Self {
            trigger,
            clock,
            watch,
            state: Mutex::new(State {
                slots: Vec::new(),
                calling: None,
                on: false,
                due: false,
                look_again: None,
                rounds: Rounds {
                    left: 0,
                    until: Instant::ZERO,
                },
                switching: None,
            }),
            called: Condvar::new(),
        }
    }

    /// Takes the first free slot.
    pub(super) fn join(
        &self,
        owner: &Arc<Owner>,
        sink: Arc<dyn InterruptSink>,
    ) -> Result<(), Error> {
        let mut state = self.state.lock();
        if owner.has_left() {
            return Err(Error::NotPermitted);
        }
        let slots = &mut state.slots;
        let free = slots.iter().position(Option::is_none);
        let is_in = slots.iter().flatten().any(|slot| slot.owner.id == owner.id);
        if is_in || (free.is_none() && slots.len() == SharedLine::SHARERS_MAX) {
            return Err(Error::NoResources);
        }
        let slot = Some(Slot {
            owner: Arc::clone(owner),
            sink,
            switch: Switch::Off,
            asks: false,
            sequence: 0,
        });
        match free {
            Some(free) => slots[free] = slot,
            None => slots.push(slot),
        }
        Ok(())
    }

    /// Empties its slot, for the caller to drop.
    pub(super) fn leave(&self, id: u64) -> Option<Slot> {
        let mut state = self.state.lock();
        let slot = state.slot(id)?.take();
        state.due |= slot.as_ref().is_some_and(Slot::is_masking);
        slot
    }

    /// Switches a sharer on or off, which ends its mask; gives its slot where
    /// that comes too late, and it has to leave.
    pub(super) fn turn(&self, id: u64, switch: Switch) -> Option<Slot> {
        let mut state = self.state.lock();
        let place = state.slot(id)?;
        let slot = place.as_mut()?;
        let masking = slot.is_masking();
        let overdue = masking && slot.is_overdue(self.clock.now()) && !slot.is_excused();
        slot.switch = switch;
        slot.asks = switch == Switch::On;
        let overdue = if overdue { expel(place) } else { None };
        state.due |= masking || switch == Switch::On;
        overdue
    }

    /// Masks the line for a sharer, if it is on.
    pub(super) fn mask(&self, owner: &Owner) {
        let since = self.clock.now();
        let until = since.saturating_add(owner.share.hold);
        let mut state = self.state.lock();
        let slot = state.slot(owner.id).and_then(Option::as_mut);
        let Some(slot) = slot.filter(|slot| slot.switch == Switch::On) else {
            return;
        };
        slot.switch = Switch::Masked { since, until };
        drop(state);
        self.watch.wake_by(until);
    }

    /// Ends the masks that are overdue, empties the slots of those who are not
    /// excused, and sees to the next time that something is to be done.
    pub(super) fn take_overdue(&self, now: Instant) -> Vec<Slot> {
        let mut state = self.state.lock();
        let looks = state.look_again.take_if(|at| *at <= now).is_some();
        let State { slots, due, .. } = &mut *state;
        *due |= looks;
        let mut left = Vec::new();
        for place in slots {
            let Some(slot) = place.as_mut().filter(|slot| slot.is_overdue(now)) else {
                continue;
            };
            *due = true;
            if slot.is_excused() {
                slot.switch = Switch::Off;
            } else {
                left.extend(expel(place));
            }
        }
        let masks = state.slots.iter().flatten().filter_map(Slot::masks_until);
        let next = masks.chain(state.look_again).min();
        drop(state);
        if let Some(next) = next {
            self.watch.wake_by(next);
        }
        left
    }

    /// A level was active, and perhaps nobody claimed it.
    fn look_again_if_unclaimed(&self) {
        let at = self.clock.now().saturating_add(SharedLine::LOOK_AGAIN);
        let mut state = self.state.lock();
        if state.is_wanted() {
            let at = state.look_by(at);
            drop(state);
            self.watch.wake_by(at);
        }
    }

    /// Waits until no other thread is in the sink of this sharer.
    pub(super) fn wait_for_call(&self, id: u64) {
        let this = thread::current().id();
        let mut state = self.state.lock();
        while matches!(state.calling, Some((called, by)) if called == id && by != this) {
            state = self.called.wait(state);
        }
    }

    /// Whether the line is to be switched, and how; nothing where somebody is
    /// at it. To switch it on is left to the watch where the caller has
    /// done that already.
    pub(super) fn begin_switching(&self, again: bool) -> Option<Switching<'_>> {
        let mut state = self.state.lock();
        let on = state.is_wanted();
        let nothing_to_do = on == state.on && !(on && state.due);
        if state.switching.is_some() || nothing_to_do {
            return None;
        }
        if on && again {
            drop(state);
            self.watch.wake_by(self.clock.now());
            return None;
        }
        state.on = on;
        // The line interrupts, if it is active.
        let for_all = !on || state.rounds.take(self.clock.now());
        let by = thread::current().id();
        state.switching = Some(Switcher { by, for_all });
        if on {
            state.due = false;
        }
        if on && for_all {
            state.look_again = None;
        } else if on && self.trigger == Trigger::Level {
            let until = state.rounds.until;
            let at = state.look_by(until);
            drop(state);
            self.watch.wake_by(at);
        }
        Some(Switching { on, fan: self })
    }

    /// The sharers that are on and want what `admits` says, one after another,
    /// each with `count` more told.
    fn round(&self, count: u32, admits: impl Fn(&Slot) -> bool, tell: impl Fn(&Call<'_>)) {
        let mut from = 0;
        while let Some(call) = self.next(from, count, &admits) {
            tell(&call);
            from = call.slot + 1;
        }
    }

    fn next(&self, from: usize, count: u32, admits: impl Fn(&Slot) -> bool) -> Option<Call<'_>> {
        let mut state = self.state.lock();
        let places = state.slots.iter_mut().enumerate().skip(from);
        let mut taken = places.filter_map(|(place, slot)| Some((place, slot.as_mut()?)));
        let (place, slot) = taken.find(|(_, slot)| slot.switch == Switch::On && admits(slot))?;
        slot.asks = false;
        slot.sequence += u64::from(count);
        let call = Call {
            slot: place,
            sequence: slot.sequence,
            sink: Arc::clone(&slot.sink),
            _running: Running(self),
        };
        let id = slot.owner.id;
        state.calling = Some((id, thread::current().id()));
        Some(call)
    }
}

impl InterruptSink for Fan {
    fn interrupt_occurred(&self, occurrence: Occurrence) {
        // The line is on its way off. What is active when it comes back on
        // interrupts then.
        let state = self.state.lock();
        if state.is_masked() {
            return;
        }
        let for_all = self.trigger == Trigger::Edge || state.is_for_all();
        drop(state);
        let wants = |owner: &Owner| owner.share.only.is_none_or(|high| high == occurrence.high);
        let admits = |slot: &Slot| wants(&slot.owner) && (for_all || slot.asks);
        self.round(1, admits, |call| {
            call.sink.interrupt_occurred(Occurrence {
                sequence: call.sequence,
                ..occurrence
            });
        });
        if self.trigger == Trigger::Level {
            self.look_again_if_unclaimed();
        }
    }

    /// Nobody knows whose they were.
    fn occurrences_lost(&self, count: u32) {
        self.round(count, |_| true, |call| call.sink.occurrences_lost(count));
    }
}

impl State {
    fn slot(&mut self, id: u64) -> Option<&mut Option<Slot>> {
        let is_of = |place: &&mut Option<Slot>| place.as_ref().is_some_and(|s| s.owner.id == id);
        self.slots.iter_mut().find(is_of)
    }

    fn is_masked(&self) -> bool {
        self.slots.iter().flatten().any(Slot::is_masking)
    }

    /// Whether an interrupt that this thread brings is for all: what no sharer has
    /// caused by switching the line on is.
    fn is_for_all(&self) -> bool {
        let this = thread::current().id();
        let switcher = self.switching.as_ref();
        switcher.is_none_or(|switcher| switcher.for_all || switcher.by != this)
    }

    /// Has everyone be asked at `at`, or before; says when.
    fn look_by(&mut self, at: Instant) -> Instant {
        let at = self.look_again.map_or(at, |before| before.min(at));
        *self.look_again.insert(at)
    }

    fn is_wanted(&self) -> bool {
        let mut slots = self.slots.iter().flatten();
        slots.any(|slot| slot.switch == Switch::On) && !self.is_masked()
    }
}

impl Rounds {
    fn take(&mut self, now: Instant) -> bool {
        if now >= self.until {
            self.left = SharedLine::ROUNDS_MAX;
            self.until = now.saturating_add(SharedLine::LOOK_AGAIN);
        }
        let has_one = self.left > 0;
        self.left -= u32::from(has_one);
        has_one
    }
}

impl Slot {
    fn masks_until(&self) -> Option<Instant> {
        match self.switch {
            Switch::Masked { until, .. } => Some(until),
            Switch::Off | Switch::On => None,
        }
    }

    fn is_masking(&self) -> bool {
        self.masks_until().is_some()
    }

    fn is_overdue(&self, now: Instant) -> bool {
        self.masks_until().is_some_and(|until| until <= now)
    }

    fn is_excused(&self) -> bool {
        matches!(self.switch, Switch::Masked { since, .. } if (self.owner.share.excused)(since))
    }

    /// Tells who had this slot that it had to leave.
    pub(super) fn tell(self) {
        (self.owner.share.overrun)();
    }
}

/// Has a sharer leave for good.
fn expel(place: &mut Option<Slot>) -> Option<Slot> {
    let slot = place.take()?;
    slot.owner.left.store(true, Ordering::Release);
    Some(slot)
}

impl Drop for Switching<'_> {
    fn drop(&mut self) {
        self.fan.state.lock().switching = None;
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.state.lock().calling = None;
        self.0.called.notify_all();
    }
}
