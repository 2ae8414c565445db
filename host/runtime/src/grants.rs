//! What one driver may touch: its entry in the board file, and nothing else.

use crate::board_file::{DriverEntry, GpioEntry, I2cEntry, PinDirection, SpiEntry};
use crate::heritage::LineName;
use crate::text::printable_within;
use loopgate_devices::gpio::Edges;
use loopgate_devices::serial::PortRequest;
use loopgate_workloop::Trigger;
use parking_lot::RwLock;
use std::collections::BTreeSet;

/// The grants of one driver. Every refusal names driver, thing and remedy.
pub(crate) struct Grants {
    entry: DriverEntry,
    /// Names that people have withdrawn. A leaf among the locks.
    revoked: RwLock<BTreeSet<String>>,
}

/// All that is granted under one name, or by it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    /// Pins: the one of that name, and those of the service.
    pub(crate) pins: BTreeSet<String>,
    pub(crate) is_port: bool,
    /// On a bus.
    pub(crate) is_device: bool,
    pub(crate) is_service: bool,
}

impl Named {
    pub(crate) fn is_port(&self, name: &str) -> bool {
        self.is_port && self.name == name
    }

    /// On a bus.
    pub(crate) fn is_device(&self, name: &str) -> bool {
        self.is_device && self.name == name
    }

    pub(crate) fn is_service(&self, name: &str) -> bool {
        self.is_service && self.name == name
    }

    pub(crate) fn has_line(&self, line: &LineName) -> bool {
        match line {
            LineName::Pin(pin, _) => self.pins.contains(pin),
            LineName::Readable(port) | LineName::Writable(port) => self.is_port(port),
        }
    }
}

impl Grants {
    pub(crate) fn new(entry: &DriverEntry) -> Self {
        Self {
            entry: entry.clone(),
            revoked: RwLock::default(),
        }
    }

    /// From now on nothing of this name can be opened.
    ///
    /// # Errors
    /// What the grants are, where none has this name.
    pub(crate) fn revoke(&self, name: &str) -> Result<Named, String> {
        let entry = &self.entry;
        let is_service = entry.uses.iter().any(|used| used.get_ref() == name);
        let of_service = |line: &_| entry.published(line).is_some_and(|(of, _)| of == name);
        let pins = entry.gpio.iter();
        let pins = pins.filter(|(pin, line)| *pin == name || of_service(line));
        let named = Named {
            name: name.to_owned(),
            pins: pins.map(|(pin, _)| pin.clone()).collect(),
            is_port: entry.serial.contains_key(name),
            is_device: entry.i2c.contains_key(name) || entry.spi.contains_key(name),
            is_service,
        };
        let is_any = named.is_port || named.is_device || is_service;
        if named.pins.is_empty() && !is_any {
            return Err(self.no_grant(name));
        }
        self.revoked.write().insert(named.name.clone());
        Ok(named)
    }

    /// What was withdrawn, by name.
    pub(crate) fn revoked(&self) -> BTreeSet<String> {
        self.revoked.read().clone()
    }

    fn no_grant(&self, name: &str) -> String {
        let entry = &self.entry;
        let pins = entry.gpio.keys().chain(entry.serial.keys());
        let pins = pins.chain(entry.i2c.keys()).chain(entry.spi.keys());
        let services = self.entry.uses.iter().map(toml::Spanned::get_ref);
        let known: BTreeSet<_> = pins.chain(services).collect();
        let known: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
        let known = match known.len() {
            0 => "it has none".to_owned(),
            _ => format!("it has {}", known.join(", ")),
        };
        format!(
            "driver `{}` has no grant `{}` of a pin, port, device or service; {known}",
            self.driver(),
            shown(name)
        )
    }

    /// # Errors
    /// The refusal, where the name was withdrawn.
    fn not_revoked(&self, what: &str, name: &str) -> Result<(), String> {
        if !self.revoked.read().contains(name) {
            return Ok(());
        }
        Err(format!(
            "`{}` asked for {what} `{}`, which was revoked; `loopgate reload --board` grants again what the board file says",
            self.driver(),
            shown(name)
        ))
    }

