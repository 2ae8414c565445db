//! The table of `wit/README.md` that says where callbacks run, line by line,
//! through a guest that looks.

use loopgate::board_file::ClockKind;
use loopgate::{Board, Cancel, ErrorCode, Mode, PowerState, Request, State};
use loopgate_integration::{
    ask, assert_running, guest, real_board, refused, root, supervised, until, virtual_board,
};
use std::collections::BTreeSet;
use std::time::Duration;

/// Rows `callback | in-gate | on-thread`.
type Rows = BTreeSet<String>;

fn probe(name: &str, rest: &str, config: &str) -> String {
    let rest =
        format!("provides = [\"{name}\"]\n{rest}\nconfig = {{ service = \"{name}\"{config} }}");
    let rest = format!("restart = {{ backoff = \"0 ms\" }}\n{rest}");
    supervised(name, &guest("probe_context"), &rest)
}

/// Both pins that a probe publishes.
fn granted(of: &str) -> String {
    let pin = |pin: &str, direction: &str| {
        format!("{of}-{pin} = {{ line = \"{of}:{pin}\", direction = \"{direction}\" }}\n")
    };
    pin("in", "input") + &pin("out", "output")
}

/// The last asks both others, from its timer, on the loop that it shares with
/// the first, submits to them and uses their pins.
fn board(clock: ClockKind) -> Board {
    let pins = |whose: &str| format!(", pins = \"a handler on {whose} loop\"");
    let drivers = probe("near", "", &pins("this"))
        + &probe("far", "work-loop = \"dedicated\"", &pins("another"))
        + &probe(
            "asks",
            "uses = [\"near\", \"far\"]",
            ", near = \"near\", far = \"far\", stateful = \"yes\"",
        )
        + "[driver.gpio]\n"
        + &granted("near")
        + &granted("far");
    match clock {
        ClockKind::Real => real_board(drivers),
        ClockKind::Virtual => virtual_board(drivers),
    }
}

/// What a driver has logged of its callbacks.
fn told(board: &Board, driver: &str) -> Rows {
    let lines = board.logs(driver, 0, Duration::ZERO, &Cancel::default());
    let rows = lines.unwrap().into_iter().map(|line| line.text);
    rows.filter(|text| text.contains(" | ")).collect()
}

/// The table, where a down call on the same loop is on the thread that its
/// caller is on: here the loop's, from a timeout.
fn expected() -> Rows {
    let document = std::fs::read_to_string(root().join("wit/README.md")).unwrap();
    let (_, section) = document.split_once("## Where callbacks run").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let rows = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"));
    rows.map(|row| row.replace('`', "").replace("as in that handler", "true"))
        .collect()
}

fn every_callback(board: &Board) {
    ask(board, "asks", "cause");
    ask(board, "near", "tell");
    ask(board, "near", "sleep");
    let short = Mode::Run(Some(Duration::from_millis(1)));
    let endless = Request::named("sleep").scalar(1).mode(short);
    assert_eq!(refused(board, "near", endless).code, ErrorCode::TimedOut);
    until("both were asked, and what was submitted is over", || {
        // In virtual time this moves the board on.
        ask(board, "near", "sleep");
        let has_told = |driver, callback| {
            told(board, driver)
                .iter()
                .any(|row| row.starts_with(callback))
        };
        let cancelled = "cancelled, of a submitted request";
        let closed = "pin-configure, of a pin that was closed";
        let both = |callback| has_told("near", callback) && has_told("far", callback);
        both(cancelled) && both(closed) && has_told("asks", "completed")
    });
    board.reload("asks").unwrap();
    board.power(PowerState::Sleep).unwrap();
    board.reload("near").unwrap();
    board.power(PowerState::On).unwrap();
    refused(board, "near", Request::named("die"));
    until("it is started again", || {
        if board.status().clock == "virtual" {
            board.run_for(Duration::from_millis(1));
        }
        board.driver_state("near").unwrap() == (State::Running, 3)
    });
    for driver in ["near", "far", "asks"] {
        assert_running(board, driver);
    }
    board.stop();
}

#[test]
fn rule_02_every_callback_is_in_the_gate_and_on_the_thread_of_its_table() {
    let expected = expected();
    assert!(expected.len() >= 23, "{expected:#?}");
    for clock in [ClockKind::Real, ClockKind::Virtual] {
        let board = board(clock);
        every_callback(&board);
        let told: Rows = ["near", "far", "asks"]
            .iter()
            .flat_map(|driver| told(&board, driver))
            .collect();
        assert_eq!(told, expected, "{clock:?}");
    }
}
