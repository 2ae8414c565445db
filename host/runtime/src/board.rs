//! A board: the hardware, the loops and the drivers of one board file.

use crate::bindings::exports::loopgate::driver::handlers::Cause;
use crate::board_file::{BoardFile, ClockKind, Placement};
use crate::cache::Cache;
use crate::driver::{Devices, Driver, Surroundings};
use crate::engine::Engine;
use crate::error::{BoardError, ErrorCode, RequestError};
use crate::requests::{Arguments, Reply, Requests};
use crate::service::{Answer, Circumstances, Service, Services};
use crate::simulation::Simulation;
use crate::stack::THREAD_STACK;
use crate::status::{DriverStatus, ServiceStatus, Status};
use crate::time::Time;
use loopgate_devices::sim::SimBoard;
use loopgate_workloop::{
    Clock as _, Context, EventSource as _, Instant, SystemClock, VirtualClock, WorkLoop,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// A running board. Dropping it stops the drivers in order.
pub struct Board {
    file: BoardFile,
    time: Time,
    started: Instant,
    loops: Vec<NamedLoop>,
    drivers: Vec<Arc<Driver>>,
    services: Arc<Services>,
    simulation: Simulation,
}

struct NamedLoop {
    name: String,
    work_loop: Arc<WorkLoop>,
}

/// Sets a board up.
#[derive(Default)]
pub struct Builder {
    file: Option<BoardFile>,
    clock: Option<ClockKind>,
    cache: CacheChoice,
}

#[derive(Default)]
enum CacheChoice {
    #[default]
    Default,
    None,
    At(PathBuf),
}

/// What to ask a service.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which selector.
    pub selector: SelectorName,
    /// Up to four numbers.
    pub scalars: [u64; 4],
    /// Bytes.
    pub data: Vec<u8>,
    /// The longest reply that is taken, in bytes.
    pub reply_max: u32,
    /// Whether to wait.
    pub mode: Mode,
}

/// A selector by number, or by the name that the service gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectorName {
    /// By number.
    Number(u32),
    /// By name.
    Name(String),
}

/// Whether a request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// For the gate, for a disabled gate to be enabled, for the answer; for
    /// ever, or until this much time has passed.
    Run(Option<Duration>),
    /// For nothing: `cannot-lock` where the gate is closed, `not-permitted`
    /// where it is disabled, `busy` where the answer does not come at once.
    Attempt,
}

impl Request {
    /// Asks a selector by name, and waits as long as it takes.
    pub fn named(selector: impl Into<String>) -> Self {
        Self::new(SelectorName::Name(selector.into()))
    }

    /// Asks a selector by number, and waits as long as it takes.
    pub fn numbered(selector: u32) -> Self {
        Self::new(SelectorName::Number(selector))
    }

    fn new(selector: SelectorName) -> Self {
        Self {
            selector,
            scalars: [0; 4],
            data: Vec::new(),
            reply_max: 64 << 10,
            mode: Mode::Run(None),
        }
    }

    /// With this first number.
    #[must_use]
    pub fn scalar(mut self, scalar: u64) -> Self {
        self.scalars[0] = scalar;
        self
    }

    /// With these bytes.
    #[must_use]
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// Waits, or does not.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }
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

