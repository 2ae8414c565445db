//! Limits that a driver crosses by what it does over time, and how each limit is
//! named: in the status, the cause of an end, or the log of who crossed it.

use loopgate::{Board, ErrorCode, Request, State};
use loopgate_integration::{
    ask, assert_running, entry, guest, logged, real_board, refused, state, until, virtual_board,
};
use std::collections::BTreeSet;
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn echo(limits: &str) -> String {
    let rest = format!("provides = [\"echo\"]\n[driver.limits]\n{limits}");
    entry("echo", &guest("probe_echo"), &rest)
}

/// One handler that calls the host so often.
fn signal(board: &Board, times: u64) -> Result<(), ErrorCode> {
    let reply = board.call("echo", Request::named("signal").scalar(times));
    reply.map(drop).map_err(|error| error.code)
}

fn assert_ended(board: &Board, driver: &str, limit: &str) {
    let (state, cause) = state(board, driver);
    assert_eq!(state, State::Failed);
    assert!(cause.contains(limit), "{cause}");
}

const CALLS: &str = "limit `host-calls`: more than 1000 calls of the host in a second";

#[test]
fn rule_13_a_driver_that_calls_the_host_too_often_ends() {
    let board = virtual_board(echo("host-calls = 1000"));
    for _ in 0..20 {
        board.run_for(SECOND);
        signal(&board, 990).unwrap();
    }
    assert_running(&board, "echo");
    assert_eq!(signal(&board, 2000), Err(ErrorCode::DriverDied));
    assert_ended(&board, "echo", CALLS);
    assert!(state(&board, "echo").1.contains("(in `command`)"));
    assert_eq!(signal(&board, 1), Err(ErrorCode::NoDevice));
}

/// Who asks without end ends, and not who is asked.
#[test]
fn rule_13_what_a_driver_does_for_another_counts_for_that_one() {
    for place in ["provider", "dedicated"] {
        for (how, limit) in [
            ("calls", "host-calls = 20000"),
            ("calls", "loop-share = 50"),
            ("submissions", "host-calls = 20000"),
        ] {
            let provider = "provides = [\"echo\"]\nconfig = { service = \"echo\" }\n\
                         [driver.limits]\nhost-calls = 5000\nloop-share = 20";
            let client = format!(
                "provides = [\"misbehave\"]\nuses = [\"echo\"]\nwork-loop = \"{place}\"\n\
                 config = {{ how = \"{how}\" }}\n[driver.limits]\n{limit}"
            );
            let board = real_board(
                entry("echo", &guest("probe_context"), provider)
                    + &entry("flood", &guest("hostile_flood"), &client),
            );
            until("the asker has ended", || {
                state(&board, "flood").0 == State::Failed
            });
            let (_, cause) = state(&board, "flood");
            assert!(cause.contains(&limit[..10]), "{how}, {limit}: {cause}");
            assert_running(&board, "echo");
        }
    }
}

/// Of the first kind there is no end: it ends at a tick, not when it returns.
#[test]
fn rule_13_one_handler_that_calls_the_host_without_end_ends_at_once() {
    let board = real_board(echo(
        "host-calls = 1000\nhandler-cpu = \"10 s\"\nhandler-wall = \"60 s\"",
    ));
    let begun = std::time::Instant::now();
    assert_eq!(signal(&board, u64::MAX), Err(ErrorCode::DriverDied));
    assert!(begun.elapsed() < 5 * SECOND);
    assert_ended(&board, "echo", CALLS);
}

#[test]
fn rule_13_calls_of_wasi_count_as_well() {
    let rest = "config = { when = \"timer\", amount = \"3000\" }\n\
                limits = { host-calls = 1000, handler-cpu = \"10 s\", handler-wall = \"10 s\" }";
    let board = virtual_board(entry("prints", &guest("hostile_println"), rest));
    board.run_for(2 * MILLISECOND);
    assert_ended(&board, "prints", CALLS);
}

/// The share that a driver has whose timers are always due, each for 200 ms.
fn hog(share: u32, how: &str) -> String {
    let rest = format!("config = {{ how = \"{how}\" }}\nlimits = {{ loop-share = {share} }}");
    entry("hog", &guest("hostile_hog"), &rest)
}

const SHARE: &str =
    "limit `loop-share`: its handlers took more than 50 % of its loop's time in a second";

