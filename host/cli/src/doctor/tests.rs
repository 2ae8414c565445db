//! Boards held against machines that were made up.

use std::path::Path;

use loopgate::control::{Place, to_hex};
use loopgate::devices::linux::survey::{
    Access, Chip, ChipLine, I2cBus, KernelsDevice, Node, Port, SpiDevice, Survey, User,
};
use loopgate::{BoardFile, HostFacts, Target};
use sha2::{Digest as _, Sha256};

use super::Report;
use super::finding::{Finding, State};
use super::text;

fn node(path: &str, access: Access) -> Node {
    Node {
        path: path.to_owned(),
        access,
        group: Some("gpio".to_owned()),
        group_may: true,
    }
}

fn line(offset: u32, name: &str, holder: Option<&str>) -> ChipLine {
    ChipLine {
        offset,
        name: name.to_owned(),
        holder: holder.map(str::to_owned),
        output: false,
    }
}

fn chip(name: &str, lines: Vec<ChipLine>) -> Chip {
    Chip {
        name: name.to_owned(),
        label: Some(format!("label of {name}")),
        node: node(&format!("/dev/{name}"), Access::Granted),
        lines,
    }
}

/// Below a folder that is gone, so that no file is there.
fn empty() -> Survey {
    let folder = tempfile::tempdir().unwrap();
    let mut survey = Survey::of(folder.path());
    survey.user = User {
        name: "pi".to_owned(),
        groups: vec!["pi".to_owned()],
        coming: Vec::new(),
    };
    survey
}

/// What a component begins with.
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

fn report(survey: Survey, backend: &str, grants: &str) -> Report {
    let board = format!(
        "[board]\nbackend = \"{backend}\"\n[[driver]]\nname = \"d\"\n\
         component = \"d.wasm\"\n{grants}"
    );
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("d.wasm"), COMPONENT).unwrap();
    let file = BoardFile::parse(&board, folder.path().join("board.toml")).unwrap();
    Report::of(host(), survey, Some(&file))
}

fn host() -> HostFacts {
    HostFacts::of(&Place::at(std::env::temp_dir().join("socket")))
}

/// Of the one thing that is granted.
fn granted(survey: Survey, grants: &str) -> Finding {
    let report = report(survey, "linux", grants);
    let mut grants = report.board.as_ref().unwrap().grants.clone();
    let finding = grants.pop().unwrap();
    assert_eq!(report.is_good(), finding.is_good());
    finding
}

fn pin(survey: Survey, line: &str) -> Finding {
    granted(
        survey,
        &format!("[driver.gpio]\nled = {{ line = \"{line}\", direction = \"output\" }}"),
    )
}

#[test]
fn a_line_is_where_it_is_free_held_or_meant_twice() {
    let mut survey = empty();
    survey.chips = vec![
        chip(
            "gpiochip0",
            vec![
                line(16, "GPIO16", Some("spi0 CS0")),
                line(17, "GPIO17", None),
            ],
        ),
        chip(
            "gpiochip1",
            vec![line(0, "TWICE", None), line(1, "TWICE", None)],
        ),
    ];
    for (name, state, words) in [
        ("GPIO17", State::Ok, "is gpiochip0:17"),
        ("gpiochip1:1", State::Ok, "is gpiochip1:1"),
        ("label of gpiochip0:17", State::Ok, "is gpiochip0:17"),
        ("GPIO16", State::Missing, "which `spi0 CS0` has"),
        ("TWICE", State::Missing, "gpiochip1:0, gpiochip1:1"),
        ("GPIO99", State::Missing, "is on no chip"),
        ("gpiochip1:2", State::Missing, "is on no chip"),
    ] {
        let finding = pin(survey.clone(), name);
        assert_eq!(finding.state, state, "{name}: {}", finding.what);
        assert!(finding.what.contains(words), "{name}: {}", finding.what);
        assert_eq!(finding.remedies.is_empty(), state == State::Ok, "{name}");
    }
}

