//! Serial ports, wherever they are: on the simulated board or in the kernel.

use crate::board_file::BoardFile;
use loopgate_devices::linux::SerialPorts;
use loopgate_devices::serial::{Device, Error, PortRequest, SerialController, SerialPort};
use loopgate_devices::sim::{SimPortConfig, SimPorts};
use loopgate_workloop::Clock;
use parking_lot::Mutex;
use std::sync::Arc;

pub(crate) struct Ports {
    sim: Arc<SimPorts>,
    clock: Arc<dyn Clock>,
    /// Made for the first port of the kernel's: most boards have none, and
    /// need no thread for them.
    kernel: Mutex<Option<Arc<SerialPorts>>>,
}

impl Ports {
    pub(crate) fn new(file: &BoardFile, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            sim: SimPorts::new(clock.clone(), simulated(file)),
            clock,
            kernel: Mutex::default(),
        })
    }

    /// Ports that only drivers of this file have. Those that are there stay as
    /// they are.
    pub(crate) fn add(&self, file: &BoardFile) {
        self.sim.add_ports(simulated(file));
    }

    pub(crate) fn sim(&self) -> &Arc<SimPorts> {
        &self.sim
    }

    fn kernel(&self) -> std::io::Result<Arc<SerialPorts>> {
        let mut kernel = self.kernel.lock();
        if let Some(kernel) = &*kernel {
            return Ok(kernel.clone());
        }
        let made = Arc::new(SerialPorts::new(self.clock.clone())?);
        *kernel = Some(made.clone());
        Ok(made)
    }
}

fn simulated(file: &BoardFile) -> Vec<SimPortConfig> {
    let entries = file
        .drivers
        .iter()
        .flat_map(|driver| driver.serial.values());
    let names = entries.filter_map(|entry| entry.sim.as_ref());
    names
        .map(|name| SimPortConfig::new(name.get_ref()))
        .collect()
}

impl SerialController for Ports {
    fn open(&self, request: &PortRequest) -> Result<Arc<dyn SerialPort>, Error> {
        if matches!(request.device, Device::Sim(_)) {
            return self.sim.open(request);
        }
        let kernel = self.kernel().map_err(|source| Error::Io {
            device: request.device.to_string(),
            operation: "start the thread that serves it",
            source,
        })?;
        kernel.open(request)
    }
}
