//! What runs beside the handlers, and requests that wait for times and pins.

use crate::support::is_high;
use loopgate::{Board, ErrorCode, Request, State};
use loopgate_integration::{
    StopOnPanic, ask, assert_running, entry, guest, logged, real_board, refused, state, until,
    virtual_board,
};
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);

fn probe(rest: &str) -> String {
    let grants = "provides = [\"tasks\"]\n[driver.gpio]\n\
         lamp = { line = \"LAMP\", direction = \"output\" }\n\
         in = { line = \"IN\", direction = \"input\", edges = \"both\" }\n";
    entry("tasks", &guest("probe_tasks"), &format!("{grants}{rest}"))
}

fn request(selector: &str, scalar: u64) -> Request {
    Request::named(selector).scalar(scalar)
}

fn at(board: &Board, request: Request) -> Duration {
    let reply = board.call("tasks", request);
    Duration::from_nanos(reply.unwrap_or_else(|error| panic!("{error}")).scalar)
}

#[test]
fn a_task_waits_with_the_gate_open() {
    let board = virtual_board(probe(""));
    assert_running(&board, "tasks");
    board.run_for(MILLISECOND);
    let changes = (0..6).map(|_| {
        let high = is_high(&board, "LAMP");
        board.run_for(10 * MILLISECOND);
        high
    });
    let expected = [true, false, true, false, true, false];
    assert_eq!(changes.collect::<Vec<_>>(), expected);
    assert_eq!(ask(&board, "tasks", "ticks"), 7);
}

#[test]
fn a_request_waits_for_a_time_and_others_are_served_meanwhile() {
    let board = virtual_board(probe(""));
    let begun = board.now();
    let late = at(&board, request("later", 100));
    assert_eq!(board.now().saturating_since(begun), 100 * MILLISECOND);
    assert_eq!(late.as_millis(), 100);
    // The task went on, in its own time.
    assert_eq!(ask(&board, "tasks", "ticks"), 11);
}

#[test]
fn a_request_that_was_given_up_leaves_nothing() {
    let board = virtual_board(probe(""));
    let given_up = request("later", 50).mode(loopgate::Mode::Run(Some(20 * MILLISECOND)));
    assert_eq!(refused(&board, "tasks", given_up).code, ErrorCode::TimedOut);
    board.run_for(100 * MILLISECOND);
    assert_eq!(board.status().drivers[0].usage.requests, 0);
    assert_running(&board, "tasks");
}

#[test]
fn a_request_waits_for_levels_and_edges_of_a_pin() {
    let stimuli = [
        (10, "high"),
        (20, "low"),
        (30, "high"),
        (40, "low"),
        (50, "high"),
        (60, "low"),
    ];
    let stimuli = stimuli.map(|(at, level)| {
        format!("[[board.stimulus]]\nat = \"{at} ms\"\nline = \"IN\"\nlevel = \"{level}\"\n")
    });
    let board = virtual_board(stimuli.concat() + &probe(""));
    let (low, high, rising, falling, any) = (0, 1, 2, 3, 4);
    let begun = board.now();
    let waits = |what| {
        at(&board, request("pin", what));
        board.now().saturating_since(begun).as_millis()
    };
    // It is low at first.
    assert_eq!(waits(low), 0);
    assert_eq!(waits(high), 10);
    assert_eq!(waits(high), 10);
    assert_eq!(waits(rising), 30);
    assert_eq!(waits(any), 40);
    assert_eq!(waits(falling), 60);
    assert_eq!(waits(low), 60);
}

#[test]
fn edges_before_the_wait_do_not_count() {
    let board = virtual_board(probe(""));
    board.sim().set("IN", true).unwrap();
    let high = at(&board, request("pin", 1));
    board.sim().set("IN", false).unwrap();
    board.sim().set("IN", true).unwrap();
    board.run_for(MILLISECOND);
    let waiting = request("pin", 2).mode(loopgate::Mode::Run(Some(5 * MILLISECOND)));
    assert_eq!(refused(&board, "tasks", waiting).code, ErrorCode::TimedOut);
    assert!(high.as_nanos() <= u128::from(board.now().as_nanos()));
}

#[test]
fn waiting_for_what_nothing_wakes_is_refused() {
    let board = virtual_board(probe(""));
    let never = refused(&board, "tasks", request("never", 0));
    assert_eq!(never.code, ErrorCode::Unsupported);
    ask(&board, "tasks", "fail");
    board.run_for(MILLISECOND);
    assert!(logged(&board, "tasks", "a task: `io`"));
    assert_running(&board, "tasks");
}

/// Each round is a call of its own, so that nobody's limit is at stake.
#[test]
fn a_task_that_wakes_itself_lets_others_run() {
    let board = virtual_board(probe(""));
    at(&board, request("rounds", 100_000));
    let first = ask(&board, "tasks", "round");
    assert!(first < 100_000, "{first}");
    board.run_for(Duration::from_secs(1));
    assert_eq!(ask(&board, "tasks", "round"), 100_000);
    assert_running(&board, "tasks");
}

#[test]
fn a_handler_wakes_a_request() {
    let board = real_board(probe(""));
    std::thread::scope(|scope| {
        let stop = StopOnPanic(&board);
        let waiting = scope.spawn(|| stop.0.call("tasks", Request::named("woken")));
        until("it waits", || board.status().drivers[0].usage.requests == 1);
        at(&board, Request::named("wake"));
        assert!(waiting.join().unwrap().is_ok());
    });
}

#[test]
fn the_next_version_has_its_own_task_which_begins_after_the_commit() {
    let board = virtual_board(probe(""));
    board.run_for(95 * MILLISECOND);
    assert_eq!(ask(&board, "tasks", "ticks"), 10);
    board.reload("tasks").unwrap();
    board.run_for(MILLISECOND);
    assert_eq!(ask(&board, "tasks", "ticks"), 11);
    board.run_for(20 * MILLISECOND);
    assert_eq!(ask(&board, "tasks", "ticks"), 13);
    assert!(!logged(&board, "tasks", "a task:"));
}

#[test]
fn a_delay_in_the_gate_is_charged_and_one_that_is_too_long_names_its_cause() {
    let board = virtual_board(probe("[driver.limits]\nhandler-wall = \"100 ms\"\n"));
    let begun = board.now();
    at(&board, request("block", 80));
    assert_eq!(board.now().saturating_since(begun), 80 * MILLISECOND);
    let code = refused(&board, "tasks", request("block", 120)).code;
    assert_eq!(code, ErrorCode::DriverDied);
    assert_eq!(state(&board, "tasks").0, State::Failed);
    assert!(logged(&board, "tasks", "a delay of 120ms"));
}

#[test]
fn the_last_version_s_traits_drive_the_same_pins() {
    let board = virtual_board(probe(""));
    let begun = board.now();
    at(&board, request("pulse", 0));
    assert_eq!(board.now().saturating_since(begun), 2 * MILLISECOND);
    assert!(!is_high(&board, "LAMP"));
}
