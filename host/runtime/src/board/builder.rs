//! Setting a board up.

use super::submit::Clients;
use super::virtual_time::Schedule;
use super::{Board, NamedLoop, Roster, power::Power};
use crate::board_file::{Backend, BoardFile, ClockKind, DriverEntry, Lock, Placement};
use crate::buses::{Brought, Buses};
use crate::cache::Cache;
use crate::crash;
use crate::driver::{Code, Devices, Driver, PowerCalls, Surroundings};
use crate::engine::{Engine, VirtualEngine};
use crate::error::BoardError;
use crate::ports::Ports;
use crate::published_pins::PublishedPins;
use crate::recording::VcdFile;
use crate::service::Services;
use crate::shared_lines::SharedLines;
use crate::simulation::Simulation;
use crate::stack::THREAD_STACK;
use crate::time::Time;
use crate::trace::{Faults, Recorder, Traced};
use loopgate_devices::gpio::GpioController;
use loopgate_devices::i2c::{Address, I2cBus};
use loopgate_devices::linux::KernelDevices;
use loopgate_devices::sim::i2c::SimI2cDevice;
use loopgate_devices::sim::spi::SimSpiDevice;
use loopgate_workloop::{Context, SystemClock, VirtualClock, Waits, WorkLoop};
use parking_lot::{Mutex, RwLock};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The loop that watches them: no driver can have this name.
const SHARED_LINES: &str = "shared lines";

/// Sets a board up.
#[derive(Default)]
pub struct Builder {
    file: Option<BoardFile>,
    clock: Option<ClockKind>,
    cache: CacheChoice,
    crashes: Reports,
    vcd: Option<VcdFile>,
    lock: Option<Lock>,
    brought: Brought,
    traces: Traces,
    schedule: Option<u64>,
    engine: Option<VirtualEngine>,
}

#[derive(Default)]
enum CacheChoice {
    #[default]
    Default,
    None,
    At(PathBuf),
}

/// Who looks at the drivers' boundary.
#[derive(Clone, Default)]
pub(super) struct Traces {
    recorder: Option<Arc<Recorder>>,
    faults: Option<(String, Arc<Faults>)>,
}

impl Traces {
    fn of(&self, driver: &str) -> Traced {
        let faults = self.faults.as_ref().filter(|(name, _)| name == driver);
        let faults = faults.map(|(_, faults)| faults.clone());
        Traced::new(driver, self.recorder.clone(), faults)
    }
}

/// Where crash reports go.
#[derive(Default)]
enum Reports {
    #[default]
    Default,
    None,
    At(PathBuf),
}

impl Builder {
    /// Reads the board file.
    pub fn board_file(mut self, path: impl AsRef<Path>) -> Result<Self, BoardError> {
        self.file = Some(BoardFile::read(path)?);
        Ok(self)
    }

    /// Uses a board file that was read already.
    #[must_use]
    pub fn board(mut self, file: BoardFile) -> Self {
        self.file = Some(file);
        self
    }

