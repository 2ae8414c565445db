//! The sample drivers, on the board that their folder has for them.

use loopgate::board_file::ClockKind;
use loopgate::workloop::Instant;
use loopgate::{Board, BoardFile, Request};
use loopgate_integration::{ask, assert_running, data, driver, entry, root, virtual_board};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn sample_board() -> Board {
    let file = BoardFile::read(root().join("sample-drivers/board.toml"))
        .unwrap_or_else(|error| panic!("{error}"));
    Board::builder()
        .board(file)
        .clock(ClockKind::Virtual)
        .without_cache()
        .build()
        .unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn blink_toggles_its_led_every_period() {
    let board = sample_board();
    assert_running(&board, "blink");
    let changes = Arc::new(Mutex::new(Vec::new()));
    let seen = changes.clone();
    board.sim().observe(move |change| {
        if change.line == "GPIO22" {
            seen.lock().unwrap().push(change.timestamp);
        }
    });
    let start = board.now();
    board.run_for(Duration::from_secs(10));
    let changes: Vec<Duration> = changes
        .lock()
        .unwrap()
        .iter()
        .map(|at: &Instant| at.saturating_since(start))
        .collect();
    let expected: Vec<Duration> = (1..=20).map(|n| Duration::from_millis(500 * n)).collect();
    assert_eq!(changes, expected);
}

#[test]
fn button_led_counts_presses_and_not_bounces() {
    let board = sample_board();
    assert_running(&board, "button-led");
    for press in 1..=3 {
        for high in [false, true, false, true, false] {
            board.sim().set("GPIO17", high).unwrap();
            board.run_for(Duration::from_millis(1));
        }
        board.run_for(Duration::from_millis(100));
        let led = board
            .sim()
            .show()
            .into_iter()
            .find(|line| line.name == "GPIO27")
            .unwrap();
        assert_eq!(led.high, press % 2 == 1);
        board.sim().set("GPIO17", true).unwrap();
        board.run_for(Duration::from_millis(100));
        assert_eq!(ask(&board, "button-led", "presses"), press);
    }
    let reply = board.call("button-led", Request::numbered(1)).unwrap();
    assert_eq!(reply.data, b"3");
}

/// What the reference decoder says, in the words of `ir keys`.
fn expected_keys(text: &str) -> Vec<(&'static str, Option<u64>, Option<u64>)> {
    let hex = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let mut keys = Vec::new();
    let mut address = None;
    for line in text.lines() {
        match line.trim_start_matches("ir_nec-1: ").split_once(": ") {
            Some(("Address", value)) => address = Some(hex(value)),
            Some(("Command", value)) => keys.push(("code", address, Some(hex(value)))),
            None if line.ends_with("Repeat code") => keys.push(("repeat", None, None)),
            _ => panic!("`{line}` is not of the reference decoder"),
        }
    }
    keys
}

#[test]
fn ir_nec_decodes_a_real_remote_as_the_reference_does() {
    let (Some(capture), Some(expected)) = (
        data("logic/tv_matsui_0001_buttons_1234567890_hold.sr"),
        data("logic/tv_matsui_0001_buttons_1234567890_hold.expected.txt"),
    ) else {
        return;
    };
    let play = format!(
        "[[board.play]]\ncapture = \"{}\"\nchannel = \"IR Toy IRRX\"\nline = \"IR\"\n",
        capture.canonicalize().unwrap().display()
    );
    let pins = "provides = [\"ir\"]\n[driver.gpio]\nir = { line = \"IR\", direction = \"input\", edges = \"both\" }";
    let board = virtual_board(format!("{play}{}", entry("ir", &driver("ir_nec"), pins)));
    assert_running(&board, "ir");
    board.run_for(Duration::from_hours(1));
    let reply = board.call("ir", Request::named("keys")).unwrap();
    let keys: Vec<serde_json::Value> = String::from_utf8(reply.data)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let keys: Vec<_> = keys
        .iter()
        .map(|key| {
            (
                key["kind"].as_str().unwrap(),
                key["address"].as_u64(),
                key["command"].as_u64(),
            )
        })
        .collect();
    let expected = expected_keys(&std::fs::read_to_string(expected).unwrap());
    let without_address: Vec<_> = keys
        .iter()
        .map(|&(kind, address, command)| {
            if kind == "repeat" {
                (kind, None, None)
            } else {
                (kind, address, command)
            }
        })
        .collect();
    assert!(expected.len() > 20);
    assert_eq!(without_address, expected);
}
