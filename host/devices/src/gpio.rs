//! General-purpose input and output lines, as the kernel's GPIO uAPI v2 has
//! them.
//!
//! # Levels
//!
//! Everything that a [`GpioLine`] takes or gives is *logical*: `true` is
//! active. On a line requested with `active_low` that is the lower voltage,
//! and a rising edge is the one towards the lower voltage.
//!
//! # Edges
//!
//! What an [`InterruptLine`] of a backend does, beyond what that trait says:
//!
//! 1. The timestamp is the device's (for a kernel line: the kernel's, on
//!    `CLOCK_MONOTONIC`), not the time of delivery. With debounce it is the
//!    moment at which the level was found stable.
//! 2. Sequence numbers belong to one [`GpioLine::interrupt`], start at 1 and
//!    count the edges asked for. A gap tells what was lost between device and
//!    sink; the sink is told of it with `occurrences_lost` before the next
//!    occurrence. The kernel drops the oldest of a line's edges where more than
//!    [`EDGE_QUEUE`](crate::linux::EDGE_QUEUE) wait to be read.
//! 3. *Edge latch*: there is none. An edge while the line is disabled is
//!    forgotten and takes no sequence number, as if the kernel had its edge
//!    detection switched off. Who enables a line reads its level afterwards.
//! 4. The initial level comes with no edge: read it.
//! 5. The sink is called with no lock held, and by one thread at a time for
//!    each line. `disable` and `unregister` wait until a call that runs on
//!    another thread has returned; from inside the sink they return at once.
//! 6. An interrupt keeps its line open: the line is released when the
//!    [`GpioLine`] and its interrupt are both dropped.
//!
//! A line asked for by its level ([`Edges::HighLevel`], [`Edges::LowLevel`])
//! interrupts when the level becomes active while it is on, and at each
//! `enable` that finds it active, also where it is on already. Real hardware
//! would call a sink that leaves it on again and again; here it is then quiet
//! until one of the two happens, so that no level can keep a processor.
//!
//! # Vanishing
//!
//! A chip can be unplugged. Its lines stay open, and give [`Error::Gone`] until
//! it is back under the same name, and with the same label where the line was asked
//! for by its chip's number; an output then has the level that it was given last. An interrupt that is on tells of one loss as the chip goes and of
//! one as it comes: how many edges there were meanwhile nobody knows.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use loopgate_workloop::{InterruptLine, Trigger};

/// Which way a line goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Sensed.
    Input,
    /// Driven.
    Output {
        /// The logical level from the first moment, so that nothing glitches.
        initial: bool,
    },
}

/// The resistor inside the chip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Bias {
    /// Whatever the board set up.
    #[default]
    AsIs,
    /// Towards the supply.
    PullUp,
    /// Towards ground.
    PullDown,
    /// None: nothing holds an undriven line.
    Disabled,
}

/// How an output drives. It has no meaning for an input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drive {
    /// Both levels.
    #[default]
    PushPull,
    /// Only the lower voltage; otherwise let go.
    OpenDrain,
    /// Only the higher voltage; otherwise let go.
    OpenSource,
}

/// Which logical edges interrupt, or which level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edges {
    /// Inactive to active.
    Rising,
    /// Active to inactive.
    Falling,
    /// Either.
    Both,
    /// As long as it is active.
    HighLevel,
    /// As long as it is inactive.
    LowLevel,
}

impl Edges {
    /// Whether the edge towards the logical level `high` is among these, or
    /// begins the level.
    pub const fn contains(self, high: bool) -> bool {
        match self {
            Self::Rising | Self::HighLevel => high,
            Self::Falling | Self::LowLevel => !high,
            Self::Both => true,
        }
    }

    /// What such a line is for who takes its interrupts.
    pub const fn trigger(self) -> Trigger {
        match self {
            Self::Rising | Self::Falling | Self::Both => Trigger::Edge,
            Self::HighLevel | Self::LowLevel => Trigger::Level,
        }
    }
}

