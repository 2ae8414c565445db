//! What a standard library finds around a driver, and drivers without one.

use loopgate::workloop::Instant;
use loopgate::{Board, ErrorCode, Request, State};
use loopgate_integration::{
    ask, assert_running, driver, entry, guest, log, refused, state, virtual_board,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn hostile(name: &str, more: &str) -> Board {
    let rest = format!("config = {{ when = \"timer\"{more} }}");
    virtual_board(entry("d", &guest(name), &rest))
}

fn wasi(name: &str) -> Board {
    virtual_board(entry(name, &guest("probe_wasi"), "provides = [\"wasi\"]"))
}

#[test]
fn standard_input_is_at_its_end() {
    let board = hostile("hostile_stdin", "");
    let ((), log) = log::capture(|| board.run_for(Duration::from_millis(2)));
    assert!(log.contains("d: misbehaved: read 0 bytes"), "{log}");
    assert_running(&board, "d");
}

#[test]
fn standard_output_and_error_are_lines_of_the_log() {
    let board = hostile("hostile_println", ", amount = \"2\"");
    let ((), log) = log::capture(|| board.run_for(Duration::from_millis(2)));
    for line in [
        " INFO driver: d: line 0 on standard output\n",
        " WARN driver: d: line 0 on standard error\n",
        " INFO driver: d: line 1 on standard output\n",
        " WARN driver: d: line 1 on standard error\n",
    ] {
        assert_eq!(log.matches(line).count(), 1, "{log}");
    }
}

#[test]
fn printing_is_bounded_as_the_log_is() {
    let board = hostile(
        "hostile_println",
        ", amount = \"1000\" }\nlimits = { log = \"1 KiB/s\", handler-cpu = \"10 s\"",
    );
    let ((), log) = log::capture(|| board.run_for(Duration::from_millis(2)));
    assert_running(&board, "d");
    assert!(log.lines().count() < 60, "{log}");
}

#[test]
fn a_sleep_traps_and_names_the_timer() {
    let board = hostile("hostile_sleep", "");
    board.run_for(Duration::from_millis(2));
    let (_, cause) = state(&board, "d");
    let words = "a handler must not wait; use a timer source";
    assert!(
        cause.starts_with("trap: the driver called `wasi:") && cause.contains(words),
        "{cause}"
    );
}

#[test]
fn there_is_nothing_around() {
    let board = wasi("d");
    let reply = board.call("wasi", Request::named("surroundings")).unwrap();
    let expected =
        "arguments: 0\nvariables: 0\nreads a file: no\nwrites a file: no\nlists a folder: no";
    assert_eq!(String::from_utf8(reply.data).unwrap(), expected);
    assert_running(&board, "d");
}

#[test]
fn clocks_are_the_boards() {
    let board = wasi("d");
    board.run_for(Duration::from_hours(24));
    let clocks = board.call("wasi", Request::named("clocks")).unwrap();
    assert_eq!(clocks.scalar, 86_400_000_000_000);
    let date = board.now().as_nanos().to_string();
    assert_eq!(String::from_utf8(clocks.data).unwrap(), date);
}

#[test]
fn random_numbers_are_the_same_for_the_same_driver() {
    let hash = |name| ask(&wasi(name), "wasi", "hash");
    assert_eq!(hash("one"), hash("one"));
    assert_ne!(hash("one"), hash("other"));
}

#[test]
fn exit_ends_the_driver_and_nothing_else() {
    let board = wasi("d");
    let error = refused(&board, "wasi", Request::named("exit"));
    assert_eq!(error.code, ErrorCode::DriverDied);
    let (state, cause) = state(&board, "d");
    assert_eq!(state, State::Failed);
    assert!(
        cause.contains("the driver called `exit`") && cause.contains("a driver ends by returning"),
        "{cause}"
    );
}

/// 200 lines of hand-written WAT against the contract: no library at all.
#[test]
fn a_driver_without_the_sdk_blinks() {
    let led = "[driver.gpio]\nled = { line = \"LED\", direction = \"output\" }";
    let board = virtual_board(
        entry("minimal", &guest("wat_minimal"), led)
            + &entry(
                "idle",
                &driver("blink"),
                led.replace("LED", "OTHER").as_str(),
            ),
    );
    assert_running(&board, "minimal");
    let changes = Arc::new(Mutex::new(Vec::new()));
    let (seen, start) = (changes.clone(), board.now());
    board.sim().observe(move |change| {
        if change.line == "LED" {
            let at = |at: Instant| at.saturating_since(start).as_millis();
            seen.lock()
                .unwrap()
                .push((at(change.timestamp), change.high));
        }
    });
    board.run_for(Duration::from_millis(100));
    let expected: Vec<_> = (1..=10).map(|n| (10 * n, n % 2 == 0)).collect();
    assert_eq!(*changes.lock().unwrap(), expected);
}
