//! `[driver.i2c]`, `[driver.spi]`, and the devices of the simulated board that are
//! at the other end.

use super::{BoardFile, NAME_MAX, Source};
use crate::control::from_hex;
use crate::error::BoardError;
use crate::text::{is_printable, printable_within};
use loopgate_devices::i2c::Address;
use loopgate_devices::sim::i2c::{FaultKind, RegisterKind, SimFault};
use loopgate_devices::spi::Settings;
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use toml::Spanned;

/// A device on an I2C bus, granted to a driver. It belongs to one driver.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct I2cEntry {
    /// The bus: a simulated one by any name, or the kernel's by its file, for
    /// example `/dev/i2c-1`.
    pub bus: Spanned<String>,
    /// The device's address without the direction, 0x08 to 0x77; with `ten-bit` up
    /// to 0x3ff.
    pub address: Spanned<u16>,
    /// Whether the address has ten bits.
    #[serde(default)]
    pub ten_bit: bool,
}

/// A device on an SPI bus, granted to a driver. It belongs to one driver.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SpiEntry {
    /// The bus: a simulated one by any name, or the kernel's by its files without
    /// the chip select, for example `/dev/spidev0`.
    pub bus: Spanned<String>,
    /// Which device of the bus.
    #[serde(default)]
    pub chip_select: u8,
    /// Clocks a second, at most.
    pub clock: u32,
    /// 0 to 3: the clock rests high in 2 and 3, its second edge counts in 1 and 3.
    #[serde(default)]
    pub mode: u8,
    /// Bits in a word, 1 to 8.
    #[serde(default = "default_bits")]
    pub bits: u8,
    /// Whether the lowest bit goes first.
    #[serde(default)]
    pub lsb_first: bool,
}

fn default_bits() -> u8 {
    8
}

/// `[[board.i2c-device]]`: a device of a simulated bus.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct I2cDeviceEntry {
    /// The bus.
    pub bus: Spanned<String>,
    /// The device's address, as under `[driver.i2c]`.
    pub address: Spanned<u16>,
    /// Whether the address has ten bits.
    #[serde(default)]
    pub ten_bit: bool,
    /// What it is.
    pub model: I2cModel,
    /// What its registers hold at first, from a register on, in hexadecimal digits:
    /// `{ 0xd0 = "60", 0x88 = "70 6b 43 67" }`.
    #[serde(default)]
    pub registers: BTreeMap<String, String>,
    /// Registers that writes do not change: `["0xd0", "0x88-0xa1"]`.
    #[serde(default)]
    pub read_only: Vec<String>,
    /// Registers that a read leaves at zero.
    #[serde(default)]
    pub clear_on_read: Vec<String>,
    /// Registers that count their reads.
    #[serde(default)]
    pub counters: Vec<String>,
    /// Eight lines of the simulated board that are a `pcf8574`'s pins, P0 first.
    #[serde(default)]
    pub lines: Vec<Spanned<String>>,
    /// The line that a `pcf8574` drives low when a pin has changed; it needs a
    /// pull-up.
    #[serde(default)]
    pub interrupt: Option<Spanned<String>>,
    /// What goes wrong with it.
    #[serde(default, rename = "fault")]
    pub faults: Vec<FaultEntry>,
}

/// A model of an I2C device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum I2cModel {
    /// 256 registers: the first byte of a write is the register, and it goes on from
    /// there.
    Registers,
    /// A port expander with eight pins that are lines of the board.
    Pcf8574,
    /// A sensor of temperature and humidity, at 25 degrees and 50 %.
    Sht4x,
    /// A display of 128 times 64 dots; programs that embed a board can see it.
    Ssd1306,
}

/// `[[board.i2c-device.fault]]`
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FaultEntry {
    /// What goes wrong.
    pub kind: I2cFault,
    /// In which transaction with the device, the first is 1; in all where absent.
    #[serde(default)]
    pub at: Option<u64>,
}

/// What goes wrong in a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum I2cFault {
    /// The device does not acknowledge its address.
    NoAcknowledge,
    /// The arbitration is lost.
    ArbitrationLoss,
    /// The device holds the clock for ever.
    Stuck,
}

