//! One device line that feeds the sources of several owners.

mod fan;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::error::Error;
use crate::identity;
use crate::instant::Instant;
use crate::interrupt::{InterruptLine, InterruptSink, Trigger};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::timer_event_source::TimerEventSource;
use fan::{Fan, Slot, Switch};

/// A line that several sharers see as a line of their own, each.
///
/// - Whoever is on is called, in the order of the slots; nobody's claim ends
///   the round (\[89\]). A new sharer takes the first free slot (\[92\]).
/// - While any sharer masks the line for work that waits, it is off for all of
///   them (\[90\]), and comes back with the last one's `enable`.
/// - Who has never switched on, or has switched off, is not called and holds
///   nothing (\[91\] deviates): a driver could silence its neighbours for ever.
/// - Who masks the line for longer than its [`Share::hold`] leaves it, and
///   cannot come back by the same share, unless it is [`Share::excused`].
/// - A level that nobody claims is looked at again every
///   [`LOOK_AGAIN`](SharedLine::LOOK_AGAIN): the device of a driver that is gone
///   may keep it active, and no line tells when another device joins in.
/// - A level that a sharer's `enable` finds active, or a mask that ends, calls
///   all that are on, at most [`ROUNDS_MAX`](SharedLine::ROUNDS_MAX) times in
///   [`LOOK_AGAIN`](SharedLine::LOOK_AGAIN); past that it calls who has enabled,
///   and the others when that time is over. So nobody can have its neighbours
///   called without end.
///
/// Occurrences are numbered for each sharer, so that it sees no gap for what
/// came while it was off.
pub struct SharedLine(Arc<Core>);

/// What one sharer takes part on.
pub struct Share {
    /// Only what leaves the line at this level; without it, everything.
    pub only: Option<bool>,
    /// How long it may mask the line for the others.
    pub hold: Duration,
    /// Whether a mask since then only ends at its time, and it stays: it is switched
    /// off then, until it switches on. Asked with the line's lock held, so it
    /// answers at once.
    pub excused: Box<dyn Fn(Instant) -> bool + Send + Sync>,
    /// Called once, with no lock held, after the sharer had to leave: by
    /// [`SharedLine::expire`], or by whoever ends its mask too late.
    pub overrun: Box<dyn Fn() + Send + Sync>,
}

struct Core {
    line: Arc<dyn InterruptLine>,
    fan: Arc<Fan>,
}

/// A share, and who has it.
struct Owner {
    id: u64,
    share: Share,
    /// It had to leave.
    left: AtomicBool,
}

/// The line as a sharer sees it; dropping it leaves.
struct Sharer {
    core: Arc<Core>,
    // Behind `core`: what `overrun` holds may be what holds the device.
    owner: Arc<Owner>,
}

impl SharedLine {
    /// Sharers at a time.
    pub const SHARERS_MAX: usize = 128;

    /// How long a level that nobody claims is left alone.
    pub const LOOK_AGAIN: Duration = Duration::from_millis(10);

    /// How often in that time sharers can have all of them be called.
    pub const ROUNDS_MAX: u32 = 50;

    /// Registers with the line, which is off until a sharer switches on, and is
    /// let go with the last sharer.
    ///
    /// `watch` is armed for the end of each mask, and for another look, and its
    /// action is to call [`expire`](SharedLine::expire); several lines can have
    /// it in common. It
    /// belongs on a loop that no sharer runs on, since a sharer may be what
    /// holds its own loop up. It stays armed when a mask ends in time, so that
    /// masks that come and go wake nobody.
    ///
    /// # Errors
    /// What the line says.
    pub fn new(
        line: Arc<dyn InterruptLine>,
        clock: Arc<dyn Clock>,
        watch: Arc<TimerEventSource>,
    ) -> Result<Self, Error> {
        let fan = Arc::new(Fan::new(line.trigger(), clock, watch));
        line.register(fan.clone())?;
        Ok(Self(Arc::new(Core { line, fan })))
    }

    /// The line for one sharer, which is in a slot while it is registered.
    /// Registering is `NoResources` where all slots are taken, and
    /// `NotPermitted` once it had to leave.
    pub fn share(&self, share: Share) -> Arc<dyn InterruptLine> {
        Arc::new(Sharer {
            core: Arc::clone(&self.0),
            owner: Arc::new(Owner {
                id: identity::next(),
                share,
                left: AtomicBool::new(false),
            }),
        })
    }

    /// Ends the masks that have lasted for too long at `now`, looks again where
    /// that is due, and arms the watch for the next time.
    pub fn expire(&self, now: Instant) {
        let overdue = self.0.fan.take_overdue(now);
        self.0.settle();
        overdue.into_iter().for_each(Slot::tell);
    }
}

impl Core {
    /// Switches the line to what the sharers want now. Where another thread,
    /// or this one further up, is just switching it, that one looks again: the
    /// line is called with no lock held, and calls back. Once on, it is the watch
    /// that switches it on again for another thread, which could ask without end.
    fn settle(&self) {
        let mut has_switched_on = false;
        while let Some(switching) = self.fan.begin_switching(has_switched_on) {
            if switching.on {
                has_switched_on = true;
                self.line.enable();
            } else {
                self.line.disable();
            }
        }
    }

    fn turn(&self, id: u64, switch: Switch) {
        let overdue = self.fan.turn(id, switch);
        self.settle();
        overdue.into_iter().for_each(Slot::tell);
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.line.unregister();
    }
}

impl InterruptLine for Sharer {
    fn trigger(&self) -> Trigger {
        self.core.fan.trigger
    }

    fn register(&self, sink: Arc<dyn InterruptSink>) -> Result<(), Error> {
        self.core.fan.join(&self.owner, sink)
    }

    fn unregister(&self) {
        let slot = self.core.fan.leave(self.owner.id);
        self.core.settle();
        self.core.fan.wait_for_call(self.owner.id);
        // With no lock held: it may be the last of its sink.
        drop(slot);
    }

    fn enable(&self) {
        self.core.turn(self.owner.id, Switch::On);
    }

    fn disable(&self) {
        self.core.turn(self.owner.id, Switch::Off);
        self.core.fan.wait_for_call(self.owner.id);
    }

    fn mask(&self) {
        self.core.fan.mask(&self.owner);
        self.core.settle();
    }
}

impl Drop for Sharer {
    fn drop(&mut self) {
        self.unregister();
    }
}

impl Owner {
    fn has_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }
}
