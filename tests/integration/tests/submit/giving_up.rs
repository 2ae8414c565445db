//! The submitter's side ends it: deadlines, cancels, clients that are dropped.

use crate::support::{
    LOOPS, MILLISECOND, NEVER, NOW, both, call, cancel, completed, provider, settle, submit, usage,
};
use loopgate_integration::virtual_board;

#[test]
fn a_deadline_ends_it_and_the_provider_is_told() {
    for work_loop in LOOPS {
        let board = virtual_board(both("", work_loop));
        submit(&board, NEVER, 0, 0, 40);
        submit(&board, NOW, 0, 0, 30);
        board.run_for(39 * MILLISECOND);
        // The second one's turn had not come: the provider never hears of it.
        assert_eq!(completed(&board), ["completed 2 as 1001: timed-out"]);
        board.run_for(2 * MILLISECOND);
        assert_eq!(completed(&board)[1], "completed 1 as 1000: timed-out");
        assert_eq!(provider(&board), "cancelled 1");
        assert_eq!(usage(&board, "pending"), (0, 0));
    }
}

#[test]
fn a_cancel_ends_it_and_the_provider_is_told() {
    for work_loop in LOOPS {
        let board = virtual_board(both("", work_loop));
        let pending = submit(&board, NEVER, 0, 0, 0);
        let queued = submit(&board, NOW, 0, 0, 0);
        settle(&board);
        assert_eq!(cancel(&board, queued), "ok 0");
        assert_eq!(cancel(&board, pending), "ok 0");
        assert_eq!(cancel(&board, pending), "bad-argument");
        settle(&board);
        assert_eq!(
            completed(&board),
            [
                "completed 2 as 1001: aborted",
                "completed 1 as 1000: aborted"
            ]
        );
        assert_eq!(provider(&board), "cancelled 1");
        // The next has its turn.
        submit(&board, NOW, 0, 5, 0);
        settle(&board);
        assert_eq!(completed(&board)[2], "completed 3 as 1002: ok 5 0");
    }
}

#[test]
fn a_cancel_in_the_handler_that_submits_is_the_end_and_the_second_is_an_error() {
    let board = virtual_board(both("", "provider"));
    let told = call(&board, "cancel-at-once", [NOW, 0, 0, 0]).1;
    assert_eq!(told, "ok 0, bad-argument");
    settle(&board);
    assert_eq!(completed(&board), ["completed 1 as 1000: aborted"]);
    assert_eq!(provider(&board), "", "it never got there");
}

#[test]
fn only_the_client_that_submitted_can_cancel() {
    let board = virtual_board(both("", "provider"));
    let told = call(&board, "cancel-others", [NEVER, 0, 0, 0]).1;
    assert_eq!(told, "bad-argument");
    for id in [0, 2, u64::MAX] {
        assert_eq!(cancel(&board, id), "bad-argument");
    }
    settle(&board);
    assert!(completed(&board).is_empty());
    assert_eq!(usage(&board, "pending"), (1, 0));
}

#[test]
fn dropping_the_client_cancels_what_went_through_it() {
    let board = virtual_board(both("", "dedicated"));
    submit(&board, NEVER, 0, 0, 0);
    submit(&board, NEVER, 0, 0, 0);
    settle(&board);
    call(&board, "reopen", [0; 4]);
    settle(&board);
    assert_eq!(
        completed(&board),
        [
            "completed 1 as 1000: aborted",
            "completed 2 as 1001: aborted"
        ]
    );
    assert_eq!(provider(&board), "cancelled 1");
}
