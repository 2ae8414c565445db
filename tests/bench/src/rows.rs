//! The table of benchmarks.

use crate::bare::Bare;
use crate::driver_process::DriverProcess;
use crate::echo::{CHUNK, Echo};
use crate::measure::{Measured, Rounds, ratio};
use crate::table::{Row, Target};
use anyhow::{Context as _, Result};
use loopgate::board_file::ClockKind;
use loopgate::{Board, BoardFile, Request};
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

/// Selectors of `probe_echo`.
const ECHO: u32 = 1;
const RELAY: u32 = 5;

/// `target` is where `cargo xtask` leaves drivers and guests.
pub(crate) fn measure_all(target: &Path) -> Result<Vec<Row>> {
    let guests = &target.join("guests");
    let path = guests.join("probe_echo.wasm");
    let mut bare = Bare::new(&path).map_err(into).with_context(|| {
        format!(
            "`{}`; `cargo xtask bench` builds the guests",
            path.display()
        )
    })?;
    Ok(vec![
        gate_call(guests, &mut bare)?,
        interrupt(guests, &mut bare)?,
        native_mutex(guests)?,
        driver_process(guests)?,
        serial_echo(&target.join("drivers/serial_echo.wasm"))?,
    ])
}

/// A client's thread through the gate into the driver and back.
fn gate_call(guests: &Path, bare: &mut Bare) -> Result<Row> {
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
fn interrupt(guests: &Path, bare: &mut Bare) -> Result<Row> {
    let board = board(guests, ClockKind::Virtual)?;
    let delivered = || board.status().drivers[0].counts.interrupts;
    let relay = |count: u32| {
        let before = delivered();
        board.call("echo", Request::numbered(RELAY).scalar(u64::from(count)))?;
        // Virtual seconds: as soon as there is nothing left they are over.
        board.run_for(Duration::from_secs(10));
        anyhow::ensure!(
            delivered() - before == u64::from(count),
            "interrupts are missing"
        );
        Ok(())
    };
    let bare_relay = |count: u32| {
        bare.command(RELAY, u64::from(count), Vec::new())
            .map_err(into)?;
        for sequence in 0..u64::from(count) {
            bare.interrupt(sequence).map_err(into)?;
        }
        Ok(())
    };
    let measured = ratio(CALLS, relay, bare_relay)?;
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
fn serial_echo(component: &Path) -> Result<Row> {
    let mut driver = Echo::driver(component)?;
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
    let text = "[board]\nbackend = \"sim\"\n[[driver]]\nname = \"echo\"\ncomponent = \"probe_echo.wasm\"\nprovides = [\"echo\"]\n";
    let file = BoardFile::parse(text, guests.join("bench.toml"))?;
    Ok(Board::builder()
        .board(file)
        .clock(clock)
        .without_cache()
        .build()?)
}

#[expect(clippy::needless_pass_by_value, reason = "it is for `map_err`")]
fn into(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:#}")
}