#[test]
fn a_chip_that_this_user_may_not_open_is_mended_by_its_group() {
    let mut survey = empty();
    let mut closed = chip("gpiochip0", Vec::new());
    closed.label = None;
    closed.node.access = Access::Denied;
    survey.chips = vec![closed];
    let remedies = |survey: &Survey| {
        let finding = pin(survey.clone(), "GPIO17");
        assert!(finding.what.contains("may not open /dev/gpiochip0"));
        finding.remedies.join("\n")
    };
    assert!(remedies(&survey).starts_with("sudo usermod -aG gpio $USER"));
    survey.user.coming = vec!["gpio".to_owned()];
    assert!(remedies(&survey).starts_with("log out and in again"));
    survey.user.coming.clear();
    survey.chips[0].node.group = Some("root".to_owned());
    let rule = remedies(&survey);
    assert!(
        rule.contains("KERNEL==\"gpiochip[0-9]*\"") && rule.contains("usermod"),
        "{rule}"
    );
    let advice = &report(survey, "sim", "").advice;
    assert!(advice[0].what.contains("may not open"), "{advice:?}");
}

#[test]
fn a_machine_without_gpio_runs_a_simulated_board() {
    let grants = "[driver.gpio]\nled = { line = \"GPIO17\", direction = \"output\" }\n\
                  [driver.i2c]\nsensor = { bus = \"any\", address = 0x76 }";
    let report = report(empty(), "sim", grants);
    assert!(report.is_good());
    let said = text::of(&report);
    for words in [
        "no GPIO chip",
        "backend = \"sim\"",
        "is simulated",
        "all that the board",
    ] {
        assert!(said.contains(words), "{said}");
    }
    let missing = pin(empty(), "GPIO17");
    assert_eq!(missing.state, State::Missing);
    assert!(missing.remedies[0].contains("`backend = \"sim\"`"));
}

#[test]
fn ports_are_looked_at_and_not_opened() {
    let port = |survey| {
        granted(
            survey,
            "[driver.serial]\ngps = { device = \"/dev/ttyUSB0\" }",
        )
    };
    let finding = port(empty());
    assert!(finding.what.ends_with("is not there"), "{}", finding.what);
    assert_eq!(finding.remedies, ["plug in a USB serial adapter"]);
    let mut pi = empty();
    pi.system.model = Some("Raspberry Pi 5 Model B Rev 1.0".to_owned());
    assert_eq!(port(pi.clone()).remedies, ["plug in a USB serial adapter"]);
    let built_in = "[driver.serial]\ngps = { device = \"/dev/ttyAMA0\" }";
    let remedies = granted(pi, built_in).remedies;
    assert!(remedies[0].contains("enable_uart=1"), "{remedies:?}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("dev")).unwrap();
    std::fs::write(folder.path().join("dev/ttyUSB0"), "").unwrap();
    let mut survey = Survey::of(folder.path());
    survey.ports = vec![Port {
        node: node("/dev/ttyUSB0", Access::Granted),
        what: "FT232R".to_owned(),
        hardware: true,
        console: false,
        stable: None,
        holder: None,
    }];
    assert_eq!(port(survey.clone()).state, State::Ok);
    let change = |change: fn(&mut Port), words: &str| {
        let mut survey = survey.clone();
        change(&mut survey.ports[0]);
        let finding = port(survey);
        assert!(finding.what.contains(words), "{}", finding.what);
        assert!(!finding.is_good() && !finding.remedies.is_empty());
    };
    change(|port| port.hardware = false, "without hardware");
    change(|port| port.console = true, "writes its messages");
    change(
        |port| port.holder = Some("gpsd".to_owned()),
        "is open in gpsd",
    );
}

#[test]
fn a_bus_is_there_or_switched_on_by_a_command() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("dev")).unwrap();
    std::fs::write(folder.path().join("dev/i2c-1"), "").unwrap();
    let i2c = "[driver.i2c]\nsensor = { bus = \"/dev/i2c-1\", address = 0x76 }";
    let mut survey = Survey::of(folder.path());
    let taken = KernelsDevice {
        address: 0x76,
        driver: "bmp280".to_owned(),
    };
    survey.i2c = vec![I2cBus {
        what: "bcm2835".to_owned(),
        node: node("/dev/i2c-1", Access::Granted),
        devices: Vec::new(),
    }];
    assert_eq!(granted(survey.clone(), i2c).state, State::Ok);
    survey.i2c[0].devices.push(taken);
    let finding = granted(survey, i2c);
    assert_eq!(
        finding.remedies,
        ["echo 1-0076 | sudo tee /sys/bus/i2c/drivers/bmp280/unbind"]
    );

    let mut pi = empty();
    pi.system.model = Some("Raspberry Pi Zero 2 W Rev 1.0".to_owned());
    let remedy = |pi: &Survey| granted(pi.clone(), i2c).remedies[0].clone();
    assert!(remedy(&pi).starts_with("echo 'dtparam=i2c_arm=on' | sudo tee -a /boot/"));
    pi.system.raspi_config = true;
    assert_eq!(remedy(&pi), "sudo raspi-config nonint do_i2c 0");
    pi.system.boot_settings = vec!["dtparam=i2c_arm=on".to_owned()];
    assert!(remedy(&pi).starts_with("sudo reboot"));
    pi.i2c = vec![I2cBus {
        what: String::new(),
        node: node("/dev/i2c-1", Access::Absent),
        devices: Vec::new(),
    }];
    assert_eq!(remedy(&pi), "sudo modprobe i2c-dev");
    // A screen's, which has nothing to do with the header's.
    pi.i2c[0].node.path = "/dev/i2c-20".to_owned();
    pi.system.boot_settings.clear();
    assert_eq!(remedy(&pi), "sudo raspi-config nonint do_i2c 0");
    let advice = &report(pi, "sim", "").advice;
    let off = |finding: &Finding| finding.what == "I2C is switched off";
    assert!(advice.iter().any(off), "{advice:?}");
}