    /// Starts the board and its drivers, in the board file's order. A driver
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
        let simulation = Simulation::new(&file, &time)?;
        let mut board = Board {
            started: time.now(),
            services: Arc::default(),
            loops: Vec::new(),
            drivers: Vec::new(),
            simulation,
            time,
            file,
        };
        board.place_drivers(&engine)?;
        board.start_drivers(&engine);
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
    /// Begins to set a board up.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Asks a service, on the calling thread: the driver's handler runs on
    /// it, with the loop's gate closed. May be called from any thread, but
    /// not from within a handler.
    ///
    /// A thread whose stack has no room for a guest gets `no-resources`.
    pub fn call(&self, service: &str, request: Request) -> Result<Reply, RequestError> {
        let Some(target) = self.services.get(service) else {
            return Err(self.no_service(service));
        };
        let arguments = Arguments {
            selector: select(&target, &request.selector)?,
            scalars: request.scalars,
            data: request.data,
        };
        target
            .check(&arguments)
            .map_err(|(code, message)| RequestError::new(code, message))?;
        let circumstances = Circumstances {
            may_wait: request.mode != Mode::Attempt,
            reply_max: request.reply_max,
        };
        let outcome = Context::with_current(|cx| match request.mode {
            Mode::Attempt => attempt(cx, &target, circumstances, arguments),
            Mode::Run(timeout) => {
                let deadline = timeout.map(|span| self.time.now().saturating_add(span));
                self.run(cx, &target, circumstances, arguments, deadline)
            }
        });
        outcome.map_err(|code| describe(code, &target))
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

    /// The time, by the board's clock.
    pub fn now(&self) -> Instant {
        self.time.now()
    }

    /// Virtual time only: handles everything up to `deadline`, event after
    /// event, and leaves the clock there.
    ///
    /// # Panics
    ///
    /// When the board's clock is real: there the loops have threads of their own.
    pub fn run_until(&self, deadline: Instant) {
        let Time::Virtual(clock) = &self.time else {
            panic!("`run_until` is for boards with a virtual clock")
        };
        Context::with_current(|cx| {
            loop {
                self.settle(cx);
                match self.next_event().filter(|&next| next <= deadline) {
                    Some(next) => self.advance(clock, next),
                    None => break,
                }
            }
        });
        clock.advance_to(deadline);
    }

    /// Virtual time only: [`Board::run_until`] `span` from now.
    pub fn run_for(&self, span: Duration) {
        self.run_until(self.now().saturating_add(span));
    }

    /// Stops every driver, the last started first. Requests that wait end,
    /// and later ones fail; the board can still be asked for its status. From
    /// any thread, but not from within a handler.
    pub fn stop(&self) {
        Context::with_current(|cx| {
            for driver in self.drivers.iter().rev() {
                driver.stop(cx);
            }
        });
    }

    /// Stops every driver, as [`Board::stop`], and the board's threads.
    pub fn shutdown(self) {
        drop(self);
    }

    fn place_drivers(&mut self, engine: &Arc<Engine>) -> Result<(), BoardError> {
        let devices = Devices {
            gpio: self.simulation.board().clone(),
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
        let work_loop = WorkLoop::new(self.time.clock());
        if matches!(self.time, Time::Real(_)) {
            let thread = std::thread::Builder::new()
                .name(format!("loop-{name}"))
                .stack_size(THREAD_STACK);
            work_loop.spawn_thread_with(name, thread).map_err(|error| {
                BoardError::Host(format!("no thread for the work loop `{name}`: {error}"))
            })?;
        }
        self.loops.push(NamedLoop {
            name: name.to_owned(),
            work_loop: work_loop.clone(),
        });
        Ok(work_loop)
    }

    fn start_drivers(&self, engine: &Engine) {
        for driver in &self.drivers {
            let path = self.file.resolve(driver.entry.component.get_ref());
            match engine.load(&path) {
                Ok(loaded) => Context::with_current(|cx| driver.start(cx, &loaded, Cause::Boot)),
                Err(error) => driver.fail(error.to_string()),
            }
        }
    }

    /// The waiting form of a call.
    fn run(
        &self,
        cx: &Context,
        service: &Service,
        circumstances: Circumstances,
        arguments: Arguments,
        deadline: Option<Instant>,
    ) -> Result<Reply, ErrorCode> {
        let gate = &service.gate;
        match self.wait(cx, deadline, true, || gate.poll_enter(cx)) {
            Some(entered) => entered?,
            None => {
                gate.abandon(cx);
                return Err(ErrorCode::TimedOut);
            }
        }
        let outcome = self.run_inside(cx, service, circumstances, arguments, deadline);
        // Refused where the gate left its loop meanwhile, and was opened by that.
        let _ = gate.leave(cx);
        outcome
    }

    fn run_inside(
        &self,
        cx: &Context,
        service: &Service,
        circumstances: Circumstances,
        arguments: Arguments,
        deadline: Option<Instant>,
    ) -> Result<Reply, ErrorCode> {
        while service.is_busy() {
            self.sleep(cx, service, Requests::TURN, deadline)?;
        }
        let (id, pending) = match service.command(cx, circumstances, arguments) {
            Answer::Done(outcome) => return outcome,
            Answer::Pending(id, pending) => (id, pending),
        };
        loop {
            let slept = self.sleep(cx, service, Requests::event(id), deadline);
            if let Some(outcome) = pending.take() {
                return service.bounded(outcome, circumstances.reply_max);
            }
            if let Err(code) = slept {
                service.cancel(cx, id);
                return Err(code);
            }
        }
    }

    /// Sleeps in the gate until the event, or fails when the time is over.
    fn sleep(
        &self,
        cx: &Context,
        service: &Service,
        event: u64,
        deadline: Option<Instant>,
    ) -> Result<(), ErrorCode> {
        use loopgate_workloop::Wake;
        // Not given up at the deadline: the sleep itself ends there, and must
        // be polled until it has taken the gate again.
        match self.wait(cx, deadline, false, || {
            service.gate.poll_sleep(cx, event, deadline)
        }) {
            Some(Ok(Wake::Awakened)) => Ok(()),
            Some(Ok(Wake::TimedOut)) | None => Err(ErrorCode::TimedOut),
            Some(Ok(Wake::Interrupted)) => Err(ErrorCode::Aborted),
            Some(Err(error)) => Err(error.into()),
        }
    }

    /// Polls until there is an answer or the time is over. In real time the
    /// thread parks between two polls, in virtual time the board goes on.
    fn wait<T>(
        &self,
        cx: &Context,
        deadline: Option<Instant>,
        give_up: bool,
        mut poll: impl FnMut() -> Poll<T>,
    ) -> Option<T> {
        loop {
            if let Poll::Ready(answer) = poll() {
                return Some(answer);
            }
            if give_up && deadline.is_some_and(|deadline| deadline <= self.time.now()) {
                return None;
            }
            match &self.time {
                Time::Real(clock) => clock.park(cx, deadline),
                Time::Virtual(clock) => self.step(clock, deadline)?,
            }
        }
    }

    /// One step of virtual time; `None` if nothing would ever happen.
    fn step(&self, clock: &VirtualClock, deadline: Option<Instant>) -> Option<()> {
        // A context of its own: the waiting client's holds a record in a gate.
        let stepper = Context::detached("virtual time");
        if stepper.scope(|| self.settle(&stepper)) {
            return Some(());
        }
        let next = self.next_event().into_iter().chain(deadline).min()?;
        self.advance(clock, next);
        Some(())
    }

    /// Serves what is due now, on every loop; whether there was anything.
    fn settle(&self, cx: &Context) -> bool {
        let now = self.time.now();
        let mut any = false;
        loop {
            let due = |work_loop: &WorkLoop| {
                work_loop.has_work()
                    || work_loop
                        .next_deadline()
                        .is_some_and(|deadline| deadline <= now)
            };
            let Some(busy) = self.loops.iter().find(|known| due(&known.work_loop)) else {
                return any;
            };
            busy.work_loop.run_event_sources(cx);
            any = true;
        }
    }

    fn next_event(&self) -> Option<Instant> {
        let timers = self
            .loops
            .iter()
            .filter_map(|known| known.work_loop.next_deadline());
        let sleepers = self
            .loops
            .iter()
            .filter_map(|known| known.work_loop.gate().next_deadline());
        timers
            .chain(sleepers)
            .chain(self.simulation.board().next_due())
            .min()
    }

    fn advance(&self, clock: &VirtualClock, to: Instant) {
        clock.advance_to(to);
        self.simulation.board().run_due(to);
    }

    fn driver_status(&self, driver: &Arc<Driver>) -> DriverStatus {
        let life = driver.life();
        let on = self
            .loops
            .iter()
            .find(|known| Arc::ptr_eq(&known.work_loop, &driver.work_loop));
        DriverStatus {
            name: driver.name.clone(),
            component: self
                .file
                .resolve(driver.entry.component.get_ref())
                .display()
                .to_string(),
            work_loop: on.map(|known| known.name.clone()).unwrap_or_default(),
            state: life.state,
            cause: life.cause,
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
            limits: driver.limits.clone(),
            usage: driver.counters.used(),
            counts: driver.counters.counts(),
            handler_time: driver.counters.handler_time(),
        }
    }

    fn no_service(&self, name: &str) -> RequestError {
        let failed = self.file.provider_of(name).and_then(|entry| {
            self.drivers
                .iter()
                .find(|driver| driver.name == *entry.name.get_ref())
        });
        if let Some(driver) = failed {
            let life = driver.life();
            let why = life.cause.map_or_else(
                || "it does not publish it".to_owned(),
                |cause| format!("it failed: {cause}"),
            );
            return RequestError::new(
                ErrorCode::NoDevice,
                format!(
                    "service `{name}` of driver `{}` is not there: {why}",
                    driver.name
                ),
            );
        }
        RequestError::new(
            ErrorCode::NoDevice,
            format!(
                "no driver provides the service `{name}`; `loopgate status` lists what there is"
            ),
        )
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

fn attempt(
    cx: &Context,
    service: &Service,
    circumstances: Circumstances,
    arguments: Arguments,
) -> Result<Reply, ErrorCode> {
    let answer = service.gate.attempt_action(cx, || {
        if service.is_busy() {
            return Answer::Done(Err(ErrorCode::Busy));
        }
        service.command(cx, circumstances, arguments)
    })?;
    match answer {
        Answer::Done(outcome) => outcome,
        Answer::Pending(..) => Err(ErrorCode::Busy),
    }
}

fn select(service: &Service, wanted: &SelectorName) -> Result<u32, RequestError> {
    let name = match wanted {
        SelectorName::Number(number) => return Ok(*number),
        SelectorName::Name(name) => name,
    };
    service
        .selectors
        .iter()
        .find(|selector| selector.name == *name)
        .map(|selector| selector.number)
        .ok_or_else(|| {
            let known = service
                .selectors
                .iter()
                .map(|selector| format!("`{}`", selector.name))
                .collect::<Vec<_>>()
                .join(", ");
            RequestError::new(
                ErrorCode::BadArgument,
                format!(
                    "service `{}` has no selector `{name}`; it has {known}",
                    service.name
                ),
            )
        })
}

fn describe(code: ErrorCode, service: &Service) -> RequestError {
    let (name, driver) = (&service.name, &service.driver.name);
    let life = service.driver.life();
    // A gate that left its loop did so because its driver ended.
    let died = matches!(
        code,
        ErrorCode::DriverDied | ErrorCode::Aborted | ErrorCode::NotReady
    ) && life.state != crate::State::Running;
    if died {
        let why = life.cause.unwrap_or_else(|| "it was stopped".to_owned());
        return RequestError::new(
            ErrorCode::DriverDied,
            format!("driver `{driver}` of service `{name}` ended: {why}"),
        );
    }
    let why = match code {
        ErrorCode::TimedOut => {
            "there was no answer in time; allow more, or see `loopgate status` for what the driver does"
        }
        ErrorCode::CannotLock => "its gate is closed by someone else; call without attempting",
        ErrorCode::NotPermitted => {
            "its gate is disabled; call without attempting to wait until it is enabled"
        }
        ErrorCode::Busy => "an answer would take a wait; call without attempting",
        ErrorCode::NoResources => {
            "a limit is reached: too many requests pending, or no stack left on the calling thread"
        }
        _ => "that is the driver's answer",
    };
    RequestError::new(
        code,
        format!("service `{name}` of driver `{driver}`: {why}"),
    )
}

fn service_status(service: &Service) -> ServiceStatus {
    ServiceStatus {
        name: service.name.clone(),
        enabled: service.gate.is_enabled(),
        input_max: service.input_max,
        selectors: service.selectors.clone(),
    }
}