    /// Overrides the board file's clock.
    #[must_use]
    pub fn clock(mut self, clock: ClockKind) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Keeps compiled components in this directory, in place of
    /// `$XDG_CACHE_HOME/loopgate` or `~/.cache/loopgate`.
    #[must_use]
    pub fn cache_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.cache = CacheChoice::At(directory.into());
        self
    }

    /// Compiles anew each time.
    #[must_use]
    pub fn without_cache(mut self) -> Self {
        self.cache = CacheChoice::None;
        self
    }

    /// Keeps the reports of drivers' deaths in this directory, in place of a folder
    /// for the board in `$XDG_STATE_HOME/loopgate` or `~/.local/state/loopgate`.
    #[must_use]
    pub fn crash_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.crashes = Reports::At(directory.into());
        self
    }

    /// Keeps no reports of drivers' deaths.
    #[must_use]
    pub fn without_crash_reports(mut self) -> Self {
        self.crashes = Reports::None;
        self
    }

    /// Records what happens on the board's lines.
    #[must_use]
    pub fn record(mut self, vcd: VcdFile) -> Self {
        self.vcd = Some(vcd);
        self
    }

    /// Records what crosses the boundary of the drivers, all of them.
    #[must_use]
    pub fn trace(mut self, recorder: Arc<Recorder>) -> Self {
        self.traces.recorder = Some(recorder);
        self
    }

    /// Has calls of this driver fail.
    #[must_use]
    pub fn faults(mut self, driver: impl Into<String>, faults: Arc<Faults>) -> Self {
        self.traces.faults = Some((driver.into(), faults));
        self
    }

    /// Virtual time only: shares what it runs drivers with, and what was loaded with it.
    /// The cache of compiled code is the engine's then.
    #[must_use]
    pub fn engine(mut self, engine: &VirtualEngine) -> Self {
        self.engine = Some(engine.clone());
        self
    }

    /// Virtual time only: where several loops have something to do at one instant, draws
    /// from this seed which of them goes on, and how far. Without one the first does,
    /// as far as it can.
    #[must_use]
    pub fn schedule(mut self, seed: u64) -> Self {
        self.schedule = Some(seed);
        self
    }

    /// Keeps the right to the board file for as long as the board lives, see
    /// [`BoardFile::lock`].
    #[must_use]
    pub fn lock(mut self, lock: Lock) -> Self {
        self.lock = Some(lock);
        self
    }

    /// Has this bus, in place of a simulated one, for the drivers whose entries name
    /// it. It has a thread of its own, in virtual time too.
    #[must_use]
    pub fn i2c_bus(mut self, name: impl Into<String>, bus: Arc<dyn I2cBus>) -> Self {
        self.brought.i2c.insert(name.into(), bus);
        self
    }

    /// Puts a device on a simulated I2C bus, before the drivers start.
    #[must_use]
    pub fn i2c_device(
        mut self,
        bus: impl Into<String>,
        address: Address,
        device: Arc<dyn SimI2cDevice>,
    ) -> Self {
        let place = (bus.into(), address);
        self.brought.i2c_devices.push((place, device));
        self
    }

    /// Puts a device on a simulated SPI bus, before the drivers start.
    #[must_use]
    pub fn spi_device(
        mut self,
        bus: impl Into<String>,
        chip_select: u8,
        device: Arc<dyn SimSpiDevice>,
    ) -> Self {
        let place = (bus.into(), chip_select);
        self.brought.spi_devices.push((place, device));
        self
    }

    /// Starts the board and its drivers, each after those it uses. A driver
    /// that cannot be loaded or started stands as failed in the status; the
    /// others run.
    ///
    /// # Panics
    ///
    /// When no board file was given.
    pub fn build(self) -> Result<Board, BoardError> {
        let file = self.file.expect("a board needs a board file");
        let time = match self.clock.unwrap_or(file.board.clock) {
            ClockKind::Real => Time::Real(Arc::new(SystemClock)),
            ClockKind::Virtual => Time::Virtual(Arc::new(VirtualClock::new())),
        };
        let engine = match (&time, self.engine) {
            (Time::Real(_), _) => Engine::new(self.cache.open()),
            (Time::Virtual(_), Some(VirtualEngine(engine))) => Ok(engine),
            (Time::Virtual(_), None) => Engine::deterministic(self.cache.open()),
        };
        let engine = engine.map_err(BoardError::Host)?;
        let writer = self.crashes.writer(&file)?;
        file.check_clock(matches!(time, Time::Virtual(_)))?;
        let simulation = Simulation::new(&file, &time, self.vcd.as_ref())?;
        let kernel = Arc::new(KernelDevices::new(time.clock()));
        let gpio: Arc<dyn GpioController> = match file.board.backend {
            Backend::Sim => simulation.board().clone(),
            Backend::Linux => kernel.clone(),
        };
        let mut board = Board {
            started: time.now(),
            engine,
            services: Arc::new(Services::new(&file)),
            published_pins: Arc::new(PublishedPins::new(time.clock())),
            waits: Waits::new(),
            gpio,
            ports: Ports::new(&file, time.clock(), kernel),
            buses: Buses::new(&file, &time, simulation.board(), self.brought)?,
            simulation,
            power: Power::default(),
            shared: None,
            stepping: Mutex::default(),
            schedule: Schedule::drawn_from(self.schedule),
            clients: Clients::default(),
            crash_writer: writer,
            time,
            roster: RwLock::new(Arc::new(Roster::empty(Arc::new(file)))),
            changing: Mutex::new(self.lock),
            watches: Mutex::default(),
            traces: self.traces,
            stopped: false.into(),
        };
        board.watch_shared_lines()?;
        let nobody = board.roster();
        let roster = board.place_drivers(&nobody.file, &nobody)?;
        board.become_roster(&nobody, &Arc::new(roster));
        // From here on: a stimulus must not find its driver still compiling.
        board.started = board.time.now();
        board.simulation.begin(board.started)?;
        Ok(board)
    }
}

