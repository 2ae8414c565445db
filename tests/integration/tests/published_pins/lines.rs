//! What an open pin does, as one of the board's.

use crate::support::{
    BOTH, FALLING, HIGH_LEVEL, LOOPS, LOW_LEVEL, MILLISECOND, RISING, ask, board, called, change,
    change_at, heard, report,
};
use loopgate::ErrorCode;

#[test]
fn a_pin_is_opened_read_driven_and_closed_by_its_provider() {
    for work_loop in LOOPS {
        let board = board("", work_loop);
        assert_eq!(ask(&board, "input", "in", 0), Ok(0));
        change(&board, 0, true);
        assert_eq!(ask(&board, "read", "in", 0), Ok(1));
        assert_eq!(ask(&board, "output", "out", 1), Ok(0));
        assert_eq!(ask(&board, "set", "out", 0), Ok(0));
        assert_eq!(ask(&board, "read", "out", 0), Ok(0), "asks nobody");
        assert_eq!(ask(&board, "set", "in", 1), Err(ErrorCode::NotPermitted));
        ask(&board, "close", "out", 0).unwrap();
        ask(&board, "close", "in", 0).unwrap();
        let calls = [
            "configure 0 input",
            "read 0",
            "configure 3 output true",
            "write 3 false",
            "configure 3 input",
            "configure 0 input",
        ];
        assert_eq!(called(&board), calls, "{work_loop}");
    }
}

#[test]
fn active_low_pins_are_turned_over_for_their_user_alone() {
    for work_loop in LOOPS {
        let board = board("", work_loop);
        ask(&board, "input", "low", 0).unwrap();
        assert_eq!(ask(&board, "read", "low", 0), Ok(1), "it is low");
        ask(&board, "listen", "low", RISING).unwrap();
        change(&board, 1, true);
        change(&board, 1, false);
        assert_eq!(heard(&board), ["low 1 high"]);
        ask(&board, "output", "out-low", 1).unwrap();
        ask(&board, "set", "out-low", 0).unwrap();
        assert_eq!(ask(&board, "read", "out-low", 0), Ok(0));
        assert_eq!(
            called(&board)[2..],
            ["configure 4 output false", "write 4 true"]
        );
    }
}

#[test]
fn edges_are_heard_as_they_were_asked_for() {
    for work_loop in LOOPS {
        for (edges, expected) in [
            (RISING, vec!["in 1 high", "in 2 high"]),
            (FALLING, vec!["in 1 low", "in 2 low"]),
            (BOTH, vec!["in 1 high", "in 2 low", "in 3 high", "in 4 low"]),
        ] {
            let board = board("", work_loop);
            ask(&board, "input", "in", 0).unwrap();
            ask(&board, "listen", "in", edges).unwrap();
            for high in [true, true, false, false, true, false] {
                change(&board, 0, high);
            }
            assert_eq!(heard(&board), expected, "{work_loop}");
            ask(&board, "close", "in", 0).unwrap();
            change(&board, 0, true);
            assert!(heard(&board).is_empty());
            // Another interrupt counts from the beginning.
            ask(&board, "input", "in", 0).unwrap();
            ask(&board, "listen", "in", FALLING).unwrap();
            change(&board, 0, false);
            assert_eq!(heard(&board), ["in 1 low"]);
        }
    }
}

#[test]
fn a_level_interrupts_for_as_long_as_it_lasts() {
    for work_loop in LOOPS {
        let board = board("", work_loop);
        ask(&board, "input", "high-level", 0).unwrap();
        ask(&board, "listen", "high-level", HIGH_LEVEL).unwrap();
        assert!(heard(&board).is_empty());
        change(&board, 2, true);
        let times = |count: u32| (1..=count).map(|n| format!("high-level {n} high"));
        assert_eq!(
            heard(&board),
            times(3).collect::<Vec<_>>(),
            "then it is off"
        );
        // One that is there already when the line goes on.
        ask(&board, "input", "low-level", 0).unwrap();
        ask(&board, "listen", "low-level", LOW_LEVEL).unwrap();
        assert_eq!(heard(&board).len(), 3);
    }
}

#[test]
fn grants_and_rate_caps_hold_for_them_as_for_the_boards() {
    let board = board("", "provider");
    assert_eq!(
        ask(&board, "input", "nobody", 0),
        Err(ErrorCode::NotGranted)
    );
    assert_eq!(ask(&board, "output", "in", 0), Err(ErrorCode::NotGranted));
    assert_eq!(ask(&board, "input", "missing", 0), Err(ErrorCode::NoDevice));
    ask(&board, "input", "in", 0).unwrap();
    assert_eq!(ask(&board, "input", "in", 0), Err(ErrorCode::Busy));
    assert_eq!(
        ask(&board, "listen", "in", HIGH_LEVEL),
        Err(ErrorCode::NotGranted)
    );
    ask(&board, "listen", "in", BOTH).unwrap();
    assert_eq!(ask(&board, "listen", "in", BOTH), Err(ErrorCode::Busy));
    ask(&board, "input", "capped", 0).unwrap();
    ask(&board, "listen", "capped", BOTH).unwrap();
    for edge in 0..10 {
        change(&board, 7, edge % 2 == 0);
    }
    assert_eq!(heard(&board).len(), 2);
    ask(&board, "close", "capped", 0).unwrap();
    let counts = board.status().drivers[1].counts;
    assert_eq!((counts.interrupts, counts.lost), (2, 8));
}

#[test]
fn times_are_the_providers_but_never_to_come_and_never_back() {
    let board = board("", "provider");
    ask(&board, "input", "in", 0).unwrap();
    ask(&board, "listen", "in", BOTH).unwrap();
    board.run_for(MILLISECOND);
    let now = board.now().as_nanos();
    for (high, at) in [(true, now - 10), (false, now - 20), (true, u64::MAX)] {
        change_at(&board, 0, high, at).unwrap();
    }
    let expected = [
        format!("in 1 high at {}", now - 10),
        format!("in 2 low at {}", now - 10),
        format!("in 3 high at {now}"),
    ];
    assert_eq!(report(&board, "pins"), expected);
}

/// The level comes with what was told last: a filter calls nobody.
#[test]
fn a_filter_sees_levels_as_they_were_told_last() {
    for work_loop in LOOPS {
        let board = board("read = \"traps\"", work_loop);
        ask(&board, "input", "in", 0).unwrap();
        ask(&board, "input", "other", 0).unwrap();
        ask(&board, "filter", "in", 1).unwrap();
        for other in [false, true, false] {
            change(&board, 5, other);
            change(&board, 0, true);
            change(&board, 0, false);
        }
        assert_eq!(heard(&board), ["in 3 high", "in 4 low"]);
        let calls = ["configure 0 input", "configure 5 input"];
        assert_eq!(called(&board), calls);
        assert_eq!(board.status().drivers[1].counts.declined, 4);
    }
}

/// The interrupt is an event of the user's, although it comes from within its
/// own down call.
#[test]
fn a_pin_that_changes_while_it_is_read_interrupts_after_the_handler() {
    for work_loop in LOOPS {
        let board = board("read = \"changes\"", work_loop);
        ask(&board, "input", "in", 0).unwrap();
        ask(&board, "listen", "in", BOTH).unwrap();
        assert_eq!(ask(&board, "read", "in", 0), Ok(0));
        assert_eq!(heard(&board), ["in 1 high"]);
        assert_eq!(ask(&board, "read", "in", 0), Ok(1));
        assert_eq!(heard(&board), ["in 2 low"]);
    }
}
