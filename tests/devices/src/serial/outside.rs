//! Ports of an emulated machine, whose other end is outside of it.

use std::path::PathBuf;
use std::sync::Arc;

use loopgate_devices::linux::KernelDevices;
use loopgate_devices::serial::{Device, SerialController};
use loopgate_workloop::SystemClock;

use super::Bench;
use crate::Feature;

/// Asks the outside to plug the adapter in, or to unplug it.
pub type Ask = fn(there: bool);

/// Asks the outside for a break.
pub type AskBreak = fn();

/// An adapter on the USB, with somebody outside who sends back what comes, and
/// unplugs it on request.
pub struct Usb {
    path: PathBuf,
    ask: Ask,
    kernel: Arc<KernelDevices>,
}

/// A 16550, with nobody at its other end, but for breaks.
pub struct Uart {
    path: PathBuf,
    ask: AskBreak,
    kernel: Arc<KernelDevices>,
}

impl Usb {
    /// The adapter that has this name.
    #[must_use]
    pub fn new(path: PathBuf, ask: Ask) -> Self {
        let kernel = Arc::new(KernelDevices::new(Arc::new(SystemClock)));
        Self { path, ask, kernel }
    }
}

impl Uart {
    /// The port that has this name.
    #[must_use]
    pub fn new(path: PathBuf, ask: AskBreak) -> Self {
        let kernel = Arc::new(KernelDevices::new(Arc::new(SystemClock)));
        Self { path, ask, kernel }
    }
}

impl Bench for Usb {
    fn controller(&self) -> Arc<dyn SerialController> {
        self.kernel.clone()
    }

    fn device(&self) -> Device {
        Device::Path(self.path.clone())
    }

    fn has(&self, feature: Feature) -> bool {
        use Feature::{Echo, Unplug, Wires};
        matches!(feature, Echo | Unplug | Wires)
    }

    fn plug(&self, there: bool) {
        (self.ask)(there);
    }
}

impl Bench for Uart {
    fn controller(&self) -> Arc<dyn SerialController> {
        self.kernel.clone()
    }

    fn device(&self) -> Device {
        Device::Path(self.path.clone())
    }

    fn has(&self, feature: Feature) -> bool {
        use Feature::{Breaks, Fallback, Wires};
        matches!(feature, Fallback | Wires | Breaks)
    }

    fn send_break(&self) {
        (self.ask)();
    }
}