/// `[[board.spi-device]]`: a device of a simulated bus.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SpiDeviceEntry {
    /// The bus.
    pub bus: Spanned<String>,
    /// Which device of the bus.
    #[serde(default)]
    pub chip_select: u8,
    /// What it is.
    pub model: SpiModel,
    /// What its registers hold at first, as for an I2C device.
    #[serde(default)]
    pub registers: BTreeMap<String, String>,
}

/// A model of an SPI device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpiModel {
    /// What is sent comes back.
    LoopBack,
    /// 128 registers; the highest bit of the first word is set to read.
    Registers,
}

impl I2cEntry {
    pub(crate) fn address(&self) -> Address {
        address(&self.address, self.ten_bit)
    }
}

impl SpiEntry {
    pub(crate) fn settings(&self) -> Settings {
        Settings {
            mode: self.mode,
            clock: self.clock,
            bits: self.bits,
            lsb_first: self.lsb_first,
        }
    }

    fn problem(&self) -> Option<&'static str> {
        if self.clock == 0 {
            return Some("a clock of 0; write for example `clock = 1_000_000`");
        }
        if self.mode > 3 {
            return Some("a mode that is none; write 0, 1, 2 or 3");
        }
        (!(1..=8).contains(&self.bits)).then_some("words that no byte holds; `bits` is 1 to 8")
    }
}

impl I2cDeviceEntry {
    pub(crate) fn address(&self) -> Address {
        address(&self.address, self.ten_bit)
    }

    pub(crate) fn faults(&self) -> Vec<SimFault> {
        self.faults.iter().copied().map(Into::into).collect()
    }

