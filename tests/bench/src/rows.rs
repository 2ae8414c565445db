//! The table of benchmarks.

use crate::bare::Bare;
use crate::driver_process::DriverProcess;
use crate::echo::{CHUNK, Echo};
use crate::measure::{Measured, Rounds, ratio};
use crate::table::{Row, Target};
use anyhow::{Context as _, Result};
use loopgate::board_file::ClockKind;
use loopgate::trace::{Recorder, Trace};
use loopgate::{Board, BoardFile, Builder, Request};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Many rounds of about a millisecond: on a busy machine others then seldom come
/// in between the two.
const CALLS: Rounds = Rounds {
    rounds: 401,
    count: 2_000,
};
/// The same for calls to another process.
const PROCESS_CALLS: Rounds = Rounds {
    rounds: 401,
    count: 200,
};
/// Pieces through a terminal, 64 MiB: enough in a round for the first one not to
/// count.
const PIECES: Rounds = Rounds {
    rounds: 41,
    count: 400,
};

/// A board that is recorded is to be at most so much slower.
const RECORDED: f64 = 1.05;

/// Selectors of `probe_echo`.
const ECHO: u32 = 1;
const RELAY: u32 = 5;

/// How a row is measured; the folder is the one of the guests.
type Measure = fn(&Path) -> Result<Row>;

/// Every row, by what `--only` calls it.
const ROWS: [(&str, Measure); 7] = [
    ("gate-call", gate_call),
    ("interrupt", interrupt),
    ("native-mutex", native_mutex),
    ("driver-process", driver_process),
    ("serial-echo", serial_echo),
    ("recorded-call", recorded_call),
    ("recorded-interrupt", recorded_interrupt),
];

/// `target` is where `cargo xtask` leaves drivers and guests; of the rows those whose
/// name begins with `only`.
pub(crate) fn measure_all(target: &Path, only: &str) -> Result<Vec<Row>> {
    let guests = &target.join("guests");
    let wanted = ROWS.iter().filter(|(name, _)| name.starts_with(only));
    wanted.map(|(_, measure)| measure(guests)).collect()
}

fn bare(guests: &Path) -> Result<Bare> {
    let path = guests.join("probe_echo.wasm");
    Bare::new(&path).map_err(into).with_context(|| {
        format!(
            "`{}`; `cargo xtask bench` builds the guests",
            path.display()
        )
    })
}

/// A client's thread through the gate into the driver and back.
fn gate_call(guests: &Path) -> Result<Row> {
    let mut bare = bare(guests)?;
    let board = board(guests, ClockKind::Real)?;
    let bare_calls = |count| {
        for _ in 0..count {
            let data = bare.command(ECHO, 0, vec![7; 64]).map_err(into)?;
            anyhow::ensure!(data.len() == 64, "the bare component did not echo");
        }
        Ok(())
    };
    let measured = ratio(CALLS, |count| calls(&board, count), bare_calls)?;
    Ok(Row {
        name: "gate call, 64 B in and out, from a client thread",
        compared_with: "bare component call",
        ratio: measured.ratio,
        target: Target::AtMost(1.5),
        figure: nanos(&measured),
    })
}

/// From the signal to the handler, on the thread that drains the loop (in
/// virtual time this one): each interrupt is made by the handler of the one
/// before, here as there.
fn interrupt(guests: &Path) -> Result<Row> {
    let mut bare = bare(guests)?;
    let board = board(guests, ClockKind::Virtual)?;
    let bare_relay = |count: u32| {
        bare.command(RELAY, u64::from(count), Vec::new())
            .map_err(into)?;
        for sequence in 0..u64::from(count) {
            bare.interrupt(sequence).map_err(into)?;
        }
        Ok(())
    };
    let measured = ratio(CALLS, |count| relay(&board, count), bare_relay)?;
    Ok(Row {
        name: "software interrupt to handler, on the draining thread",
        compared_with: "bare component call",
        ratio: measured.ratio,
        target: Target::AtMost(1.5),
        figure: nanos(&measured),
    })
}

/// What the sandbox costs against a native driver behind a mutex. No target:
/// it is for those who choose.
fn native_mutex(guests: &Path) -> Result<Row> {
    let board = board(guests, ClockKind::Real)?;
    let native = Arc::new(Mutex::new(vec![7_u8; 64]));
    let locked = |count| {
        for _ in 0..count {
            let input = std::hint::black_box(vec![7_u8; 64]);
            let mut driver = native.lock().map_err(|_| anyhow::anyhow!("poisoned"))?;
            driver.clear();
            driver.extend_from_slice(&input);
            std::hint::black_box(driver.clone());
        }
        Ok(())
    };
    let measured = ratio(CALLS, |count| calls(&board, count), locked)?;
    Ok(Row {
        name: "gate call, 64 B in and out, from a client thread",
        compared_with: "native driver behind a mutex",
        ratio: measured.ratio,
        target: Target::None,
        figure: nanos(&measured),
    })
}

