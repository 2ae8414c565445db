//! Requests that a driver leaves pending: each is answered once, whatever the
//! driver, its client or its end make of it.

use loopgate::{Board, ErrorCode, Mode, Request};
use loopgate_integration::{
    StopOnPanic, ask, assert_running, entry, guest, log, real_board, refused, until, virtual_board,
};
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);

fn driver(more: &str) -> String {
    let rest = format!("provides = [\"pending\", \"pending-report\"]\n{more}");
    entry("pending", &guest("probe_pending"), &rest)
}

const CONCURRENT: &str = "config = { queueing = \"concurrent\" }";

fn request(selector: &str, after: u64, answer: u64) -> Request {
    let mut request = Request::named(selector);
    request.scalars = [after, answer, 0, 0];
    request
}

fn report(board: &Board) -> String {
    let reply = board.call("pending-report", Request::named("report"));
    String::from_utf8(reply.unwrap().data).unwrap()
}

/// Requests that wait for their completion, as the status has them.
fn waiting(board: &Board) -> usize {
    board.status().drivers[0].usage.requests
}

#[test]
fn it_is_answered_when_the_driver_completes_it() {
    let board = virtual_board(driver(""));
    let begun = board.now();
    let reply = board.call("pending", request("later", 30, 7)).unwrap();
    assert_eq!(reply.scalar, 7);
    assert_eq!(board.now().saturating_since(begun), 30 * MILLISECOND);
    let reply = board.call("pending", request("on-interrupt", 0, 8));
    assert_eq!(reply.unwrap().scalar, 8);
    assert_eq!(report(&board), "completed 1: ok\ncompleted 2: ok");
    assert_eq!(waiting(&board), 0);
}

#[test]
fn an_early_completion_counts() {
    let board = virtual_board(driver(""));
    board.call("pending", Request::named("early")).unwrap();
    assert_eq!(report(&board), "early 1: ok");
    assert_eq!(waiting(&board), 0);
}

#[test]
fn a_second_completion_and_an_unknown_id_are_bad_arguments() {
    let board = virtual_board(driver(""));
    let reply = board.call("pending", request("twice", 5, 9)).unwrap();
    assert_eq!(reply.scalar, 9);
    let told = "completed 1: ok\ncompleted 1 again: bad-argument";
    assert_eq!(report(&board), told);
    for id in [0, 1, 2, 99, u64::MAX] {
        let reply = board
            .call("pending-report", request("unknown", id, 0))
            .unwrap();
        assert_eq!(reply.data, b"bad-argument", "{id}");
    }
    assert_running(&board, "pending");
}

#[test]
fn one_that_the_driver_drops_is_aborted() {
    let board = virtual_board(driver(""));
    let error = refused(&board, "pending", Request::named("drop"));
    assert_eq!(error.code, ErrorCode::Aborted);
    assert_running(&board, "pending");
}

#[test]
fn a_client_that_gives_up_cancels_it_and_voids_its_id() {
    let board = virtual_board(driver(""));
    let begun = board.now();
    let wait = Mode::Run(Some(40 * MILLISECOND));
    let error = refused(&board, "pending", Request::named("never").mode(wait));
    assert_eq!(error.code, ErrorCode::TimedOut);
    assert_eq!(board.now().saturating_since(begun), 40 * MILLISECOND);
    assert_eq!(report(&board), "cancelled 1");
    let reply = board
        .call("pending-report", request("unknown", 1, 0))
        .unwrap();
    assert_eq!(reply.data, b"bad-argument");
    assert_eq!(waiting(&board), 0);
    // The next in line has its turn.
    let reply = board.call("pending", request("later", 1, 4)).unwrap();
    assert_eq!(reply.scalar, 4);
}

#[test]
fn one_without_end_in_a_world_without_events_is_timed_out() {
    let board = virtual_board(driver(""));
    let error = refused(&board, "pending", Request::named("never"));
    assert_eq!(error.code, ErrorCode::TimedOut);
    assert_eq!(report(&board), "cancelled 1");
}

#[test]
fn an_attempt_never_leaves_one_behind() {
    let board = virtual_board(driver(""));
    let error = refused(
        &board,
        "pending",
        Request::named("never").mode(Mode::Attempt),
    );
    assert_eq!(error.code, ErrorCode::Busy);
    assert_eq!(report(&board), "cancelled 1");
    assert_eq!(waiting(&board), 0);
}

#[test]
fn a_driver_as_client_gets_busy_and_the_request_is_cancelled() {
    let calls = "provides = [\"calls\"]\nuses = [\"pending\"]\nconfig = { target = \"pending\" }";
    let board = virtual_board(driver("") + &entry("calls", &guest("probe_calls"), calls));
    // `never`, by number.
    let reply = board.call("calls", request("run", 3, 100)).unwrap();
    assert_eq!(reply.data, b"busy");
    assert_eq!(report(&board), "cancelled 1");
}