#[test]
fn an_spi_device_that_the_kernel_has_is_unbound() {
    let spi = "[driver.spi]\nshow = { bus = \"/dev/spidev0\", chip-select = 1, clock = 1000 }";
    let mut survey = empty();
    survey.spi = vec![SpiDevice {
        name: "spi0.1".to_owned(),
        driver: Some("ads7846".to_owned()),
        node: node("/dev/spidev0.1", Access::Absent),
    }];
    let taken = granted(survey.clone(), spi).remedies;
    assert_eq!(
        taken,
        [
            "echo spi0.1 | sudo tee /sys/bus/spi/drivers/ads7846/unbind",
            "sudo modprobe spidev",
            "echo spidev | sudo tee /sys/bus/spi/devices/spi0.1/driver_override",
            "echo spi0.1 | sudo tee /sys/bus/spi/drivers/spidev/bind",
        ]
    );
    survey.spi[0].driver = None;
    assert_eq!(granted(survey, spi).remedies, taken[1..]);
    assert!(
        granted(empty(), spi)
            .what
            .contains("/dev/spidev0.1 is not there")
    );
}

#[test]
fn a_component_that_is_not_there_is_missing() {
    let file = BoardFile::parse(
        "[board]\nbackend = \"sim\"\n[[driver]]\nname = \"d\"\ncomponent = \"nowhere.wasm\"\n",
        "board.toml",
    );
    let report = Report::of(host(), Survey::of(Path::new("/")), Some(&file.unwrap()));
    assert!(!report.is_good());
}

#[test]
fn a_host_without_a_compiler_needs_what_another_one_compiled() {
    let folder = tempfile::tempdir().unwrap();
    let board = "[board]\nbackend = \"sim\"\n[[driver]]\nname = \"d\"\ncomponent = \"d\"\n";
    let with = |content: &[u8], more: &str, compiler| {
        std::fs::write(folder.path().join("d"), content).unwrap();
        let path = folder.path().join("board.toml");
        let file = BoardFile::parse(&format!("{board}{more}"), path).unwrap();
        let host = HostFacts { compiler, ..host() };
        Report::of(host, empty(), Some(&file))
    };
    assert!(with(COMPONENT, "", true).is_good());
    let code = |target: &str| {
        [
            b"loopgate code 2 ",
            target.as_bytes(),
            b"\n\0\0\0\0\0\0\0\0",
        ]
        .concat()
    };
    let sha256 = |content: &[u8]| format!("sha256 = \"{}\"", to_hex(&Sha256::digest(content)));
    let here = code(&Target::here().to_string());
    assert!(with(&here, &sha256(&here), false).is_good());
    let vax = code("vax-linux");
    for (content, more, remedy) in [
        (
            COMPONENT,
            String::new(),
            "loopgate compile DRIVER.wasm --target",
        ),
        (
            &here,
            String::new(),
            "        put that of a file that you have made yourself",
        ),
        (
            &here,
            sha256(&vax),
            "        put the component that was meant there",
        ),
        (
            &vax,
            sha256(&vax),
            "        make it with `loopgate compile --target",
        ),
        (
            b"loopgate code 2",
            sha256(b"loopgate code 2"),
            "        compile the component again",
        ),
    ] {
        let report = with(content, &more, false);
        assert!(!report.is_good());
        let said = text::of(&report);
        assert!(said.contains(remedy), "{said}");
    }
}
