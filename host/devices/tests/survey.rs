//! What is found on machines that were made up: their files below a folder.
#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use loopgate_devices::linux::survey::{Access, Survey};

struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, path: &str, text: &str) -> &Self {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    fn link(&self, path: &str, target: &str) -> &Self {
        let path = self.0.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
        self
    }

    fn survey(&self) -> Survey {
        Survey::of(self.0.path())
    }
}

/// As of a Raspberry Pi with two ports, of which one is an adapter's, and a clock chip.
fn pi() -> Machine {
    let machine = Machine::new();
    machine
        .file("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0")
        .file("proc/sys/kernel/osrelease", "6.6.31+rpt-rpi-v8\n")
        .file(
            "proc/devices",
            "Character devices:\n  1 mem\n254 gpiochip\n\nBlock devices:\n",
        )
        .file(
            "proc/meminfo",
            "MemTotal:         442376 kB\nMemFree: 1 kB\n",
        )
        .file(
            "boot/firmware/config.txt",
            "# dtparam=spi=on\n\ndtparam=i2c_arm=on\n",
        )
        .file("dev/ttyAMA0", "")
        .file("dev/ttyUSB0", "")
        .file("sys/class/tty/tty0/dev", "4:0")
        .file("sys/class/tty/ttyAMA0/type", "32\n")
        .file("sys/class/tty/ttyAMA0/console", "Y\n")
        .file("sys/class/tty/ttyS1/type", "0\n")
        .file("sys/devices/amba/uart/name", "")
        .link("sys/devices/amba/uart/driver", "/bus/drivers/uart-pl011")
        .link("sys/class/tty/ttyAMA0/device", "../../../devices/amba/uart")
        .link("sys/class/tty/ttyS1/device", "../../../devices/amba/uart")
        .file("sys/devices/usb/1-1/product", "FT232R USB UART\n")
        .file("sys/devices/usb/1-1/1-1:1.0/ttyUSB0/port_number", "0\n")
        .file("sys/class/tty/ttyUSB0/dev", "188:0\n")
        .link(
            "sys/class/tty/ttyUSB0/device",
            "../../../devices/usb/1-1/1-1:1.0/ttyUSB0",
        )
        .link(
            "dev/serial/by-id/usb-FTDI_A50285BI-if00-port0",
            "../../ttyUSB0",
        )
        .file("dev/i2c-1", "")
        .file("sys/bus/i2c/devices/i2c-1/name", "bcm2835 (i2c@7e804000)\n")
        .file("sys/bus/i2c/devices/i2c-20/name", "fef04500.i2c\n")
        .link(
            "sys/bus/i2c/devices/1-0068/driver",
            "/bus/i2c/drivers/rtc-ds1307",
        )
        .file("sys/bus/i2c/devices/1-0076/name", "nobody's\n")
        .file("dev/spidev0.0", "")
        .link(
            "sys/bus/spi/devices/spi0.0/driver",
            "/bus/spi/drivers/spidev",
        )
        .link(
            "sys/bus/spi/devices/spi0.1/driver",
            "/bus/spi/drivers/ads7846",
        );
    machine
}

#[test]
fn the_machine_says_what_it_is() {
    let system = pi().survey().system;
    assert_eq!(
        system.model.as_deref(),
        Some("Raspberry Pi 4 Model B Rev 1.4")
    );
    assert!(system.is_pi() && system.gpio && !system.inotify && !system.raspi_config);
    assert_eq!(system.memory, 442_376 << 10);
    assert_eq!(
        system.boot_config.as_deref(),
        Some("/boot/firmware/config.txt")
    );
    assert_eq!(system.boot_settings, ["dtparam=i2c_arm=on"]);
}

#[test]
fn ports_are_told_from_names_without_hardware() {
    let ports = pi().survey().ports;
    let [ama, s1, usb] = &ports[..] else {
        panic!("{ports:?}");
    };
    assert_eq!(
        (&*ama.node.path, &*ama.what),
        ("/dev/ttyAMA0", "uart-pl011")
    );
    assert!(ama.hardware && ama.console && ama.stable.is_none());
    assert!(!s1.hardware && s1.node.access == Access::Absent);
    assert_eq!(usb.what, "FT232R USB UART");
    assert!(usb.hardware && !usb.console);
    assert_eq!(
        usb.stable.as_deref(),
        Some("/dev/serial/by-id/usb-FTDI_A50285BI-if00-port0")
    );
}

