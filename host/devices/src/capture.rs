//! Recordings of logic analysers, to be played into simulated lines.
//!
//! Only sigrok sessions (`.sr`) so far. A file is read through once by
//! [`open`], which checks sizes and checksums, so that a board with a damaged
//! recording does not start instead of failing in the middle. Memory stays
//! below a megabyte for each stream, however long the recording is: samples
//! are decompressed in chunks, when the next edge is asked for.
//!
//! A file is not trusted: what is over one of the limits here is refused.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use loopgate_workloop::Instant;

mod edges;
mod sr;

pub use edges::Edges;

/// The largest file that is read. It bounds the archive's directory too, which
/// is held in memory while a file is opened.
pub const MAX_FILE_BYTES: u64 = 64 << 20;
/// The most that a file may expand to: 45 seconds of 8 channels at 24 MHz.
/// There is no limit to the ratio: an idle line compresses by 1000 honestly.
pub const MAX_EXPANDED_BYTES: u64 = 1 << 30;
/// The highest sampling rate, in Hz. Beyond it samples would share instants.
pub const MAX_SAMPLE_RATE: u64 = 1_000_000_000;
/// The most channels.
pub const MAX_CHANNELS: usize = 64;
/// The longest channel name, in bytes.
pub const MAX_NAME_BYTES: usize = 64;
/// The longest description of a recording (`metadata` in an `.sr`), in bytes.
pub const MAX_METADATA_BYTES: u64 = 64 << 10;

/// A recording that was found whole.
///
/// The file stays open: replacing it on disk changes nothing, writing into it
/// makes the streams end early with a [`fault`](Capture::fault).
#[derive(Clone, Debug)]
pub struct Capture {
    session: Arc<sr::Session>,
}

/// Opens a recording and reads it through once.
///
/// Takes as long as decompressing it; at the largest size allowed that is
/// seconds.
///
/// # Errors
///
/// Every kind of [`Error`] but [`Error::NoChannel`].
pub fn open(path: impl AsRef<Path>) -> Result<Capture, Error> {
    let path = path.as_ref();
    let session = sr::Session::open(path).map_err(|problem| problem.of(path))?;
    Ok(Capture {
        session: Arc::new(session),
    })
}

impl Capture {
    /// The channels' names, in the recording's order.
    pub fn channels(&self) -> impl Iterator<Item = &str> {
        self.session
            .channels()
            .iter()
            .map(|channel| channel.name.as_str())
    }

    /// Samples a second: 1 to [`MAX_SAMPLE_RATE`].
    pub fn sample_rate(&self) -> u64 {
        self.session.sample_rate()
    }

    /// How many samples there are of each channel; at least one.
    pub fn samples(&self) -> u64 {
        self.session.samples()
    }

    /// A channel's level and its changes: the first item is the first sample's
    /// level at `start`, each further one the first sample after an edge. The
    /// time of sample *n* is `start` + *n* / rate, rounded to the nanosecond,
    /// so errors do not add up. `invert` swaps the levels.
    ///
    /// # Errors
    ///
    /// [`Error::NoChannel`].
    pub fn edges(&self, channel: &str, invert: bool, start: Instant) -> Result<Edges, Error> {
        let bit = self
            .session
            .channels()
            .iter()
            .find(|known| known.name == channel);
        let Some(bit) = bit.map(|channel| channel.bit) else {
            return Err(Error::NoChannel {
                path: self.session.path().to_owned(),
                channel: channel.to_owned(),
                known: self.names(),
            });
        };
        Ok(Edges::new(Arc::clone(&self.session), bit, invert, start))
    }

    /// What made a stream of this recording end early: the file was changed
    /// after it was opened, or its device failed.
    pub fn fault(&self) -> Option<&Error> {
        self.session.fault()
    }

    fn names(&self) -> String {
        let names: Vec<_> = self.channels().map(|name| format!("`{name}`")).collect();
        names.join(", ")
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
        "capture `{path}` is not a sigrok session that can be played: {problem}; \
         save the recording as `.sr` with PulseView or sigrok-cli"
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
