//! What a machine has for drivers, found without touching any of it: no line is
//! requested, no port is opened (which would raise its DTR), nothing goes over a bus.
//!
//! All is read below one root, `/` on a machine.

mod buses;
mod chips;
mod holders;
mod node;
mod ports;
mod system;
mod user;

pub use buses::{I2cBus, KernelsDevice, SpiDevice};
pub use chips::{Chip, ChipLine};
pub use node::{Access, Node};
pub use ports::Port;
pub use system::System;
pub use user::User;

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

/// What a machine has for drivers.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Survey {
    /// The machine and its kernel.
    pub system: System,
    /// Whose rights count.
    pub user: User,
    /// GPIO chips.
    pub chips: Vec<Chip>,
    /// Serial ports.
    pub ports: Vec<Port>,
    /// I2C buses.
    pub i2c: Vec<I2cBus>,
    /// Devices on SPI buses.
    pub spi: Vec<SpiDevice>,
    #[serde(skip)]
    root: PathBuf,
}

impl Survey {
    /// Looks at the machine whose files are below `root`.
    pub fn of(root: &Path) -> Self {
        let mut survey = Self {
            system: System::of(root),
            user: User::of(root),
            chips: chips::of(root),
            ports: ports::of(root),
            i2c: buses::i2c(root),
            spi: buses::spi(root),
            root: root.to_owned(),
        };
        holders::find(root, &mut survey.ports);
        survey
    }

    /// A file of a device, by any path, and the one that it really is.
    pub fn node(&self, path: &Path) -> (Node, PathBuf) {
        let node = Node::of(&self.root, &path.display().to_string());
        let real = fs::canonicalize(below(&self.root, path));
        let real = real.ok().and_then(|real| {
            let inside = real.strip_prefix(fs::canonicalize(&self.root).ok()?);
            Some(Path::new("/").join(inside.ok()?))
        });
        (node, real.unwrap_or_else(|| path.to_owned()))
    }
}

/// An absolute path, below the root.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// The kernel's files about itself are short; a folder may be anything.
const TEXT_MAX: u64 = 64 << 10;
const ENTRIES_MAX: usize = 4096;

/// A short text, trimmed; nothing where there is none.
fn text(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).ok()?;
    file.take(TEXT_MAX).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    // What comes from the device tree ends with a zero.
    Some(text.trim_end_matches('\0').trim().to_owned())
}

/// The names in a folder, numbers in them by their size.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.take(ENTRIES_MAX).collect();
    names.sort_by_cached_key(|name| {
        let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let number: u64 = name[stem.len()..].parse().unwrap_or(0);
        (stem.to_owned(), number, name.clone())
    });
    names
}

/// The last part of where a link leads, for example the name of a device's driver.
fn target(link: &Path) -> Option<String> {
    let target = fs::read_link(link).ok()?;
    Some(target.file_name()?.to_string_lossy().into_owned())
}
