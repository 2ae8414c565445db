//! Requests of a driver's own: submitted, completed on its own loop, exactly
//! once, whatever the two drivers do.

use loopgate::{Board, ErrorCode, Request, State};
use loopgate_integration::{
    Random, StopOnPanic, ask, assert_running, entry, guest, log, real_board, refused, state, until,
    virtual_board, with_another_provider,
};
use std::collections::BTreeSet;
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);

// Selectors of `probe_pending`.
const LATER: u64 = 1;
const TWICE: u64 = 2;
const NEVER: u64 = 3;
const ON_INTERRUPT: u64 = 5;
const DROP: u64 = 6;
const EARLY: u64 = 7;
const BOTH: u64 = 9;
const NOW: u64 = 11;

const CONCURRENT: &str = "config = { queueing = \"concurrent\" }";

/// Where a board places the submitter: beside its provider, or not.
const LOOPS: [&str; 2] = ["provider", "dedicated"];

fn pending(more: &str) -> String {
    let rest = format!("provides = [\"pending\", \"pending-report\"]\n{more}");
    entry("pending", &guest("probe_pending"), &rest)
}

fn submitter(target: &str, work_loop: &str, config: &str, more: &str) -> String {
    let rest = format!(
        "provides = [\"submit\"]\nuses = [\"{target}\"]\nwork-loop = \"{work_loop}\"\n\
         config = {{ target = \"{target}\"{config} }}\n{more}"
    );
    entry("submit", &guest("probe_submit"), &rest)
}

fn both(provider: &str, work_loop: &str) -> String {
    pending(provider) + &submitter("pending", work_loop, "", "")
}

fn call(board: &Board, selector: &str, scalars: [u64; 4]) -> (u64, String) {
    let mut request = Request::named(selector);
    request.scalars = scalars;
    let reply = board
        .call("submit", request)
        .unwrap_or_else(|error| panic!("{selector} {scalars:?}: {error}"));
    (reply.scalar, String::from_utf8(reply.data).unwrap())
}

/// The id of a request that is submitted: a selector of the target, what goes
/// along, the deadline in milliseconds.
fn submit(board: &Board, selector: u64, first: u64, second: u64, deadline: u64) -> u64 {
    call(board, "submit", [selector, first, second, deadline]).0
}

fn cancel(board: &Board, id: u64) -> String {
    call(board, "cancel", [id, 0, 0, 0]).1
}

/// What the submitter noted, but for the submissions themselves.
fn completed(board: &Board) -> Vec<String> {
    let report = call(board, "report", [0; 4]).1;
    let completed = report.lines().filter(|line| !line.starts_with("submitted"));
    completed.map(str::to_owned).collect()
}

/// What the provider noted.
fn provider(board: &Board) -> String {
    let reply = board.call("pending-report", Request::named("report"));
    String::from_utf8(reply.unwrap().data).unwrap()
}

fn usage(board: &Board, driver: &str) -> (usize, usize) {
    let status = board.status();
    let driver = status.drivers.iter().find(|status| status.name == driver);
    let usage = driver.unwrap().usage;
    (usage.requests, usage.submissions)
}

fn settle(board: &Board) {
    board.run_for(MILLISECOND);
}

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
                    "reload" => board.reload("pending").unwrap(),
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
                "reload" => board.reload("submit").unwrap(),
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

#[test]
fn what_the_service_does_not_take_is_refused_and_nothing_follows() {
    let echo = entry("echo", &guest("probe_echo"), "provides = [\"echo\"]");
    let board = virtual_board(echo + &submitter("echo", "provider", ", reply-max = \"3\"", ""));
    let mut request = Request::named("submit");
    request.scalars = [99, 0, 0, 0];
    assert_eq!(
        refused(&board, "submit", request.clone()).code,
        ErrorCode::BadArgument
    );
    request.scalars[0] = 1;
    for (text, outcome) in [("abc", "ok 0 3"), ("abcd", "io")] {
        let before = completed(&board).len();
        board.call("submit", request.clone().data(text)).unwrap();
        settle(&board);
        let told = completed(&board);
        assert_eq!(told.len(), before + 1);
        assert!(told[before].ends_with(outcome), "{told:?}");
    }
}

#[test]
fn a_flood_ends_at_the_limit_and_every_one_is_completed() {
    for work_loop in LOOPS {
        for (limits, most) in [("", 256), ("limits = { requests = 3 }", 3)] {
            let submitter = submitter("pending", work_loop, "", limits);
            let board = virtual_board(pending("") + &submitter);
            for round in 1..=3 {
                let (told, log) = log::capture(|| call(&board, "flood", [NOW, 0, 7, 0]));
                assert_eq!(told, (most, "no-resources".into()));
                let words = format!("limit `requests`: more than {most} submitted");
                assert!(log.contains(&words), "{log}");
                settle(&board);
                assert_eq!(call(&board, "completed", [0; 4]).0, round * most);
            }
            assert_running(&board, "pending");
        }
    }
}

/// What the host holds for a driver's requests is bounded by what the driver
/// may hold itself.
#[test]
fn a_flood_of_large_requests_ends_at_the_memory_limit() {
    const REPLY_MAX: u64 = 65536;
    let config = format!(", reply-max = \"{REPLY_MAX}\"");
    let board = virtual_board(pending("") + &submitter("pending", "dedicated", &config, ""));
    for round in 1..=3 {
        let (told, log) = log::capture(|| call(&board, "flood", [NOW, 0, 7, 0]));
        let most = (4 << 20) / REPLY_MAX;
        assert_eq!(told, (most, "no-resources".into()));
        assert!(log.contains("limit `memory`: asked for"), "{log}");
        settle(&board);
        assert_eq!(call(&board, "completed", [0; 4]).0, round * most);
    }
}

/// More than the provider can have pending are refused, one by one.
#[test]
fn what_the_provider_has_no_room_for_is_no_resources() {
    let provider = pending(&format!("{CONCURRENT}\nlimits = {{ requests = 2 }}"));
    let board = virtual_board(provider + &submitter("pending", "provider", "", ""));
    for _ in 0..3 {
        submit(&board, NEVER, 0, 0, 0);
    }
    settle(&board);
    assert_eq!(completed(&board), ["completed 3 as 1002: no-resources"]);
    assert_eq!(usage(&board, "pending"), (2, 0));
}

#[test]
fn in_stop_nothing_can_be_submitted_and_in_start_it_can() {
    let submitter = submitter("pending", "provider", ", stop = \"11\", start = \"11\"", "");
    let board = virtual_board(pending("") + &submitter);
    settle(&board);
    let told = ["start: ok 1", "completed 1 as 1000: ok 0 0"];
    // What the first one did is noted before `start` has returned.
    assert_eq!(completed(&board), told);
    let (_, log) = log::capture(|| board.stop_driver("submit").unwrap());
    assert!(log.contains("submitted in stop: not-permitted"), "{log}");
    assert_eq!(provider(&board), "now 1");
}

#[test]
fn nobody_can_submit_to_what_the_board_file_does_not_name() {
    let rest = "provides = [\"submit\"]\nconfig = { target = \"submit\" }";
    let (board, log) =
        log::capture(|| virtual_board(entry("submit", &guest("probe_submit"), rest)));
    let (state, cause) = state(&board, "submit");
    assert_eq!(state, State::Failed);
    assert!(cause.contains("not-granted"), "{cause}");
    assert!(log.contains("add it to `uses`"), "{log}");
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