/// What the other way to keep drivers apart costs: each in a process of its
/// own, behind a socket.
fn driver_process(guests: &Path) -> Result<Row> {
    let board = board(guests, ClockKind::Real)?;
    let mut process = DriverProcess::start()?;
    let asked = |count| (0..count).try_for_each(|_| process.call());
    let measured = ratio(PROCESS_CALLS, asked, |count| calls(&board, count))?;
    Ok(Row {
        name: "call to a driver process over a Unix socket, 64 B in and out",
        compared_with: "gate call",
        ratio: measured.ratio,
        target: Target::AtLeast(25.0),
        figure: nanos(&measured),
    })
}

/// Bytes through a pseudo-terminal, a sample driver and back. No target: most
/// of it is the kernel's terminal, the same on both sides.
fn serial_echo(guests: &Path) -> Result<Row> {
    let component = guests.with_file_name("drivers").join("serial_echo.wasm");
    let mut driver = Echo::driver(&component)?;
    let mut cat = Echo::cat()?;
    // Rates are to each other as the times are the other way round.
    let measured = ratio(PIECES, |count| driver.echo(count), |count| cat.echo(count))?;
    let rate = f64::from(CHUNK as u32) / measured.time.as_secs_f64() / 1e6;
    Ok(Row {
        name: "throughput of `serial-echo` over a pseudo-terminal",
        compared_with: "that of `cat`",
        ratio: measured.ratio.recip(),
        target: Target::None,
        figure: (rate, "MB/s"),
    })
}

/// What a recording of every crossing costs a gate call.
fn recorded_call(guests: &Path) -> Result<Row> {
    let plain = board(guests, ClockKind::Real)?;
    let recorded = Recorded::board(guests, ClockKind::Real)?;
    let measured = ratio(
        CALLS,
        |count| calls(&recorded.board, count),
        |count| calls(&plain, count),
    )?;
    recorded.end()?;
    Ok(Row {
        name: "gate call, 64 B in and out, recorded to a file",
        compared_with: "the same, not recorded",
        ratio: measured.ratio,
        target: Target::AtMost(RECORDED),
        figure: nanos(&measured),
    })
}

/// And an interrupt.
fn recorded_interrupt(guests: &Path) -> Result<Row> {
    let plain = board(guests, ClockKind::Virtual)?;
    let recorded = Recorded::board(guests, ClockKind::Virtual)?;
    let measured = ratio(
        CALLS,
        |count| relay(&recorded.board, count),
        |count| relay(&plain, count),
    )?;
    recorded.end()?;
    Ok(Row {
        name: "software interrupt to handler, recorded to a file",
        compared_with: "the same, not recorded",
        ratio: measured.ratio,
        target: Target::AtMost(RECORDED),
        figure: nanos(&measured),
    })
}

/// A board that is recorded.
struct Recorded {
    board: Board,
    recorder: Arc<Recorder>,
    file: tempfile::NamedTempFile,
}

impl Recorded {
    fn board(guests: &Path, clock: ClockKind) -> Result<Self> {
        let file = tempfile::NamedTempFile::new()?;
        let recorder = Recorder::to_file(file.path())?;
        Ok(Self {
            board: builder(guests, clock)?.trace(recorder.clone()).build()?,
            recorder,
            file,
        })
    }

    /// What was left out has cost nothing.
    fn end(self) -> Result<()> {
        self.board.shutdown();
        self.recorder.finish();
        let trace = Trace::read(self.file.path())?;
        let mut entries = trace.entries();
        for entry in entries.by_ref() {
            anyhow::ensure!(entry?.handler() != "lost", "the recording has a hole");
        }
        anyhow::ensure!(entries.is_whole(), "the recording was cut");
        Ok(())
    }
}

/// Has the driver interrupt itself so often.
fn relay(board: &Board, count: u32) -> Result<()> {
    let delivered = || board.status().drivers[0].counts.interrupts;
    let before = delivered();
    board.call("echo", Request::numbered(RELAY).scalar(u64::from(count)))?;
    // Virtual seconds: as soon as there is nothing left they are over.
    board.run_for(Duration::from_secs(10));
    anyhow::ensure!(
        delivered() - before == u64::from(count),
        "interrupts are missing"
    );
    Ok(())
}

fn nanos(measured: &Measured) -> (f64, &'static str) {
    (measured.time.as_secs_f64() * 1e9, "ns")
}

fn calls(board: &Board, count: u32) -> Result<()> {
    for _ in 0..count {
        let reply = board.call("echo", Request::numbered(ECHO).data(vec![7_u8; 64]))?;
        std::hint::black_box(reply);
    }
    Ok(())
}

fn board(guests: &Path, clock: ClockKind) -> Result<Board> {
    Ok(builder(guests, clock)?.build()?)
}

fn builder(guests: &Path, clock: ClockKind) -> Result<Builder> {
    let text = "[board]\nbackend = \"sim\"\n[[driver]]\nname = \"echo\"\ncomponent = \"probe_echo.wasm\"\nprovides = [\"echo\"]\n";
    let file = BoardFile::parse(text, guests.join("bench.toml"))?;
    Ok(Board::builder().board(file).clock(clock).without_cache())
}

#[expect(clippy::needless_pass_by_value, reason = "it is for `map_err`")]
fn into(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}
