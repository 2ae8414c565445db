//! A board: the hardware, the loops and the drivers of one board file.

use crate::board_file::BoardFile;
use crate::crash;
use crate::driver::{Driver, PowerCalls};
use crate::ports::Ports;
use crate::published_pins::PublishedPins;
use crate::service::{Service, Services};
use crate::simulation::Simulation;
use crate::status::{DriverStatus, ServiceStatus, Status};
use crate::time::Time;
use loopgate_devices::sim::{SimBoard, SimPorts};
use loopgate_workloop::{Context, EventSource as _, Instant, Waits, WorkLoop};
use parking_lot::Mutex;
use std::sync::Arc;

mod builder;
mod call;
mod drivers;
mod ending;
mod power;
mod request;
mod virtual_time;

pub use builder::Builder;
pub use request::{Cancel, Mode, Request, SelectorName};

/// A running board. Dropping it stops the drivers in order.
pub struct Board {
    file: BoardFile,
    time: Time,
    started: Instant,
    loops: Vec<NamedLoop>,
    /// Across the loops: drivers enter each other's.
    waits: Arc<Waits>,
    drivers: Vec<Arc<Driver>>,
    services: Arc<Services>,
    published_pins: Arc<PublishedPins>,
    simulation: Simulation,
    ports: Arc<Ports>,
    power: power::Power,
    /// Held by who moves virtual time on.
    stepping: Mutex<()>,
    /// Ends after the drivers, of which it writes.
    crash_writer: Option<crash::Writer>,
}

struct NamedLoop {
    name: String,
    work_loop: Arc<WorkLoop>,
    /// Stands in for the loop's thread in virtual time.
    runner: Context,
    power_calls: Arc<PowerCalls>,
}

impl Board {
    /// Begins to set a board up.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The state of every driver, without waiting for any.
    pub fn status(&self) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION"),
            board: self.file.path().display().to_string(),
            clock: match self.time {
                Time::Real(_) => "real",
                Time::Virtual(_) => "virtual",
            },
            power: self.power.state(),
            uptime_ns: self.time.now().saturating_since(self.started).as_nanos() as u64,
            drivers: self
                .drivers
                .iter()
                .map(|driver| self.driver_status(driver))
                .collect(),
        }
    }

    /// The board file that this board was made from.
    pub fn file(&self) -> &BoardFile {
        &self.file
    }

    /// The simulated board, to set and to watch its lines from outside.
    pub fn sim(&self) -> &Arc<SimBoard> {
        self.simulation.board()
    }

    /// The simulated serial ports, to be the device at their other end.
    pub fn sim_ports(&self) -> &Arc<SimPorts> {
        self.ports.sim()
    }

    /// The time, by the board's clock.
    pub fn now(&self) -> Instant {
        self.time.now()
    }

    /// Stops every driver, users before their providers, as
    /// [`stop_driver`](Self::stop_driver) does. Requests that wait end, and
    /// later ones fail; the board can still be asked for its status. From any
    /// thread, but not from within a handler.
    pub fn stop(&self) {
        Context::with_current(|cx| self.end(cx, None));
    }

    /// The drivers, each after those whose services it uses
    /// ([`Driver::providers`]); backwards, users come before their providers.
    pub(crate) fn start_order(&self) -> &[Arc<Driver>] {
        &self.drivers
    }

    /// Stops every driver, as [`Board::stop`], and the board's threads.
    pub fn shutdown(self) {
        drop(self);
    }

    fn driver_status(&self, driver: &Arc<Driver>) -> DriverStatus {
        let life = driver.life();
        let on = self
            .loops
            .iter()
            .find(|known| Arc::ptr_eq(&known.work_loop, &driver.work_loop));
        DriverStatus {
            name: driver.name.clone(),
            component: driver.component.display().to_string(),
            work_loop: on.map(|known| known.name.clone()).unwrap_or_default(),
            state: life.state,
            cause: life.why(),
            generation: driver.generation(),
            restarts: driver.restarts(),
            services: driver
                .services
                .of(driver)
                .iter()
                .map(|service| service_status(service))
                .collect(),
            pins: driver
                .entry
                .gpio
                .iter()
                .map(|(name, pin)| (name.clone(), pin.line.get_ref().clone()))
                .collect(),
            left_lines: driver.left_lines(),
            ports: driver.port_status(),
            limits: driver.limits.clone(),
            usage: driver.counters.used(),
            counts: driver.counters.counts(),
            handler_time: driver.counters.handler_time(),
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.stop();
        Context::with_current(|cx| {
            for known in &self.loops {
                known.work_loop.terminate(cx);
            }
        });
        for known in &self.loops {
            // Refused to a handler of that very loop, which a board is not dropped in.
            let _ = Context::with_current(|cx| known.work_loop.join(cx));
        }
    }
}

fn service_status(service: &Service) -> ServiceStatus {
    ServiceStatus {
        name: service.name.clone(),
        enabled: service.gate.is_enabled(),
        input_max: service.input_max,
        selectors: service.selectors.clone(),
    }
}