/// What is asked of a [`GpioController`].
#[derive(Clone, Debug)]
pub struct LineRequest {
    /// The line, as the controller names it.
    pub line: String,
    /// Who asks; shown to others who want the line.
    pub consumer: String,
    /// Input or output.
    pub direction: Direction,
    /// The chip's own resistor.
    pub bias: Bias,
    /// How an output drives; [`Drive::PushPull`] for an input.
    pub drive: Drive,
    /// Whether the lower voltage is the active level.
    pub active_low: bool,
    /// How long an input must keep a level before it counts. Inputs only.
    pub debounce: Option<Duration>,
    /// The edges that [`GpioLine::interrupt`] will be asked for, where known:
    /// a kernel line then sees them from the first moment. Inputs only.
    pub edges: Option<Edges>,
}

impl LineRequest {
    /// A request for `line` in the name of `consumer`: active high, push-pull,
    /// bias as is, no debounce, no edges.
    pub fn new(line: impl Into<String>, consumer: impl Into<String>, direction: Direction) -> Self {
        Self {
            line: line.into(),
            consumer: consumer.into(),
            direction,
            bias: Bias::AsIs,
            drive: Drive::PushPull,
            active_low: false,
            debounce: None,
            edges: None,
        }
    }

    /// Whether the parts fit together, by the kernel's rules. Every backend
    /// asks this first, so that a board that works simulated is not refused by
    /// the kernel.
    ///
    /// # Errors
    ///
    /// [`Error::BadRequest`]: debounce or edges on an output, or a drive other
    /// than push-pull on an input.
    pub fn validate(&self) -> Result<(), Error> {
        let input = self.direction == Direction::Input;
        let (problem, remedy) = if input && self.drive != Drive::PushPull {
            (
                "a drive is given for an input",
                "drop the drive, or request an output",
            )
        } else if !input && self.edges.is_some() {
            ("edges are asked of an output", "request an input")
        } else if !input && self.debounce.is_some() {
            (
                "debounce is asked of an output",
                "drop the debounce, or request an input",
            )
        } else {
            return Ok(());
        };
        Err(Error::BadRequest {
            line: self.line.clone(),
            problem,
            remedy,
        })
    }
}

/// What a controller tells of a line without opening it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LineInfo {
    /// The name to request it by.
    pub name: String,
    /// Who holds it; `None` where it is free.
    pub consumer: Option<String>,
    /// Which way it goes; the `initial` of an output is its level now.
    pub direction: Direction,
    /// The voltage: `true` is the higher one. `None` where only the holder can
    /// tell, as on a kernel line.
    pub level: Option<bool>,
    /// Whether its holder takes the lower voltage as active.
    pub active_low: bool,
}

/// A set of lines that can be requested by name.
///
/// Callable from any thread; calls do not wait for other lines' users.
pub trait GpioController: Send + Sync {
    /// Opens a line for one holder.
    ///
    /// # Errors
    ///
    /// [`Error::NoLine`], [`Error::Busy`], [`Error::BadRequest`], and from
    /// real devices [`Error::Ambiguous`], [`Error::Denied`],
    /// [`Error::Unsupported`] and [`Error::Io`]. After an error the line is as
    /// it was.
    fn request(&self, request: &LineRequest) -> Result<Arc<dyn GpioLine>, Error> {
        self.reserve(request)?.open()
    }

    /// Keeps a line for one holder, without a change of anything that others see:
    /// its direction, level and bias are what they were (for a kernel line: it is
    /// requested without a direction).
    ///
    /// # Errors
    ///
    /// As [`request`](Self::request).
    fn reserve(&self, request: &LineRequest) -> Result<Box<dyn Reservation>, Error>;

    /// Every line, in the controller's order.
    fn lines(&self) -> Vec<LineInfo>;
}

/// A line that is held and not open yet. Dropping it lets the line go.
pub trait Reservation: Send + Sync {
    /// Opens it as it was requested.
    ///
    /// # Errors
    ///
    /// [`Error::Unsupported`] and [`Error::Io`] from real devices; the line is let
    /// go then.
    fn open(self: Box<Self>) -> Result<Arc<dyn GpioLine>, Error>;
}

