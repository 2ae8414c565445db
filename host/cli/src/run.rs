//! `loopgate run`.

use std::ffi::c_int;
use std::io::IsTerminal as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use anyhow::{Context as _, Result};
use loopgate::board_file::{BoardFile, ClockKind, DriverEntry, Lock};
use loopgate::control::{Claim, Server};
use loopgate::trace::Recorder;
use loopgate::{Board, DriverStatus, Sandbox, State, THREAD_STACK, Watch};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::iterator::Signals;
use tracing_subscriber::EnvFilter;

use crate::arguments::{Held, Run};
use crate::output::{plain, print};

mod hang_ups;
mod service_manager;

use hang_ups::HangUps;
use service_manager::ServiceManager;

/// How far virtual time goes between two looks for a signal.
const VIRTUAL_STEP: Duration = Duration::from_millis(10);

pub(crate) fn run(run: &Run) -> Result<ExitCode> {
    log_to_standard_error()?;
    let mut signals = catch_signals().context("cannot catch signals")?;
    let manager = ServiceManager::from_environment()?;
    let file = BoardFile::read(&run.board)?;
    let claim = Claim::take(&run.socket.place())?;
    let lock = BoardFile::lock(&run.board)?;
    drop_rights(run, &file)?;
    let running = Arc::new(OnceLock::new());
    limit_stop(run.stop_limit, running.clone()).context("cannot limit the time to stop")?;
    let host = || serve(run, file, claim, lock, &mut signals, (&manager, &running));
    on_its_own_stack(host).context("no thread for the board")?
}

fn serve(
    run: &Run,
    file: BoardFile,
    claim: Claim,
    lock: Lock,
    signals: &mut Signals,
    (manager, running): (&ServiceManager, &OnceLock<Weak<Board>>),
) -> Result<ExitCode> {
    let clock = file.board.clock;
    print(&loading(&file))?;
    let mut builder = Board::builder().board(file).lock(lock);
    if let Some(vcd) = run.recording.file() {
        builder = builder.record(vcd);
    }
    let recorder = run.record.as_deref().map(record).transpose()?;
    if let Some(recorder) = &recorder {
        builder = builder.trace(recorder.clone());
    }
    let board = Arc::new(builder.build()?);
    running.get_or_init(|| Arc::downgrade(&board));
    let server = Server::open(claim, board.clone())?;
    print_states(&board)?;
    let watch = (!run.no_watch).then(|| Watch::new(board.clone()));
    let watch = watch
        .transpose()
        .context("cannot watch the components; `--no-watch` runs without")?;
    print(&format!("control socket: {}", server.path().display()))?;
    let watchdog = manager.watch(&board).context("cannot start the watchdog")?;
    manager.ready(&states_in_short(&board));
    let hang_ups = HangUps::new(&board, manager);
    std::thread::scope(|scope| {
        let handled = |signal| signal == SIGHUP && hang_ups.handled(scope);
        run_until_ended(clock, signals, &board, handled);
        print("stopping")?;
        hang_ups.end();
        drop(watch);
        // Ends the requests that are being answered, which the server waits for.
        board.stop();
        anyhow::Ok(())
    })?;
    drop(server);
    drop(watchdog);
    if let Some(recorder) = recorder {
        recorder.finish();
    }
    print_states(&board)?;
    Ok(ExitCode::SUCCESS)
}

fn record(path: &Path) -> Result<Arc<Recorder>> {
    let recorder = Recorder::to_file(path);
    recorder.with_context(|| {
        format!(
            "cannot record to `{}`; name a file in a folder that is there",
            path.display()
        )
    })
}

/// Where there is room for drivers, which the first thread's may not have.
fn on_its_own_stack<R: Send>(f: impl FnOnce() -> R + Send) -> std::io::Result<R> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("host".into())
            .stack_size(THREAD_STACK)
            .spawn_scoped(scope, f)?;
        match thread.join() {
            Ok(result) => Ok(result),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Until a signal that is not `handled`.
fn run_until_ended(
    clock: ClockKind,
    signals: &mut Signals,
    board: &Board,
    handled: impl Fn(c_int) -> bool,
) {
    if clock == ClockKind::Real {
        let _ended = signals.forever().find(|&signal| !handled(signal));
        return;
    }
    while signals.pending().all(&handled) {
        if board.next_event().is_some() {
            board.run_for(VIRTUAL_STEP);
        } else {
            // What clients have caused. Else time stands still, and this need
            // not keep a processor busy.
            board.run_for(Duration::ZERO);
            std::thread::sleep(VIRTUAL_STEP);
        }
    }
}

/// The first signal ends the board in order, a second one at once: a driver
/// may take its time to stop.
fn catch_signals() -> std::io::Result<Signals> {
    let stopping = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, 1, stopping.clone())?;
        flag::register(signal, stopping.clone())?;
    }
    Signals::new([SIGHUP, SIGINT, SIGTERM])
}

