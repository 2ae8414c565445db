//! The board file: which hardware there is, which drivers run on it, and what
//! each of them may touch.

mod backend;
mod buses;
mod gpio;
mod lines;
mod lock;
mod order;
mod play;
mod published;
mod restart;
mod serial;
mod source;

pub use buses::{
    FaultEntry, I2cDeviceEntry, I2cEntry, I2cFault, I2cModel, SpiDeviceEntry, SpiEntry, SpiModel,
};
pub(crate) use buses::{contents, is_kernels, real_bus};
pub use gpio::{GpioEntry, OnDeath, PinBias, PinDirection, PinDrive, PinEdges};
pub use lock::Lock;
pub use play::{PlayEntry, Repeat};
pub(crate) use published::Published;
pub use restart::{Budget, Restart, RestartEntry};
pub use serial::{Framing, PortFlow, SerialEntry};

use crate::control::from_hex;
use crate::driver::Code;
use crate::engine::Digest;
use crate::error::BoardError;
use crate::file;
use crate::limits::{Limits, LimitsEntry};
use crate::units::Span;
use lines::Lines;
use serde::Deserialize;
use source::{Source, Unique};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use toml::Spanned;

/// A board file, read and checked. Paths in it are relative to its folder.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BoardFile {
    /// The board as a whole: the hardware that there is.
    pub board: Hardware,
    /// A driver. They start in the file's order, but no driver before those whose
    /// services it `uses`.
    #[serde(default, rename = "driver")]
    pub drivers: Vec<DriverEntry>,
    /// Where the file lies, for relative paths; and its text, for line numbers.
    #[serde(skip)]
    source: Source,
}

/// `[board]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Hardware {
    /// Where the pins come from.
    pub backend: Backend,
    /// How time passes.
    #[serde(default)]
    pub clock: ClockKind,
    /// A simulated line that no driver is granted, or whose pull is not the
    /// default.
    #[serde(default, rename = "line")]
    pub lines: Vec<LineEntry>,
    /// A level that arrives from outside.
    #[serde(default, rename = "stimulus")]
    pub stimuli: Vec<StimulusEntry>,
    /// A recording that is played into a line.
    #[serde(default, rename = "play")]
    pub plays: Vec<PlayEntry>,
    /// A device on a simulated I2C bus.
    #[serde(default, rename = "i2c-device")]
    pub i2c_devices: Vec<I2cDeviceEntry>,
    /// A device on a simulated SPI bus.
    #[serde(default, rename = "spi-device")]
    pub spi_devices: Vec<SpiDeviceEntry>,
}

/// The backend that owns the pins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// The simulated board.
    Sim,
    /// The kernel: real lines, in real time. `[[board.line]]`, `[[board.stimulus]]`,
    /// `[[board.play]]` and ports with `sim` are the simulated board's alone.
    Linux,
}

/// How time passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClockKind {
    /// As on the wall.
    #[default]
    Real,
    /// From event to event, as fast as they can be handled, on one thread; the
    /// limits of handlers count their instructions, four a nanosecond.
    Virtual,
}

/// `[[board.line]]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LineEntry {
    /// The line's name.
    pub name: Spanned<String>,
    /// What pulls it while nothing drives it.
    #[serde(default)]
    pub pull: Pull,
}

/// What pulls a simulated line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pull {
    /// Towards high.
    Up,
    /// Towards low.
    #[default]
    Down,
}

/// `[[board.stimulus]]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct StimulusEntry {
    /// When, counted from the start of the board.
    pub at: Span,
    /// Into which line.
    pub line: Spanned<String>,
    /// Which level.
    pub level: Level,
}

/// A level of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Low.
    Low,
    /// High.
    High,
}

