//! The machine and its kernel.

use std::path::Path;

use serde::Serialize;

use super::text;

/// A machine and its kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct System {
    /// What its maker calls it, for example `Raspberry Pi 4 Model B Rev 1.4`.
    pub model: Option<String>,
    /// The kernel's release.
    pub kernel: String,
    /// What the processor is.
    pub architecture: &'static str,
    /// Bytes of memory.
    pub memory: u64,
    /// Whether the kernel can give lines to programs: `/dev/gpiochip*`, as of its
    /// release 5.10.
    pub gpio: bool,
    /// Whether the kernel tells of changed files.
    pub inotify: bool,
    /// The file of a Raspberry Pi's boot that switches buses on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub boot_config: Option<String>,
    /// What it sets, the lines without comments.
    #[serde(skip)]
    pub boot_settings: Vec<String>,
    /// Whether there is `raspi-config`.
    pub raspi_config: bool,
}

impl System {
    pub(super) fn of(root: &Path) -> Self {
        let kernel = text(&root.join("proc/sys/kernel/osrelease")).unwrap_or_default();
        let boot_config = boot_config(root);
        Self {
            model: text(&root.join("proc/device-tree/model")).or_else(|| pc_model(root)),
            gpio: has_chips(root) && has_second_interface(&kernel),
            kernel,
            architecture: std::env::consts::ARCH,
            memory: memory(root).unwrap_or_default(),
            inotify: root.join("proc/sys/fs/inotify/max_user_watches").exists(),
            boot_settings: boot_settings(root, boot_config.as_deref()),
            boot_config,
            raspi_config: root.join("usr/bin/raspi-config").exists(),
        }
    }

    /// Whether it is a Raspberry Pi.
    pub fn is_pi(&self) -> bool {
        let model = self.model.as_deref();
        model.is_some_and(|model| model.starts_with("Raspberry Pi"))
    }
}

fn pc_model(root: &Path) -> Option<String> {
    let field = |name| text(&root.join("sys/class/dmi/id").join(name));
    let words = [field("sys_vendor"), field("product_name")];
    let words: Vec<_> = words.into_iter().flatten().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// As drivers of character devices are listed.
fn has_chips(root: &Path) -> bool {
    let devices = text(&root.join("proc/devices")).unwrap_or_default();
    let mut names = devices
        .lines()
        .filter_map(|line| line.split_whitespace().nth(1));
    names.any(|name| name == "gpiochip")
}

/// The one with debounce and sequence numbers, which lines are opened by.
fn has_second_interface(kernel: &str) -> bool {
    let mut numbers = kernel.split(|c: char| !c.is_ascii_digit());
    let mut number = || numbers.next()?.parse::<u32>().ok();
    matches!((number(), number()), (Some(5), Some(10..)) | (Some(6..), _))
}

fn memory(root: &Path) -> Option<u64> {
    let lines = text(&root.join("proc/meminfo"))?;
    let line = lines
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

fn boot_config(root: &Path) -> Option<String> {
    let paths = ["boot/firmware/config.txt", "boot/config.txt"];
    let path = paths.into_iter().find(|path| root.join(path).exists())?;
    Some(format!("/{path}"))
}

fn boot_settings(root: &Path, path: Option<&str>) -> Vec<String> {
    let text = path.and_then(|path| text(&super::below(root, Path::new(path))));
    let text = text.unwrap_or_default();
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_need_a_kernel_of_5_10() {
        for (release, has) in [
            ("4.19.118-v7l+", false),
            ("5.9.16", false),
            ("5.10.0-33-amd64", true),
            ("6.6.31+rpt-rpi-v8", true),
            ("", false),
        ] {
            assert_eq!(has_second_interface(release), has, "{release}");
        }
    }
}