/// Ends the process where it has not ended in order within `limit` of the first
/// signal. By then every driver that can be stopped was: one has broken all its
/// limits, or the machine is out of breath. What outputs they have left takes its
/// safe state, unless the board was still being built.
fn limit_stop(limit: Duration, running: Arc<OnceLock<Weak<Board>>>) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let late = move || {
        signals.forever().next();
        std::thread::sleep(limit);
        tracing::error!("not everything has stopped within {limit:?}: ending the rest");
        if let Some(board) = running.get().and_then(Weak::upgrade) {
            board.rest_outputs();
        }
        std::process::exit(1);
    };
    std::thread::Builder::new()
        .name("stop-limit".into())
        .spawn(late)?;
    Ok(())
}

/// Before there is another thread: what is dropped is dropped by each.
fn drop_rights(run: &Run, file: &BoardFile) -> Result<()> {
    if run.sandbox == Held::Off {
        return Ok(());
    }
    let mut sandbox = Sandbox::for_board(file).writes(run.socket.place().path());
    if let Some(vcd) = run.recording.file() {
        sandbox = sandbox.writes(vcd.path());
    }
    if let Some(record) = &run.record {
        sandbox = sandbox.writes(record);
    }
    sandbox.enter(run.sandbox == Held::Require)?;
    Ok(())
}

fn log_to_standard_error() -> Result<()> {
    let chosen = std::env::var("LOOPGATE_LOG").unwrap_or_else(|_| "info".to_owned());
    let filter = EnvFilter::try_new(&chosen)
        .with_context(|| format!("`LOOPGATE_LOG` is `{chosen}`; write for example `debug`"))?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .init();
    Ok(())
}

/// What is about to be loaded, and what each driver is granted.
fn loading(file: &BoardFile) -> String {
    let shown = |path: &Path| plain(&path.display().to_string()).into_owned();
    let head = format!("board {}\n", shown(file.path()));
    let drivers = file.drivers.iter().map(|driver| {
        let name = driver.name.get_ref();
        let component = file.resolve(driver.component.get_ref());
        let loading = format!("{name}: loading {}\n", shown(&component));
        let grants = grants(driver).into_iter();
        let grants = grants.map(|grant| format!("{name}: granted {}\n", plain(&grant)));
        loading + &grants.collect::<Vec<_>>().concat()
    });
    head + &drivers.collect::<Vec<_>>().concat()
}

fn grants(driver: &DriverEntry) -> Vec<String> {
    let pins = driver.gpio_in_order().into_iter().map(|(name, pin)| {
        let direction = format!("{:?}", pin.direction).to_lowercase();
        let shared = if pin.shared { ", shared" } else { "" };
        format!(
            "pin `{name}`, line {}, {direction}{shared}",
            pin.line.get_ref()
        )
    });
    let i2c = driver.i2c_in_order().into_iter().map(|(name, device)| {
        let address = device.address.get_ref();
        let bus = device.bus.get_ref();
        format!("I2C device `{name}`, bus {bus}, address {address:#04x}")
    });
    let spi = driver.spi_in_order().into_iter().map(|(name, device)| {
        let (bus, select) = (device.bus.get_ref(), device.chip_select);
        format!("SPI device `{name}`, bus {bus}, chip select {select}")
    });
    let provides = driver.provides.iter();
    let provides = provides.map(|service| format!("to publish `{}`", service.get_ref()));
    let uses = driver.uses.iter();
    let uses = uses.map(|service| format!("to use `{}`", service.get_ref()));
    pins.chain(i2c)
        .chain(spi)
        .chain(provides)
        .chain(uses)
        .collect()
}

fn print_states(board: &Board) -> Result<()> {
    let states = board.status().drivers;
    print(&states.iter().map(state).collect::<Vec<_>>().concat())
}

/// On one line.
fn states_in_short(board: &Board) -> String {
    let drivers = board.status().drivers;
    let running = drivers
        .iter()
        .filter(|driver| driver.state == State::Running);
    format!("{} of {} drivers run", running.count(), drivers.len())
}

fn state(driver: &DriverStatus) -> String {
    let cause = driver.cause.as_ref();
    let cause = cause.map(|cause| format!(": {}", plain(cause)));
    let state = format!("{:?}", driver.state).to_lowercase();
    format!("{}: {state}{}\n", driver.name, cause.unwrap_or_default())
}
