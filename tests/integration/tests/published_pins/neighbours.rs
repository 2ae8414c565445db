//! What drivers are told of each other's pins.

use crate::support::{LOOPS, MILLISECOND, ask, drivers, report};
use loopgate::{Board, ErrorCode, Request};
use loopgate_integration::{StopOnPanic, log, real_board, virtual_board, with_another_provider};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

fn told(board: &Board) -> Vec<String> {
    board.run_for(MILLISECOND);
    let reply = board.call("pins", Request::named("told")).unwrap();
    let text = String::from_utf8(reply.data).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// A service that has nothing but pins, and a user that has another provider.
fn nothing_but_pins(work_loop: &str) -> Board {
    let provider = "control = \"publish\", told = \"yes\"";
    let drivers = drivers(provider, work_loop, "");
    let drivers = drivers.replace(
        "provides = [\"expander\"]",
        "provides = [\"expander\", \"publish\"]",
    );
    virtual_board(with_another_provider(&drivers, "expander"))
}

#[test]
fn rule_130_who_uses_nothing_but_pins_is_told_that_they_go_and_come() {
    for work_loop in LOOPS {
        let board = nothing_but_pins(work_loop);
        ask(&board, "input", "in", 0).unwrap();
        assert!(told(&board).is_empty(), "{work_loop}");
        board.stop_driver("publish").unwrap();
        assert_eq!(told(&board), ["ProviderTerminated expander"]);
        board.start_driver("publish").unwrap();
        assert_eq!(told(&board), ["ProviderPublished expander"]);
        // It was open all the while, and is for the next one.
        assert_eq!(
            report(&board, "publish"),
            ["ClientOpened expander", "configure 0 input"]
        );
        board.reload("publish").unwrap();
        let both = ["ProviderTerminated expander", "ProviderPublished expander"];
        assert_eq!(told(&board), both);
        assert_eq!(ask(&board, "read", "in", 0), Ok(0));
    }
}

#[test]
fn rule_138_the_first_pin_that_is_opened_and_the_last_that_is_closed_are_told() {
    for work_loop in LOOPS {
        let board = nothing_but_pins(work_loop);
        ask(&board, "input", "in", 0).unwrap();
        ask(&board, "output", "out", 1).unwrap();
        ask(&board, "close", "in", 0).unwrap();
        let mut opened = report(&board, "publish");
        opened.retain(|line| line.starts_with("Client"));
        assert_eq!(opened, ["ClientOpened expander"], "{work_loop}");
        ask(&board, "close", "out", 0).unwrap();
        let mut closed = report(&board, "publish");
        closed.retain(|line| line.starts_with("Client"));
        assert_eq!(closed, ["ClientClosed expander"]);
    }
}

#[test]
fn rule_134_a_pin_that_is_open_delays_its_providers_stop() {
    for work_loop in LOOPS {
        for (closing, limit) in [(100, 100), (5000, 1000)] {
            let user = format!("closing = \"{closing}\"");
            let board = virtual_board(drivers("", work_loop, &user));
            ask(&board, "input", "in", 0).unwrap();
            board.run_for(MILLISECOND);
            let begun = board.now();
            let (stopped, logged) = log::capture(|| board.stop_driver("publish").unwrap());
            assert_eq!(stopped, ["user", "publish"]);
            let taken = board.now().saturating_since(begun);
            assert_eq!(taken, limit * MILLISECOND, "{work_loop}");
            let by_force = "still has something of `publish` open";
            assert_eq!(logged.contains(by_force), closing > 1000, "{logged}");
        }
    }
}

/// Whether the pin is opened before the ending or not at all, nobody hangs.
#[test]
fn race_x22_a_pin_that_is_opened_and_closed_while_its_provider_ends() {
    let drivers = drivers("", "dedicated", "");
    let board = real_board(with_another_provider(&drivers, "expander"));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = StopOnPanic(&board);
        scope.spawn(|| {
            while !over.load(Relaxed) {
                let opened = ask(&board, "input", "in", 0);
                let expected = [Ok(0), Err(ErrorCode::NoDevice), Err(ErrorCode::DriverDied)];
                assert!(expected.contains(&opened), "{opened:?}");
                ask(&board, "close", "in", 0).unwrap();
            }
        });
        for _ in 0..50 {
            board.stop_driver("publish").unwrap();
            board.start_driver("publish").unwrap();
        }
        over.store(true, Relaxed);
    });
    assert_eq!(ask(&board, "input", "in", 0), Ok(0));
}
