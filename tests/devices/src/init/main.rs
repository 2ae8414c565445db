//! The first process of an emulated machine: it mounts what a kernel has, runs
//! what it was told to behind `--` on the kernel's command line, says what came
//! of it through a channel to the outside, and switches the machine off.
//!
//! Words: `sim`, `pty`, `gpio-sim`, `usb=/dev/ttyUSB0`, `uart=/dev/ttyS1`, `program=/loopgate.tar.gz`.
#![forbid(unsafe_code)]

mod program;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use loopgate_device_suite::{Report, gpio, serial};
use rustix::mount::{MountFlags, mount};
use rustix::system::{RebootCommand, reboot};
use serde_json::{Value, json};

/// The port of the machine that leads outside.
const CHANNEL: &str = "/dev/vport0p1";

static OUTSIDE: OnceLock<File> = OnceLock::new();

fn main() {
    for (kind, place) in [
        ("devtmpfs", "/dev"),
        ("proc", "/proc"),
        ("sysfs", "/sys"),
        ("configfs", "/sys/kernel/config"),
        ("devpts", "/dev/pts"),
        ("tmpfs", "/tmp"),
    ] {
        fs::create_dir_all(place).expect("the root is writable");
        let flags = MountFlags::empty();
        if let Err(error) = mount("none", place, kind, flags, None) {
            println!("{place} cannot be mounted: {error}");
        }
    }
    wait_for(Path::new(CHANNEL));
    let outside = File::options().write(true).open(CHANNEL);
    OUTSIDE.get_or_init(|| outside.expect("there is a channel to the outside"));
    std::env::args().skip(1).for_each(|word| run(&word));
    tell(&json!({ "done": true }));
    rustix::fs::sync();
    let _ = reboot(RebootCommand::PowerOff);
}

fn run(word: &str) {
    let each = |report: &Report| {
        println!("{report}");
        tell(&report.json());
    };
    let present = |path: &str| {
        let path = PathBuf::from(path);
        wait_for(&path);
        path
    };
    match word.split_once('=') {
        None if word == "sim" => {
            gpio::run("gpio, sim", gpio::Simulated::new, each);
            serial::run("serial, sim", serial::Simulated::new, each);
        }
        None if word == "pty" => {
            serial::run("serial, pty", serial::Pty::new, each);
            serial::run("serial, tty", serial::Tty::new, each);
        }
        None if word == "gpio-sim" => gpio::run("gpio, kernel", gpio::GpioSim::new, each),
        Some(("program", path)) => program::run(Path::new(path), each, tell),
        Some(("usb", path)) => {
            let bench = || serial::Usb::new(present(path), ask);
            serial::run("serial, usb", bench, each);
        }
        Some(("uart", path)) => {
            let bench = || serial::Uart::new(present(path), ask_for_break);
            serial::run("serial, 16550", bench, each);
        }
        _ => tell(&json!({ "error": format!("nothing is called `{word}`") })),
    }
}

fn tell(what: &Value) {
    let mut outside = OUTSIDE.get().expect("it is opened first");
    let line = format!("{what}\n");
    outside
        .write_all(line.as_bytes())
        .expect("somebody listens");
}

fn ask(there: bool) {
    tell(&json!({ "plug": there }));
}

fn ask_for_break() {
    tell(&json!({ "break": true }));
}

/// Devices come a little later than the kernel.
fn wait_for(path: &Path) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !path.exists() && Instant::now() < deadline {
        thread::yield_now();
    }
}
