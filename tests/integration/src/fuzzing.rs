//! What the fuzz targets do with their bytes. A test does the same with the bytes
//! in `fuzz/corpus`, on the toolchain that the project is built with.
//!
//! Each function panics where the host does not keep its word. That it comes
//! back, and with how much memory, its caller sees to.

mod board_file;
mod capture;
mod component;
mod control;
mod host_calls;
mod input;
mod scenario;
mod trace;

pub use board_file::board_file;
pub use capture::capture;
pub use component::component;
pub use control::control;
pub use host_calls::host_calls;
pub use scenario::scenario;
pub use trace::trace;

/// What a target does with its bytes.
pub type Target = fn(&[u8]);

/// Every target, by name.
pub const TARGETS: &[(&str, Target)] = &[
    ("board_file", board_file),
    ("sr", capture),
    ("control", control),
    ("component", component),
    ("host_calls", host_calls),
    ("trace", trace),
    ("scenario", scenario),
];

/// A file with these bytes, in memory where the machine has such a place.
fn held(bytes: &[u8]) -> tempfile::NamedTempFile {
    let memory = std::path::Path::new("/dev/shm");
    let file = if memory.is_dir() {
        tempfile::NamedTempFile::new_in(memory)
    } else {
        tempfile::NamedTempFile::new()
    };
    let mut file = file.expect("a temporary file");
    std::io::Write::write_all(&mut file, bytes).expect("room for it");
    file
}
