//! Setting a board up.

use super::{Board, NamedLoop, Roster};
use crate::board_file::{BoardFile, ClockKind, Lock, Placement};
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
use parking_lot::{Mutex, RwLock};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Sets a board up.
#[derive(Default)]
pub struct Builder {
    file: Option<BoardFile>,
    clock: Option<ClockKind>,
    cache: CacheChoice,
    vcd: Option<VcdFile>,
    lock: Option<Lock>,
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

    /// Keeps the right to the board file for as long as the board lives, see
    /// [`BoardFile::lock`].
    #[must_use]
    pub fn lock(mut self, lock: Lock) -> Self {
        self.lock = Some(lock);
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
            engine,
            services: Arc::new(Services::new(&file)),
            waits: Waits::new(),
            simulation,
            ports: Ports::new(&file, time.clock()),
            stepping: Mutex::default(),
            time,
            roster: RwLock::new(Arc::new(Roster::empty(Arc::new(file)))),
            changing: Mutex::new(self.lock),
            watches: Mutex::default(),
        };
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

impl Roster {
    fn empty(file: Arc<BoardFile>) -> Self {
        Self {
            file,
            loops: Vec::new(),
            drivers: Vec::new(),
        }
    }

    fn driver(&self, name: &str) -> Option<&Arc<Driver>> {
        self.drivers.iter().find(|driver| driver.name == name)
    }
}

impl Board {
    /// Who is on the board by this file: those that are there `before` and have
    /// the same entry and loop, and others that are yet to start.
    pub(super) fn place_drivers(
        &self,
        file: &Arc<BoardFile>,
        before: &Roster,
    ) -> Result<Roster, BoardError> {
        let mut roster = Roster::empty(file.clone());
        for entry in &file.drivers {
            let provider = entry
                .uses
                .first()
                .and_then(|service| file.provider_of(service.get_ref()))
                .and_then(|provider| roster.driver(provider.name.get_ref()));
            let work_loop = match (entry.work_loop, provider) {
                (Placement::Dedicated, _) => {
                    self.work_loop(entry.name.get_ref(), &mut roster, before)?
                }
                (Placement::Provider, Some(provider)) => provider.work_loop.clone(),
                (Placement::Provider, None) => self.work_loop("board", &mut roster, before)?,
            };
            let component = file.resolve(entry.component.get_ref());
            let same = |driver: &&Arc<Driver>| {
                driver.entry == *entry
                    && driver.component == component
                    && Arc::ptr_eq(&driver.work_loop, &work_loop)
            };
            let there = before.driver(entry.name.get_ref()).filter(same).cloned();
            let driver = there.unwrap_or_else(|| {
                Driver::new(
                    entry,
                    self.surroundings(work_loop.clone(), component.clone()),
                )
            });
            roster.drivers.push(driver);
        }
        Ok(roster)
    }

    fn surroundings(&self, work_loop: Arc<WorkLoop>, component: PathBuf) -> Surroundings {
        Surroundings {
            engine: self.engine.clone(),
            devices: Devices {
                gpio: self.simulation.board().clone(),
                serial: self.ports.clone(),
            },
            services: self.services.clone(),
            time: self.time.clone(),
            work_loop,
            component,
        }
    }

    /// The loop of this name, from before where there was one, made where it is
    /// missing.
    fn work_loop(
        &self,
        name: &str,
        roster: &mut Roster,
        before: &Roster,
    ) -> Result<Arc<WorkLoop>, BoardError> {
        let named = |known: &&Arc<NamedLoop>| known.name == name;
        if let Some(known) = roster.loops.iter().find(named) {
            return Ok(known.work_loop.clone());
        }
        let known = match before.loops.iter().find(named) {
            Some(known) => known.clone(),
            None => Arc::new(self.new_loop(name)?),
        };
        roster.loops.push(known.clone());
        Ok(known.work_loop.clone())
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
        Ok(NamedLoop {
            name: name.to_owned(),
            work_loop,
            runner,
        })
    }
}
