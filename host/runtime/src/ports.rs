//! Serial ports, wherever they are: on the simulated board or in the kernel.

use crate::board_file::BoardFile;
use loopgate_devices::linux::KernelDevices;
use loopgate_devices::serial::{Device, Error, PortRequest, SerialController, SerialPort};
use loopgate_devices::sim::{SimPortConfig, SimPorts};
use loopgate_workloop::Clock;
use std::sync::Arc;

pub(crate) struct Ports {
    sim: Arc<SimPorts>,
    kernel: Arc<KernelDevices>,
}

impl Ports {
    pub(crate) fn new(
        file: &BoardFile,
        clock: Arc<dyn Clock>,
        kernel: Arc<KernelDevices>,
    ) -> Arc<Self> {
        Arc::new(Self {
            sim: SimPorts::new(clock, simulated(file)),
            kernel,
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
        self.kernel.open(request)
    }
}
