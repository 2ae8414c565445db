//! What becomes of drivers that fail: restarts, quarantine, poison, reports.

use loopgate::{Board, Cancel, Request, State, Status};
use loopgate_integration::{
    ask, assert_running, crashes, entry, guest, refused, state, supervised, until, virtual_board,
};
use std::path::PathBuf;
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);

fn restarts(board: &Board) -> loopgate::status::Restarts {
    let Status { drivers, .. } = board.status();
    drivers[0].restarts.clone()
}

fn generation(board: &Board) -> u64 {
    board.status().drivers[0].generation
}

/// What the driver has logged itself.
fn told(board: &Board, driver: &str) -> Vec<String> {
    let lines = board.logs(driver, 0, Duration::ZERO, &Cancel::default());
    let lines = lines.unwrap().into_iter().map(|line| line.text);
    lines
        .filter(|text| text.starts_with("started: ") || text.starts_with('['))
        .collect()
}

/// Traps 1 ms after each start.
fn trapping(name: &str, restart: &str) -> String {
    let rest = format!("config = {{ when = \"timer\" }}\n[driver.restart]\n{restart}");
    supervised(name, &guest("hostile_trap"), &rest)
}

#[test]
fn a_driver_is_started_again_after_longer_and_longer_waits_and_then_quarantined() {
    let board = virtual_board(trapping("d", "budget = 3\nbackoff = \"100 ms\""));
    let mut at = board.now();
    for (number, wait) in (1..).zip([100, 200, 400]) {
        at = at.saturating_add(MILLISECOND);
        board.run_until(at);
        assert_eq!(state(&board, "d").0, State::Failed);
        assert_eq!(restarts(&board).next_ns, Some(wait * 1_000_000));
        assert_eq!(restarts(&board).left, Some(3 - number));
        at = at.saturating_add(wait as u32 * MILLISECOND);
        board.run_until(at);
        assert_running(&board, "d");
        assert_eq!(generation(&board), u64::from(number) + 1);
        assert_eq!(restarts(&board).made, u64::from(number));
    }
    board.run_for(Duration::from_hours(1));
    let (now, cause) = state(&board, "d");
    assert_eq!(now, State::Quarantined);
    assert!(cause.contains("in `timeout-occurred`"), "{cause}");
    assert_eq!((generation(&board), restarts(&board).next_ns), (4, None));
    board.start_driver("d").unwrap();
    assert_eq!(restarts(&board).left, Some(3), "people start it anew");
}

#[test]
fn a_start_that_fails_counts_and_people_are_told_when_the_next_one_comes() {
    let rest = "config = { when = \"start\", service = \"s\" }\nprovides = [\"s\"]";
    let board = virtual_board(supervised("d", &guest("hostile_trap"), rest));
    let error = refused(&board, "s", Request::numbered(1)).to_string();
    assert!(error.contains("it is started again in 100 ms"), "{error}");
    board.run_for(Duration::from_mins(1));
    assert_eq!(state(&board, "d").0, State::Quarantined);
    assert_eq!(restarts(&board).made, 5, "the default");
    let error = refused(&board, "s", Request::numbered(1)).to_string();
    assert!(error.contains("`loopgate start d`"), "{error}");
    board.reload("d").unwrap_err();
    assert_eq!(state(&board, "d").0, State::Failed, "a new budget");
}

#[test]
fn who_runs_for_long_enough_has_all_of_its_budget_again() {
    let healthy = |span| {
        let restart = format!("budget = 1\nbackoff = \"0 ms\"\nhealthy = \"{span}\"");
        let board = virtual_board(trapping("d", &restart));
        board.run_for(100 * MILLISECOND);
        state(&board, "d").0
    };
    assert_ne!(healthy("1 ms"), State::Quarantined);
    assert_eq!(healthy("2 ms"), State::Quarantined);
}

#[test]
fn whom_people_stop_stays_stopped() {
    let board = virtual_board(trapping("d", ""));
    board.run_for(2 * MILLISECOND);
    assert!(restarts(&board).next_ns.is_some());
    board.stop_driver("d").unwrap();
    board.run_for(Duration::from_mins(1));
    assert_eq!(state(&board, "d").0, State::Stopped);
    board.start_driver("d").unwrap();
    board.run_for(2 * MILLISECOND);
    board.stop();
    board.run_for(Duration::from_mins(1));
    assert_eq!(restarts(&board).made, 0);
}

fn mortal(restart: &str, config: &str) -> Board {
    let rest = format!(
        "provides = [\"mortal\"]\nconfig = {{ {config} }}\n\
         restart = {{ backoff = \"100 ms\", {restart} }}\n[driver.gpio]\n\
         in = {{ line = \"IN\", direction = \"input\", edges = \"both\" }}"
    );
    virtual_board(supervised("mortal", &guest("probe_mortal"), &rest))
}

