//! A request is completed exactly once, however it is answered.

use crate::support::{
    BOTH, DROP, EARLY, LATER, LOOPS, MILLISECOND, NEVER, NOW, ON_INTERRUPT, TWICE, both, call,
    cancel, completed, provider, settle, submit, usage,
};
use loopgate::Request;
use loopgate_integration::virtual_board;
use std::time::Duration;

#[test]
fn rule_10_a_submission_is_completed_once_however_it_is_answered() {
    for work_loop in LOOPS {
        for (selector, outcome) in [
            (LATER, "ok 7 0"),
            (TWICE, "ok 7 0"),
            (ON_INTERRUPT, "ok 7 0"),
            (NOW, "ok 7 0"),
            (EARLY, "ok 0 0"),
            (BOTH, "ok 1 0"),
            (DROP, "aborted"),
        ] {
            let board = virtual_board(both("", work_loop));
            let id = submit(&board, selector, 30, 7, 0);
            assert_eq!(id, 1);
            board.run_for(Duration::from_secs(1));
            let told = format!("completed 1 as 1000: {outcome}");
            assert_eq!(completed(&board), [told], "{selector} {work_loop}");
            assert_eq!(cancel(&board, id), "bad-argument", "it is over");
            assert_eq!(usage(&board, "pending"), (0, 0));
            assert_eq!(usage(&board, "submit"), (0, 0));
        }
    }
}

/// The submitter goes on, the provider's handler starts it and returns, and an
/// interrupt completes it by its number.
#[test]
fn rule_150_the_way_of_a_request_and_of_its_completion() {
    for work_loop in LOOPS {
        let board = virtual_board(both("", work_loop));
        submit(&board, NEVER, 0, 0, 0);
        settle(&board);
        assert_eq!(usage(&board, "pending"), (1, 0), "handed over");
        assert_eq!(usage(&board, "submit"), (0, 1));
        assert!(completed(&board).is_empty(), "started, and not completed");
        let board = virtual_board(both("", work_loop));
        submit(&board, ON_INTERRUPT, 0, 7, 0);
        settle(&board);
        assert_eq!(completed(&board), ["completed 1 as 1000: ok 7 0"]);
        assert_eq!(usage(&board, "pending"), (0, 0));
        assert_eq!(usage(&board, "submit"), (0, 0));
    }
}

/// Up calls do not nest: `submit` is back before the provider is called, and
/// that call is back before `completed`.
#[test]
fn rule_150a_the_completion_follows_the_handler_that_submitted() {
    for work_loop in LOOPS {
        let board = virtual_board(both("", work_loop));
        submit(&board, NOW, 0, 7, 0);
        settle(&board);
        let report = call(&board, "report", [0; 4]).1;
        assert_eq!(report, "submitted 1\ncompleted 1 as 1000: ok 7 0");
        assert_eq!(provider(&board), "now 1");
    }
}

#[test]
fn rule_150b_a_completion_can_submit_the_next_which_has_an_id_of_its_own() {
    let board = virtual_board(both("", "provider"));
    call(&board, "again", [NOW, 0, 7, 4]);
    settle(&board);
    let told = (0..5).map(|n| format!("completed {} as {}: ok 7 0", n + 1, n + 1000));
    assert_eq!(completed(&board), told.collect::<Vec<_>>());
}

/// By what its handler returns, or by the request's number within it.
#[test]
fn rule_150e_a_driver_may_complete_at_once() {
    for work_loop in LOOPS {
        for (selector, outcome) in [(NOW, "ok 7 0"), (EARLY, "ok 0 0"), (BOTH, "ok 1 0")] {
            let board = virtual_board(both("", work_loop));
            submit(&board, selector, 0, 7, 0);
            settle(&board);
            let told = format!("completed 1 as 1000: {outcome}");
            assert_eq!(completed(&board), [told], "{selector} {work_loop}");
            assert_eq!(usage(&board, "pending"), (0, 0));
        }
    }
}

/// What was not handed over cannot be completed: its id is not known yet.
#[test]
fn rule_150c_a_queued_request_cannot_be_completed() {
    let board = virtual_board(both("", "provider"));
    submit(&board, NEVER, 0, 0, 0);
    submit(&board, NEVER, 0, 0, 0);
    settle(&board);
    let mut unknown = Request::named("unknown");
    // The first is 1, this very request 2: the queued one would be the next.
    unknown.scalars = [3, 0, 0, 0];
    let told = board.call("pending-report", unknown).unwrap();
    assert_eq!(told.data, b"bad-argument");
    assert!(completed(&board).is_empty());
}

#[test]
fn rule_150d_a_second_completion_and_an_unknown_id_change_nothing() {
    let board = virtual_board(both("", "dedicated"));
    submit(&board, TWICE, 5, 9, 0);
    board.run_for(10 * MILLISECOND);
    assert_eq!(
        provider(&board),
        "completed 1: ok\ncompleted 1 again: bad-argument"
    );
    assert_eq!(completed(&board), ["completed 1 as 1000: ok 9 0"]);
    // Sent and received are numbered apart.
    assert_eq!(call(&board, "complete", [1, 0, 0, 0]).1, "bad-argument");
}
