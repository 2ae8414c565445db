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

/// No chunk is longer. A handler that makes so many calls that they take more is not
/// recorded, and neither is what follows of its instance.
const CHUNK_MAX: usize = 8 << 20;

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

#[cfg(test)]
mod tests {
    use super::{CHUNK_MAX, VERSION, crossing, handlers};

    /// The part of `TRACE.md` that is a table of numbers.
    fn table(heads: &str, name: impl Fn(u8) -> Option<&'static str>) -> String {
        let rows = (0..=u8::MAX).filter_map(|number| Some((number, name(number)?)));
        let rows = rows.map(|(number, name)| format!("| {number} | `{name}` |\n"));
        format!("{heads}\n|---|---|\n{}", rows.collect::<String>())
    }

    #[test]
    fn the_document_has_every_number() {
        let document = include_str!("../TRACE.md");
        for table in [
            table("| number | handler |", handlers::name),
            table("| number | function |", crossing::name),
        ] {
            assert!(document.contains(&table), "`TRACE.md` is to have\n{table}");
        }
        assert!(document.contains(&format!("version, {VERSION}")));
        assert!(document.contains(&format!("{} MiB", CHUNK_MAX >> 20)));
    }
}