fn toggle(board: &Board, times: u32) {
    for _ in 0..times {
        let high = board.sim().show()[0].high;
        board.sim().set("IN", !high).unwrap();
    }
}

fn delivered_and_lost(board: &Board) -> (u64, u64) {
    let counts = board.status().drivers[0].counts;
    (counts.interrupts, counts.lost)
}

#[test]
fn rule_04_over_a_restart_every_edge_is_delivered_but_the_one_that_kills_twice() {
    let board = mortal("budget = 5", "deadly = \"2\"");
    toggle(&board, 3);
    board.run_for(MILLISECOND);
    assert_eq!(state(&board, "mortal").0, State::Failed);
    toggle(&board, 2);
    board.run_for(100 * MILLISECOND);
    assert_eq!(state(&board, "mortal").0, State::Failed, "the second again");
    assert_eq!(restarts(&board).set_aside, 1);
    board.run_for(Duration::from_secs(1));
    assert_running(&board, "mortal");
    let expected = [
        "started: Boot",
        "[1, 2, 3] lost 0",
        "started: Restart",
        "[1] lost 0",
        "[2] lost 0",
        "started: Restart",
        "[3] lost 0",
        "[4, 5] lost 1",
    ];
    assert_eq!(told(&board, "mortal"), expected);
    assert_eq!(delivered_and_lost(&board), (4, 1));
    assert_eq!(board.status().drivers[0].usage.sources, 2);
}

#[test]
fn rule_04_what_waits_for_a_restart_that_does_not_come_is_lost() {
    for stopped in [false, true] {
        let board = mortal("budget = 1", "deadly = \"1 2 3 4\"");
        toggle(&board, 3);
        board.run_for(MILLISECOND);
        assert_eq!(delivered_and_lost(&board), (0, 0), "all three come again");
        toggle(&board, 1);
        let delivered = if stopped {
            board.stop_driver("mortal").unwrap();
            0
        } else {
            board.run_for(Duration::from_secs(1));
            assert_eq!(state(&board, "mortal").0, State::Quarantined);
            1
        };
        assert_eq!(delivered_and_lost(&board), (delivered, 4 - delivered));
        assert_eq!(board.sim().show()[0].consumer, None);
    }
}

#[test]
fn rule_15_a_client_of_one_that_was_started_again_opens_it_anew() {
    let board = mortal("budget = 1", "");
    let error = refused(&board, "mortal", Request::named("die"));
    assert_eq!(error.code, loopgate::ErrorCode::DriverDied);
    assert!(board.call("mortal", Request::named("edges")).is_err());
    board.run_for(100 * MILLISECOND);
    assert_eq!(ask(&board, "mortal", "edges"), 0);
}

#[test]
fn a_report_of_each_death_is_on_disk_but_only_so_many() {
    let board = virtual_board(
        trapping(
            "reported",
            "budget = \"unlimited\"\nbackoff = \"1 ms\"\nhealthy = \"1 ms\"",
        ) + &entry(
            "never",
            &guest("hostile_trap"),
            "config = { when = \"stop\" }",
        ),
    );
    for generation in 1..=30 {
        board.run_for(MILLISECOND);
        let written = || restarts(&board).crash_report;
        let name = format!("reported@{generation:06}.json");
        until("the report is written", || {
            written().is_some_and(|path| path.ends_with(&name))
        });
        board.run_for(MILLISECOND);
    }
    let path = restarts(&board).crash_report.unwrap();
    let text = std::fs::read_to_string(path).unwrap();
    eprintln!("{text}");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["driver"], "reported");
    assert_eq!(json["generation"], 30);
    assert_eq!(json["handler"], "timeout-occurred");
    assert_eq!(json["sha256"].as_str().unwrap().len(), 64);
    assert!(json["then"].as_str().unwrap().contains("started again"));
    let calls = json["calls"].as_array().unwrap();
    assert_eq!(calls[0]["handler"], "start");
    assert_eq!(calls.last().unwrap()["handler"], "timeout-occurred");
    assert!(calls.last().unwrap()["token"].is_number());
    let frames = json["backtrace"].as_array().unwrap();
    let named = |frame: &serde_json::Value| frame.as_str().unwrap().contains("trap");
    assert!(frames.iter().any(named), "{frames:?}");
    assert_eq!(reports().len(), 20);
}

fn reports() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(crashes()).into_iter().flatten();
    let paths = entries.map(|entry| entry.unwrap().path());
    let is_report = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| name.starts_with("reported@"))
    };
    paths.filter(is_report).collect()
}
