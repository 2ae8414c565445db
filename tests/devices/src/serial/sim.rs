//! A port of the simulated board.

use std::sync::Arc;

use loopgate_devices::serial::{Device, SerialController};
use loopgate_devices::sim::{SimPortConfig, SimPorts};
use loopgate_workloop::VirtualClock;

use super::Bench;
use crate::Feature;

const NAME: &str = "port";

/// A port of a simulated board, with somebody who sends back what comes.
pub struct Simulated(Arc<SimPorts>);

impl Simulated {
    /// A port of its own.
    #[must_use]
    pub fn new() -> Self {
        let clock = Arc::new(VirtualClock::new());
        Self(SimPorts::new(clock, vec![SimPortConfig::new(NAME)]))
    }
}

impl Default for Simulated {
    fn default() -> Self {
        Self::new()
    }
}

impl Bench for Simulated {
    fn controller(&self) -> Arc<dyn SerialController> {
        self.0.clone()
    }

    fn device(&self) -> Device {
        Device::Sim(NAME.to_owned())
    }

    fn has(&self, feature: Feature) -> bool {
        use Feature::{Breaks, Echo, Unplug, Wires};
        matches!(feature, Echo | Unplug | Wires | Breaks)
    }

    fn pass(&self) {
        let sent = self.0.take(NAME).unwrap();
        self.0.feed(NAME, &sent).unwrap();
    }

    fn plug(&self, there: bool) {
        let plugged = if there {
            self.0.plug(NAME)
        } else {
            self.0.unplug(NAME)
        };
        plugged.unwrap();
    }

    fn send_break(&self) {
        self.0.send_break(NAME).unwrap();
    }
}
