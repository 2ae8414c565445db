//! Chips of the kernel's `gpio-sim`, made by `configfs` and driven by `sysfs`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use loopgate_devices::gpio::GpioController;
use loopgate_devices::linux::KernelDevices;
use loopgate_workloop::{Clock as _, Instant, SystemClock};
use parking_lot::RwLock;

use super::{Bench, Chips};
use crate::Feature;

const CONFIG: &str = "/sys/kernel/config/gpio-sim";
const DEVICES: &str = "/sys/devices/platform";
/// Of the suite's first chip; the last of them has a twin on the second.
const LINES: usize = 9;
const TWIN: usize = LINES - 1;

/// Chips of its own.
pub struct GpioSim {
    name: String,
    /// The names of each chip's lines.
    lines: Vec<Vec<String>>,
    kernel: Arc<KernelDevices>,
    /// Another number each time that they are plugged in.
    chips: RwLock<Vec<Chip>>,
}

#[derive(Default)]
struct Chip {
    name: String,
    folder: PathBuf,
}

impl GpioSim {
    /// Whether this kernel can make any.
    #[must_use]
    pub fn is_there() -> bool {
        Path::new(CONFIG).exists()
    }

    /// The suite's.
    #[must_use]
    pub fn new() -> Self {
        let name = new_name();
        let line = |number| format!("{name}-{number}");
        let lines = vec![(0..LINES).map(line).collect(), vec![line(TWIN)]];
        Self::made(name, lines)
    }

    /// One with the lines of a Raspberry Pi's header, by number.
    #[must_use]
    pub fn raspberry_pi() -> Self {
        let lines = (0..28).map(|number| format!("GPIO{number}"));
        Self::made(new_name(), vec![lines.collect()])
    }

    fn made(name: String, lines: Vec<Vec<String>>) -> Self {
        let kernel = Arc::new(KernelDevices::new(Arc::new(SystemClock)));
        let chips = RwLock::default();
        let bench = Self {
            name,
            lines,
            kernel,
            chips,
        };
        for (bank, lines) in bench.lines.iter().enumerate() {
            bench.make_bank(bank, lines);
        }
        bench.plug(true);
        bench
    }

    fn make_bank(&self, bank: usize, lines: &[String]) {
        let folder = self.bank(bank);
        fs::create_dir_all(&folder).unwrap();
        write(&folder.join("num_lines"), &lines.len().to_string());
        write(&folder.join("label"), &self.label(bank));
        for (offset, name) in lines.iter().enumerate() {
            let folder = folder.join(format!("line{offset}"));
            fs::create_dir_all(&folder).unwrap();
            write(&folder.join("name"), name);
        }
    }

    fn config(&self) -> PathBuf {
        Path::new(CONFIG).join(&self.name)
    }

    fn bank(&self, bank: usize) -> PathBuf {
        self.config().join(format!("bank{bank}"))
    }

    fn label(&self, bank: usize) -> String {
        format!("{}-{bank}", self.name)
    }

    fn chip(&self, device: &str, bank: usize) -> Chip {
        let name = read(&self.bank(bank).join("chip_name"));
        let folder = Path::new(DEVICES).join(device).join(&name);
        Chip { name, folder }
    }

    /// What stands for a line outside of the kernel.
    fn outside(&self, line: &str, file: &str) -> PathBuf {
        let offset = self.lines[0].iter().position(|name| name == line);
        let folder = format!("sim_gpio{}", offset.expect("it is on the first chip"));
        self.chips.read()[0].folder.join(folder).join(file)
    }
}

impl Default for GpioSim {
    fn default() -> Self {
        Self::new()
    }
}

impl Bench for GpioSim {
    fn controller(&self) -> Arc<dyn GpioController> {
        self.kernel.clone()
    }

    fn line(&self, number: usize) -> String {
        self.lines[0][number].clone()
    }

    fn drive(&self, line: &str, high: bool) {
        let pull = if high { "pull-up" } else { "pull-down" };
        write(&self.outside(line, "pull"), pull);
    }

    fn level(&self, line: &str) -> bool {
        read(&self.outside(line, "value")) == "1"
    }

    fn now(&self) -> Instant {
        SystemClock.now()
    }

    fn pass(&self) {
        crate::rest();
    }

    fn has(&self, feature: Feature) -> bool {
        matches!(feature, Feature::Queue | Feature::Chips | Feature::Unplug)
    }

    fn plug(&self, there: bool) {
        write(&self.config().join("live"), if there { "1" } else { "0" });
        if there {
            let device = read(&self.config().join("dev_name"));
            let chips = (0..self.lines.len()).map(|bank| self.chip(&device, bank));
            *self.chips.write() = chips.collect();
        }
    }

    fn chips(&self) -> Option<Chips> {
        let chips = self.chips.read();
        let [first, second] = &chips[..] else {
            return None;
        };
        Some(Chips {
            place: format!("{}:0", first.name),
            by_label: format!("{}:0", self.label(0)),
            twin: (
                self.line(TWIN),
                [
                    format!("{}:{TWIN}", first.name),
                    format!("{}:0", second.name),
                ],
            ),
        })
    }
}

impl Drop for GpioSim {
    fn drop(&mut self) {
        let _ = fs::write(self.config().join("live"), "0");
        for (bank, lines) in self.lines.iter().enumerate() {
            for line in 0..lines.len() {
                let _ = fs::remove_dir(self.bank(bank).join(format!("line{line}")));
            }
            let _ = fs::remove_dir(self.bank(bank));
        }
        let _ = fs::remove_dir(self.config());
    }
}

fn new_name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("suite-{}-{count}", process::id())
}

fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

fn read(path: &Path) -> String {
    match fs::read_to_string(path) {
        Ok(text) => text.trim().to_owned(),
        Err(error) => panic!("{}: {error}", path.display()),
    }
}
