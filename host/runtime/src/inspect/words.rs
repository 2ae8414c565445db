//! The grants of a board file's entry, for people.

use crate::board_file::{
    BoardFile, DriverEntry, GpioEntry, OnDeath, PinBias, PinDirection, PinEdges, PortFlow,
    SerialEntry,
};
use crate::units::{show_bytes, show_span};
use toml::Spanned;

/// A line for each grant of the entry.
pub(super) fn granted(board: &BoardFile, entry: &DriverEntry) -> Vec<String> {
    let driver = entry.name.get_ref();
    let pins = entry.gpio_in_order().into_iter();
    let pins = pins.map(|(name, pin)| {
        let (line, mode) = (line(board, entry, pin), mode(pin));
        format!(
            "pin `{name}` = {line}, {mode}, {}",
            use_of(board, entry, pin)
        )
    });
    let mut ports: Vec<_> = entry.serial.iter().collect();
    ports.sort_by_key(|(_, port)| port.place().map(|place| place.span().start));
    let ports = ports.into_iter();
    let ports = ports.map(|(name, port)| format!("port `{name}` = {}", speeds(port)));
    let provides = entry.provides.iter().map(Spanned::get_ref);
    let provides = provides.map(|service| {
        let users = named(board, |other| uses(other, service));
        let whom = users.map_or_else(String::new, |users| format!(", which {users} may open"));
        format!("may publish the service `{service}`{whom}")
    });
    let used = entry.uses.iter().map(Spanned::get_ref);
    let used =
        used.map(|service| format!("may open the service `{service}`{}", of(board, service)));
    let i2c = entry.i2c_in_order().into_iter().map(|(name, device)| {
        let (bus, address) = (device.bus.get_ref(), device.address());
        format!("I2C device `{name}` = bus `{bus}`, address {address}, exclusive")
    });
    let spi = entry.spi_in_order().into_iter().map(|(name, device)| {
        let (bus, select) = (device.bus.get_ref(), device.chip_select);
        let (mode, clock) = (device.mode, device.clock);
        format!("SPI device `{name}` = bus `{bus}`, chip select {select}, mode {mode}, {clock} Hz, exclusive")
    });
    let devices = ports.chain(i2c).chain(spi);
    let all = pins.chain(devices).chain(provides).chain(used);
    all.map(|grant| format!("`{driver}`: {grant}")).collect()
}

fn joined<const N: usize>(words: [Option<String>; N]) -> String {
    let words: Vec<_> = words.into_iter().flatten().collect();
    words.join(", ")
}

fn uses(entry: &DriverEntry, service: &str) -> bool {
    entry.uses.iter().any(|used| used.get_ref() == service)
}

/// The drivers that are so, if there are any.
fn named(board: &BoardFile, is: impl Fn(&DriverEntry) -> bool) -> Option<String> {
    let drivers = board.drivers.iter().filter(|entry| is(entry));
    let names: Vec<_> = drivers
        .map(|entry| format!("`{}`", entry.name.get_ref()))
        .collect();
    (!names.is_empty()).then(|| names.join(" and "))
}

/// Of which driver.
fn of(board: &BoardFile, service: &str) -> String {
    match board.provider_of(service) {
        Some(provider) => format!(" of driver `{}`", provider.name.get_ref()),
        None => ", which no driver of the board provides".to_owned(),
    }
}

fn line(board: &BoardFile, entry: &DriverEntry, pin: &GpioEntry) -> String {
    match entry.published(pin) {
        Some((service, name)) => {
            format!(
                "pin `{name}` of the service `{service}`{}",
                of(board, service)
            )
        }
        None => format!("line `{}`", pin.line.get_ref()),
    }
}

/// Which way, and what its levels are.
fn mode(pin: &GpioEntry) -> String {
    let direction = match pin.direction {
        PinDirection::Input => "input",
        PinDirection::Output => "output",
    };
    let bias = match pin.bias {
        PinBias::AsIs => "",
        PinBias::PullUp => " pulled up",
        PinBias::PullDown => " pulled down",
        PinBias::Disabled => " without a pull",
    };
    let active = if pin.active_low { ", active low" } else { "" };
    format!("{direction}{bias}{active}")
}

/// What it may do, and who else has it.
fn use_of(board: &BoardFile, entry: &DriverEntry, pin: &GpioEntry) -> String {
    let published = entry.published(pin).is_some();
    match pin.direction {
        PinDirection::Input => joined([
            Some(interrupts(pin)),
            pin.debounce
                .map(|span| format!("levels count once they have held for {}", show_span(span.0))),
            Some(sharers(board, entry, pin)),
        ]),
        PinDirection::Output if published => "exclusive".to_owned(),
        PinDirection::Output => {
            let state = match pin.on_death.unwrap_or_default() {
                OnDeath::Low => "driven low",
                OnDeath::High => "driven high",
                OnDeath::Input => "released to its pull",
                OnDeath::Hold => "left as it is",
            };
            format!("exclusive, {state} when the driver lets it go")
        }
    }
}

fn interrupts(pin: &GpioEntry) -> String {
    let when = match pin.edges {
        None => return "interrupts never".to_owned(),
        Some(PinEdges::Rising) => "on rising edges",
        Some(PinEdges::Falling) => "on falling edges",
        Some(PinEdges::Both) => "on both edges",
        Some(PinEdges::HighLevel) => "while high",
        Some(PinEdges::LowLevel) => "while low",
    };
    let cap = pin.rate_cap;
    let cap = cap.map_or_else(String::new, |cap| format!(" up to {cap} times a second"));
    format!("interrupts {when}{cap}")
}