/// `[[driver]]`
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct DriverEntry {
    /// The driver's name on this board: 1 to 64 letters, digits, `-`, `_` or
    /// `.`; no two are the same.
    pub name: Spanned<String>,
    /// The component's file, or what `loopgate compile` has made of it. Relative to
    /// the board file.
    pub component: Spanned<PathBuf>,
    /// The SHA-256 of that file, as `sha256sum` prints it: a file with another
    /// content is not loaded. Compiled code is not loaded without.
    pub sha256: Option<Spanned<String>>,
    /// Whose work loop it runs on.
    #[serde(default)]
    pub work_loop: Placement,
    /// Services that it may publish. No two drivers publish the same.
    #[serde(default)]
    pub provides: Vec<Spanned<String>>,
    /// Services of other drivers that it may open; whose is the first one is its
    /// provider. In no circle.
    #[serde(default)]
    pub uses: Vec<Spanned<String>>,
    /// The driver's settings, for example `{ period-ms = "500" }`: handed to
    /// `start`, in this order.
    #[serde(default, deserialize_with = "pairs")]
    pub config: Vec<(String, String)>,
    /// A pin, by the name that the driver calls it. A line belongs to one driver,
    /// unless all that have it say `shared`. A driver that reads and drives a line
    /// in turn has two pins of it, an input and an output with `drive = "open-drain"`
    /// (or `"open-source"`), and opens one at a time.
    #[serde(default)]
    pub gpio: BTreeMap<String, GpioEntry>,
    /// A serial port, by the name that the driver calls it: one of `device`, `pty`
    /// and `sim` says where it is.
    #[serde(default)]
    pub serial: BTreeMap<String, SerialEntry>,
    /// A device on an I2C bus, by the name that the driver calls it.
    #[serde(default)]
    pub i2c: BTreeMap<String, I2cEntry>,
    /// A device on an SPI bus, by the name that the driver calls it.
    #[serde(default)]
    pub spi: BTreeMap<String, SpiEntry>,
    /// What the driver may use. All of it has defaults; what crossing a limit
    /// means is in `wit/README.md`.
    #[serde(default)]
    limits: Option<Spanned<LimitsEntry>>,
    /// How the host starts the driver again after it has failed.
    #[serde(default)]
    restart: Option<Spanned<RestartEntry>>,
}

/// Where a driver's work loop comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// The loop of its provider: of the first service in `uses`, or else the
    /// board's own.
    #[default]
    Provider,
    /// One of its own.
    Dedicated,
}

