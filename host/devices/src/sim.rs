//! A simulated board: lines with pulls, driven from outside, from recordings
//! and by drivers.
//!
//! # Time
//!
//! The board has no time of its own. Whoever drives it asks
//! [`next_due`](SimBoard::next_due) when something is to happen, lets the
//! clock come to that, and calls [`run_due`](SimBoard::run_due); every change
//! then carries exactly the time it was scheduled for. In real time
//! [`spawn_player`](SimBoard::spawn_player) does this on a thread of its own;
//! the timestamps are still the scheduled ones, however late the thread woke.
//!
//! # Primary context
//!
//! A call that changes levels delivers the edges, to observers and interrupt
//! sinks, before it returns. Deliveries of one board never overlap: a second
//! caller waits for the first, as interrupts of one controller do. What an
//! observer or a sink changes from inside is delivered after it has returned.
//! No lock is held during a delivery, but observers and sinks must not block:
//! the whole board waits for them.
//!
//! # Electricity
//!
//! An output and the outside can drive one line against each other. The board
//! then shows *contention* and the output's level counts,
//! since that is what its driver reads back. A line that nothing drives or
//! pulls keeps the level that it had.

use std::io;
use std::sync::{Arc, Weak};

use loopgate_workloop::{Clock, Instant};
use parking_lot::{Condvar, Mutex};

use crate::gpio::{Direction, Error};

mod delivery;
mod gpio;
pub mod i2c;
mod pin;
mod player;
mod recording;
mod serial;
pub mod spi;
mod stimulus;

pub use pin::{DrivenBy, Pull};
pub use player::Player;
pub use recording::{Recorder, Recording, Resolution, WAITING_MAX, WINDOW};
pub use serial::{SimPortConfig, SimPortState, SimPorts};

use delivery::Delivery;
use pin::Pin;
use stimulus::Schedule;

/// A line of the board.
#[derive(Clone, Debug)]
pub struct SimLineConfig {
    /// Its name. Where two are equal, the first is found.
    pub name: String,
    /// What holds it while nobody drives it and no request asks for another
    /// bias.
    pub pull: Pull,
}

impl SimLineConfig {
    /// A line with its pull.
    pub fn new(name: impl Into<String>, pull: Pull) -> Self {
        Self {
            name: name.into(),
            pull,
        }
    }
}

/// A line as [`SimBoard::show`] sees it. Levels are voltages: `true` is the
/// higher one, whatever `active_low` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimLineState {
    /// The line.
    pub name: String,
    /// Its level now.
    pub high: bool,
    /// What makes it so.
    pub driven_by: DrivenBy,
    /// Whether output and outside drive against each other now.
    pub contention: bool,
    /// How often they have begun to.
    pub contentions: u64,
    /// Who holds it; `None` where it is free.
    pub consumer: Option<String>,
    /// Which way it goes; the `initial` of an output is the logical level now.
    pub direction: Direction,
    /// How often its level has changed.
    pub edges: u64,
}

/// A change of a line's level, for [`SimBoard::observe`].
#[derive(Debug)]
pub struct Change<'a> {
    /// The line.
    pub line: &'a str,
    /// The level after it, as a voltage.
    pub high: bool,
    /// When. Never goes back on one line; across lines it can, by as much as
    /// a player is late.
    pub timestamp: Instant,
}

/// Names an observer to [`SimBoard::unobserve`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ObserverId(u64);

/// A board of simulated lines, which is a
/// [`GpioController`](crate::gpio::GpioController).
///
/// Every method can be called from any thread, also from observers and sinks.
pub struct SimBoard {
    /// Itself, for the lines that it hands out.
    this: Weak<Self>,
    clock: Arc<dyn Clock>,
    // Lock order: `schedule` before `pins`; neither is held while a delivery
    // is made or a stream is asked for its next edge.
    schedule: Mutex<Schedule>,
    /// Signalled when a run of the schedule ends.
    run_ended: Condvar,
    pins: Mutex<Pins>,
    /// Signalled when a delivery, or a turn of them, ends.
    delivered: Condvar,
}

/// What `SimBoard::pins` guards.
struct Pins {
    all: Vec<Pin>,
    delivery: Delivery,
    /// Moments at which a debounced level may be stable.
    settling: stimulus::Settling,
    /// Whom to wake when something becomes due earlier than it was.
    player: Option<loopgate_workloop::Context>,
}

