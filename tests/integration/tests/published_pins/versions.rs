//! When one of the two ends, or is replaced.

use crate::support::{BOTH, LOOPS, MILLISECOND, ask, board, called, change, drivers, heard};
use loopgate::ErrorCode;
use loopgate_integration::{assert_running, log, virtual_board, with_another_provider};

#[test]
fn what_a_user_has_open_is_closed_when_it_ends() {
    for work_loop in LOOPS {
        let board = board("", work_loop);
        ask(&board, "output", "out", 1).unwrap();
        ask(&board, "input", "in", 0).unwrap();
        ask(&board, "listen", "in", BOTH).unwrap();
        called(&board);
        board.stop_driver("user").unwrap();
        let mut calls = called(&board);
        calls.sort();
        assert_eq!(calls, ["configure 0 input", "configure 3 input"]);
        board.start_driver("user").unwrap();
        assert_eq!(ask(&board, "output", "out", 0), Ok(0));
    }
}

#[test]
fn rule_04_edges_go_to_the_next_version_of_the_user() {
    for work_loop in LOOPS {
        let board = virtual_board(drivers("", work_loop, "input = \"in\""));
        change(&board, 0, true);
        assert_eq!(heard(&board), ["in 1 high"]);
        change(&board, 0, false);
        board.reload("user").unwrap();
        change(&board, 0, true);
        assert_eq!(heard(&board), ["in 2 low", "in 3 high"]);
        assert_eq!(called(&board), ["configure 0 input"], "it stayed open");
    }
}

#[test]
fn what_is_open_works_on_with_the_next_version_of_the_provider() {
    for work_loop in LOOPS {
        let board = board("reload = \"reverse\"", work_loop);
        ask(&board, "input", "in", 0).unwrap();
        ask(&board, "listen", "in", BOTH).unwrap();
        ask(&board, "output", "out", 0).unwrap();
        ask(&board, "set", "out", 1).unwrap();
        called(&board);
        board.reload("publish").unwrap();
        // P0 is its number 7 now, and P3 is 4.
        let mut calls = called(&board);
        calls.sort();
        assert_eq!(calls, ["configure 4 output true", "configure 7 input"]);
        change(&board, 7, true);
        change(&board, 0, true);
        assert_eq!(heard(&board), ["in 1 high"], "{work_loop}");
        assert_eq!(ask(&board, "read", "in", 0), Ok(1));
    }
}

#[test]
fn a_version_that_does_not_publish_a_pin_takes_it_away() {
    for work_loop in LOOPS {
        let board = board("reload = \"fewer\"", work_loop);
        ask(&board, "input", "in", 0).unwrap();
        ask(&board, "output", "out", 0).unwrap();
        board.reload("publish").unwrap();
        assert_eq!(ask(&board, "set", "out", 1), Err(ErrorCode::NoDevice));
        assert_eq!(ask(&board, "read", "in", 0), Ok(0));
        ask(&board, "close", "out", 0).unwrap();
        assert_eq!(ask(&board, "output", "out", 0), Err(ErrorCode::NoDevice));
    }
}

#[test]
fn a_version_that_refuses_what_is_open_takes_it_away() {
    let board = board("reload = \"refuses\"", "provider");
    ask(&board, "input", "in", 0).unwrap();
    ask(&board, "output", "out", 0).unwrap();
    let (result, logged) = log::capture(|| {
        board.reload("publish").unwrap();
        board.run_for(MILLISECOND);
        ask(&board, "set", "out", 1)
    });
    assert_eq!(result, Err(ErrorCode::NoDevice));
    assert!(logged.contains("`expander:P3`"), "{logged}");
    assert_eq!(ask(&board, "read", "in", 0), Err(ErrorCode::NoDevice));
    assert_running(&board, "publish");
}

#[test]
fn a_level_that_is_another_after_a_reload_is_an_edge() {
    // It lives on while its provider is stopped.
    let drivers = drivers("reload = \"high\"", "provider", "");
    let board = virtual_board(with_another_provider(&drivers, "expander"));
    ask(&board, "input", "in", 0).unwrap();
    ask(&board, "listen", "in", BOTH).unwrap();
    board.reload("publish").unwrap();
    assert_eq!(heard(&board), ["in 1 high"]);
    board.reload("publish").unwrap();
    assert!(heard(&board).is_empty(), "high as before");
    board.stop_driver("publish").unwrap();
    assert_eq!(ask(&board, "read", "in", 0), Err(ErrorCode::DriverDied));
    board.start_driver("publish").unwrap();
    assert_eq!(heard(&board), ["in 2 low"], "low unless it is told");
}
