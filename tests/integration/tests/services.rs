//! Requests to services: by name and number, refused, through disabled gates,
//! and from many clients at once. Pending ones have a file of their own.

use loopgate::{Board, ErrorCode, Mode, Request};
use loopgate_integration::{
    StopOnPanic, ask, assert_running, code, entry, guest, log, real_board, refused, until,
    virtual_board,
};
use std::time::Duration;

fn echo() -> String {
    entry("echo", &guest("probe_echo"), "provides = [\"echo\"]")
}

fn attempted(board: &Board, service: &str, selector: &str) -> ErrorCode {
    let request = Request::named(selector).mode(Mode::Attempt);
    refused(board, service, request).code
}

#[test]
fn a_selector_is_called_by_name_or_number() {
    let board = virtual_board(echo());
    let mut add = Request::named("add");
    add.scalars = [2, 3, 0, 0];
    assert_eq!(board.call("echo", add.clone()).unwrap().scalar, 5);
    let echo = Request::numbered(1).data("what");
    assert_eq!(board.call("echo", echo).unwrap().data, b"what");
    let add = add.mode(Mode::Attempt);
    assert_eq!(board.call("echo", add).unwrap().scalar, 5);
}

#[test]
fn what_does_not_exist_is_named_with_what_does() {
    let board = virtual_board(echo());
    let commands = || board.status().drivers[0].counts.commands;
    for (service, request, expected, words) in [
        (
            "ecko",
            Request::named("add"),
            ErrorCode::NoDevice,
            "no driver provides the service `ecko`",
        ),
        (
            "echo",
            Request::named("sub"),
            ErrorCode::BadArgument,
            "no selector `sub`; it has `echo`, `add`",
        ),
        (
            "echo",
            Request::numbered(99),
            ErrorCode::BadArgument,
            "no selector 99; `loopgate status echo`",
        ),
        (
            "echo",
            Request::numbered(0),
            ErrorCode::BadArgument,
            "no selector 0",
        ),
        (
            "echo",
            Request::named(""),
            ErrorCode::BadArgument,
            "no selector ``",
        ),
    ] {
        let error = refused(&board, service, request);
        assert_eq!(error.code, expected);
        assert!(error.message.contains(words), "{error}");
    }
    assert_eq!(commands(), 0, "none of them reaches the driver");
}

#[test]
fn an_input_over_the_services_maximum_never_reaches_the_driver() {
    let board = virtual_board(echo());
    let most = Request::numbered(1).data(vec![7; 4096]);
    assert_eq!(board.call("echo", most).unwrap().data.len(), 4096);
    let error = refused(&board, "echo", Request::numbered(1).data(vec![7; 4097]));
    assert_eq!(error.code, ErrorCode::BadArgument);
    let words = "takes at most 4096 bytes, the request has 4097";
    assert!(error.message.contains(words), "{error}");
    assert_eq!(board.status().drivers[0].counts.commands, 1);
}

#[test]
fn a_reply_over_what_the_client_takes_is_io_and_in_the_log() {
    let rest = "provides = [\"big\"]\nconfig = { when = \"command\", service = \"big\", amount = \"1001\" }";
    let board = virtual_board(entry("talker", &guest("hostile_reply"), rest));
    let mut request = Request::numbered(1);
    request.reply_max = 1000;
    let (error, log) = log::capture(|| refused(&board, "big", request.clone()));
    assert_eq!(error.code, ErrorCode::Io);
    let words = "talker: service `big` answered with 1001 bytes where the client takes 1000; the client gets `io`";
    assert!(log.contains(words), "{log}");
    request.reply_max = 1001;
    assert_eq!(board.call("big", request).unwrap().data.len(), 1001);
    assert_running(&board, "talker");
}

#[test]
fn a_driver_is_a_client_like_others() {
    let calls = "provides = [\"calls\"]\nuses = [\"echo\"]\nconfig = { target = \"echo\", reply-max = \"10\" }";
    let board = virtual_board(echo() + &entry("calls", &guest("probe_calls"), calls));
    let ask = |selector: &str, scalars, data: &[u8]| {
        let mut request = Request::named(selector).data(data);
        request.scalars = scalars;
        let reply = board.call("calls", request).unwrap();
        (reply.scalar, String::from_utf8(reply.data).unwrap())
    };
    for selector in ["run", "attempt"] {
        assert_eq!(ask(selector, [2, 100, 4, 5], b""), (9, "ok".into()));
        assert_eq!(
            ask(selector, [1, 100, 0, 0], b"text"),
            (0, "ok text".into())
        );
        assert_eq!(ask(selector, [99, 100, 0, 0], b"").1, "bad-argument");
        // One byte over the client's own maximum.
        assert_eq!(ask(selector, [1, 100, 0, 0], b"eleven byte").1, "io");
    }
    assert_running(&board, "calls");
}

