//! Whose turn it is: queues, gates that are closed or disabled, clients outside.

use crate::support::{
    BOTH, CONCURRENT, EARLY, LATER, LOOPS, MILLISECOND, NEVER, NOW, ON_INTERRUPT, both, call,
    cancel, completed, provider, settle, submit, submitter,
};
use loopgate::{Board, ErrorCode, Request};
use loopgate_integration::{
    StopOnPanic, ask, entry, guest, real_board, refused, until, virtual_board,
};
use std::time::Duration;

#[test]
fn rule_150f_a_serial_service_takes_one_after_the_other_and_a_concurrent_one_as_they_come() {
    for (queueing, order) in [("", [1, 2, 3]), (CONCURRENT, [2, 3, 1])] {
        for work_loop in LOOPS {
            let board = virtual_board(both(queueing, work_loop));
            submit(&board, LATER, 30, 1, 0);
            submit(&board, ON_INTERRUPT, 0, 2, 0);
            submit(&board, NOW, 0, 3, 0);
            board.run_for(100 * MILLISECOND);
            let told = completed(&board);
            let ended = order.map(|id| format!("completed {id} as {}: ok {id} 0", id + 999));
            if queueing.is_empty() {
                assert_eq!(told, ended);
            } else {
                assert_eq!(told.last(), ended.last(), "out of order");
            }
            assert_eq!(told.len(), 3);
        }
    }
}

#[test]
fn rule_150g_an_immediate_one_goes_ahead_and_its_return_is_the_answer() {
    let board = virtual_board(both("", "provider"));
    submit(&board, NEVER, 0, 0, 0);
    submit(&board, NOW, 0, 0, 0);
    settle(&board);
    let immediate = |selector: u64, answer: u64| {
        let mut request = Request::numbered(selector as u32).immediate();
        request.scalars = [0, answer, 0, 0];
        request
    };
    let reply = board.call("pending", immediate(NOW, 8)).unwrap();
    assert_eq!(reply.scalar, 8);
    // A driver is a client like others.
    assert_eq!(call(&board, "immediate", [NOW, 0, 9, 0]).1, "ok 9");
    for (selector, code) in [
        (NEVER, ErrorCode::Busy),
        (EARLY, ErrorCode::Busy),
        (BOTH, ErrorCode::BadArgument),
    ] {
        let error = refused(&board, "pending", immediate(selector, 0));
        assert_eq!(error.code, code, "{selector}");
    }
    let told = provider(&board);
    assert!(told.contains("early 5: bad-argument"), "{told}");
    assert!(completed(&board).is_empty(), "the queue waits");
    let mut ordinary = Request::numbered(NOW as u32);
    ordinary.mode = loopgate::Mode::Attempt;
    assert_eq!(refused(&board, "pending", ordinary).code, ErrorCode::Busy);
}

/// Clients outside and drivers take turns: neither is kept out by a stream of
/// the others.
#[test]
fn an_endless_stream_of_submissions_keeps_no_client_out() {
    let board = real_board(both("", "provider"));
    call(&board, "again", [ON_INTERRUPT, 0, 7, u64::MAX]);
    for _ in 0..20 {
        let mut request = Request::named("on-interrupt");
        request.scalars = [0, 3, 0, 0];
        assert_eq!(board.call("pending", request).unwrap().scalar, 3);
    }
    let before = call(&board, "completed", [0; 4]).0;
    until("the stream goes on", || {
        call(&board, "completed", [0; 4]).0 > before
    });
}

/// A client of a service that no driver may open has its turn at the same gate.
#[test]
fn a_client_of_another_service_of_the_gate_lets_the_next_submission_go() {
    for work_loop in LOOPS {
        let provider = entry(
            "pending",
            &guest("probe_pending"),
            "provides = [\"pending\", \"pending-report\", \"beside\"]\n\
             config = { beside = \"beside\" }",
        );
        let board = virtual_board(provider + &submitter("pending", work_loop, "", ""));
        submit(&board, LATER, 30, 1, 0);
        submit(&board, NOW, 0, 2, 0);
        // The first is the provider's by then.
        settle(&board);
        let mut request = Request::named("now");
        request.scalars = [0, 3, 0, 0];
        assert_eq!(board.call("beside", request).unwrap().scalar, 3);
        settle(&board);
        assert_eq!(
            completed(&board),
            ["completed 1 as 1000: ok 1 0", "completed 2 as 1001: ok 2 0"]
        );
    }
}

#[test]
fn rule_11_a_submission_waits_for_no_gate() {
    let spin = "provides = [\"spin\"]\nconfig = { when = \"command\", service = \"spin\" }\n\
                limits = { handler-cpu = \"10 s\", handler-wall = \"500 ms\" }";
    let spin = entry("spins", &guest("hostile_spin"), spin);
    let board = real_board(spin + &submitter("spin", "dedicated", "", ""));
    std::thread::scope(|scope| {
        let spinning = scope.spawn(|| refused(&board, "spin", Request::numbered(1)));
        let _guard = StopOnPanic(&board);
        until("the gate is closed", || {
            board.status().drivers[0].counts.commands == 1
        });
        submit(&board, 1, 0, 0, 0);
        assert!(completed(&board).is_empty(), "the gate is still closed");
        spinning.join().unwrap();
    });
    until("it is over", || !completed(&board).is_empty());
    assert_eq!(completed(&board), ["completed 1 as 1000: driver-died"]);
}

fn gated(work_loop: &str) -> Board {
    let rest = "provides = [\"gated\", \"gated-control\"]";
    let gated = entry("gated", &guest("probe_gate"), rest);
    virtual_board(gated + &submitter("gated", work_loop, "", ""))
}

#[test]
fn a_disabled_gate_keeps_it_until_enabled_or_given_up() {
    for work_loop in LOOPS {
        let board = gated(work_loop);
        ask(&board, "gated-control", "disable");
        submit(&board, 1, 0, 0, 0);
        submit(&board, 1, 0, 0, 20);
        let cancelled = submit(&board, 1, 0, 0, 0);
        board.run_for(Duration::from_secs(1));
        assert_eq!(completed(&board), ["completed 2 as 1001: timed-out"]);
        assert_eq!(cancel(&board, cancelled), "ok 0");
        ask(&board, "gated-control", "enable");
        settle(&board);
        assert_eq!(
            completed(&board)[1..],
            [
                "completed 3 as 1002: aborted",
                "completed 1 as 1000: ok 1 0"
            ]
        );
    }
}