impl CacheChoice {
    /// A cache that cannot be used costs time, not the board.
    fn open(self) -> Option<Cache> {
        let directory = match self {
            Self::None => return None,
            Self::At(directory) => directory,
            Self::Default => Cache::default_directory()?,
        };
        Cache::open(&directory)
            .inspect_err(|error| tracing::warn!("{error}; compiling without a cache"))
            .ok()
    }
}

impl Reports {
    fn writer(self, file: &BoardFile) -> Result<Option<crash::Writer>, BoardError> {
        let directory = match self {
            Self::None => None,
            Self::At(directory) => Some(directory),
            Self::Default => crash::default_directory(file.path()),
        };
        let writer = directory.map(crash::Writer::start).transpose();
        writer.map_err(|error| BoardError::Host(format!("no thread for crash reports: {error}")))
    }
}

impl Roster {
    fn empty(file: Arc<BoardFile>) -> Self {
        Self {
            file,
            loops: Vec::new(),
            drivers: Vec::new(),
        }
    }

    pub(super) fn driver(&self, name: &str) -> Option<&Arc<Driver>> {
        self.drivers.iter().find(|driver| driver.name == name)
    }

    /// The driver that provides a service.
    pub(super) fn provider(&self, service: &str) -> Option<&Arc<Driver>> {
        let entry = self.file.provider_of(service)?;
        self.driver(entry.name.get_ref())
    }

    /// Those who provide what a driver uses: they were placed before it.
    pub(super) fn providers_of(&self, entry: &DriverEntry) -> Vec<Arc<Driver>> {
        let mut providers: Vec<Arc<Driver>> = Vec::new();
        for service in &entry.uses {
            if let Some(provider) = self.provider(service.get_ref())
                && !providers.iter().any(|known| Arc::ptr_eq(known, provider))
            {
                providers.push(provider.clone());
            }
        }
        providers
    }

    fn named_loop(&self, name: &str) -> Option<Arc<NamedLoop>> {
        let mut loops = self.loops.iter();
        loops.find(|known| known.name == name).cloned()
    }

    fn loop_of(&self, driver: &Driver) -> Option<Arc<NamedLoop>> {
        let mut loops = self.loops.iter();
        let found = loops.find(|known| Arc::ptr_eq(&known.work_loop, &driver.work_loop));
        found.cloned()
    }
}

impl Board {
    /// Who is on the board by this file: those that are there `before` and have
    /// the same entry but for their code, and the same loop and grants of their pins,
    /// and others that are yet to start.
    pub(super) fn place_drivers(
        &self,
        file: &Arc<BoardFile>,
        before: &Roster,
    ) -> Result<Roster, BoardError> {
        let mut roster = Roster::empty(file.clone());
        roster.loops.extend(before.named_loop(SHARED_LINES));
        for entry in &file.drivers {
            let providers = roster.providers_of(entry);
            let provider = providers.first().and_then(|first| roster.loop_of(first));
            let on = match (entry.work_loop, provider) {
                (Placement::Dedicated, _) => {
                    self.named_loop(entry.name.get_ref(), &mut roster, before)?
                }
                (Placement::Provider, Some(of_provider)) => of_provider,
                (Placement::Provider, None) => self.named_loop("board", &mut roster, before)?,
            };
            let same = |driver: &&Arc<Driver>| {
                driver.entry.is_same_but_for_code(entry)
                    && Arc::ptr_eq(&driver.work_loop, &on.work_loop)
                    && driver.grants.revoked().is_empty()
                    && file.granted_pins_of(entry) == before.file.granted_pins_of(entry)
            };
            let there = before.driver(entry.name.get_ref()).filter(same).cloned();
            let new = || {
                let traced = self.traces.of(entry.name.get_ref());
                let around = self.surroundings(&on, file.code(entry), providers, traced);
                Driver::new(entry, around)
            };
            roster.drivers.push(there.unwrap_or_else(new));
        }
        Ok(roster)
    }