/// Clients of a real board, each on its thread, that all wait at once.
fn with_waiting_clients<R: Send>(
    board: &Board,
    count: usize,
    f: impl FnOnce() -> R,
) -> (Vec<Result<u64, ErrorCode>>, R) {
    std::thread::scope(|scope| {
        let ask = || {
            let reply = board.call("pending", Request::named("never"));
            reply.map(|reply| reply.scalar).map_err(|error| error.code)
        };
        let clients: Vec<_> = (0..count).map(|_| scope.spawn(ask)).collect();
        let _guard = StopOnPanic(board);
        until("all wait", || waiting(board) == count);
        let result = f();
        let outcomes = clients.into_iter().map(|client| client.join().unwrap());
        (outcomes.collect(), result)
    })
}

#[test]
fn all_that_wait_are_told_when_the_driver_fails_them() {
    let board = real_board(driver(CONCURRENT));
    let (outcomes, ()) = with_waiting_clients(&board, 5, || {
        ask(&board, "pending-report", "fail-all");
    });
    assert_eq!(outcomes, [Err(ErrorCode::Io); 5]);
    assert_eq!(
        report(&board)
            .lines()
            .filter(|line| line.ends_with(": ok"))
            .count(),
        5
    );
}

#[test]
fn the_end_of_the_driver_ends_all_of_them() {
    for queueing in ["", CONCURRENT] {
        let board = real_board(driver(queueing));
        let count = if queueing.is_empty() { 1 } else { 5 };
        let (outcomes, ()) = with_waiting_clients(&board, count, || board.stop());
        assert_eq!(outcomes, vec![Err(ErrorCode::DriverDied); count]);
    }
}

#[test]
fn more_than_the_limit_are_refused() {
    let limit = format!("{CONCURRENT}\nlimits = {{ requests = 3 }}");
    let board = real_board(driver(&limit));
    let (outcomes, error) = with_waiting_clients(&board, 3, || {
        let error = refused(&board, "pending", Request::named("never"));
        ask(&board, "pending-report", "fail-all");
        error
    });
    assert_eq!(outcomes, [Err(ErrorCode::Io); 3]);
    assert_eq!(error.code, ErrorCode::NoResources);
    assert_running(&board, "pending");
}

#[test]
fn a_serial_service_takes_one_at_a_time() {
    const CLIENTS: u64 = 6;
    let board = real_board(driver(""));
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let board = &board;
            scope.spawn(move || {
                let reply = board.call("pending", request("later", 1, client));
                assert_eq!(reply.unwrap().scalar, client);
            });
        }
    });
    // Ids count the handovers: each was completed before the next was made.
    let told: Vec<_> = (1..=CLIENTS)
        .map(|id| format!("completed {id}: ok"))
        .collect();
    assert_eq!(report(&board), told.join("\n"));
}

#[test]
fn a_waiting_client_of_a_serial_service_has_its_own_time_limit() {
    let board = real_board(driver(""));
    let (outcomes, second) = with_waiting_clients(&board, 1, || {
        let wait = Mode::Run(Some(MILLISECOND));
        let second = refused(&board, "pending", Request::named("never").mode(wait));
        ask(&board, "pending-report", "fail-all");
        second
    });
    assert_eq!(second.code, ErrorCode::TimedOut);
    assert_eq!(outcomes, [Err(ErrorCode::Io)]);
    assert!(
        !report(&board).contains("cancelled"),
        "it never reached the driver"
    );
    let attempt = || board.call("pending", Request::named("early").mode(Mode::Attempt));
    attempt().unwrap();
}

#[test]
fn an_attempt_at_a_serial_service_that_is_busy_is_busy() {
    let board = real_board(driver(""));
    let (_, error) = with_waiting_clients(&board, 1, || {
        let error = refused(
            &board,
            "pending",
            Request::named("early").mode(Mode::Attempt),
        );
        ask(&board, "pending-report", "fail-all");
        error
    });
    assert_eq!(error.code, ErrorCode::Busy);
}

#[test]
fn of_two_answers_the_first_counts_and_the_log_tells() {
    let board = virtual_board(driver(""));
    let (answer, log) = log::capture(|| ask(&board, "pending", "both"));
    assert_eq!(answer, 1);
    let words = "pending: answered request 1 twice";
    assert!(log.contains(words), "{log}");
    let (_, log) = log::capture(|| ask(&board, "pending", "early"));
    assert!(!log.contains("twice"), "{log}");
}

#[test]
fn a_trap_ends_all_of_them() {
    let board = real_board(driver(CONCURRENT));
    let (outcomes, error) = with_waiting_clients(&board, 5, || {
        refused(&board, "pending-report", Request::named("trap"))
    });
    assert_eq!(outcomes, [Err(ErrorCode::DriverDied); 5]);
    assert_eq!(error.code, ErrorCode::DriverDied);
    assert!(error.message.contains("unreachable"), "{error}");
}

#[test]
fn a_call_that_was_cancelled_before_it_began_does_not_wait() {
    let board = real_board(driver(""));
    let cancel = loopgate::Cancel::default();
    cancel.cancel();
    let never = Request::named("never").mode(Mode::Run(None));
    let error = board.call_cancellable("pending", never, &cancel);
    assert_eq!(error.unwrap_err().code, ErrorCode::Aborted);
}