/// An open line. Dropping it releases it, unless an interrupt of it lives on.
pub trait GpioLine: Send + Sync {
    /// The logical level now. Of an output: what is on the pin, which differs
    /// from what was set where an open-drain line is held by someone else.
    /// Of a debounced input: the level last found stable.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::Gone`] from a real device.
    fn is_high(&self) -> Result<bool, Error>;

    /// Drives an output to a logical level.
    ///
    /// # Errors
    ///
    /// [`Error::NotOutput`] on an input; [`Error::Io`] and [`Error::Gone`] from
    /// a real device.
    fn set(&self, high: bool) -> Result<(), Error>;

    /// The line as a source of interrupts, off until it is registered and
    /// enabled. There is at most one at a time; dropping it makes room.
    ///
    /// # Errors
    ///
    /// [`Error::NotInput`] on an output, [`Error::HasInterrupt`] while another
    /// lives; [`Error::Unsupported`], [`Error::Io`] and [`Error::Gone`] from a
    /// real device.
    fn interrupt(&self, edges: Edges) -> Result<Arc<dyn InterruptLine>, Error>;

    /// Stops driving: an output becomes an input with the bias requested. For
    /// safe states. An input stays one.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::Gone`] from a real device.
    fn make_input(&self) -> Result<(), Error>;
}

/// Why a line could not be had or used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller's fault: there is no such line.
    #[error("there is no line `{line}`; the board has {known}")]
    NoLine {
        /// What was asked for.
        line: String,
        /// Lines that there are, for people.
        known: String,
    },
    /// Someone holds the line.
    #[error("line `{line}` is held by `{consumer}`; stop that, or use another line")]
    Busy {
        /// The line.
        line: String,
        /// Its holder.
        consumer: String,
    },
    /// The caller's fault: an input cannot be driven.
    #[error("line `{line}` is an input and cannot be set; request it as an output")]
    NotOutput {
        /// The line.
        line: String,
    },
    /// The caller's fault: an output does not interrupt.
    #[error("line `{line}` is an output and cannot interrupt; request it as an input")]
    NotInput {
        /// The line.
        line: String,
    },
    /// The caller's fault: the line has an interrupt already.
    #[error("line `{line}` has an interrupt already; drop that one first")]
    HasInterrupt {
        /// The line.
        line: String,
    },
    /// The caller's fault: the request contradicts itself.
    #[error("line `{line}` cannot be requested like this: {problem}; {remedy}")]
    BadRequest {
        /// The line.
        line: String,
        /// What does not fit.
        problem: &'static str,
        /// What would do.
        remedy: &'static str,
    },
    /// The device cannot do this.
    #[error("line `{line}` cannot do this: {feature} is not supported by {device}; {remedy}")]
    Unsupported {
        /// The line.
        line: String,
        /// What it lacks.
        feature: &'static str,
        /// The chip or driver that lacks it.
        device: String,
        /// What would do.
        remedy: &'static str,
    },
    /// The caller's fault: the name says too little.
    #[error("there is more than one line `{line}`: `{places}`; say which, as `{example}`")]
    Ambiguous {
        /// What was asked for.
        line: String,
        /// Where they are, for people.
        places: String,
        /// One of them, by its place.
        example: String,
    },
    /// The system's administrator's fault, so to say.
    #[error(
        "line `{line}` cannot be opened: permission denied for `{chip}`; add this user to the \
         group that owns the device, often `gpio`"
    )]
    Denied {
        /// The line.
        line: String,
        /// The chip's device.
        chip: String,
    },
    /// The line's chip has vanished; the line comes back by itself.
    #[error("line `{line}` is gone with its chip; it is tried again until it is back")]
    Gone {
        /// The line.
        line: String,
    },
    /// The operating system or the device failed.
    #[error("line `{line}` failed to {operation}: {source}")]
    Io {
        /// The line.
        line: String,
        /// What was tried.
        operation: &'static str,
        /// The operating system's error.
        source: io::Error,
    },
}