    fn surroundings(
        &self,
        on: &NamedLoop,
        code: Code,
        providers: Vec<Arc<Driver>>,
        traced: Traced,
    ) -> Surroundings {
        Surroundings {
            engine: self.engine.clone(),
            devices: Devices {
                gpio: self.gpio.clone(),
                serial: self.ports.clone(),
                buses: self.buses.clone(),
                shared: self.shared.clone(),
            },
            services: self.services.clone(),
            published_pins: self.published_pins.clone(),
            providers,
            time: self.time.clone(),
            work_loop: on.work_loop.clone(),
            power_calls: on.power_calls.clone(),
            target: self.power.target.clone(),
            code,
            crashes: self.crash_writer.as_ref().map(crash::Writer::crashes),
            traced,
        }
    }

    /// The lines that drivers share, if any, watched on a loop of their own.
    fn watch_shared_lines(&mut self) -> Result<(), BoardError> {
        let file = self.file();
        let gpio = self.gpio.clone();
        let Some(lines) = SharedLines::new(&file, gpio, self.time.clock()) else {
            return Ok(());
        };
        let on = self.new_loop(SHARED_LINES)?;
        let watch = lines.watch().clone();
        Context::with_current(|cx| on.work_loop.add_event_source(cx, watch))
            .map_err(|error| BoardError::Host(format!("no watch of shared lines: {error}")))?;
        let mut roster = Roster::empty(file);
        roster.loops.push(Arc::new(on));
        *self.roster.get_mut() = Arc::new(roster);
        self.shared = Some(lines);
        Ok(())
    }

    /// The loop of this name, from before where there was one, made where it is
    /// missing.
    fn named_loop(
        &self,
        name: &str,
        roster: &mut Roster,
        before: &Roster,
    ) -> Result<Arc<NamedLoop>, BoardError> {
        if let Some(known) = roster.named_loop(name) {
            return Ok(known);
        }
        let known = match before.named_loop(name) {
            Some(known) => known,
            None => Arc::new(self.new_loop(name)?),
        };
        roster.loops.push(known.clone());
        Ok(known)
    }

    fn new_loop(&self, name: &str) -> Result<NamedLoop, BoardError> {
        let work_loop = WorkLoop::with_waits(self.time.clock(), self.waits.clone());
        let runner = Context::detached(name);
        let started = match &self.time {
            Time::Real(_) => {
                let thread = std::thread::Builder::new()
                    .name(format!("loop-{name}"))
                    .stack_size(THREAD_STACK);
                work_loop
                    .spawn_thread_with(name, thread)
                    .map_err(|error| error.to_string())
            }
            Time::Virtual(_) => work_loop
                .set_runner(&runner)
                .map_err(|error| error.to_string()),
        };
        started.map_err(|error| {
            BoardError::Host(format!("no thread for the work loop `{name}`: {error}"))
        })?;
        let clock = self.time.clock();
        let power_calls = Context::with_current(|cx| PowerCalls::new(cx, &work_loop, clock))
            .map_err(|error| {
                BoardError::Host(format!("no power calls on the work loop `{name}`: {error}"))
            })?;
        Ok(NamedLoop {
            name: name.to_owned(),
            work_loop,
            runner,
            power_calls,
        })
    }
}