#[test]
fn rule_13_a_driver_that_takes_more_than_its_share_of_the_loop_ends() {
    let board = virtual_board(hog(50, "delays"));
    board.run_for(SECOND);
    assert_ended(&board, "hog", SHARE);
    assert!(state(&board, "hog").1.contains("(in `timeout-occurred`)"));
    let board = virtual_board(hog(100, "delays"));
    board.run_for(3 * SECOND);
    assert_running(&board, "hog");
    let board = real_board(hog(50, "delays"));
    until("it has ended", || state(&board, "hog").0 == State::Failed);
    assert_ended(&board, "hog", SHARE);
}

/// In virtual time its handlers take none, and in real time little.
#[test]
fn rule_13_who_stays_below_its_share_goes_on() {
    let counter = "provides = [\"counter\"]\nlimits = { loop-share = 50 }\n[driver.gpio]\n\
                   in = { line = \"IN\", direction = \"input\", edges = \"both\" }";
    let counter = entry("counter", &guest("probe_counter"), counter);
    let board = virtual_board(&counter);
    board.run_for(20 * SECOND);
    assert_running(&board, "counter");
    let board = real_board(&counter);
    until("it has ticked for more than a second", || {
        board.status().drivers[0].counts.timeouts > 120
    });
    assert_running(&board, "counter");
}

/// Both are of one instance: the next one begins anew.
#[test]
fn who_is_started_again_begins_anew() {
    let board = virtual_board(echo("host-calls = 1000"));
    for _ in 0..3 {
        signal(&board, 5000).unwrap_err();
        board.start_driver("echo").unwrap();
        signal(&board, 500).unwrap();
    }
}

#[test]
fn interrupts_that_find_no_room_are_told_once_with_the_limit() {
    let rest = "provides = [\"counter\"]\nlimits = { occurrences = 4 }\n[driver.gpio]\n\
                in = { line = \"IN\", direction = \"input\", edges = \"both\" }";
    let board = virtual_board(entry("counter", &guest("probe_counter"), rest));
    board.run_for(MILLISECOND);
    let toggle = |times: u32| {
        for _ in 0..times {
            board.sim().set("IN", true).unwrap();
            board.sim().set("IN", false).unwrap();
        }
        board.run_for(MILLISECOND);
    };
    toggle(2);
    let told = "limit `occurrences`: more than 4 waited in one interrupt source";
    assert!(!logged(&board, "counter", told));
    toggle(5);
    toggle(5);
    assert_eq!(ask(&board, "counter", "lost"), 12);
    let none = loopgate::Cancel::default();
    let lines = board.logs("counter", 0, Duration::ZERO, &none).unwrap();
    let told = lines.iter().filter(|line| line.text.contains(told)).count();
    assert_eq!(told, 1);
}

#[test]
fn one_request_too_many_is_refused_and_the_limit_logged() {
    let rest = "provides = [\"pending\", \"pending-report\"]\n\
                config = { queueing = \"concurrent\" }\nlimits = { requests = 2 }";
    let board = real_board(entry("pending", &guest("probe_pending"), rest));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| board.call("pending", Request::named("never")));
        }
        until("both wait", || {
            board.status().drivers[0].usage.requests == 2
        });
        let code = refused(&board, "pending", Request::named("never")).code;
        assert_eq!(code, ErrorCode::NoResources);
        let told = "limit `requests`: more than 2 pending at a time";
        assert!(logged(&board, "pending", told));
        board.stop();
    });
}

/// The item of the issue, by the names that the status has for it.
#[test]
fn the_status_shows_every_limit() {
    let board = virtual_board(echo("handler-cpu = \"20 ms\"\nloop-share = 40"));
    let status = serde_json::to_value(board.status()).unwrap();
    let limits = status["drivers"][0]["limits"].as_object().unwrap();
    let shown: BTreeSet<&str> = limits.keys().map(String::as_str).collect();
    let expected = [
        "closing",
        "drain",
        "filter-budget",
        "filter-fuel",
        "filters",
        "handler-cpu",
        "handler-wall",
        "handles",
        "host-calls",
        "line-hold",
        "log",
        "loop-share",
        "memory",
        "nesting",
        "occurrences",
        "payload",
        "requests",
        "stack",
        "start",
        "state",
        "table-elements",
    ];
    assert_eq!(shown, BTreeSet::from(expected));
    assert_eq!(limits["handler-cpu"], "20 ms");
    assert_eq!(limits["loop-share"], 40);
    assert_eq!(limits["host-calls"], 1_000_000);
}
