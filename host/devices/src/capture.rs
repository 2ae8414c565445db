//! Recordings of logic analysers, to be played into simulated lines.
//!
//! Sigrok sessions (`.sr`) and VCD, told apart by what the file begins with. A
//! file is read through once by [`open`], which checks sizes, checksums and
//! syntax, so that a board with a damaged recording does not start instead of
//! failing in the middle. Memory stays below a megabyte for each stream,
//! however long the recording is: samples are decompressed in chunks, and
//! changes are parsed, when the next edge is asked for.
//!
//! A file is not trusted: what is over one of the limits here is refused.
//!
//! # VCD
//!
//! Variables of one bit are channels, by their name, or by their full path
//! (`board.GPIO17`) where another variable has the same name. `x` and `z` keep
//! the last level, which is low before the first. The recording begins with the
//! file's first time, as sigrok has it, and ends with its last. Times are
//! exact: where the file's time scale is finer than a nanosecond they are
//! rounded to one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use loopgate_workloop::Instant;

mod edges;
mod file;
mod sr;
mod vcd;

pub use edges::Edges;

/// The largest file that is read. It bounds the archive's directory too, which
/// is held in memory while a file is opened.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
/// The most that a file may expand to: 45 seconds of 8 channels at 24 MHz.
/// There is no limit to the ratio: an idle line compresses by 1000 honestly.
pub const MAX_EXPANDED_BYTES: u64 = 1 << 30;
/// The highest sampling rate, in Hz. Beyond it samples would share instants.
pub const MAX_SAMPLE_RATE: u64 = 1_000_000_000;
/// The most channels of a sigrok session.
pub const MAX_CHANNELS: usize = 64;
/// The longest channel name, in bytes.
pub const MAX_NAME_BYTES: usize = 64;
/// The most variables of a VCD, of any kind.
pub const MAX_VARIABLES: usize = 4096;
/// The longest full path of a VCD's variable, in bytes.
pub const MAX_PATH_BYTES: usize = 256;
/// The longest header of a VCD, in bytes.
pub const MAX_HEADER_BYTES: u64 = 1 << 20;
/// The longest command of a VCD, such as a change or a comment, in bytes.
pub const MAX_COMMAND_BYTES: u64 = 64 << 10;
/// The longest description of a recording (`metadata` in an `.sr`), in bytes.
pub const MAX_METADATA_BYTES: u64 = 64 << 10;

/// A recording that was found whole.
///
/// The file stays open: replacing it on disk changes nothing, writing into it
/// makes the streams end early with a [`fault`](Capture::fault).
#[derive(Clone, Debug)]
pub struct Capture {
    recording: Arc<Recording>,
}

/// Opens a recording and reads it through once.
///
/// Takes as long as decompressing or parsing it; at the largest size allowed
/// that is seconds.
///
/// # Errors
///
/// Every kind of [`Error`] but [`Error::NoChannel`].
pub fn open(path: impl AsRef<Path>) -> Result<Capture, Error> {
    let path = path.as_ref();
    let format = Format::open(path).map_err(|problem| problem.of(path))?;
    Ok(Capture {
        recording: Arc::new(Recording {
            path: path.to_owned(),
            format,
            fault: OnceLock::new(),
        }),
    })
}

impl Capture {
    /// The channels' names, in the recording's order.
    pub fn channels(&self) -> impl Iterator<Item = &str> {
        self.recording.names()
    }

    /// The place of a channel in the recording's order, whichever of its names
    /// it is called by.
    pub fn position(&self, channel: &str) -> Option<usize> {
        match &self.recording.format {
            Format::Session(session) => session.names().position(|name| name == channel),
            Format::Vcd(dump) => dump.position(channel),
        }
    }

    /// Samples a second, 1 to [`MAX_SAMPLE_RATE`]. `None` where the recording
    /// is not made of samples.
    pub fn sample_rate(&self) -> Option<u64> {
        match &self.recording.format {
            Format::Session(session) => Some(session.sample_rate()),
            Format::Vcd(_) => None,
        }
    }

    /// How many samples there are of each channel, at least one. `None` where
    /// the recording is not made of samples.
    pub fn samples(&self) -> Option<u64> {
        match &self.recording.format {
            Format::Session(session) => Some(session.samples()),
            Format::Vcd(_) => None,
        }
    }

