//! What one driver may touch: its entry in the board file, and nothing else.

use crate::board_file::{DriverEntry, GpioEntry, I2cEntry, PinDirection, SpiEntry};
use crate::text::printable_within;
use loopgate_devices::gpio::Edges;
use loopgate_devices::serial::PortRequest;
use loopgate_workloop::Trigger;

/// The grants of one driver. Every refusal names driver, thing and remedy.
pub(crate) struct Grants(DriverEntry);

impl Grants {
    pub(crate) fn new(entry: &DriverEntry) -> Self {
        Self(entry.clone())
    }

    /// The entry of a pin, if it is granted this way round.
    pub(crate) fn pin(&self, name: &str, output: bool) -> Result<&GpioEntry, String> {
        let driver = self.driver();
        let name_shown = shown(name);
        let wanted = if output { "output" } else { "input" };
        let Some(entry) = self.0.gpio.get(name) else {
            return Err(format!(
                "`{driver}` asked for pin `{name_shown}` as {wanted}, which its entry does not grant; add it under `[driver.gpio]` if it is to have it"
            ));
        };
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
            .0
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
        let cap = self.0.gpio.get(name)?.rate_cap?;
        Some(cap.get())
    }

    /// What to open for a port, if it is granted at this speed; 0 is the
    /// entry's own.
    pub(crate) fn port(&self, name: &str, baud: u32) -> Result<PortRequest, String> {
        let driver = self.driver();
        let name_shown = shown(name);
        let Some(entry) = self.0.serial.get(name) else {
            return Err(format!(
                "`{driver}` asked for port `{name_shown}`, which its entry does not grant; add it under `[driver.serial]` if it is to have it"
            ));
        };
        let baud = if baud == 0 { entry.baud } else { baud };
        if baud != entry.baud && !entry.bauds.contains(&baud) {
            return Err(format!(
                "`{driver}` asked for port `{name_shown}` at {baud} baud, which its entry does not grant; add it to the port's `bauds` if that is meant"
            ));
        }
        Ok(entry.request(driver, baud))
    }

    /// The entry of a device on an I2C bus, if it is granted.
    pub(crate) fn i2c(&self, name: &str) -> Result<&I2cEntry, String> {
        let entry = self.0.i2c.get(name);
        entry.ok_or_else(|| self.no_device("I2C", "i2c", name))
    }

    /// The entry of a device on an SPI bus, if it is granted.
    pub(crate) fn spi(&self, name: &str) -> Result<&SpiEntry, String> {
        let entry = self.0.spi.get(name);
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
        if self.0.provides.iter().any(|name| name.get_ref() == service) {
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
        if self.0.uses.iter().any(|name| name.get_ref() == service) {
            return Ok(());
        }
        Err(format!(
            "`{}` opened the service `{}`, which its entry does not grant; add it to `uses`",
            self.driver(),
            shown(service)
        ))
    }

    fn driver(&self) -> &str {
        self.0.name.get_ref()
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
    fn services_are_granted_by_name() {
        let grants = grants();
        assert!(grants.provides("served").is_ok());
        assert!(grants.provides("other").unwrap_err().contains("`other`"));
        assert!(grants.uses("served").unwrap_err().contains("`uses`"));
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
