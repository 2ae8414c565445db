//! The table of benchmarks.

use crate::bare::Bare;
use crate::measure::ratio;
use anyhow::{Context as _, Result};
use loopgate::board_file::ClockKind;
use loopgate::{Board, BoardFile, Request};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const COUNT: u32 = 20_000;

/// Selectors of `probe_echo`.
const ECHO: u32 = 1;
const RELAY: u32 = 5;

/// One comparison.
pub(crate) struct Row {
    name: &'static str,
    compared_with: &'static str,
    ratio: f64,
    target: f64,
    time: Duration,
    pub(crate) met: bool,
}

pub(crate) fn measure_all(guests: &Path) -> Result<Vec<Row>> {
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
    let (ratio, time) = ratio(COUNT, |count| calls(&board, count), bare_calls)?;
    Ok(row(
        "gate call, 64 B in and out, from a client thread",
        "bare component call",
        ratio,
        1.5,
        time,
    ))
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
    let (ratio, time) = ratio(COUNT, relay, bare_relay)?;
    Ok(row(
        "software interrupt to handler, on the draining thread",
        "bare component call",
        ratio,
        1.5,
        time,
    ))
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
    let (ratio, time) = ratio(COUNT, |count| calls(&board, count), locked)?;
    Ok(row(
        "gate call, 64 B in and out, from a client thread",
        "native driver behind a mutex",
        ratio,
        f64::INFINITY,
        time,
    ))
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

fn row(
    name: &'static str,
    compared_with: &'static str,
    ratio: f64,
    target: f64,
    time: Duration,
) -> Row {
    Row {
        name,
        compared_with,
        ratio,
        target,
        time,
        met: ratio <= target,
    }
}

pub(crate) fn print(rows: &[Row], json: bool) {
    if json {
        let rows: Vec<_> = rows.iter().map(as_json).collect();
        println!("{}", serde_json::json!({ "rows": rows }));
        return;
    }
    for row in rows {
        let target = if row.target.is_finite() {
            format!(
                "target {:.2}, {}",
                row.target,
                if row.met { "met" } else { "NOT MET" }
            )
        } else {
            "no target".into()
        };
        println!(
            "{}: {:.2} x {} ({} ns; {target})",
            row.name,
            row.ratio,
            row.compared_with,
            row.time.as_nanos()
        );
    }
}

fn as_json(row: &Row) -> serde_json::Value {
    serde_json::json!({
        "name": format!("{} / {}", row.name, row.compared_with),
        "ratio": row.ratio,
        "target": row.target.is_finite().then_some(row.target),
        "met": row.met,
    })
}