    /// How long the recording is, rounded to the nanosecond.
    pub fn length(&self) -> Duration {
        let ticks = u128::from(self.recording.ticks());
        let nanos = self.recording.time_scale().nanos(ticks);
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// A channel's level and its changes: the first item is the first sample's
    /// level at `start`, each further one the first sample after an edge. The
    /// time of sample *n* is `start` + *n* / rate, rounded to the nanosecond,
    /// so errors do not add up. A time of a VCD counts as a sample. `invert`
    /// swaps the levels.
    ///
    /// # Errors
    ///
    /// [`Error::NoChannel`].
    pub fn edges(&self, channel: &str, invert: bool, start: Instant) -> Result<Edges, Error> {
        let recording = Arc::clone(&self.recording);
        Edges::new(recording, channel, invert, start).ok_or_else(|| Error::NoChannel {
            path: self.recording.path.clone(),
            channel: channel.to_owned(),
            known: self.shown_names(),
        })
    }

    /// What made a stream of this recording end early: the file was changed
    /// after it was opened, or its device failed.
    pub fn fault(&self) -> Option<&Error> {
        self.recording.fault.get()
    }

    fn shown_names(&self) -> String {
        const SHOWN: usize = 64;
        let all = self.channels().count();
        let names = self.channels().take(SHOWN);
        let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
        match all.saturating_sub(SHOWN) {
            0 => names.join(", "),
            more => format!("{} and {more} more", names.join(", ")),
        }
    }
}

/// An open file, whichever its format.
#[derive(Debug)]
struct Recording {
    path: PathBuf,
    format: Format,
    fault: OnceLock<Error>,
}

/// Which are closed: there is no need for a trait that strangers implement.
#[derive(Debug)]
enum Format {
    Session(sr::Session),
    Vcd(vcd::Dump),
}

/// The levels of one channel, with the tick at which each begins: the first
/// one at tick 0, then the changes.
#[derive(Debug)]
enum Levels {
    Samples(sr::Levels),
    Changes(vcd::Levels),
}

/// How long a tick is: so many nanoseconds for so many ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct TimeScale {
    nanos: u64,
    ticks: u64,
}

impl Format {
    fn open(path: &Path) -> Result<Self, Problem> {
        let (file, length) = file::open_regular(path)?;
        if vcd::is_vcd(&file)? {
            vcd::Dump::open(file, length).map(Self::Vcd)
        } else {
            sr::Session::open(file).map(Self::Session)
        }
    }
}

impl Recording {
    fn names(&self) -> Box<dyn Iterator<Item = &str> + '_> {
        match &self.format {
            Format::Session(session) => Box::new(session.names()),
            Format::Vcd(dump) => Box::new(dump.names()),
        }
    }

    fn time_scale(&self) -> TimeScale {
        match &self.format {
            Format::Session(session) => session.time_scale(),
            Format::Vcd(dump) => dump.time_scale(),
        }
    }

    /// Its length.
    fn ticks(&self) -> u64 {
        match &self.format {
            Format::Session(session) => session.samples(),
            Format::Vcd(dump) => dump.ticks(),
        }
    }

    /// `None` where there is no such channel.
    fn levels(&self, channel: &str) -> Option<Levels> {
        match &self.format {
            Format::Session(session) => session.levels(channel).map(Levels::Samples),
            Format::Vcd(dump) => dump.levels(channel).map(Levels::Changes),
        }
    }

    fn set_fault(&self, problem: Problem) {
        // The first one tells most.
        let _ = self.fault.set(problem.of(&self.path));
    }
}

impl Levels {
    fn next(&mut self) -> Result<Option<(u64, bool)>, Problem> {
        match self {
            Self::Samples(levels) => levels.next(),
            Self::Changes(levels) => levels.next(),
        }
    }
}

impl TimeScale {
    /// Rounded.
    fn nanos(self, ticks: u128) -> u128 {
        let denominator = u128::from(self.ticks);
        let scaled = ticks.saturating_mul(u128::from(self.nanos));
        scaled.saturating_add(denominator / 2) / denominator
    }
}

/// Why a recording cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system's fault, or there is no such file.
    #[error("capture `{path}` cannot be read: {source}; check the path and its permissions")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: io::Error,
    },
    /// The file is of another format, or of a variety that is not supported.
    #[error(
        "capture `{path}` is nothing that can be played: {problem}; \
         save the recording as `.sr` or VCD with PulseView or sigrok-cli"
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is there instead.
        problem: String,
    },
    /// The file has lost something, or was altered.
    #[error("capture `{path}` is damaged: {problem}; copy it from its source or record it again")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is missing or wrong.
        problem: String,
    },
    /// The file is over one of the limits of this module.
    #[error("capture `{path}` is too large: {problem}; cut out what is needed of it")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// What is over which limit.
        problem: String,
    },
    /// The caller's fault: the recording has no such channel.
    #[error("capture `{path}` has no channel `{channel}`; it has {known}")]
    NoChannel {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        channel: String,
        /// The channels that there are, for people.
        known: String,
    },
}

/// An [`Error`] to be, where the file's name is not at hand.
#[derive(Debug)]
enum Problem {
    Unreadable(io::Error),
    Malformed(String),
    Damaged(String),
    TooLarge(String),
}

impl Problem {
    fn of(self, path: &Path) -> Error {
        let path = path.to_owned();
        match self {
            Self::Unreadable(source) => Error::Unreadable { path, source },
            Self::Malformed(problem) => Error::Malformed { path, problem },
            Self::Damaged(problem) => Error::Damaged { path, problem },
            Self::TooLarge(problem) => Error::TooLarge { path, problem },
        }
    }
}