/// A client holds the gate, sleeping in a driver's `delay` being the only way
/// to hold it for long: here the spinning one, for all of its 2 s.
#[test]
fn an_attempt_does_not_wait_for_a_closed_gate() {
    let spin = "provides = [\"spin\"]\nconfig = { when = \"command\", service = \"spin\" }\nlimits = { handler-cpu = \"10 s\", handler-wall = \"2 s\" }";
    let board = real_board(echo() + &entry("spins", &guest("hostile_spin"), spin));
    std::thread::scope(|scope| {
        let spinning = scope.spawn(|| refused(&board, "spin", Request::numbered(1)));
        until("the gate is closed", || {
            board.status().drivers[1].counts.commands == 1
        });
        assert_eq!(
            attempted(&board, "echo", "interrupts"),
            ErrorCode::CannotLock
        );
        let wait = Duration::from_millis(1);
        assert_eq!(
            code(&board, "echo", "interrupts", wait),
            ErrorCode::TimedOut
        );
        let ended = spinning.join().unwrap();
        assert!(ended.message.contains("limit `handler-wall`"), "{ended}");
    });
    assert_eq!(ask(&board, "echo", "interrupts"), 0);
}

fn gated() -> Board {
    let rest = "provides = [\"gated\", \"gated-control\"]";
    virtual_board(entry("gated", &guest("probe_gate"), rest))
}

#[test]
fn a_disabled_gate_refuses_attempts_and_stalls_the_others() {
    let board = gated();
    ask(&board, "gated-control", "disable");
    assert_eq!(attempted(&board, "gated", "enter"), ErrorCode::NotPermitted);
    let begun = board.now();
    let wait = Duration::from_millis(70);
    assert_eq!(code(&board, "gated", "enter", wait), ErrorCode::TimedOut);
    assert_eq!(board.now().saturating_since(begun), wait);
    let status = &board.status().drivers[0];
    let enabled = |name| {
        status
            .services
            .iter()
            .find(|service| service.name == name)
            .unwrap()
            .enabled
    };
    assert!(!enabled("gated") && enabled("gated-control"));

    let enable = Request::named("enable").scalar(500);
    board.call("gated-control", enable).unwrap();
    let begun = board.now();
    assert_eq!(ask(&board, "gated", "enter"), 1);
    assert_eq!(
        board.now().saturating_since(begun),
        Duration::from_millis(500)
    );
    let entered = Request::named("enter").mode(Mode::Attempt);
    assert_eq!(board.call("gated", entered).unwrap().scalar, 2);
}

#[test]
fn clients_that_are_stalled_are_let_in_or_told_that_the_driver_ended() {
    for ends in [false, true] {
        let rest = "provides = [\"gated\", \"gated-control\"]";
        let board = real_board(entry("gated", &guest("probe_gate"), rest));
        ask(&board, "gated-control", "disable");
        std::thread::scope(|scope| {
            let enter = || board.call("gated", Request::named("enter"));
            let clients: Vec<_> = (0..4).map(|_| scope.spawn(enter)).collect();
            let _guard = StopOnPanic(&board);
            if ends {
                board.stop();
            } else {
                ask(&board, "gated-control", "enable");
            }
            let outcomes = clients.into_iter().map(|client| client.join().unwrap());
            let outcomes: Vec<_> = outcomes.collect();
            if ends {
                let gone = [ErrorCode::DriverDied, ErrorCode::NoDevice];
                assert!(
                    outcomes.iter().all(|outcome| outcome
                        .as_ref()
                        .is_err_and(|error| gone.contains(&error.code))),
                    "{outcomes:?}"
                );
            } else {
                let mut entered: Vec<_> = outcomes
                    .into_iter()
                    .map(|outcome| outcome.unwrap().scalar)
                    .collect();
                entered.sort_unstable();
                assert_eq!(entered, [1, 2, 3, 4]);
            }
        });
    }
}

#[test]
fn many_clients_at_once_are_all_answered() {
    const CLIENTS: u64 = 8;
    const CALLS: u64 = 1000;
    let board = real_board(echo());
    std::thread::scope(|scope| {
        for client in 0..CLIENTS {
            let board = &board;
            scope.spawn(move || {
                for call in 0..CALLS {
                    let mut request = Request::numbered(2);
                    request.scalars = [client << 32, call, 0, 0];
                    let sum = board.call("echo", request).unwrap().scalar;
                    assert_eq!(sum, client << 32 | call);
                }
            });
        }
    });
    assert_eq!(board.status().drivers[0].counts.commands, CLIENTS * CALLS);
}

#[test]
fn a_stopped_board_still_tells_its_status_and_refuses_calls() {
    let board = real_board(echo());
    board.stop();
    board.stop();
    assert_eq!(board.status().drivers[0].state, loopgate::State::Stopped);
    let error = refused(&board, "echo", Request::named("interrupts"));
    assert_eq!(error.code, ErrorCode::NoDevice);
}
