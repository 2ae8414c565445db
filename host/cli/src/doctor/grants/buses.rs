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
            let unbind = remedy::unbind("i2c", &format!("{number}-{address:04x}"), &device.driver);
            Finding::missing(taken_by(&what, &device.driver), vec![unbind])
        }
        None => Finding::ok(format!("{what}, whose bus is there")),
    }
}

pub(super) fn spi(name: &str, entry: &SpiEntry, survey: &Survey) -> Finding {
    let (bus, select) = (entry.bus.get_ref(), entry.chip_select);
    let path = format!("{bus}.{select}");
    let what = format!("SPI device `{name}`, `{path}`");
    let number = path.trim_start_matches("/dev/spidev");
    let name = format!("spi{number}");
    let mut devices = survey.spi.iter();
    let device = devices.find(|device| device.name == name);
    match device.map(|device| device.driver.as_deref()) {
        Some(Some(driver)) if driver != "spidev" => {
            let mut remedies = vec![remedy::unbind("spi", &name, driver)];
            remedies.extend(remedy::spidev(&name));
            Finding::missing(taken_by(&what, driver), remedies)
        }
        Some(None) => Finding::missing(
            format!("{what}, which no driver of the kernel's has"),
            remedy::spidev(&name),
        ),
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
        let is_known = survey.i2c.iter().any(|bus| bus.node.path == path);
        let remedies = if is_known {
            remedy::i2c_file()
        } else {
            remedy::bus(kind, survey)
        };
        return Err(Finding::missing(what, remedies));
    }
    let closed = denied(what, &node, kind, survey);
    closed.map_or_else(|| Ok(real.display().to_string()), Err)
}

fn taken_by(what: &str, driver: &str) -> String {
    format!("{what}, which the kernel's driver `{driver}` has")
}
