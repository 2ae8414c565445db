//! What crosses the boundary of drivers: every handler that was called and every call
//! that the driver made in it, with arguments, answers and times.
//!
//! A [`Recorder`] writes it down, a [`Trace`] reads it, and [`replay`] does it again with
//! a component and no board. `host/runtime/TRACE.md` has the format. [`Faults`] have calls
//! fail, as devices do.

mod crossing;
mod faults;
mod handlers;
mod read;
mod recorder;
mod replay;
mod wire;
mod witness;

pub use faults::Faults;
pub use read::{Asked, Called, Entries, Entry, Trace, TraceError};
pub use recorder::Recorder;
pub use replay::{Divergence, ReplayError, Summary, replay};

pub(crate) use crossing::{Crossing, called};
pub(crate) use handlers::{CONNECT, Handlers, handler};
pub(crate) use replay::Replayed;
pub(crate) use wire::Put;
pub(crate) use witness::{Traced, Witness};

/// What a file begins with, and the version of what follows.
const MAGIC: &[u8; 14] = b"loopgate-trace";
const VERSION: u64 = 1;

/// What a chunk is about.
mod chunk {
    pub(super) const DRIVER: u8 = 1;
    pub(super) const INSTANCE: u8 = 2;
    pub(super) const HANDLER: u8 = 3;
    pub(super) const LOST: u8 = 4;
    pub(super) const END: u8 = 5;
}

/// How a call ended, of either side.
const RETURNED: u8 = 0;
const TRAPPED: u8 = 1;
/// By the host, for a limit.
const ENDED: u8 = 2;

/// The clocks of WASI, which are calls as well.
pub(crate) const MONOTONIC: u8 = 120;
pub(crate) const WALL: u8 = 121;
const CLOCKS: [(u8, &str); 2] = [
    (MONOTONIC, "wasi:clocks.monotonic-clock.now"),
    (WALL, "wasi:clocks.wall-clock.now"),
];
