//! Devices on I2C and SPI buses. Whether one answers is not tried.

use std::path::Path;

use loopgate::board_file::{I2cEntry, SpiEntry};
use loopgate::devices::linux::survey::{Access, Survey};

use super::denied;
use crate::doctor::finding::Finding;
use crate::doctor::remedy::{self, Kind};

pub(super) fn i2c(name: &str, entry: &I2cEntry, survey: &Survey) -> Finding {
    let (bus, address) = (entry.bus.get_ref(), *entry.address.get_ref());
    let what = format!("I2C device `{name}`, {address:#04x} on `{bus}`");
    let real = match file(&what, bus, Kind::I2c, survey) {
        Ok(real) => real,
        Err(finding) => return finding,
    };
    let mut buses = survey.i2c.iter();
    let bus = buses.find(|bus| Path::new(&bus.node.path) == Path::new(&real));
    let devices = bus.into_iter().flat_map(|bus| &bus.devices);
    let mut taken = devices.filter(|device| device.address == address && !entry.ten_bit);
    match taken.next() {
        Some(device) => {
            let number = real.trim_start_matches("/dev/i2c-");
            kernels(
                &what,
                "i2c",
                &format!("{number}-{address:04x}"),
                &device.driver,
            )
        }
        None => Finding::ok(format!("{what}, whose bus is there")),
    }
}

pub(super) fn spi(name: &str, entry: &SpiEntry, survey: &Survey) -> Finding {
    let (bus, select) = (entry.bus.get_ref(), entry.chip_select);
    let path = format!("{bus}.{select}");
    let what = format!("SPI device `{name}`, `{path}`");
    let number = path.trim_start_matches("/dev/spidev");
    let mut devices = survey.spi.iter();
    let device = devices.find(|device| device.name == format!("spi{number}"));
    match device.and_then(|device| device.driver.as_deref()) {
        Some(driver) if driver != "spidev" => {
            kernels(&what, "spi", &format!("spi{number}"), driver)
        }
        _ => file(&what, &path, Kind::Spi, survey).map_or_else(
            |finding| finding,
            |_| Finding::ok(format!("{what}, is there")),
        ),
    }
}

/// The file that a bus of the kernel's really is; else what is to be said of it.
fn file(what: &str, path: &str, kind: Kind, survey: &Survey) -> Result<String, Finding> {
    if !path.starts_with('/') {
        return Err(Finding::ok(format!("{what}, is simulated")));
    }
    let (node, real) = survey.node(Path::new(path));
    if node.access == Access::Absent {
        let what = format!("{what}: {path} is not there");
        return Err(Finding::missing(what, remedy::bus(kind, survey)));
    }
    let closed = denied(what, &node, kind, survey);
    closed.map_or_else(|| Ok(real.display().to_string()), Err)
}

fn kernels(what: &str, bus: &str, device: &str, driver: &str) -> Finding {
    Finding::missing(
        format!("{what}, which the kernel's driver `{driver}` has"),
        vec![format!(
            "echo {device} | sudo tee /sys/bus/{bus}/drivers/{driver}/unbind"
        )],
    )
}