impl BoardFile {
    /// Reads and checks a board file.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, BoardError> {
        let path = path.as_ref();
        let unreadable = |cause| BoardError::Unreadable {
            path: path.to_owned(),
            cause,
        };
        let (text, _) = file::read(path, FILE_MAX as u64).map_err(unreadable)?;
        bounded(&text, path)?;
        let text = String::from_utf8(text)
            .map_err(|error| unreadable(std::io::Error::new(ErrorKind::InvalidData, error)))?;
        Self::parse(&text, path)
    }

    /// Checks a board file's text; `path` is what its relative paths and the
    /// errors refer to.
    pub fn parse(text: &str, path: impl AsRef<Path>) -> Result<Self, BoardError> {
        bounded(text.as_bytes(), path.as_ref())?;
        let source = Source {
            path: path.as_ref().to_owned(),
            text: text.to_owned(),
        };
        let mut file: Self = toml::from_str(text).map_err(|error| {
            source.unreadable(error.span().unwrap_or_default(), error.message())
        })?;
        file.source = source;
        file.check()?;
        file.drivers = order::in_start_order(file.drivers, &file.source)?;
        file.resolve_ports();
        Ok(file)
    }

    /// A path in the file, made relative to the file's folder.
    pub fn resolve(&self, path: &Path) -> PathBuf {
        self.source
            .path
            .parent()
            .unwrap_or(Path::new(""))
            .join(path)
    }

    /// Where a driver's code is.
    pub(crate) fn code(&self, entry: &DriverEntry) -> Code {
        Code {
            file: self.resolve(entry.component.get_ref()),
            digest: entry.digest(),
        }
    }

    /// The file and line of something in it.
    pub fn place<T>(&self, of: &Spanned<T>) -> String {
        self.source.place(of.span())
    }

    /// Where the file lies.
    pub fn path(&self) -> &Path {
        &self.source.path
    }

    /// The file's digest of names: which driver provides a service.
    pub fn provider_of(&self, service: &str) -> Option<&DriverEntry> {
        self.drivers
            .iter()
            .find(|driver| driver.provides.iter().any(|name| name.get_ref() == service))
    }

    /// Ports are opened by their grants, which do not know the file.
    fn resolve_ports(&mut self) {
        let folder = self
            .source
            .path
            .parent()
            .unwrap_or(Path::new(""))
            .to_owned();
        for port in self
            .drivers
            .iter_mut()
            .flat_map(|driver| driver.serial.values_mut())
        {
            for path in [&mut port.device, &mut port.pty].into_iter().flatten() {
                let resolved = folder.join(path.get_ref());
                *path.get_mut() = resolved.display().to_string();
            }
        }
    }

    fn check(&self) -> Result<(), BoardError> {
        let mut ports = Unique::new("port", &self.source);
        let mut drivers = Unique::new("driver", &self.source);
        let mut services = Unique::new("service", &self.source);
        let mut lines = Lines::new(&self.source);
        let mut configured = Unique::new("line", &self.source);
        for line in &self.board.lines {
            configured.add(&line.name, "the board")?;
        }
        for play in &self.board.plays {
            play.check()
                .map_err(|message| self.source.invalid(play.capture.span(), &message))?;
        }
        for driver in &self.drivers {
            drivers.add(&driver.name, "the board")?;
            for service in &driver.provides {
                services.add(service, driver.name.get_ref())?;
            }
            for pin in driver.gpio_in_order() {
                lines.add(pin.1, driver.name.get_ref())?;
            }
            for place in driver.serial.values().filter_map(SerialEntry::place) {
                ports.add(place, driver.name.get_ref())?;
            }
            driver
                .check()
                .map_err(|(span, message)| self.source.invalid(span, &message))?;
        }
        self.check_backend()?;
        buses::check(self, &self.source)?;
        self.check_published()
    }
}

/// Thousands of drivers, in bytes.
const FILE_MAX: usize = 1 << 20;

fn bounded(text: &[u8], path: &Path) -> Result<(), BoardError> {
    if text.len() <= FILE_MAX {
        return Ok(());
    }
    Err(BoardError::TooLarge {
        path: path.to_owned(),
        limit: FILE_MAX,
    })
}

/// Names become parts of log lines, file names and commands.
const NAME_MAX: usize = 64;

impl DriverEntry {
    /// The effective limits; `check` has seen that they are in range.
    pub fn limits(&self) -> Limits {
        self.limits
            .as_ref()
            .and_then(|limits| limits.get_ref().effective().ok())
            .unwrap_or_default()
    }

    /// How it is started again; `check` has seen that the values are in range.
    pub fn restart(&self) -> Restart {
        self.restart
            .as_ref()
            .and_then(|restart| restart.get_ref().effective().ok())
            .unwrap_or_default()
    }

    /// Whether it grants and says the same as another one, for whatever component.
    pub(crate) fn is_same_but_for_code(&self, other: &Self) -> bool {
        let component = self.component.clone();
        let sha256 = self.sha256.clone();
        let other = other.clone();
        let other = Self {
            component,
            sha256,
            ..other
        };
        *self == other
    }

    /// What the component's file must have in it; `check` has seen that it is a
    /// digest.
    pub(crate) fn digest(&self) -> Option<Digest> {
        let text = self.sha256.as_ref()?.get_ref();
        from_hex(text)?.try_into().ok()
    }

    /// The granted pins in the file's order.
    pub fn gpio_in_order(&self) -> Vec<(&str, &GpioEntry)> {
        in_order(&self.gpio, |pin| &pin.line)
    }

    /// The granted devices on I2C buses, in the file's order.
    pub fn i2c_in_order(&self) -> Vec<(&str, &I2cEntry)> {
        in_order(&self.i2c, |entry| &entry.bus)
    }

    /// The granted devices on SPI buses, in the file's order.
    pub fn spi_in_order(&self) -> Vec<(&str, &SpiEntry)> {
        in_order(&self.spi, |entry| &entry.bus)
    }

