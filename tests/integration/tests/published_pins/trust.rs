//! What a bad provider, or a bad user, can do.

use crate::support::{BOTH, GRANTS, LOOPS, MILLISECOND, ask, board, called, change_at, heard};
use loopgate::{ErrorCode, Request, State};
use loopgate_integration::{assert_running, entry, guest, log, state, virtual_board};

#[test]
fn a_provider_that_fails_in_a_call_has_died_for_its_user() {
    for work_loop in LOOPS {
        for how in ["traps", "spins"] {
            let board = board(&format!("read = \"{how}\""), work_loop);
            ask(&board, "input", "in", 0).unwrap();
            ask(&board, "output", "out", 0).unwrap();
            assert_eq!(ask(&board, "read", "in", 0), Err(ErrorCode::DriverDied));
            assert_eq!(state(&board, "publish").0, State::Failed);
            assert!(state(&board, "publish").1.contains("(in `pin-read`)"));
            for _ in 0..2 {
                assert_eq!(ask(&board, "read", "in", 0), Err(ErrorCode::DriverDied));
                assert_eq!(ask(&board, "set", "out", 1), Err(ErrorCode::DriverDied));
            }
            assert_eq!(ask(&board, "input", "low", 0), Err(ErrorCode::NoDevice));
            assert_running(&board, "user");
            // What is open works on with the next instance, as it was left.
            board.start_driver("publish").unwrap();
            assert_eq!(ask(&board, "set", "out", 1), Ok(0));
            let expected = [
                "configure 3 output false",
                "write 3 true",
                "configure 0 input",
            ];
            assert_eq!(called(&board), expected, "{work_loop} {how}");
            ask(&board, "close", "in", 0).unwrap();
            assert_eq!(called(&board), ["configure 0 input"]);
        }
    }
}

#[test]
fn a_providers_own_errors_are_its_users() {
    let board = board("read = \"errs\", configure = \"refuses\"", "provider");
    for _ in 0..2 {
        assert_eq!(ask(&board, "input", "in", 0), Err(ErrorCode::NotPermitted));
    }
    assert_eq!(called(&board).len(), 2, "nobody has it open");
    let board = self::board("read = \"errs\"", "provider");
    ask(&board, "input", "in", 0).unwrap();
    assert_eq!(ask(&board, "read", "in", 0), Err(ErrorCode::Io));
    assert_running(&board, "publish");
}

#[test]
fn a_provider_that_lies_harms_nobody() {
    let board = board("pins = \"none\"", "provider");
    let publish = |count: u64, length: u64| {
        let mut request = Request::named("publish");
        request.scalars = [count, length, 0, 0];
        let reply = board.call("expander", request);
        reply.map(|_| ()).map_err(|error| error.code)
    };
    assert_eq!(ask(&board, "input", "in", 0), Err(ErrorCode::NoDevice));
    let ((), logged) = log::capture(|| {
        assert_eq!(publish(257, 1), Err(ErrorCode::NoResources));
        assert_eq!(publish(1, 65), Err(ErrorCode::NoResources));
    });
    assert!(logged.contains("there are 257, at most 256"), "{logged}");
    assert!(logged.contains("longer than 64 bytes"), "{logged}");
    assert_eq!(publish(256, 64), Ok(()));
    assert_eq!(publish(1, 1), Err(ErrorCode::BadArgument), "a second time");
    for pin in [256, u64::from(u32::MAX)] {
        let code = change_at(&board, pin, true, 0).unwrap_err().code;
        assert_eq!(code, ErrorCode::BadArgument);
    }
    assert_running(&board, "publish");
    assert_eq!(ask(&board, "input", "in", 0), Err(ErrorCode::NoDevice));
}

/// What its user does with a pin waits at most once in the provider's mailbox.
#[test]
fn a_user_that_opens_and_closes_without_end_leaves_no_pile() {
    for work_loop in LOOPS {
        let board = board("", work_loop);
        assert_eq!(ask(&board, "churn", "in", 500), Ok(0));
        let calls = called(&board);
        assert!(calls.iter().all(|call| call == "configure 0 input"));
        assert_eq!(calls.len(), 501, "{work_loop}");
    }
}

/// A provider tells when a level changed, and may always tell the same time. What a
/// filter may use in a second does not go by that.
#[test]
fn rule_13_a_providers_times_use_up_nobodys_filter() {
    let limits = "limits = { filter-budget = 50_000 }";
    let user = format!("provides = [\"pins\"]\nuses = [\"expander\"]\n{limits}\n{GRANTS}");
    let provider = entry(
        "publish",
        &guest("probe_publish"),
        "provides = [\"expander\"]",
    );
    let board = virtual_board(provider + &entry("user", &guest("probe_pins"), &user));
    ask(&board, "input", "in", 0).unwrap();
    ask(&board, "input", "other", 0).unwrap();
    ask(&board, "filter", "in", 1).unwrap();
    for edge in 0..1_000 {
        change_at(&board, 0, edge % 2 == 0, 1).unwrap();
        board.run_for(100 * MILLISECOND);
    }
    let counts = board.status().drivers[1].counts;
    assert_eq!((counts.declined, counts.filters_off), (1_000, 0));
}

/// It says what it likes of the time, and always the same.
#[test]
fn a_rate_cap_goes_by_when_edges_come_and_not_by_what_their_provider_says() {
    let board = board("", "provider");
    ask(&board, "input", "capped", 0).unwrap();
    ask(&board, "listen", "capped", BOTH).unwrap();
    for second in 0..3_u64 {
        for edge in 0..4 {
            change_at(&board, 7, edge % 2 == 0, 5).unwrap();
        }
        assert_eq!(heard(&board).len(), 2, "{second}");
        board.run_for(1000 * MILLISECOND);
    }
}
