//! The end of either driver.

use crate::support::{
    CONCURRENT, DROP, EARLY, LATER, LOOPS, MILLISECOND, NEVER, NOW, ON_INTERRUPT, both, call,
    cancel, completed, provider, settle, submit, usage,
};
use loopgate::{ErrorCode, Request};
use loopgate_integration::{
    Random, ask, assert_running, real_board, refused, until, virtual_board, with_another_provider,
};
use std::collections::BTreeSet;

#[test]
fn rule_150h_the_end_of_the_provider_completes_what_is_queued_and_pending() {
    for work_loop in LOOPS {
        for queueing in ["", CONCURRENT] {
            for how in ["stop", "trap", "reload"] {
                let drivers = both(queueing, work_loop);
                let board = virtual_board(with_another_provider(&drivers, "pending"));
                for _ in 0..3 {
                    submit(&board, NEVER, 0, 0, 0);
                }
                settle(&board);
                match how {
                    "stop" => drop(board.stop_driver("pending").unwrap()),
                    "reload" => board.reload("pending").map(drop).unwrap(),
                    _ => drop(refused(&board, "pending-report", Request::named("trap"))),
                }
                settle(&board);
                let told =
                    [1, 2, 3].map(|id| format!("completed {id} as {}: driver-died", id + 999));
                assert_eq!(completed(&board), told, "{how} {queueing} {work_loop}");
                assert_eq!(usage(&board, "submit"), (0, 0));
            }
        }
    }
}

#[test]
fn the_end_of_the_submitter_cancels_its_requests() {
    for work_loop in LOOPS {
        for how in ["stop", "trap", "reload"] {
            let board = virtual_board(both(CONCURRENT, work_loop));
            for _ in 0..3 {
                submit(&board, NEVER, 0, 0, 0);
            }
            settle(&board);
            assert_eq!(usage(&board, "pending"), (3, 0));
            match how {
                "stop" => drop(board.stop_driver("submit").unwrap()),
                "reload" => board.reload("submit").map(drop).unwrap(),
                _ => drop(refused(&board, "submit", Request::named("trap"))),
            }
            settle(&board);
            assert_eq!(
                provider(&board),
                "cancelled 1\ncancelled 2\ncancelled 3",
                "{how}"
            );
            assert_eq!(usage(&board, "pending"), (0, 0));
            assert_running(&board, "pending");
        }
    }
}

/// The provider was not told yet, and completes it: that is an error, and it is
/// told after that.
#[test]
fn rule_10_a_completion_after_the_submitters_end_is_an_error() {
    let board = virtual_board(both("", "dedicated"));
    submit(&board, NEVER, 0, 0, 0);
    settle(&board);
    board.stop_driver("submit").unwrap();
    let mut complete = Request::named("unknown");
    complete.scalars = [1, 0, 0, 0];
    let told = board.call("pending-report", complete).unwrap();
    assert_eq!(told.data, b"bad-argument");
    assert_eq!(usage(&board, "pending"), (1, 0));
    settle(&board);
    assert_eq!(provider(&board), "cancelled 1");
    assert_eq!(usage(&board, "pending"), (0, 0));
}

#[test]
fn rule_15_ids_and_clients_end_with_their_generation() {
    let board = virtual_board(both(CONCURRENT, "dedicated"));
    submit(&board, LATER, 20, 1, 0);
    settle(&board);
    board.reload("submit").unwrap();
    assert_eq!(cancel(&board, 1), "bad-argument");
    board.run_for(50 * MILLISECOND);
    assert!(completed(&board).is_empty(), "it was somebody else's");
    // The provider's next version is not the one that the client names.
    board.reload("pending").unwrap();
    let mut request = Request::named("submit");
    request.scalars = [NOW, 0, 1, 0];
    let error = refused(&board, "submit", request.clone());
    assert_eq!(error.code, ErrorCode::DriverDied);
    assert!(completed(&board).is_empty(), "nothing follows an error");
    call(&board, "reopen", [0; 4]);
    board.call("submit", request).unwrap();
    settle(&board);
    assert_eq!(completed(&board).len(), 1);
}

/// On threads, in every order that they find.
#[test]
fn rule_10_races_of_completion_cancel_deadline_and_end_complete_it_once() {
    const SUBMITTED: u64 = 100;
    let mut random = Random(7);
    for round in 0..40 {
        let queueing = if round % 2 == 0 { "" } else { CONCURRENT };
        let drivers = both(queueing, "dedicated");
        let board = real_board(with_another_provider(&drivers, "pending"));
        for id in 1..=SUBMITTED {
            let selector = [LATER, NEVER, ON_INTERRUPT, NOW, DROP, EARLY][random.below(6)];
            let deadline = [0, 1, 2][random.below(3)];
            assert_eq!(submit(&board, selector, 1, 0, deadline), id);
            match random.below(8) {
                0 => drop(cancel(&board, 1 + random.below(id as usize) as u64)),
                1 => drop(ask(&board, "pending-report", "fail-all")),
                _ => {}
            }
        }
        board.stop_driver("pending").unwrap();
        until("all are over", || usage(&board, "submit").1 == 0);
        let told = completed(&board);
        let ids: BTreeSet<&str> = told
            .iter()
            .filter_map(|line| line.split(' ').nth(1))
            .collect();
        assert_eq!((told.len(), ids.len()), (100, 100), "{told:?}");
        assert_running(&board, "submit");
    }
}
