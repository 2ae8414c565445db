//! Setting a board up.

use super::{Board, NamedLoop, power::Power};
use crate::bindings::exports::loopgate::driver::handlers::Cause;
use crate::board_file::{BoardFile, ClockKind, DriverEntry, Placement};
use crate::cache::Cache;
use crate::crash::{self, Crashes};
use crate::driver::{Devices, Driver, PowerCalls, Surroundings};
use crate::engine::Engine;
use crate::error::BoardError;
use crate::ports::Ports;
use crate::published_pins::PublishedPins;
use crate::recording::VcdFile;
use crate::service::Services;
use crate::shared_lines::SharedLines;
use crate::simulation::Simulation;
use crate::stack::THREAD_STACK;
use crate::time::Time;
use loopgate_workloop::{Context, SystemClock, VirtualClock, Waits, WorkLoop};
use parking_lot::Mutex;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Sets a board up.
#[derive(Default)]
pub struct Builder {
    file: Option<BoardFile>,
    clock: Option<ClockKind>,
    cache: CacheChoice,
    crashes: Reports,
    vcd: Option<VcdFile>,
}

#[derive(Default)]
enum CacheChoice {
    #[default]
    Default,
    None,
    At(PathBuf),
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
        let engine = Engine::new(self.cache.open()).map_err(BoardError::Host)?;
        let crashes = Arc::new(Crashes::default());
        let writer = self.crashes.writer(&file, &crashes)?;
        let simulation = Simulation::new(&file, &time, self.vcd.as_ref())?;
        let mut board = Board {
            started: time.now(),
            services: Arc::new(Services::new(&file)),
            published_pins: Arc::new(PublishedPins::new(&file, &time.clock())),
            loops: Vec::new(),
            waits: Waits::new(),
            drivers: Vec::new(),
            simulation,
            ports: Ports::new(&file, time.clock()),
            power: Power::default(),
            stepping: Mutex::default(),
            crash_writer: writer,
            time,
            file,
        };
        let crashes = board.crash_writer.is_some().then_some(crashes);
        board.place_drivers(&engine, crashes.as_ref())?;
        board.start_drivers();
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
    fn writer(
        self,
        file: &BoardFile,
        crashes: &Arc<Crashes>,
    ) -> Result<Option<crash::Writer>, BoardError> {
        let directory = match self {
            Self::None => None,
            Self::At(directory) => Some(directory),
            Self::Default => crash::default_directory(file.path()),
        };
        let writer = directory.map(|directory| crash::Writer::start(crashes, directory));
        let writer = writer.transpose();
        writer.map_err(|error| BoardError::Host(format!("no thread for crash reports: {error}")))
    }
}

impl Board {
    pub(super) fn place_drivers(
        &mut self,
        engine: &Arc<Engine>,
        crashes: Option<&Arc<Crashes>>,
    ) -> Result<(), BoardError> {
        let devices = Devices {
            gpio: self.simulation.board().clone(),
            serial: self.ports.clone(),
            shared: self.shared_lines()?,
        };
        for entry in self.file.drivers.clone() {
            let name = entry.name.get_ref();
            let providers = self.providers_of(&entry);
            let (work_loop, power_calls) = match (entry.work_loop, providers.first()) {
                (Placement::Dedicated, _) => self.work_loop(name)?,
                (Placement::Provider, Some(provider)) => {
                    (provider.work_loop.clone(), provider.power_calls.clone())
                }
                (Placement::Provider, None) => self.work_loop("board")?,
            };
            let around = Surroundings {
                engine: engine.clone(),
                devices: devices.clone(),
                services: self.services.clone(),
                published_pins: self.published_pins.clone(),
                time: self.time.clone(),
                providers,
                work_loop,
                power_calls,
                target: self.power.target.clone(),
                component: self.file.resolve(entry.component.get_ref()),
                crashes: crashes.cloned(),
            };
            let driver = Driver::new(&entry, around);
            Context::with_current(|cx| driver.supervise(cx))
                .map_err(|error| BoardError::Host(format!("`{name}` has no restarts: {error}")))?;
            self.drivers.push(driver);
        }
        Ok(())
    }

    /// Those who provide what a driver uses: they were placed before it.
    fn providers_of(&self, entry: &DriverEntry) -> Vec<Arc<Driver>> {
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

    /// The lines that drivers share, if any, watched on a loop of their own: its
    /// name is none that a driver can have.
    fn shared_lines(&mut self) -> Result<Option<Arc<SharedLines>>, BoardError> {
        let gpio = self.simulation.board().clone();
        let shared = SharedLines::new(&self.file, gpio, self.time.clock());
        if let Some(lines) = &shared {
            let (work_loop, _) = self.work_loop("shared lines")?;
            let watch = lines.watch().clone();
            Context::with_current(|cx| work_loop.add_event_source(cx, watch))
                .map_err(|error| BoardError::Host(format!("no watch of shared lines: {error}")))?;
        }
        Ok(shared)
    }

    /// The loop of this name, made where it is missing, and what makes its
    /// power calls.
    fn work_loop(&mut self, name: &str) -> Result<(Arc<WorkLoop>, Arc<PowerCalls>), BoardError> {
        if let Some(known) = self.loops.iter().find(|known| known.name == name) {
            return Ok((known.work_loop.clone(), known.power_calls.clone()));
        }
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
        self.loops.push(NamedLoop {
            name: name.to_owned(),
            work_loop: work_loop.clone(),
            runner,
            power_calls: power_calls.clone(),
        });
        Ok((work_loop, power_calls))
    }

    fn start_drivers(&self) {
        for driver in self.start_order() {
            Context::with_current(|cx| driver.start(cx, Cause::Boot));
        }
    }
}
