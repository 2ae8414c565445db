//! Setting a board up.

use super::{Board, NamedLoop};
use crate::bindings::exports::loopgate::driver::handlers::Cause;
use crate::board_file::{BoardFile, ClockKind, Placement};
use crate::cache::Cache;
use crate::driver::{Devices, Driver, Surroundings};
use crate::engine::Engine;
use crate::error::BoardError;
use crate::ports::Ports;
use crate::recording::VcdFile;
use crate::service::Services;
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
    vcd: Option<VcdFile>,
}

#[derive(Default)]
enum CacheChoice {
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
        let simulation = Simulation::new(&file, &time, self.vcd.as_ref())?;
        let mut board = Board {
            started: time.now(),
            services: Arc::new(Services::new(&file)),
            loops: Vec::new(),
            waits: Waits::new(),
            drivers: Vec::new(),
            simulation,
            ports: Ports::new(&file, time.clock()),
            stepping: Mutex::default(),
            time,
            file,
        };
        board.place_drivers(&engine)?;
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

impl Board {
    pub(super) fn place_drivers(&mut self, engine: &Arc<Engine>) -> Result<(), BoardError> {
        let devices = Devices {
            gpio: self.simulation.board().clone(),
            serial: self.ports.clone(),
        };
        for entry in self.file.drivers.clone() {
            let name = entry.name.get_ref();
            let provider = entry
                .uses
                .first()
                .and_then(|service| self.file.provider_of(service.get_ref()));
            let of_provider = provider.and_then(|provider| {
                self.drivers
                    .iter()
                    .find(|driver| driver.name == *provider.name.get_ref())
            });
            let work_loop = match (entry.work_loop, of_provider) {
                (Placement::Dedicated, _) => self.work_loop(name)?,
                (Placement::Provider, Some(provider)) => provider.work_loop.clone(),
                (Placement::Provider, None) => self.work_loop("board")?,
            };
            let around = Surroundings {
                engine: engine.clone(),
                devices: devices.clone(),
                services: self.services.clone(),
                time: self.time.clone(),
                work_loop,
                component: self.file.resolve(entry.component.get_ref()),
            };
            self.drivers.push(Driver::new(&entry, around));
        }
        Ok(())
    }

    /// The loop of this name, made where it is missing.
    fn work_loop(&mut self, name: &str) -> Result<Arc<WorkLoop>, BoardError> {
        if let Some(known) = self.loops.iter().find(|known| known.name == name) {
            return Ok(known.work_loop.clone());
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
        self.loops.push(NamedLoop {
            name: name.to_owned(),
            work_loop: work_loop.clone(),
            runner,
        });
        Ok(work_loop)
    }

    fn start_drivers(&self) {
        for driver in &self.drivers {
            Context::with_current(|cx| driver.start(cx, Cause::Boot));
        }
    }
}