    /// What is wrong with it, for people.
    fn problem(&self) -> Result<(), String> {
        contents(&self.registers)?;
        let kinds = self.kinds()?;
        let has_registers = !(self.registers.is_empty() && kinds.is_empty());
        let has_lines = !self.lines.is_empty() || self.interrupt.is_some();
        match self.model {
            I2cModel::Pcf8574 if self.lines.len() != 8 => Err(format!(
                "a `pcf8574` has 8 `lines`, one for each pin, and here are {}",
                self.lines.len()
            )),
            I2cModel::Pcf8574 if self.line_twice().is_some() => Err(format!(
                "line `{}` is named twice for one `pcf8574`; name another",
                printable_within(self.line_twice().unwrap_or_default(), NAME_MAX)
            )),
            _ if self.faults.iter().any(|fault| fault.at == Some(0)) => {
                Err("a `fault` has `at = 0`; the first transaction is 1".to_owned())
            }
            I2cModel::Registers | I2cModel::Sht4x | I2cModel::Ssd1306 if has_lines => {
                Err("`lines` and `interrupt` are for a `pcf8574`; leave them out".to_owned())
            }
            I2cModel::Pcf8574 | I2cModel::Sht4x | I2cModel::Ssd1306 if has_registers => Err(
                "`registers` and what they do are for the model `registers`; leave them out"
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }

    fn line_twice(&self) -> Option<&str> {
        let mut seen = HashSet::new();
        let lines = self.lines.iter().chain(&self.interrupt);
        lines
            .map(|line| line.get_ref().as_str())
            .find(|line| !seen.insert(*line))
    }

    /// Registers that are not plain, each with what it is.
    pub(crate) fn kinds(&self) -> Result<Vec<(u8, RegisterKind)>, String> {
        let kinds = [
            (&self.read_only, RegisterKind::ReadOnly),
            (&self.clear_on_read, RegisterKind::ClearOnRead),
            (&self.counters, RegisterKind::Counter),
        ];
        let mut all = Vec::new();
        for (texts, kind) in kinds {
            for text in texts {
                let range = range(text).ok_or_else(|| {
                    format!("`{text}` names no registers; write `0xd0` or `0x88-0xa1`")
                })?;
                all.extend(range.map(|register| (register, kind)));
            }
        }
        Ok(all)
    }
}

impl From<FaultEntry> for SimFault {
    fn from(entry: FaultEntry) -> Self {
        Self {
            kind: match entry.kind {
                I2cFault::NoAcknowledge => FaultKind::NoAcknowledge,
                I2cFault::ArbitrationLoss => FaultKind::ArbitrationLoss,
                I2cFault::Stuck => FaultKind::Stuck,
            },
            at: entry.at,
        }
    }
}

/// What registers hold at first: from which on, and the bytes.
pub(crate) fn contents(entry: &BTreeMap<String, String>) -> Result<Vec<(u8, Vec<u8>)>, String> {
    let read = |(first, bytes): (&String, &String)| {
        let digits: String = bytes.split_whitespace().collect();
        let found = register(first).zip(from_hex(&digits));
        let fits = |found: &(u8, Vec<u8>)| usize::from(found.0) + found.1.len() <= 256;
        found.filter(fits).ok_or_else(|| {
            format!(
                "`{first} = \"{bytes}\"` are no registers; write for example `0x88 = \"70 6b\"`, \
                 up to register 0xff"
            )
        })
    };
    entry.iter().map(read).collect()
}

fn address(value: &Spanned<u16>, is_ten_bit: bool) -> Address {
    Address {
        value: *value.get_ref(),
        is_ten_bit,
    }
}

fn register(text: &str) -> Option<u8> {
    let text = text.trim();
    match text.strip_prefix("0x") {
        Some(digits) => u8::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn range(text: &str) -> Option<RangeInclusive<u8>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = register(first)?..=register(last)?;
    (!range.is_empty()).then_some(range)
}

/// Each device is one driver's, and each address and chip select one device's.
pub(super) fn check(file: &BoardFile, source: &Source) -> Result<(), BoardError> {
    let mut granted = Places::new(source);
    for driver in &file.drivers {
        let owner = format!("driver `{}`", driver.name.get_ref());
        for entry in driver.i2c_in_order().into_iter().map(|(_, entry)| entry) {
            good_bus(&entry.bus, source)?;
            let address = entry.address();
            granted.add_i2c(&entry.bus, &entry.address, address, &owner)?;
        }
        for (name, entry) in driver.spi_in_order() {
            good_bus(&entry.bus, source)?;
            good_spi_bus(&entry.bus, source)?;
            if let Some(problem) = entry.problem() {
                let message = format!("SPI device `{name}` of {owner} has {problem}");
                return Err(source.invalid(entry.bus.span(), &message));
            }
            granted.add_spi(&entry.bus, entry.chip_select, &owner)?;
        }
    }
    let mut simulated = Places::new(source);
    for device in &file.board.i2c_devices {
        good_simulated_bus(&device.bus, source)?;
        let address = device.address();
        simulated.add_i2c(&device.bus, &device.address, address, "the board")?;
        let good = device.problem();
        good.map_err(|message| source.invalid(device.bus.span(), &message))?;
    }
    for device in &file.board.spi_devices {
        good_simulated_bus(&device.bus, source)?;
        simulated.add_spi(&device.bus, device.chip_select, "the board")?;
        let registers = contents(&device.registers);
        registers.map_err(|message| source.invalid(device.bus.span(), &message))?;
    }
    Ok(())
}

fn good_bus(bus: &Spanned<String>, source: &Source) -> Result<(), BoardError> {
    let name = bus.get_ref();
    let is_plain = name.chars().all(|c| is_printable(c) && c != '\t');
    let problem = if is_kernels(name) {
        let is_normal = name
            .split('/')
            .skip(1)
            .all(|part| !["", ".", ".."].contains(&part));
        (name.len() > PATH_MAX || !is_plain || !is_normal).then(|| {
            "is no file of the kernel's by its plain name; write for example `/dev/i2c-1`, without \
             `.`, `..` and `//`"
                .to_owned()
        })
    } else {
        let fits = !name.is_empty() && name.len() <= NAME_MAX && is_plain;
        (!fits).then(|| format!("must be 1 to {NAME_MAX} printable characters"))
    };
    refuse(bus, source, problem)
}

/// The kernel names the device of a bus by its chip select.
fn good_spi_bus(bus: &Spanned<String>, source: &Source) -> Result<(), BoardError> {
    let select = bus.get_ref().rsplit_once('.').filter(|(bus, select)| {
        is_kernels(bus) && !select.is_empty() && select.bytes().all(|byte| byte.is_ascii_digit())
    });
    let problem = select.map(|(bus, select)| {
        format!("has the chip select in it; write `bus = \"{bus}\", chip-select = {select}`")
    });
    refuse(bus, source, problem)
}

fn good_simulated_bus(bus: &Spanned<String>, source: &Source) -> Result<(), BoardError> {
    good_bus(bus, source)?;
    let problem = is_kernels(bus.get_ref()).then(|| {
        "is the kernel's, and has no simulated devices; give a name without `/`".to_owned()
    });
    refuse(bus, source, problem)
}

fn refuse(
    bus: &Spanned<String>,
    source: &Source,
    problem: Option<String>,
) -> Result<(), BoardError> {
    let Some(problem) = problem else {
        return Ok(());
    };
    let name = printable_within(bus.get_ref(), NAME_MAX);
    Err(source.invalid(bus.span(), &format!("bus `{name}` {problem}")))
}

/// What was named already, by whom, and where.
struct Places<'a> {
    source: &'a Source,
    seen: BTreeMap<String, String>,
}

impl<'a> Places<'a> {
    fn new(source: &'a Source) -> Self {
        let seen = BTreeMap::new();
        Self { source, seen }
    }

    fn add_i2c(
        &mut self,
        bus: &Spanned<String>,
        place: &Spanned<u16>,
        address: Address,
        owner: &str,
    ) -> Result<(), BoardError> {
        let all = if address.is_ten_bit {
            0..=0x3ff
        } else {
            0x08..=0x77
        };
        if !all.contains(&address.value) {
            let message = format!(
                "address {address} is none that a device can have; write one from {:#04x} to {:#04x}",
                all.start(),
                all.end()
            );
            return Err(self.source.invalid(place.span(), &message));
        }
        let of = |bus: &str| format!("I2C address {address} of bus `{bus}`");
        let (bus, real) = (bus.get_ref(), file(bus.get_ref(), None));
        self.add(&of(bus), of(&real), place.span(), owner)
    }

    fn add_spi(
        &mut self,
        bus: &Spanned<String>,
        select: u8,
        owner: &str,
    ) -> Result<(), BoardError> {
        let what = format!("chip select {select} of SPI bus `{}`", bus.get_ref());
        let real = format!("SPI device `{}`", file(bus.get_ref(), Some(select)));
        self.add(&what, real, bus.span(), owner)
    }

    fn add(
        &mut self,
        what: &str,
        real: String,
        span: std::ops::Range<usize>,
        owner: &str,
    ) -> Result<(), BoardError> {
        let here = self.source.place(span.clone());
        if let Some(first) = self.seen.get(&real) {
            let message = format!("{what} belongs to {first} already; remove one");
            return Err(self.source.invalid(span, &message));
        }
        self.seen.insert(real, format!("{owner} ({here})"));
        Ok(())
    }
}

/// As long as the kernel takes.
const PATH_MAX: usize = 4095;

/// The file of a kernel's bus, or of the device with this chip select, which can go
/// by links as well; the name as it is where there is none.
fn file(bus: &str, select: Option<u8>) -> String {
    let path = select.map_or(bus.to_owned(), |select| format!("{bus}.{select}"));
    let real = is_kernels(bus)
        .then(|| fs::canonicalize(&path).ok())
        .flatten();
    let real = real.as_deref().and_then(Path::to_str);
    real.unwrap_or(&path).to_owned()
}

/// The one name of a bus, whatever links its file has.
pub(crate) fn real_bus(bus: &str, select: Option<u8>) -> String {
    let file = file(bus, select);
    let cut = select.and_then(|_| file.rsplit_once('.'));
    cut.map_or(file.as_str(), |(bus, _)| bus).to_owned()
}

/// The kernel's buses are named by their files.
pub(crate) fn is_kernels(bus: &str) -> bool {
    bus.starts_with('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(more: &str) -> String {
        let text = format!(
            "[board]\nbackend = \"sim\"\n{more}\n[[driver]]\nname = \"d\"\ncomponent = \"d.wasm\""
        );
        let text = text.replace(
            "DRIVER",
            "[[driver]]\nname = \"e\"\ncomponent = \"e.wasm\"\n",
        );
        match BoardFile::parse(&text, "board.toml") {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn buses_have_names_that_are_good_everywhere() {
        let i2c = |bus: &str| {
            refused(&format!(
                "DRIVER[driver.i2c]\na = {{ bus = \"{bus}\", address = 64 }}"
            ))
        };
        let spi = |bus: &str| {
            refused(&format!(
                "DRIVER[driver.spi]\na = {{ bus = \"{bus}\", clock = 1000 }}"
            ))
        };
        for bus in ["i2c-1", "/dev/i2c-1", "a b", "/dev/bus/i2c.1"] {
            assert_eq!(i2c(bus), "", "{bus}");
        }
        let long = "x".repeat(NAME_MAX + 1);
        for bus in ["", "a\\u0000b", "a\\nb", &long] {
            let error = i2c(bus);
            assert!(error.contains("printable characters"), "{bus}: {error}");
        }
        for bus in [
            "/dev/../dev/i2c-1",
            "//dev/i2c-1",
            "/dev/./i2c-1",
            "/dev/i2c-1/",
            "/",
            "/a\\u0000",
        ] {
            for error in [i2c(bus), spi(bus)] {
                assert!(error.contains("plain name"), "{bus}: {error}");
            }
        }
        assert_eq!(spi("/dev/spidev0"), "");
        let error = spi("/dev/spidev0.1");
        assert!(
            error.contains("`bus = \"/dev/spidev0\", chip-select = 1`"),
            "{error}"
        );
    }

    #[test]
    fn the_kernel_s_buses_have_no_simulated_devices() {
        let i2c = "[[board.i2c-device]]\nbus = \"/dev/i2c-1\"\naddress = 64\nmodel = \"sht4x\"";
        let spi = "[[board.spi-device]]\nbus = \"/dev/spidev0\"\nmodel = \"loop-back\"";
        for error in [refused(i2c), refused(spi)] {
            assert!(error.contains("is the kernel's"), "{error}");
        }
    }

    #[test]
    fn what_a_simulated_device_cannot_have_is_refused() {
        let with = |more: &str| {
            refused(&format!(
                "[[board.i2c-device]]\nbus = \"i2c-1\"\naddress = 64\n{more}"
            ))
        };
        let twice =
            "model = \"pcf8574\"\nlines = [\"A\",\"B\",\"C\",\"D\",\"E\",\"F\",\"G\",\"A\"]";
        assert!(with(twice).contains("line `A` is named twice"));
        let backwards = "model = \"registers\"\nread-only = [\"0x20-0x10\"]";
        assert!(with(backwards).contains("`0x20-0x10` names no registers"));
        let never = "model = \"registers\"\n[[board.i2c-device.fault]]\nkind = \"stuck\"\nat = 0";
        assert!(with(never).contains("`at = 0`"));
    }

    #[test]
    fn a_link_is_the_bus_that_it_leads_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("spidev0.1"), "").unwrap();
        std::os::unix::fs::symlink(path("spidev0.1"), path("display.0")).unwrap();
        let name = |name: &str| path(name).to_str().unwrap().to_owned();
        assert_eq!(
            real_bus(&name("display"), Some(0)),
            real_bus(&name("spidev0"), Some(1))
        );
        assert_eq!(file(&name("none"), None), name("none"));
        assert_eq!(real_bus("spi0.5", None), "spi0.5");
        let one = |driver: &str, bus: &str, select: u8| {
            format!(
                "[[driver]]\nname = \"{driver}\"\ncomponent = \"d.wasm\"\n[driver.spi]\n\
                 a = {{ bus = \"{}\", chip-select = {select}, clock = 1000 }}\n",
                name(bus)
            )
        };
        let error = refused(&(one("one", "display", 0) + &one("two", "spidev0", 1)));
        assert!(error.contains("belongs to driver `one`"), "{error}");
    }
}
