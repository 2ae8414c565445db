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
/// Of the first chip; the last of them has a twin on the second.
const LINES: usize = 9;
const TWIN: usize = LINES - 1;

/// Two chips of their own.
pub struct GpioSim {
    name: String,
    kernel: Arc<KernelDevices>,
    /// Another number each time that they are plugged in.
    chips: RwLock<[Chip; 2]>,
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

    /// Makes them.
    #[must_use]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let bench = Self {
            name: format!("suite-{}-{count}", process::id()),
            kernel: Arc::new(KernelDevices::new(Arc::new(SystemClock))),
            chips: RwLock::default(),
        };
        bench.make_bank(0, LINES);
        bench.make_bank(1, 1);
        for number in 0..LINES {
            bench.make_line(0, number, number);
        }
        bench.make_line(1, 0, TWIN);
        bench.plug(true);
        bench
    }

    fn make_bank(&self, bank: usize, lines: usize) {
        let folder = self.bank(bank);
        fs::create_dir_all(&folder).unwrap();
        write(&folder.join("num_lines"), &lines.to_string());
        write(&folder.join("label"), &self.label(bank));
    }

    fn make_line(&self, bank: usize, offset: usize, number: usize) {
        let folder = self.bank(bank).join(format!("line{offset}"));
        fs::create_dir_all(&folder).unwrap();
        write(&folder.join("name"), &self.line(number));
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
        let number = line.rsplit('-').next().unwrap_or_default();
        let folder = format!("sim_gpio{number}");
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
        format!("{}-{number}", self.name)
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
            *self.chips.write() = [0, 1].map(|bank| self.chip(&device, bank));
        }
    }

    fn chips(&self) -> Option<Chips> {
        let [first, second] = &*self.chips.read();
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
        for (bank, lines) in [(0, LINES), (1, 1)] {
            for line in 0..lines {
                let _ = fs::remove_dir(self.bank(bank).join(format!("line{line}")));
            }
            let _ = fs::remove_dir(self.bank(bank));
        }
        let _ = fs::remove_dir(self.config());
    }
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