    /// The entry of a pin, if it is granted this way round.
    pub(crate) fn pin(&self, name: &str, output: bool) -> Result<&GpioEntry, String> {
        let driver = self.driver();
        let name_shown = shown(name);
        let wanted = if output { "output" } else { "input" };
        let Some(entry) = self.entry.gpio.get(name) else {
            return Err(format!(
                "`{driver}` asked for pin `{name_shown}` as {wanted}, which its entry does not grant; add it under `[driver.gpio]` if it is to have it"
            ));
        };
        self.not_revoked("pin", name)?;
        if let Some((service, _)) = self.entry.published(entry) {
            self.not_revoked("a pin of service", service)?;
        }
        if output == (entry.direction == PinDirection::Output) {
            return Ok(entry);
        }
        let granted = if output { "input" } else { "output" };
        Err(format!(
            "`{driver}` asked for pin `{name_shown}` as {wanted}, which its entry grants as {granted} only; change its `direction` if that is meant"
        ))
    }

    /// Whether these edges, or this level, of a granted pin may interrupt.
    pub(crate) fn edges(&self, name: &str, edges: Edges) -> Result<(), String> {
        let granted: Option<Edges> = self
            .entry
            .gpio
            .get(name)
            .and_then(|entry| entry.edges)
            .map(Into::into);
        match granted {
            Some(granted) if granted == edges => Ok(()),
            Some(Edges::Both) if edges.trigger() == Trigger::Edge => Ok(()),
            _ => Err(format!(
                "`{}` asked for {} of pin `{}`, which its entry does not grant; set its `edges`",
                self.driver(),
                match edges {
                    Edges::Rising => "rising edges",
                    Edges::Falling => "falling edges",
                    Edges::Both => "both edges",
                    Edges::HighLevel => "the high level",
                    Edges::LowLevel => "the low level",
                },
                shown(name)
            )),
        }
    }

    /// How many edges of a granted pin may interrupt in a second.
    pub(crate) fn rate_cap(&self, name: &str) -> Option<u32> {
        let cap = self.entry.gpio.get(name)?.rate_cap?;
        Some(cap.get())
    }

    /// What to open for a port, if it is granted at this speed; 0 is the
    /// entry's own.
    pub(crate) fn port(&self, name: &str, baud: u32) -> Result<PortRequest, String> {
        let driver = self.driver();
        let name_shown = shown(name);
        let Some(entry) = self.entry.serial.get(name) else {
            return Err(format!(
                "`{driver}` asked for port `{name_shown}`, which its entry does not grant; add it under `[driver.serial]` if it is to have it"
            ));
        };
        self.not_revoked("port", name)?;
        let baud = if baud == 0 { entry.baud } else { baud };
        if !entry.grants(baud) {
            return Err(format!(
                "`{driver}` asked for port `{name_shown}` at {baud} baud, which its entry does not grant; add it to the port's `bauds` or `baud-range` if that is meant"
            ));
        }
        Ok(entry.request(driver, baud))
    }

    /// The entry of a device on an I2C bus, if it is granted.
    pub(crate) fn i2c(&self, name: &str) -> Result<&I2cEntry, String> {
        self.not_revoked("I2C device", name)?;
        let entry = self.entry.i2c.get(name);
        entry.ok_or_else(|| self.no_device("I2C", "i2c", name))
    }

    /// The entry of a device on an SPI bus, if it is granted.
    pub(crate) fn spi(&self, name: &str) -> Result<&SpiEntry, String> {
        self.not_revoked("SPI device", name)?;
        let entry = self.entry.spi.get(name);
        entry.ok_or_else(|| self.no_device("SPI", "spi", name))
    }

    fn no_device(&self, bus: &str, table: &str, name: &str) -> String {
        format!(
            "`{}` asked for the {bus} device `{}`, which its entry does not grant; add it under `[driver.{table}]` if it is to have it",
            self.driver(),
            shown(name)
        )
    }

    /// Whether it may publish this service.
    pub(crate) fn provides(&self, service: &str) -> Result<(), String> {
        if self
            .entry
            .provides
            .iter()
            .any(|name| name.get_ref() == service)
        {
            return Ok(());
        }
        Err(format!(
            "`{}` published the service `{}`, which its entry does not grant; add it to `provides`",
            self.driver(),
            shown(service)
        ))
    }

