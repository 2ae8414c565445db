//! GPIO chips and their lines.

use std::collections::BTreeSet;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use gpiocdev_uapi::v2::{self, LineFlags};
use serde::Serialize;

use super::super::gpio::{consumer, text};
use super::{Access, Node, names};

/// A GPIO chip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Chip {
    /// The kernel's name for it, for example `gpiochip0`.
    pub name: String,
    /// What its driver calls it; nothing where it cannot be opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// Its file.
    pub node: Node,
    /// Its lines, by their numbers; none where it cannot be opened.
    pub lines: Vec<ChipLine>,
}

/// A line of a chip.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ChipLine {
    /// Its number on the chip.
    pub offset: u32,
    /// Its name; empty where it has none.
    pub name: String,
    /// Who has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holder: Option<String>,
    /// Whether it is an output now.
    pub output: bool,
}

pub(super) fn of(root: &Path) -> Vec<Chip> {
    let known = names(&root.join("sys/bus/gpio/devices"));
    let mut all = names(&root.join("dev"));
    all.extend(known);
    let mut seen = BTreeSet::new();
    all.retain(|name| {
        let number = name.strip_prefix("gpiochip");
        let is_chip = number.is_some_and(|number| number.parse::<u32>().is_ok());
        is_chip && seen.insert(name.clone())
    });
    let mut devices = BTreeSet::new();
    let chips = all.into_iter().filter_map(|name| {
        let node = Node::of(root, &format!("/dev/{name}"));
        let file = File::open(root.join("dev").join(&name)).ok();
        // Boards keep an older number as a link.
        let device = file.as_ref().and_then(|file| file.metadata().ok());
        let device = device.map(|meta| meta.rdev()).filter(|device| *device != 0);
        if device.is_some_and(|device| !devices.insert(device)) {
            return None;
        }
        Some(chip(name, node, file.as_ref()))
    });
    chips.collect()
}

fn chip(name: String, node: Node, file: Option<&File>) -> Chip {
    let info = file.and_then(|file| Some((file, v2::get_chip_info(file).ok()?)));
    let Some((file, info)) = info else {
        return Chip {
            name,
            label: None,
            node,
            lines: Vec::new(),
        };
    };
    let line = |offset| {
        let info = v2::get_line_info(file, offset).ok()?;
        Some(ChipLine {
            offset,
            name: text(&info.name),
            holder: consumer(&info),
            output: info.flags.contains(LineFlags::OUTPUT),
        })
    };
    Chip {
        // Not that of a link to it.
        name: text(&info.name),
        label: Some(text(&info.label)),
        node,
        lines: (0..info.num_lines).filter_map(line).collect(),
    }
}

impl Chip {
    /// Whether the kernel has told about it.
    pub fn is_known(&self) -> bool {
        self.label.is_some() && self.node.access != Access::Absent
    }
}