    fn check(&self) -> Result<(), (std::ops::Range<usize>, String)> {
        let name = self.name.get_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if name.is_empty() || name.len() > NAME_MAX || !name.chars().all(plain) {
            return Err((
                self.name.span(),
                format!(
                    "driver name `{}` must be 1 to {NAME_MAX} letters, digits, `-`, `_` or `.`",
                    name.escape_debug()
                ),
            ));
        }
        if let Some(text) = &self.sha256
            && self.digest().is_none()
        {
            return Err((
                text.span(),
                format!(
                    "`sha256` of `{name}` is `{}`; write 64 hexadecimal digits, as `sha256sum {}` prints them",
                    text.get_ref().escape_debug(),
                    self.component.get_ref().display()
                ),
            ));
        }
        if let Some(limits) = &self.limits {
            limits
                .get_ref()
                .effective()
                .map_err(|message| (limits.span(), format!("driver `{name}`: {message}")))?;
        }
        if let Some(restart) = &self.restart {
            restart
                .get_ref()
                .effective()
                .map_err(|message| (restart.span(), format!("driver `{name}`: {message}")))?;
        }
        for (port, entry) in &self.serial {
            let span = entry.place().map_or(self.name.span(), Spanned::span);
            entry.check(port, name).map_err(|message| (span, message))?;
        }
        for (pin, entry) in self.gpio_in_order() {
            if let Some(problem) = entry.problem() {
                return Err((
                    entry.line.span(),
                    format!("pin `{pin}` of `{name}` is {problem}"),
                ));
            }
        }
        Ok(())
    }
}

/// Named tables in the order of the file, by where one of their values stands.
fn in_order<T>(
    tables: &BTreeMap<String, T>,
    place: impl Fn(&T) -> &Spanned<String>,
) -> Vec<(&str, &T)> {
    let tables = tables.iter().map(|(name, table)| (name.as_str(), table));
    let mut tables: Vec<_> = tables.collect();
    tables.sort_by_key(|(_, table)| place(table).span().start);
    tables
}