    /// Whether it may open this service.
    pub(crate) fn uses(&self, service: &str) -> Result<(), String> {
        if self.entry.uses.iter().any(|name| name.get_ref() == service) {
            return self.not_revoked("service", service);
        }
        Err(format!(
            "`{}` opened the service `{}`, which its entry does not grant; add it to `uses`",
            self.driver(),
            shown(service)
        ))
    }

    fn driver(&self) -> &str {
        self.entry.name.get_ref()
    }
}

/// A name that the guest chose, short enough for a log line.
fn shown(name: &str) -> String {
    printable_within(name, 64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board_file::BoardFile;
    use crate::error::BoardError;
    use loopgate_devices::serial::FlowControl;

    fn grants() -> Grants {
        let text = r#"
[board]
backend = "sim"
[[driver]]
name = "d"
component = "d.wasm"
provides = ["served"]
[driver.gpio]
plain = { line = "A", direction = "input" }
button = { line = "B", direction = "input", edges = "falling" }
wheel = { line = "C", direction = "input", edges = "both" }
led = { line = "D", direction = "output" }
ready = { line = "E", direction = "input", edges = "low-level" }
[driver.i2c]
sensor = { bus = "i2c-1", address = 0x76 }
[driver.spi]
display = { bus = "spi0", clock = 1000000 }
"#;
        Grants::new(&BoardFile::parse(text, "board.toml").unwrap().drivers[0])
    }

    #[test]
    fn pins_are_granted_by_name_and_direction() {
        let grants = grants();
        for (name, output, granted) in [
            ("plain", false, true),
            ("plain", true, false),
            ("led", true, true),
            ("led", false, false),
            ("GPIO_A", false, false),
            ("A", false, false),
            ("", false, false),
        ] {
            let answer = grants.pin(name, output);
            assert_eq!(answer.is_ok(), granted, "{name}");
            if let Err(reason) = answer {
                assert!(
                    reason.contains("`d`") && reason.contains(&format!("`{name}`")),
                    "{reason}"
                );
            }
        }
    }

    #[test]
    fn edges_are_granted_as_they_stand() {
        let grants = grants();
        let table = [
            ("plain", [false; 5]),
            ("button", [false, true, false, false, false]),
            ("wheel", [true, true, true, false, false]),
            ("led", [false; 5]),
            ("ready", [false, false, false, false, true]),
        ];
        for (name, expected) in table {
            let seen = [
                Edges::Rising,
                Edges::Falling,
                Edges::Both,
                Edges::HighLevel,
                Edges::LowLevel,
            ]
            .map(|edges| grants.edges(name, edges).is_ok());
            assert_eq!(seen, expected, "{name}");
        }
    }

    #[test]
    fn devices_on_buses_are_granted_by_name_and_kind() {
        let grants = grants();
        assert!(grants.i2c("sensor").is_ok() && grants.spi("display").is_ok());
        for refused in [
            grants.i2c("display").map(drop),
            grants.spi("sensor").map(drop),
            grants.i2c("i2c-1").map(drop),
        ] {
            let reason = refused.unwrap_err();
            assert!(
                reason.contains("`d`") && reason.contains("[driver."),
                "{reason}"
            );
        }
    }

    #[test]
    fn ports_are_granted_at_their_speeds() {
        let port = |more: &str| {
            let text = format!(
                "[board]\nbackend = \"sim\"\n[[driver]]\nname = \"d\"\ncomponent = \"d.wasm\"\n\
                 [driver.serial]\np = {{ sim = \"S\", baud = 50{more} }}"
            );
            BoardFile::parse(&text, "b.toml").map(|file| Grants::new(&file.drivers[0]))
        };
        let grants = port(", bauds = [75], baud-range = [1200, 9600]").unwrap();
        for (baud, granted) in [
            (0, true),
            (50, true),
            (75, true),
            (76, false),
            (1199, false),
            (1200, true),
            (4321, true),
            (9600, true),
            (9601, false),
            (u32::MAX, false),
        ] {
            let answer = grants.port("p", baud);
            assert_eq!(answer.is_ok(), granted, "{baud}");
            if let Err(reason) = answer {
                assert!(reason.contains("`baud-range`"), "{reason}");
            }
        }
        for range in ["[9600]", "[9600, 1200]", "[0, 9600]", "[1, 2, 3]"] {
            let error = port(&format!(", baud-range = {range}")).err().unwrap();
            assert!(error.to_string().contains("`baud-range` is"), "{error}");
        }
    }

    #[test]
    fn a_ports_wires_are_what_its_entry_says() {
        let port = |more: &str| {
            let text = format!(
                "[board]\nbackend = \"sim\"\n[[driver]]\nname = \"d\"\ncomponent = \"d.wasm\"\n\
                 [driver.serial]\np = {{ sim = \"S\"{more} }}"
            );
            let file = BoardFile::parse(&text, "b.toml")?;
            Ok::<_, BoardError>(Grants::new(&file.drivers[0]).port("p", 0).unwrap())
        };
        let plain = port("").unwrap();
        assert_eq!(plain.framing.to_string(), "8N1");
        assert_eq!((plain.flow, plain.rs485), (FlowControl::None, false));
        let bus = port(", framing = \"7E2\", rs485 = true").unwrap();
        assert_eq!((bus.framing.to_string().as_str(), bus.rs485), ("7E2", true));
        let held = port(", flow = \"xon-xoff\"").unwrap();
        assert_eq!(held.flow, FlowControl::XonXoff);
        for (wrong, words) in [
            (", framing = \"8n1\"", "`8n1` is no framing; write"),
            (", framing = 8", "expected a string"),
            (", flow = \"dtr\"", "unknown variant `dtr`"),
            (", flow = \"rts-cts\", rs485 = true", "both switch RTS"),
        ] {
            let error = port(wrong).err().unwrap().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn services_are_granted_by_name() {
        let grants = grants();
        assert!(grants.provides("served").is_ok());
        assert!(grants.provides("other").unwrap_err().contains("`other`"));
        assert!(grants.uses("served").unwrap_err().contains("`uses`"));
    }

    #[test]
    fn what_is_revoked_is_gone_with_all_of_that_name() {
        let text = r#"
[board]
backend = "sim"
[[driver]]
name = "d"
component = "d.wasm"
uses = ["both", "pins"]
[driver.gpio]
both = { line = "A", direction = "input" }
first = { line = "pins:1", direction = "input" }
second = { line = "pins:2", direction = "input" }
[driver.serial]
both = { sim = "S" }
[[driver]]
name = "p"
component = "p.wasm"
provides = ["both", "pins"]
"#;
        let file = BoardFile::parse(text, "board.toml").unwrap();
        let entry = file
            .drivers
            .iter()
            .find(|entry| entry.name.get_ref() == "d");
        let grants = Grants::new(entry.unwrap());
        let both = grants.revoke("both").unwrap();
        assert!(both.is_port("both") && both.is_service("both") && both.pins.contains("both"));
        assert!(!both.is_port("first") && !both.is_service("pins"));
        let pins = grants.revoke("pins").unwrap();
        assert_eq!(pins.pins.len(), 2);
        assert!(pins.is_service && !pins.is_port);
        for refused in [
            grants.pin("both", false).err(),
            grants.pin("first", false).err(),
            grants.port("both", 0).err(),
            grants.uses("both").err(),
            grants.uses("pins").err(),
        ] {
            let reason = refused.unwrap();
            assert!(reason.contains("was revoked"), "{reason}");
        }
        let unknown = grants.revoke("A").unwrap_err();
        assert!(
            unknown.contains("`both`, `first`, `pins`, `second`"),
            "{unknown}"
        );
        assert_eq!(grants.revoked().len(), 2);
    }

    #[test]
    fn a_name_cannot_fill_or_fool_the_log() {
        let reason = grants()
            .pin(&format!("\n{}", "x".repeat(10_000)), true)
            .err()
            .unwrap();
        assert!(reason.len() < 300 && !reason.contains('\n'));
    }
}