#[test]
fn buses_say_which_devices_the_kernel_has() {
    let survey = pi().survey();
    let [one, twenty] = &survey.i2c[..] else {
        panic!("{:?}", survey.i2c);
    };
    assert_eq!(one.what, "bcm2835 (i2c@7e804000)");
    let taken: Vec<_> = one
        .devices
        .iter()
        .map(|one| (one.address, &*one.driver))
        .collect();
    assert_eq!(taken, [(0x68, "rtc-ds1307")]);
    assert_eq!(twenty.node.access, Access::Absent);
    let spi: Vec<_> = survey
        .spi
        .iter()
        .map(|one| (&*one.name, one.driver.as_deref()))
        .collect();
    assert_eq!(
        spi,
        [("spi0.0", Some("spidev")), ("spi0.1", Some("ads7846"))]
    );
}

#[test]
fn a_file_by_another_name_is_found_where_it_is() {
    let machine = pi();
    let survey = machine.survey();
    let link = Path::new("/dev/serial/by-id/usb-FTDI_A50285BI-if00-port0");
    let (node, real) = survey.node(link);
    assert_eq!(real, Path::new("/dev/ttyUSB0"));
    assert_ne!(node.access, Access::Absent);
    let absent = Path::new("/dev/ttyUSB7");
    let (node, real) = survey.node(absent);
    assert_eq!((node.access, &*real), (Access::Absent, absent));
}

#[test]
fn who_has_a_port_open_is_named() {
    let machine = pi();
    machine
        .file("proc/812/comm", "gpsd\n")
        .link("proc/812/fd/3", "/dev/ttyUSB0")
        .link("proc/812/fd/4", "socket:[1]");
    let ports = machine.survey().ports;
    let holders: Vec<_> = ports.iter().map(|port| port.holder.as_deref()).collect();
    assert_eq!(holders, [None, None, Some("gpsd (process 812)")]);
}

#[test]
fn a_chip_that_cannot_be_asked_is_listed_without_lines() {
    let machine = pi();
    machine
        .file("dev/gpiochip0", "")
        .file("dev/gpiochips", "")
        .file("sys/bus/gpio/devices/gpiochip0/dev", "254:0\n")
        .file("sys/bus/gpio/devices/gpiochip10/dev", "254:10\n")
        .file("sys/bus/gpio/devices/gpiochip9/dev", "254:9\n");
    let chips = machine.survey().chips;
    let names: Vec<_> = chips.iter().map(|chip| &*chip.name).collect();
    assert_eq!(names, ["gpiochip0", "gpiochip9", "gpiochip10"]);
    assert!(
        chips
            .iter()
            .all(|chip| !chip.is_known() && chip.lines.is_empty())
    );
}

#[test]
fn groups_go_by_their_names() {
    let machine = pi();
    let (id, group) = (
        rustix::process::geteuid().as_raw(),
        rustix::process::getegid().as_raw(),
    );
    machine
        .file(
            "etc/passwd",
            &format!("someone:x:{id}:{group}::/:/bin/sh\n"),
        )
        .file(
            "etc/group",
            &format!("first:x:{group}:\nnext:x:4000000:other,someone\nnot:x:4000001:someone2\n"),
        );
    let survey = machine.survey();
    assert_eq!(survey.user.name, "someone");
    assert!(survey.user.groups.contains(&"first".to_owned()));
    assert_eq!(survey.user.coming, ["next"]);
    assert_eq!(survey.ports[0].node.group.as_deref(), Some("first"));
}

#[test]
fn an_empty_machine_has_nothing() {
    let survey = Machine::new().survey();
    assert!(survey.chips.is_empty() && survey.ports.is_empty());
    assert!(survey.i2c.is_empty() && survey.spi.is_empty());
    assert!(!survey.system.gpio && survey.system.model.is_none());
}
