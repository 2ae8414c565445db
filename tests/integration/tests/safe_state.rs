//! Rule 14: what outputs become when nobody drives them any more.

use loopgate::devices::sim::DrivenBy;
use loopgate::{Board, State};
use loopgate_integration::{ask, driver, entry, guest, state, supervised, virtual_board};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);

/// The level and what makes it.
fn out(board: &Board) -> (bool, DrivenBy) {
    let lines = board.sim().show();
    let line = lines.iter().find(|line| line.name == "OUT").unwrap();
    (line.high, line.driven_by)
}

/// With its output driven high from the start.
fn mortal(on_death: &str, more: &str) -> Board {
    let rest = format!(
        "provides = [\"mortal\"]\nconfig = {{ out = \"high\" }}\n[driver.gpio]\n\
         out = {{ line = \"OUT\", direction = \"output\"{on_death}{more} }}"
    );
    virtual_board(supervised("mortal", &guest("probe_mortal"), &rest))
}

const STATES: [(&str, (bool, DrivenBy)); 5] = [
    ("", (false, DrivenBy::Pull)),
    (", on-death = \"input\"", (false, DrivenBy::Pull)),
    (", on-death = \"low\"", (false, DrivenBy::Output)),
    (", on-death = \"high\"", (true, DrivenBy::Output)),
    (", on-death = \"hold\"", (true, DrivenBy::Output)),
];

type End = fn(&Board);

#[test]
fn rule_14_an_output_takes_its_state_whenever_its_driver_lets_it_go() {
    let ends: [(&str, End); 5] = [
        ("dies", |board| {
            board
                .call("mortal", loopgate::Request::named("die"))
                .unwrap_err();
        }),
        ("is stopped", |board| {
            board.stop_driver("mortal").unwrap();
        }),
        ("drops it", |board| {
            ask(board, "mortal", "drop");
        }),
        ("goes with the board", Board::stop),
        ("is not waited for", Board::rest_outputs),
    ];
    for (on_death, expected) in STATES {
        for (how, end) in ends {
            let board = mortal(on_death, "");
            assert_eq!(out(&board), (true, DrivenBy::Output));
            end(&board);
            assert_eq!(out(&board), expected, "{on_death}: {how}");
        }
    }
}

#[test]
fn rule_14_states_are_logical() {
    for (on_death, high) in [("low", true), ("high", false)] {
        let board = mortal(
            &format!(", on-death = \"{on_death}\""),
            ", active-low = true",
        );
        board.stop();
        assert_eq!(out(&board), (high, DrivenBy::Output), "{on_death}");
    }
}

/// Each change of these lines, with its time in milliseconds.
fn trace(board: &Board) -> Arc<Mutex<Vec<(String, bool, u64)>>> {
    let trace = Arc::<Mutex<Vec<_>>>::default();
    let (seen, begun) = (trace.clone(), board.now());
    board.sim().observe(move |change| {
        let at = change.timestamp.saturating_since(begun).as_millis() as u64;
        seen.lock()
            .unwrap()
            .push((change.line.to_string(), change.high, at));
    });
    trace
}

#[test]
fn rule_14_the_state_is_there_before_a_neighbour_is_called() {
    for (on_death, expected) in STATES {
        let rest = format!(
            "config = {{ when = \"timer\", out = \"out\" }}\n[driver.gpio]\n\
             out = {{ line = \"OUT\", direction = \"output\"{on_death} }}"
        );
        let blink = "config = { period-ms = \"1\" }\n[driver.gpio]\n\
            led = { line = \"LED\", direction = \"output\" }";
        let board = virtual_board(
            entry("dies", &guest("hostile_trap"), &rest) + &entry("blink", &driver("blink"), blink),
        );
        let trace = trace(&board);
        board.run_for(MILLISECOND);
        assert_eq!(state(&board, "dies").0, State::Failed);
        let change = |line: &str, high| (line.to_owned(), high, 1);
        let led = !board
            .sim()
            .show()
            .iter()
            .any(|line| line.name == "LED" && !line.high);
        let mut changes = vec![change("LED", led)];
        if !expected.0 {
            changes.insert(0, change("OUT", false));
        }
        assert_eq!(*trace.lock().unwrap(), changes, "{on_death}");
    }
}

#[test]
fn rule_14_a_held_output_does_not_glitch_over_restart_reload_stop_and_start() {
    let board = mortal(", on-death = \"hold\"", "");
    let trace = trace(&board);
    board
        .call("mortal", loopgate::Request::named("die"))
        .unwrap_err();
    board.run_for(Duration::from_secs(1));
    assert_eq!(state(&board, "mortal").0, State::Running);
    board.reload("mortal").unwrap();
    board.stop_driver("mortal").unwrap();
    board.start_driver("mortal").unwrap();
    assert_eq!(*trace.lock().unwrap(), []);
    ask(&board, "mortal", "low");
    assert_eq!(trace.lock().unwrap().len(), 1, "it is the driver's again");
}