/// A table of strings, in the order of the file.
fn pairs<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Vec<(String, String)>, D::Error> {
    struct Pairs;
    impl<'de> serde::de::Visitor<'de> for Pairs {
        type Value = Vec<(String, String)>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a table of strings, for example { period-ms = \"500\" }")
        }
        fn visit_map<A: serde::de::MapAccess<'de>>(
            self,
            mut map: A,
        ) -> Result<Self::Value, A::Error> {
            let mut all = Vec::new();
            while let Some(pair) = map.next_entry()? {
                all.push(pair);
            }
            Ok(all)
        }
    }
    from.deserialize_map(Pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
[board]
backend = "sim"

[[board.stimulus]]
at = "1 s"
line = "GPIO17"
level = "low"

[[driver]]
name = "button-led"
component = "button_led.wasm"
provides = ["button-led"]
config = { z = "1", a = "2" }
[driver.gpio]
button = { line = "GPIO17", direction = "input", bias = "pull-up", edges = "both" }
led = { line = "GPIO27", direction = "output" }
[driver.limits]
memory = "2 MiB"

[[driver]]
name = "user"
component = "user.wasm"
uses = ["button-led"]
"#;

    fn refused(text: &str) -> String {
        BoardFile::parse(text, "dir/board.toml")
            .unwrap_err()
            .to_string()
    }

    /// As many names as it has room for, each looked for among all others.
    #[test]
    fn a_file_has_a_size_that_is_read_in_no_time() {
        let mut text = "[board]\nbackend = \"sim\"\n".to_owned();
        for number in 0.. {
            let name = format!("driver-{number}");
            let entry = format!(
                "[[driver]]\nname = \"{name}\"\ncomponent = \"c\"\nprovides = [\"{name}\"]\n\
                 [driver.gpio]\np = {{ line = \"{name}\", direction = \"input\" }}\n"
            );
            if text.len() + entry.len() > FILE_MAX {
                break;
            }
            text += &entry;
        }
        let begun = std::time::Instant::now();
        assert!(BoardFile::parse(&text, "b.toml").unwrap().drivers.len() > 5_000);
        assert!(begun.elapsed() < std::time::Duration::from_secs(20));
        let too_long = text + &" ".repeat(FILE_MAX);
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, &too_long).unwrap();
        for error in [BoardFile::parse(&too_long, &file), BoardFile::read(&file)] {
            let error = error.unwrap_err().to_string();
            let path = file.path().display();
            let expected = format!("board file `{path}` has more than the 1048576 bytes");
            assert!(error.starts_with(&expected), "{error}");
        }
        let error = BoardFile::read("/dev/zero").unwrap_err().to_string();
        assert!(error.contains("it is no regular file"), "{error}");
    }

    #[test]
    fn a_good_file_is_read_in_its_order() {
        let file = BoardFile::parse(GOOD, "dir/board.toml").unwrap();
        let driver = &file.drivers[0];
        assert_eq!(
            driver.config,
            [("z".into(), "1".into()), ("a".into(), "2".into())]
        );
        assert_eq!(
            driver
                .gpio_in_order()
                .iter()
                .map(|pin| pin.0)
                .collect::<Vec<_>>(),
            ["button", "led"]
        );
        assert_eq!(driver.limits().memory, 2 << 20);
        assert_eq!(
            file.resolve(driver.component.get_ref()),
            Path::new("dir/button_led.wasm")
        );
    }

    #[test]
    fn each_mistake_names_line_thing_and_remedy() {
        let table = [
            (
                GOOD.replace("backend = \"sim\"", "backend = "),
                "dir/board.toml:3",
                "backend",
            ),
            (GOOD.replace("bias", "bais"), "dir/board.toml:16", "bais"),
            (
                GOOD.replace("\"user\"", "\"button-led\""),
                "dir/board.toml:22",
                "a second time",
            ),
            (
                GOOD.replace("uses = [\"button-led\"]", "uses = [\"nobody\"]"),
                "dir/board.toml:24",
                "no driver provides",
            ),
            (
                GOOD.replace("\"user\"", "\"../user\""),
                "dir/board.toml:22",
                "letters",
            ),
            (
                GOOD.replace("2 MiB", "2 GiB"),
                "dir/board.toml:18",
                "`memory`",
            ),
            (
                GOOD.replace("\"GPIO27\"", "\"GPIO17\""),
                "dir/board.toml:17",
                "a second time",
            ),
            (
                GOOD.replace(
                    "direction = \"output\"",
                    "direction = \"output\", edges = \"both\"",
                ),
                "dir/board.toml:17",
                "is an output",
            ),
            (
                GOOD.replace("edges = \"both\"", "edges = \"low-level\", rate-cap = 9"),
                "dir/board.toml:16",
                "leave one of them out",
            ),
            (
                GOOD.replace("edges = \"both\"", "rate-cap = 0"),
                "dir/board.toml:16",
                "nonzero",
            ),
            (
                GOOD.replace("uses =", "sha256 = \"12ab\"\nuses ="),
                "dir/board.toml:24",
                "64 hexadecimal digits, as `sha256sum user.wasm` prints",
            ),
            (
                GOOD.replace("edges = \"both\"", "on-death = \"low\""),
                "dir/board.toml:16",
                "`on-death` is for outputs",
            ),
            (
                GOOD.replace("sim", "mainframe"),
                "dir/board.toml:3",
                "mainframe",
            ),
        ];
        for (text, place, words) in table {
            let error = refused(&text);
            assert!(
                error.starts_with(&format!("{place}: ")) && error.contains(words),
                "{error}"
            );
        }
    }

    #[test]
    fn two_drivers_cannot_claim_one_output() {
        let text = format!(
            "{GOOD}[driver.gpio]\nmine = {{ line = \"GPIO27\", direction = \"output\" }}\n"
        );
        let error = refused(&text);
        assert!(
            error.contains("line `GPIO27` belongs to `button-led` already (dir/board.toml:17)"),
            "{error}"
        );
    }
}
