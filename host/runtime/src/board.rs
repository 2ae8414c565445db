//! A board: the hardware, the loops and the drivers of one board file.

use crate::board_file::{BoardFile, Lock};
use crate::buses::Buses;
use crate::crash;
use crate::driver::{Driver, PowerCalls};
use crate::engine::Engine;
use crate::ports::Ports;
use crate::published_pins::PublishedPins;
use crate::sandbox;
use crate::service::{Service, Services};
use crate::shared_lines::SharedLines;
use crate::simulation::Simulation;
use crate::status::{DriverStatus, ServiceStatus, Status};
use crate::time::Time;
use loopgate_devices::gpio::GpioController;
use loopgate_devices::sim::i2c::SimI2c;
use loopgate_devices::sim::spi::SimSpi;
use loopgate_devices::sim::{SimBoard, SimPorts};
use loopgate_workloop::{Context, EventSource as _, Instant, Waits, WorkLoop};
use parking_lot::{Mutex, RwLock};
use rustix::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Weak};

mod alive;
mod builder;
mod call;
mod difference;
mod drivers;
mod ending;
mod power;
mod request;
mod submit;
mod virtual_time;

pub use builder::Builder;
pub use difference::Changes;
pub use request::{Cancel, Mode, Request, SelectorName};
pub use submit::Submitted;

/// A running board. Dropping it stops the drivers in order.
pub struct Board {
    /// Replaced as a whole, so that who goes through it meets one state.
    roster: RwLock<Arc<Roster>>,
    time: Time,
    started: Instant,
    engine: Arc<Engine>,
    /// Across the loops: drivers enter each other's.
    waits: Arc<Waits>,
    services: Arc<Services>,
    published_pins: Arc<PublishedPins>,
    /// Whose lines drivers have.
    gpio: Arc<dyn GpioController>,
    /// Without a line where they are the kernel's.
    simulation: Simulation,
    ports: Arc<Ports>,
    buses: Arc<Buses>,
    /// The same for as long as the board lives.
    shared: Option<Arc<SharedLines>>,
    power: power::Power,
    /// Held by who moves virtual time on.
    stepping: Mutex<()>,
    schedule: virtual_time::Schedule,
    clients: submit::Clients,
    /// Ends after the drivers, of which it writes.
    crash_writer: Option<crash::Writer>,
    /// Held by who replaces the roster, and with it the right to the board file,
    /// where this board was given one. Drivers start and stop meanwhile, and
    /// nothing that runs in them takes it.
    changing: Mutex<Option<Lock>>,
    /// Event counters of those who want to hear that the roster is another.
    watches: Mutex<Vec<Weak<OwnedFd>>>,
    traces: builder::Traces,
    /// It was stopped: no change begins any more.
    stopped: AtomicBool,
}

/// Who is on the board.
struct Roster {
    file: Arc<BoardFile>,
    loops: Vec<Arc<NamedLoop>>,
    /// In the order in which they start, each after those whose services it uses
    /// ([`Driver::providers`]); backwards, users come before their providers.
    drivers: Vec<Arc<Driver>>,
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
        let roster = self.roster();
        Status {
            version: env!("CARGO_PKG_VERSION"),
            board: roster.file.path().display().to_string(),
            backend: roster.file.board.backend.name(),
            clock: match self.time {
                Time::Real(_) => "real",
                Time::Virtual(_) => "virtual",
            },
            power: self.power.state(),
            uptime_ns: self.time.now().saturating_since(self.started).as_nanos() as u64,
            compiler: cfg!(feature = "compiler"),
            sandbox: sandbox::status(),
            buses: self.buses.status(),
            drivers: roster
                .drivers
                .iter()
                .map(|driver| driver_status(&roster, driver))
                .collect(),
        }
    }

    /// The board file that this board was made from, or changed to.
    pub fn file(&self) -> Arc<BoardFile> {
        self.roster().file.clone()
    }

    fn roster(&self) -> Arc<Roster> {
        self.roster.read().clone()
    }

    /// The simulated board, to set and to watch its lines from outside. It has
    /// none where the lines are the kernel's.
    pub fn sim(&self) -> &Arc<SimBoard> {
        self.simulation.board()
    }

    /// The simulated serial ports, to be the device at their other end.
    pub fn sim_ports(&self) -> &Arc<SimPorts> {
        self.ports.sim()
    }

    /// The simulated I2C buses, to attach devices to them and to have them fail.
    pub fn sim_i2c(&self) -> &Arc<SimI2c> {
        self.buses.sim_i2c()
    }

    /// The simulated SPI buses, to attach devices to them.
    pub fn sim_spi(&self) -> &Arc<SimSpi> {
        self.buses.sim_spi()
    }

    /// The time, by the board's clock.
    pub fn now(&self) -> Instant {
        self.time.now()
    }

    /// Stops every driver, users before their providers, as
    /// [`stop_driver`](Self::stop_driver) does. Requests that wait end, and
    /// later ones fail; the board can still be asked for its status, and cannot be
    /// changed to another board file. From any thread, but not from within a handler.
    pub fn stop(&self) {
        self.stopped.store(true, SeqCst);
        let end = || Context::with_current(|cx| self.end(cx, &self.roster(), None));
        // First without the lock: a change may wait for drivers.
        end();
        // What one under way has started meanwhile.
        let _changing = self.changing.lock();
        end();
    }

    /// Puts every output that a driver has open in its safe state (`on-death` of the
    /// board file), for a process that has to end before [`stop`](Self::stop) has
    /// come to its own end. Waits for no gate and calls no driver: one that is in a
    /// handler can set its outputs again. From any thread.
    pub fn rest_outputs(&self) {
        let roster = self.roster();
        roster
            .drivers
            .iter()
            .for_each(|driver| driver.rest_at_once());
    }

    /// Stops every driver, as [`Board::stop`], and the board's threads.
    pub fn shutdown(self) {
        drop(self);
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.stop();
        let roster = self.roster();
        roster.loops.iter().for_each(|known| known.terminate());
        roster.loops.iter().for_each(|known| known.join());
        // Before the host lets the outputs go that it keeps in their safe states.
        self.simulation.end_recording();
    }
}

impl NamedLoop {
    fn terminate(&self) {
        Context::with_current(|cx| self.work_loop.terminate(cx));
    }

    fn join(&self) {
        // Refused to a handler of that very loop, which a board is not changed
        // or dropped in.
        let _ = Context::with_current(|cx| self.work_loop.join(cx));
    }
}

fn driver_status(roster: &Roster, driver: &Arc<Driver>) -> DriverStatus {
    let life = driver.life();
    let on = roster
        .loops
        .iter()
        .find(|known| Arc::ptr_eq(&known.work_loop, &driver.work_loop));
    DriverStatus {
        name: driver.name.clone(),
        component: driver.code().file.display().to_string(),
        work_loop: on.map(|known| known.name.clone()).unwrap_or_default(),
        state: life.state,
        cause: life.why(),
        generation: driver.generation(),
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
        revoked: driver.grants.revoked(),
        ports: driver.port_status(),
        limits: driver.limits.clone(),
        usage: driver.counters.used(),
        counts: driver.counters.counts(),
        handler_time: driver.counters.handler_time(),
        restarts: driver.restarts(),
        last_reload: driver.last_reload(),
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
