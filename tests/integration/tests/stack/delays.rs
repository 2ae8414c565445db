//! What an ending waits for, and how long.

use crate::support::{LOOPS, MILLISECOND, closing, elapsed, part, said, settled, stops, three};
use loopgate::State;
use loopgate_integration::{log, state, virtual_board};
use std::time::Duration;

#[test]
fn rule_134_a_client_that_closes_later_delays_stop_until_then() {
    for place in LOOPS {
        let config = ", answer = \"closing\", close-ms = \"100\"";
        let board = virtual_board(
            part("low", &[], "provider", "", "") + &part("middle", &["low"], place, config, ""),
        );
        settled(&board);
        let (((), said), taken) = elapsed(&board, || said(|| drop(board.stop_driver("low"))));
        assert_eq!(taken, 100 * MILLISECOND, "{place}");
        let at = |text: &str| said.iter().position(|line| line == text).unwrap();
        assert!(at("middle: closes") < at("middle: stop"), "{said:?}");
        assert!(at("middle: stop") < at("low: stop"), "{said:?}");
    }
}

/// Ready, or closed at once: nothing is waited for.
#[test]
fn rule_134_a_client_that_is_ready_delays_nothing() {
    for answer in ["ready", "close", "trap"] {
        let config = format!(", answer = \"{answer}\"");
        let board = virtual_board(three("dedicated", &config, ""));
        settled(&board);
        let (stopped, taken) = elapsed(&board, || board.stop_driver("low").unwrap());
        assert_eq!((stopped.len(), taken), (3, Duration::ZERO), "{answer}");
        for driver in ["low", "middle", "top"] {
            assert_eq!(state(&board, driver).0, State::Stopped, "{answer}");
        }
    }
}

#[test]
fn rule_135_a_client_that_never_closes_is_closed_by_force() {
    let config = ", answer = \"closing\"";
    let middle = part("middle", &["low"], "provider", config, &closing("300 ms"));
    let board = virtual_board(part("low", &[], "provider", "", "") + &middle);
    let ((_, log), taken) = elapsed(&board, || {
        log::capture(|| board.stop_driver("low").unwrap())
    });
    assert_eq!(taken, 300 * MILLISECOND);
    let words = "middle: still has something of `low` open, which is stopped; it is closed by force: its limit `closing` is 300 ms";
    assert!(log.contains(words), "{log}");
    let lines = log.lines().filter(|line| line.ends_with(": stop"));
    assert_eq!(lines.count(), 2);
    assert_eq!(state(&board, "low").0, State::Stopped);
}

#[test]
fn rule_137_who_lives_on_and_closes_delays_the_provider_until_then() {
    let config = ", answer = \"closing\", close-ms = \"20\"";
    let board = virtual_board(
        part("one", &[], "provider", "", "")
            + &part("two", &[], "provider", "", "")
            + &part("user", &["one", "two"], "provider", config, ""),
    );
    let (_, taken) = elapsed(&board, || board.stop_driver("one").unwrap());
    assert_eq!(taken, 20 * MILLISECOND);
    assert_eq!(stops(&board, "user"), 0);
}

#[test]
fn rule_139a_all_of_an_ending_is_waited_for_15_s() {
    let board = virtual_board(
        part("base", &[], "provider", "", "")
            + &part(
                "low",
                &["base"],
                "provider",
                ", answer = \"closing\"",
                &closing("10 s"),
            )
            + &part(
                "on-low",
                &["low"],
                "provider",
                ", answer = \"closing\"",
                &closing("10 s"),
            ),
    );
    let (stopped, taken) = elapsed(&board, || board.stop_driver("base").unwrap());
    // Each has its limit from when it was told, so these go side by side.
    assert_eq!((stopped.len(), taken), (3, Duration::from_secs(10)));

    // It takes long to be told, and then to close.
    let config = ", answer = \"closing\", told-ms = \"8000\"";
    let limits = "limits = { closing = \"10 s\", handler-wall = \"60 s\" }";
    let board = virtual_board(
        part("base", &[], "provider", "", "") + &part("low", &["base"], "provider", config, limits),
    );
    let ((_, log), taken) = elapsed(&board, || {
        log::capture(|| board.stop_driver("base").unwrap())
    });
    assert_eq!(taken, Duration::from_secs(15));
    assert!(log.contains("drivers are waited for 15 s in all"), "{log}");
}