impl SimBoard {
    /// A board with these lines, each at the level of its pull (a floating one
    /// starts low).
    pub fn new(clock: Arc<dyn Clock>, lines: Vec<SimLineConfig>) -> Arc<Self> {
        let pins = lines.into_iter().map(Pin::new).collect();
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            clock,
            schedule: Mutex::new(Schedule::default()),
            run_ended: Condvar::new(),
            pins: Mutex::new(Pins {
                all: pins,
                delivery: Delivery::default(),
                settling: stimulus::Settling::default(),
                player: None,
            }),
            delivered: Condvar::new(),
        })
    }

    /// Adds lines at the level of their pull, but none of a name that there is.
    pub fn add_lines(&self, lines: Vec<SimLineConfig>) {
        let mut pins = self.pins.lock();
        for line in lines {
            if pins.find(&line.name).is_err() {
                pins.all.push(Pin::new(line));
            }
        }
    }

    /// Drives a line from outside, now, until [`release`](Self::release).
    /// `high` is the voltage.
    ///
    /// # Errors
    ///
    /// [`Error::NoLine`].
    pub fn set(&self, line: &str, high: bool) -> Result<(), Error> {
        self.drive_from_outside(line, Some(high))
    }

    /// Stops driving a line from outside: its level is up to an output, or to
    /// the pull.
    ///
    /// # Errors
    ///
    /// [`Error::NoLine`].
    pub fn release(&self, line: &str) -> Result<(), Error> {
        self.drive_from_outside(line, None)
    }

    /// Every line as it is now, in the order of the board's configuration.
    pub fn show(&self) -> Vec<SimLineState> {
        self.pins.lock().all.iter().map(Pin::show).collect()
    }

    /// Plays `edges` into a line from outside, as [`set`](Self::set) would at
    /// those times: pairs of time and voltage, in order of time. They are
    /// asked for one by one, each when its predecessor has been applied, so
    /// that a long recording takes no memory. Several streams can play at
    /// once, also into one line; what is due at the same time is applied in
    /// the order in which the streams were added.
    ///
    /// A time that goes back counts as its predecessor's. What is due already
    /// is applied at the next [`run_due`](Self::run_due), not from here.
    ///
    /// # Errors
    ///
    /// [`Error::NoLine`]; nothing was taken from the stream then.
    pub fn play<I>(&self, line: &str, edges: I) -> Result<(), Error>
    where
        I: IntoIterator<Item = (Instant, bool)>,
        I::IntoIter: Send + 'static,
    {
        let pin = self.pins.lock().find(line)?;
        self.add_stream(pin, Box::new(edges.into_iter()));
        Ok(())
    }

    /// When the next edge of a stream, or the end of a debounce, is due.
    /// `None`: nothing is to come unless someone causes it. From an observer
    /// of a change that a stream makes: not before that change's own time,
    /// since the stream has not been asked for more yet.
    pub fn next_due(&self) -> Option<Instant> {
        let streams = self.schedule.lock().next();
        let settling = self.pins.lock().next_settling();
        streams.into_iter().chain(settling).min()
    }

    /// Applies everything that is due at `now`, in order of time over all
    /// streams and debounces, each at its own time.
    ///
    /// A second thread waits until the first has finished. From an observer or
    /// a sink it does nothing.
    pub fn run_due(&self, now: Instant) {
        self.run_schedule(now, || false);
    }

    /// Starts a thread that calls [`run_due`](Self::run_due) whenever
    /// something is due, until the [`Player`] is dropped.
    ///
    /// # Errors
    ///
    /// `AlreadyExists` where the board has a player, or what the operating
    /// system says of a new thread.
    pub fn spawn_player(self: &Arc<Self>) -> io::Result<Player> {
        Player::spawn(self)
    }

    /// Has `observer` called for every change of any line's level, outputs
    /// included, in the [primary context](self#primary-context).
    pub fn observe<F>(&self, observer: F) -> ObserverId
    where
        F: Fn(&Change<'_>) + Send + Sync + 'static,
    {
        ObserverId(self.pins.lock().delivery.add_observer(Arc::new(observer)))
    }

    /// Ends an observation. A call that runs on another thread can still be
    /// under way.
    pub fn unobserve(&self, id: ObserverId) {
        let removed = self.pins.lock().delivery.remove_observer(id.0);
        // Dropped here, since its drop may call the board.
        drop(removed);
    }
}
