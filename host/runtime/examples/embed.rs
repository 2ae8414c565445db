//! All that the program `loopgate` does with a board, from a program of one's own.
//!
//!     cargo xtask build
//!     cargo run --release --package loopgate --example embed target/drivers
//!
//! Time is virtual here: it goes on where this says so, and costs nothing. With
//! `clock = "real"` the board has threads, and nobody moves the time.

#![forbid(unsafe_code)]

use loopgate::{
    Board, BoardFile, Cancel, DriverStatus, PowerState, Request, State, VcdFile, inspect,
};
use std::error::Error;
use std::path::Path;
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const BOARD: &str = r#"
    [board]
    backend = "sim"
    clock = "virtual"

    [[driver]]
    name = "button-led"
    component = "button_led.wasm"
    provides = ["button-led"]
    [driver.gpio]
    button = { line = "BUTTON", direction = "input", bias = "pull-up", edges = "both" }
    led = { line = "LED", direction = "output", on-death = "high" }

    [[driver]]
    name = "encoder"
    component = "quadrature.wasm"
    provides = ["quadrature"]
    limits = { memory = "2 MiB", handler-cpu = "5 ms" }
    [driver.gpio]
    a = { line = "A", direction = "input", edges = "both" }
    b = { line = "B", direction = "input", edges = "both" }
"#;

/// It cannot run with so little.
const STARVED: &str = r#"
    [[driver]]
    name = "starved"
    component = "blink.wasm"
    limits = { memory = "64 KiB" }
    restart = { budget = 2, backoff = "10 ms" }
    [driver.gpio]
    led = { line = "LAMP", direction = "output" }
"#;

fn main() -> Result<()> {
    let Some(components) = std::env::args_os().nth(1) else {
        return Err("name the folder of the sample drivers, `target/drivers`".into());
    };
    let leavings = std::env::temp_dir().join(format!("loopgate-embed-{}", std::process::id()));
    std::fs::create_dir(&leavings)?;
    let done = embed(components.as_ref(), &leavings);
    std::fs::remove_dir_all(&leavings)?;
    done
}

/// `components` has the sample drivers; into `leavings` goes what the board
/// writes.
pub(crate) fn embed(components: &Path, leavings: &Path) -> Result<()> {
    let file = board_file(components, &format!("{BOARD}{STARVED}"))?;
    check(components, &file)?;
    let crashes = leavings.join("crashes");
    let board = Board::builder()
        .board(file)
        .cache_directory(leavings.join("code"))
        .crash_directory(&crashes)
        .record(VcdFile::new(leavings.join("lines.vcd")))
        .build()?;
    status(&board);
    call(&board)?;
    reload(&board)?;
    supervision(&board)?;
    stop_and_start(&board)?;
    power(&board)?;
    revoke(&board)?;
    difference(&board, components)?;
    // Stops the drivers, users before those that they use, and writes what is
    // still to be written.
    board.shutdown();
    crash_reports(&crashes)
}

/// Of text, or with `BoardFile::read` of a file. Paths are relative to the file
/// that it would be.
fn board_file(components: &Path, text: &str) -> Result<BoardFile> {
    Ok(BoardFile::parse(text, components.join("board.toml"))?)
}

/// `loopgate check`: what a component wants, and what the board grants it.
fn check(components: &Path, file: &BoardFile) -> Result<()> {
    let inspection = inspect(&components.join("quadrature.wasm"), Some(file))?;
    assert!(inspection.loads && inspection.missing.is_empty());
    println!("checked: granted {}", inspection.grants.join("; "));
    Ok(())
}

fn driver(board: &Board, name: &str) -> Option<DriverStatus> {
    let mut drivers = board.status().drivers.into_iter();
    drivers.find(|driver| driver.name == name)
}

/// `loopgate status`
fn status(board: &Board) {
    for driver in board.status().drivers {
        let (memory, time) = (driver.limits.memory, driver.limits.handler_cpu);
        let (name, state) = (driver.name, driver.state.name());
        println!("{name}: {state}, {memory} bytes, {time:?} a handler");
    }
}

/// `loopgate sim set` and `loopgate call`
fn call(board: &Board) -> Result<()> {
    for high in [false, true, false] {
        board.sim().set("BUTTON", high)?;
        board.run_for(Duration::from_millis(20));
    }
    let presses = board.call("button-led", Request::named("presses"))?;
    assert_eq!(presses.scalar, 2);
    println!("pressed {} times", presses.scalar);
    Ok(())
}

/// `loopgate reload`: the new version goes on with the state of the old one.
fn reload(board: &Board) -> Result<()> {
    for (line, high) in [("A", true), ("B", true), ("A", false), ("B", false)] {
        board.sim().set(line, high)?;
        board.run_for(Duration::from_millis(1));
    }
    let count = || board.call("quadrature", Request::named("count"));
    let before = count()?.data;
    let reload = board.reload("encoder")?;
    assert_eq!((reload.generation, count()?.data), (2, before));
    println!(
        "reloaded with {:?} bytes of state; its gate was closed for {} ns",
        reload.state_bytes, reload.gate_closed_ns
    );
    Ok(())
}

/// A driver that fails is started again, and then left in quarantine. What it
/// said stands in its log: `loopgate logs`.
fn supervision(board: &Board) -> Result<()> {
    board.run_for(Duration::from_secs(1));
    let starved = driver(board, "starved").ok_or("it is on the board")?;
    assert_eq!(starved.state, State::Quarantined);
    assert_eq!(starved.restarts.made, 2);
    let lines = board.logs("starved", 0, Duration::ZERO, &Cancel::default())?;
    let last = lines.last().ok_or("its end was logged")?;
    println!("starved: {}", last.text);
    Ok(())
}

/// `loopgate stop` and `loopgate start`. Its output is in its safe state
/// (`on-death`) between the two.
fn stop_and_start(board: &Board) -> Result<()> {
    board.stop_driver("button-led")?;
    let lines = board.sim().show();
    let led = lines.iter().find(|line| line.name == "LED");
    assert!(led.is_some_and(|led| led.high));
    let (state, generation) = board.driver_state("button-led")?;
    println!("button-led: {}, generation {generation}", state.name());
    board.start_driver("button-led")?;
    Ok(())
}

/// `loopgate power`
fn power(board: &Board) -> Result<()> {
    board.power(PowerState::Sleep)?;
    println!("power: {}", board.status().power.name());
    board.power(PowerState::On)?;
    Ok(())
}

/// `loopgate revoke`: what the driver has open under this name is closed when this
/// returns, and stays so until the board becomes what its file says.
fn revoke(board: &Board) -> Result<()> {
    let revoked = board.revoke("button-led", "led")?;
    assert_eq!(revoked.pins, 1);
    let led = driver(board, "button-led").ok_or("it is on the board")?;
    assert!(led.revoked.contains("led"));
    println!("button-led: `{}` is revoked", revoked.grant);
    Ok(())
}

/// `loopgate reload --board`: the drivers whose entries are the same go on.
/// `Board::reread` reads the file again that the board was made of.
fn difference(board: &Board, components: &Path) -> Result<()> {
    let changes = board.change_to(board_file(components, BOARD)?)?;
    assert_eq!(changes.removed, ["starved"]);
    println!("{changes}");
    Ok(())
}

/// What is left of each instance that has died, as JSON. While the board lives,
/// the status names the newest.
fn crash_reports(folder: &Path) -> Result<()> {
    let mut reports = 0;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        assert!(std::fs::read_to_string(&path)?.contains("limit `memory`"));
        reports += 1;
    }
    println!("{reports} crash reports");
    assert_eq!(reports, 3);
    Ok(())
}