fn sharers(board: &BoardFile, entry: &DriverEntry, pin: &GpioEntry) -> String {
    if !pin.shared {
        return "exclusive".to_owned();
    }
    let others = named(board, |other| {
        let mut pins = other.gpio.values();
        other.name != entry.name && pins.any(|its| its.line.get_ref() == pin.line.get_ref())
    });
    others.map_or_else(
        || "shared with nobody".to_owned(),
        |others| format!("shared with {others}"),
    )
}

fn speeds(port: &SerialEntry) -> String {
    let place = port.place().map_or("", |place| place.get_ref());
    let others: Vec<_> = port.bauds.iter().map(u32::to_string).collect();
    let range = match port.baud_range[..] {
        [least, most] => Some(format!("any from {least} to {most}")),
        _ => None,
    };
    let others = others
        .into_iter()
        .chain(range)
        .collect::<Vec<_>>()
        .join(", ");
    let others = (!others.is_empty()).then(|| format!("or, where it asks for that, {others}"));
    let flow = match port.flow {
        PortFlow::None => None,
        PortFlow::RtsCts => Some("flow control by RTS and CTS".to_owned()),
        PortFlow::XonXoff => Some("flow control by XON and XOFF".to_owned()),
    };
    joined([
        Some(format!("`{place}`")),
        Some(format!("{} baud", port.baud)),
        others,
        Some(port.framing.0.to_string()),
        flow,
        port.rs485.then(|| "RS-485".to_owned()),
        Some(format!(
            "exclusive, holds {} each way",
            show_bytes(port.buffer())
        )),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOARD: &str = r#"
[board]
backend = "sim"
[[driver]]
name = "d"
component = "d.wasm"
provides = ["d"]
uses = ["keys"]
[driver.gpio]
plain = { line = "A", direction = "input" }
button = { line = "B", direction = "input", bias = "pull-up", active-low = true, edges = "both", debounce = "5 ms", rate-cap = 9 }
alarm = { line = "C", direction = "input", edges = "low-level", shared = true }
key = { line = "keys:P1", direction = "input", edges = "rising" }
row = { line = "keys:P2", direction = "output" }
led = { line = "D", direction = "output" }
relay = { line = "E", direction = "output", on-death = "low" }
[driver.serial]
modem = { device = "/dev/ttyAMA0", baud = 115200, bauds = [9600], baud-range = [1200, 4800] }
bus = { device = "/dev/ttyS1", framing = "7E2", rs485 = true }
held = { device = "/dev/ttyS2", flow = "rts-cts" }
[driver.i2c]
sensor = { bus = "i2c-1", address = 0x76 }
[driver.spi]
display = { bus = "spi0", clock = 1000000, mode = 3 }
[[driver]]
name = "e"
component = "e.wasm"
provides = ["keys"]
uses = []
[driver.gpio]
mine = { line = "C", direction = "input", edges = "low-level", shared = true }
"#;

    #[test]
    fn each_grant_is_said_in_words() {
        let board = BoardFile::parse(BOARD, "board.toml").unwrap();
        let entry = |name: &str| {
            let mut drivers = board.drivers.iter();
            drivers.find(|entry| entry.name.get_ref() == name).unwrap()
        };
        let expected = [
            "`d`: pin `plain` = line `A`, input, interrupts never, exclusive",
            "`d`: pin `button` = line `B`, input pulled up, active low, interrupts on both edges up to 9 times a second, levels count once they have held for 5 ms, exclusive",
            "`d`: pin `alarm` = line `C`, input, interrupts while low, shared with `e`",
            "`d`: pin `key` = pin `P1` of the service `keys` of driver `e`, input, interrupts on rising edges, exclusive",
            "`d`: pin `row` = pin `P2` of the service `keys` of driver `e`, output, exclusive",
            "`d`: pin `led` = line `D`, output, exclusive, released to its pull when the driver lets it go",
            "`d`: pin `relay` = line `E`, output, exclusive, driven low when the driver lets it go",
            "`d`: port `modem` = `/dev/ttyAMA0`, 115200 baud, or, where it asks for that, 9600, any from 1200 to 4800, 8N1, exclusive, holds 4 KiB each way",
            "`d`: port `bus` = `/dev/ttyS1`, 9600 baud, 7E2, RS-485, exclusive, holds 4 KiB each way",
            "`d`: port `held` = `/dev/ttyS2`, 9600 baud, 8N1, flow control by RTS and CTS, exclusive, holds 4 KiB each way",
            "`d`: I2C device `sensor` = bus `i2c-1`, address 0x76, exclusive",
            "`d`: SPI device `display` = bus `spi0`, chip select 0, mode 3, 1000000 Hz, exclusive",
            "`d`: may publish the service `d`",
            "`d`: may open the service `keys` of driver `e`",
        ];
        assert_eq!(granted(&board, entry("d")), expected);
        let services = &granted(&board, entry("e"))[1..];
        assert_eq!(
            services,
            ["`e`: may publish the service `keys`, which `d` may open"]
        );
    }
}
