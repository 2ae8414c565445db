//! The commands that mend what is missing.

use loopgate::Target;
use loopgate::devices::linux::survey::{Node, Survey, System, User};

/// What the kernel calls the kinds of devices, and the groups that distributions have
/// for them.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Gpio,
    Serial,
    I2c,
    Spi,
}

impl Kind {
    fn subsystem(self) -> &'static str {
        match self {
            Self::Gpio => "gpio",
            Self::Serial => "tty",
            Self::I2c => "i2c-dev",
            Self::Spi => "spidev",
        }
    }

    fn group(self) -> &'static str {
        match self {
            Self::Gpio => "gpio",
            Self::Serial => "dialout",
            Self::I2c => "i2c",
            Self::Spi => "spi",
        }
    }
}

/// For a device that this user may not open.
pub(super) fn may_open(node: &Node, kind: Kind, user: &User) -> Vec<String> {
    let group = node.group.as_deref().filter(|group| *group != "root");
    match group.filter(|_| node.group_may) {
        Some(group) if user.coming.iter().any(|coming| coming == group) => {
            vec![format!(
                "log out and in again: `{}` is in `{group}`, which counts from then on",
                user.name
            )]
        }
        Some(group) if user.groups.iter().any(|has| has == group) => {
            vec![format!(
                "look at its access list: getfacl {}, and at what confines this shell",
                node.path
            )]
        }
        Some(group) => join(group),
        None => {
            let (group, subsystem) = (kind.group(), kind.subsystem());
            let name = node.path.rsplit('/').next().unwrap_or_default();
            // Not the consoles, which are ttys, too.
            let stem = name.trim_end_matches(|c: char| c.is_ascii_digit());
            let mut remedies = vec![
                format!("sudo groupadd -f {group}"),
                format!(
                    "echo 'SUBSYSTEM==\"{subsystem}\", KERNEL==\"{stem}[0-9]*\", GROUP=\"{group}\", MODE=\"0660\"' | \
                     sudo tee -a /etc/udev/rules.d/60-loopgate.rules"
                ),
                "sudo udevadm control --reload && sudo udevadm trigger".to_owned(),
            ];
            remedies.extend(join(group));
            remedies
        }
    }
}

fn join(group: &str) -> Vec<String> {
    vec![
        format!("sudo usermod -aG {group} $USER"),
        "log out and in again".to_owned(),
    ]
}

/// For a machine that has no such bus.
pub(super) fn bus(kind: Kind, survey: &Survey) -> Vec<String> {
    let system = &survey.system;
    let (setting, done, command) = match kind {
        Kind::I2c => ("dtparam=i2c_arm=on", "i2c_arm=on", "do_i2c 0"),
        Kind::Spi => ("dtparam=spi=on", "spi=on", "do_spi 0"),
        Kind::Serial => ("enable_uart=1", "enable_uart=1", "do_serial_hw 0"),
        Kind::Gpio => return lines(),
    };
    if system.is_pi() {
        return switch_on(system, setting, done, command);
    }
    let other = match kind {
        Kind::Serial => adapter(),
        _ => format!(
            "switch it on in the machine's device tree or firmware, or plug in an adapter; \
             then its files are in /dev ({})",
            kind.subsystem()
        ),
    };
    vec![other]
}

/// For a port that comes with what is plugged in.
pub(super) fn adapter() -> String {
    "plug in a USB serial adapter".to_owned()
}

/// For an I2C bus of the kernel's that has no file.
pub(super) fn i2c_file() -> Vec<String> {
    vec![
        "sudo modprobe i2c-dev".to_owned(),
        "echo i2c-dev | sudo tee /etc/modules-load.d/i2c-dev.conf".to_owned(),
    ]
}

/// For a device that a driver of the kernel's has.
pub(super) fn unbind(bus: &str, device: &str, driver: &str) -> String {
    format!("echo {device} | sudo tee /sys/bus/{bus}/drivers/{driver}/unbind")
}

/// For a device on an SPI bus that no driver has: programs reach it through one.
pub(super) fn spidev(device: &str) -> Vec<String> {
    vec![
        "sudo modprobe spidev".to_owned(),
        format!("echo spidev | sudo tee /sys/bus/spi/devices/{device}/driver_override"),
        format!("echo {device} | sudo tee /sys/bus/spi/drivers/spidev/bind"),
    ]
}

/// What a Raspberry Pi does when it boots.
fn switch_on(system: &System, setting: &str, done: &str, command: &str) -> Vec<String> {
    let config = system.boot_config.as_deref();
    let config = config.unwrap_or("/boot/firmware/config.txt");
    if system.boot_settings.iter().any(|line| line.contains(done)) {
        return vec![format!("sudo reboot (`{config}` switches it on already)")];
    }
    if system.raspi_config {
        return vec![format!("sudo raspi-config nonint {command}")];
    }
    vec![
        format!("echo '{setting}' | sudo tee -a {config}"),
        "sudo reboot".to_owned(),
    ]
}

/// For a machine without GPIO.
pub(super) fn lines() -> Vec<String> {
    vec![
        "a board file with `backend = \"sim\"` works without: loopgate new lamp".to_owned(),
        "plug in a USB adapter with lines, an MCP2221 (sudo modprobe hid-mcp2221) or a CP2112 \
         (sudo modprobe hid-cp2112), or use a Raspberry Pi"
            .to_owned(),
    ]
}

/// For a port that the kernel writes its messages to.
pub(super) fn console(system: &System) -> Vec<String> {
    if system.raspi_config {
        return vec![
            "sudo raspi-config nonint do_serial_cons 1".to_owned(),
            "sudo reboot".to_owned(),
        ];
    }
    vec!["take `console=` with this port from the kernel's command line, and reboot".to_owned()]
}

/// For a machine that cannot compile, or should not.
pub(super) fn elsewhere() -> String {
    format!(
        "on another machine: loopgate compile DRIVER.wasm --target {} -o DRIVER.cwasm; then \
         name that in the board file, with its sha256",
        Target::here()
    )
}
