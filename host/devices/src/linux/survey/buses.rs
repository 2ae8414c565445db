//! I2C and SPI buses.

use std::path::Path;

use serde::Serialize;

use super::{Node, names, target, text};

/// An I2C bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct I2cBus {
    /// What its driver calls it.
    pub what: String,
    /// Its file.
    pub node: Node,
    /// Devices that drivers of the kernel have.
    pub devices: Vec<KernelsDevice>,
}

/// A device on a bus that a driver of the kernel has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct KernelsDevice {
    /// Its address.
    pub address: u16,
    /// The kernel's driver.
    pub driver: String,
}

/// A device on an SPI bus.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SpiDevice {
    /// Bus and chip select, for example `spi0.0`.
    pub name: String,
    /// The kernel's driver; programs have what `spidev` has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Its file.
    pub node: Node,
}

pub(super) fn i2c(root: &Path) -> Vec<I2cBus> {
    let folder = root.join("sys/bus/i2c/devices");
    let all = names(&folder);
    let numbers = all
        .iter()
        .filter_map(|name| name.strip_prefix("i2c-")?.parse::<u32>().ok());
    let bus = |number| I2cBus {
        what: text(&folder.join(format!("i2c-{number}/name"))).unwrap_or_default(),
        node: Node::of(root, &format!("/dev/i2c-{number}")),
        devices: all
            .iter()
            .filter_map(|name| kernels(&folder, name, number))
            .collect(),
    };
    numbers.map(bus).collect()
}

/// `1-0076` is a device at 0x76 of bus 1; ten bits have another letter before them.
fn kernels(folder: &Path, name: &str, bus: u32) -> Option<KernelsDevice> {
    let address = name.strip_prefix(&format!("{bus}-"))?;
    Some(KernelsDevice {
        address: u16::from_str_radix(address, 16).ok()?,
        driver: target(&folder.join(name).join("driver"))?,
    })
}

pub(super) fn spi(root: &Path) -> Vec<SpiDevice> {
    let folder = root.join("sys/bus/spi/devices");
    let devices = names(&folder).into_iter().filter_map(|name| {
        let number = name.strip_prefix("spi")?;
        Some(SpiDevice {
            driver: target(&folder.join(&name).join("driver")),
            node: Node::of(root, &format!("/dev/spidev{number}")),
            name,
        })
    });
    devices.collect()
}
