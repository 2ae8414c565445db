//! Serial ports.

use std::fs;
use std::path::Path;

use serde::Serialize;

use super::{Node, names, target, text};

/// A serial port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Port {
    /// Its file.
    pub node: Node,
    /// The adapter's name or the kernel's driver.
    pub what: String,
    /// Whether there is anything behind it: kernels have names for more ports than
    /// a machine has.
    pub hardware: bool,
    /// Whether the kernel writes its messages there.
    pub console: bool,
    /// A path that stays the same whatever the port's number, for adapters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stable: Option<String>,
    /// A program that has it open, as far as this user may see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
}

pub(super) fn of(root: &Path) -> Vec<Port> {
    let class = root.join("sys/class/tty");
    // Consoles and pseudo-terminals have no device.
    let names = names(&class);
    let real = names
        .iter()
        .filter(|name| class.join(name).join("device").exists());
    real.map(|name| port(root, &class, name)).collect()
}

fn port(root: &Path, class: &Path, name: &str) -> Port {
    let folder = class.join(name);
    let attribute = |file| text(&folder.join(file));
    Port {
        node: Node::of(root, &format!("/dev/{name}")),
        what: what(&folder.join("device")).unwrap_or_default(),
        // Of bare UARTs; 0 is one that was not found.
        hardware: attribute("type").is_none_or(|kind| kind != "0"),
        console: attribute("console").is_some_and(|is| is == "Y"),
        stable: stable(root, name),
        holder: None,
    }
}

/// The product, of a USB adapter; else the nearest driver that says something.
fn what(device: &Path) -> Option<String> {
    let device = fs::canonicalize(device).ok()?;
    let folders = || device.ancestors().take(8);
    let product = folders().find_map(|folder| text(&folder.join("product")));
    product.or_else(|| {
        let drivers = folders().filter_map(|folder| target(&folder.join("driver")));
        let mut drivers = drivers.filter(|name| !["port", "ctrl"].contains(&name.as_str()));
        drivers.next()
    })
}

fn stable(root: &Path, name: &str) -> Option<String> {
    const FOLDER: &str = "dev/serial/by-id";
    let links = names(&root.join(FOLDER));
    let leads = |link: &String| target(&root.join(FOLDER).join(link)).as_deref() == Some(name);
    links
        .into_iter()
        .find(leads)
        .map(|link| format!("/{FOLDER}/{link}"))
}
