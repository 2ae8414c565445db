//! Pins that one driver publishes and another opens: `probe_publish` and
//! `probe_pins`, on one loop and on two.

use loopgate::{Board, BoardFile, ErrorCode, Request, RequestError, State};
use loopgate_integration::{
    StopOnPanic, assert_running, entry, guest, log, real_board, state, until, virtual_board,
    with_another_provider,
};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);

/// Where a board places the user: beside its provider, or not.
const LOOPS: [&str; 2] = ["provider", "dedicated"];

// The kinds of edges that `probe_pins` counts by.
const RISING: u64 = 0;
const FALLING: u64 = 1;
const BOTH: u64 = 2;
const HIGH_LEVEL: u64 = 3;
const LOW_LEVEL: u64 = 4;

/// The user's pins. `other` and `low` stand so that their levels are the second
/// and the third that a filter sees.
const GRANTS: &str = r#"
[driver.gpio]
in = { line = "expander:P0", direction = "input", edges = "both" }
other = { line = "expander:P5", direction = "input" }
low = { line = "expander:P1", direction = "input", edges = "both", active-low = true }
high-level = { line = "expander:P2", direction = "input", edges = "high-level" }
low-level = { line = "expander:P6", direction = "input", edges = "low-level" }
out = { line = "expander:P3", direction = "output" }
out-low = { line = "expander:P4", direction = "output", active-low = true }
capped = { line = "expander:P7", direction = "input", edges = "both", rate-cap = 2 }
missing = { line = "expander:none", direction = "input" }
"#;

fn drivers(provider: &str, work_loop: &str, user: &str) -> String {
    let provider = format!("provides = [\"expander\"]\nconfig = {{ {provider} }}");
    let user = format!(
        "provides = [\"pins\"]\nuses = [\"expander\"]\nwork-loop = \"{work_loop}\"\n\
         config = {{ {user} }}\n{GRANTS}"
    );
    entry("publish", &guest("probe_publish"), &provider)
        + &entry("user", &guest("probe_pins"), &user)
}

fn board(provider: &str, work_loop: &str) -> Board {
    let board = virtual_board(drivers(provider, work_loop, ""));
    assert_running(&board, "publish");
    assert_running(&board, "user");
    board
}

/// What the user is asked about a pin.
fn ask(board: &Board, selector: &str, pin: &str, number: u64) -> Result<u64, ErrorCode> {
    let request = Request::named(selector).scalar(number).data(pin);
    let reply = board.call("pins", request);
    reply.map(|reply| reply.scalar).map_err(|error| error.code)
}

fn change_at(board: &Board, pin: u64, high: bool, at: u64) -> Result<(), RequestError> {
    let mut request = Request::named("change");
    request.scalars = [pin, u64::from(high), at, 0];
    board.call("expander", request)?;
    Ok(())
}

fn change(board: &Board, pin: u64, high: bool) {
    change_at(board, pin, high, 0).unwrap_or_else(|error| panic!("{error}"));
}

/// After all that there was to do in virtual time.
fn report(board: &Board, service: &str) -> Vec<String> {
    board.run_for(MILLISECOND);
    report_now(board, service)
}

fn report_now(board: &Board, service: &str) -> Vec<String> {
    let reply = board.call(service, Request::named("report")).unwrap();
    let text = String::from_utf8(reply.data).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// What the provider was called for since the last time.
fn called(board: &Board) -> Vec<String> {
    report(board, "expander")
}

/// The interrupts of the user since the last time, without their times.
fn heard(board: &Board) -> Vec<String> {
    let report = report(board, "pins").into_iter();
    let untimed = |line: String| line.split_once(" at ").unwrap().0.to_owned();
    report.map(untimed).collect()
}

#[test]
fn a_pin_is_opened_read_driven_and_closed_by_its_provider() {
    for work_loop in LOOPS {
        let board = board("", work_loop);
        assert_eq!(ask(&board, "input", "in", 0), Ok(0));
        change(&board, 0, true);
        assert_eq!(ask(&board, "read", "in", 0), Ok(1));
        assert_eq!(ask(&board, "output", "out", 1), Ok(0));
        assert_eq!(ask(&board, "set", "out", 0), Ok(0));
        assert_eq!(ask(&board, "read", "out", 0), Ok(0), "asks nobody");
        assert_eq!(ask(&board, "set", "in", 1), Err(ErrorCode::NotPermitted));
        ask(&board, "close", "out", 0).unwrap();
        ask(&board, "close", "in", 0).unwrap();
        let calls = [
            "configure 0 input",
            "read 0",
            "configure 3 output true",
            "write 3 false",
            "configure 3 input",
            "configure 0 input",
        ];
        assert_eq!(called(&board), calls, "{work_loop}");
    }
}

#[test]
fn active_low_pins_are_turned_over_for_their_user_alone() {
    for work_loop in LOOPS {
        let board = board("", work_loop);
        ask(&board, "input", "low", 0).unwrap();
        assert_eq!(ask(&board, "read", "low", 0), Ok(1), "it is low");
        ask(&board, "listen", "low", RISING).unwrap();
        change(&board, 1, true);
        change(&board, 1, false);
        assert_eq!(heard(&board), ["low 1 high"]);
        ask(&board, "output", "out-low", 1).unwrap();
        ask(&board, "set", "out-low", 0).unwrap();
        assert_eq!(ask(&board, "read", "out-low", 0), Ok(0));
        assert_eq!(
            called(&board)[2..],
            ["configure 4 output false", "write 4 true"]
        );
    }
}

#[test]
fn edges_are_heard_as_they_were_asked_for() {
    for work_loop in LOOPS {
        for (edges, expected) in [
            (RISING, vec!["in 1 high", "in 2 high"]),
            (FALLING, vec!["in 1 low", "in 2 low"]),
            (BOTH, vec!["in 1 high", "in 2 low", "in 3 high", "in 4 low"]),
        ] {
            let board = board("", work_loop);
            ask(&board, "input", "in", 0).unwrap();
            ask(&board, "listen", "in", edges).unwrap();
            for high in [true, true, false, false, true, false] {
                change(&board, 0, high);
            }
            assert_eq!(heard(&board), expected, "{work_loop}");
            ask(&board, "close", "in", 0).unwrap();
            change(&board, 0, true);
            assert!(heard(&board).is_empty());
            // Another interrupt counts from the beginning.
            ask(&board, "input", "in", 0).unwrap();
            ask(&board, "listen", "in", FALLING).unwrap();
            change(&board, 0, false);
            assert_eq!(heard(&board), ["in 1 low"]);
        }
    }
}

#[test]
fn a_level_interrupts_for_as_long_as_it_lasts() {
    for work_loop in LOOPS {
        let board = board("", work_loop);
        ask(&board, "input", "high-level", 0).unwrap();
        ask(&board, "listen", "high-level", HIGH_LEVEL).unwrap();
        assert!(heard(&board).is_empty());
        change(&board, 2, true);
        let times = |count: u32| (1..=count).map(|n| format!("high-level {n} high"));
        assert_eq!(
            heard(&board),
            times(3).collect::<Vec<_>>(),
            "then it is off"
        );
        // One that is there already when the line goes on.
        ask(&board, "input", "low-level", 0).unwrap();
        ask(&board, "listen", "low-level", LOW_LEVEL).unwrap();
        assert_eq!(heard(&board).len(), 3);
    }
}

#[test]
fn grants_and_rate_caps_hold_for_them_as_for_the_boards() {
    let board = board("", "provider");
    assert_eq!(
        ask(&board, "input", "nobody", 0),
        Err(ErrorCode::NotGranted)
    );
    assert_eq!(ask(&board, "output", "in", 0), Err(ErrorCode::NotGranted));
    assert_eq!(ask(&board, "input", "missing", 0), Err(ErrorCode::NoDevice));
    ask(&board, "input", "in", 0).unwrap();
    assert_eq!(ask(&board, "input", "in", 0), Err(ErrorCode::Busy));
    assert_eq!(
        ask(&board, "listen", "in", HIGH_LEVEL),
        Err(ErrorCode::NotGranted)
    );
    ask(&board, "listen", "in", BOTH).unwrap();
    assert_eq!(ask(&board, "listen", "in", BOTH), Err(ErrorCode::Busy));
    ask(&board, "input", "capped", 0).unwrap();
    ask(&board, "listen", "capped", BOTH).unwrap();
    for edge in 0..10 {
        change(&board, 7, edge % 2 == 0);
    }
    assert_eq!(heard(&board).len(), 2);
    ask(&board, "close", "capped", 0).unwrap();
    let counts = board.status().drivers[1].counts;
    assert_eq!((counts.interrupts, counts.lost), (2, 8));
}

#[test]
fn times_are_the_providers_but_never_to_come_and_never_back() {
    let board = board("", "provider");
    ask(&board, "input", "in", 0).unwrap();
    ask(&board, "listen", "in", BOTH).unwrap();
    board.run_for(MILLISECOND);
    let now = board.now().as_nanos();
    for (high, at) in [(true, now - 10), (false, now - 20), (true, u64::MAX)] {
        change_at(&board, 0, high, at).unwrap();
    }
    let expected = [
        format!("in 1 high at {}", now - 10),
        format!("in 2 low at {}", now - 10),
        format!("in 3 high at {now}"),
    ];
    assert_eq!(report(&board, "pins"), expected);
}

/// The level comes with what was told last: a filter calls nobody.
#[test]
fn a_filter_sees_levels_as_they_were_told_last() {
    for work_loop in LOOPS {
        let board = board("read = \"traps\"", work_loop);
        ask(&board, "input", "in", 0).unwrap();
        ask(&board, "input", "other", 0).unwrap();
        ask(&board, "filter", "in", 1).unwrap();
        for other in [false, true, false] {
            change(&board, 5, other);
            change(&board, 0, true);
            change(&board, 0, false);
        }
        assert_eq!(heard(&board), ["in 3 high", "in 4 low"]);
        let calls = ["configure 0 input", "configure 5 input"];
        assert_eq!(called(&board), calls);
        assert_eq!(board.status().drivers[1].counts.declined, 4);
    }
}

/// The interrupt is an event of the user's, although it comes from within its
/// own down call.
#[test]
fn a_pin_that_changes_while_it_is_read_interrupts_after_the_handler() {
    for work_loop in LOOPS {
        let board = board("read = \"changes\"", work_loop);
        ask(&board, "input", "in", 0).unwrap();
        ask(&board, "listen", "in", BOTH).unwrap();
        assert_eq!(ask(&board, "read", "in", 0), Ok(0));
        assert_eq!(heard(&board), ["in 1 high"]);
        assert_eq!(ask(&board, "read", "in", 0), Ok(1));
        assert_eq!(heard(&board), ["in 2 low"]);
    }
}

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

#[test]
fn what_a_user_has_open_is_closed_when_it_ends() {
    for work_loop in LOOPS {
        let board = board("", work_loop);
        ask(&board, "output", "out", 1).unwrap();
        ask(&board, "input", "in", 0).unwrap();
        ask(&board, "listen", "in", BOTH).unwrap();
        called(&board);
        board.stop_driver("user").unwrap();
        let mut calls = called(&board);
        calls.sort();
        assert_eq!(calls, ["configure 0 input", "configure 3 input"]);
        board.start_driver("user").unwrap();
        assert_eq!(ask(&board, "output", "out", 0), Ok(0));
    }
}

#[test]
fn rule_04_edges_go_to_the_next_version_of_the_user() {
    for work_loop in LOOPS {
        let board = virtual_board(drivers("", work_loop, "input = \"in\""));
        change(&board, 0, true);
        assert_eq!(heard(&board), ["in 1 high"]);
        change(&board, 0, false);
        board.reload("user").unwrap();
        change(&board, 0, true);
        assert_eq!(heard(&board), ["in 2 low", "in 3 high"]);
        assert_eq!(called(&board), ["configure 0 input"], "it stayed open");
    }
}

#[test]
fn what_is_open_works_on_with_the_next_version_of_the_provider() {
    for work_loop in LOOPS {
        let board = board("reload = \"reverse\"", work_loop);
        ask(&board, "input", "in", 0).unwrap();
        ask(&board, "listen", "in", BOTH).unwrap();
        ask(&board, "output", "out", 0).unwrap();
        ask(&board, "set", "out", 1).unwrap();
        called(&board);
        board.reload("publish").unwrap();
        // P0 is its number 7 now, and P3 is 4.
        let mut calls = called(&board);
        calls.sort();
        assert_eq!(calls, ["configure 4 output true", "configure 7 input"]);
        change(&board, 7, true);
        change(&board, 0, true);
        assert_eq!(heard(&board), ["in 1 high"], "{work_loop}");
        assert_eq!(ask(&board, "read", "in", 0), Ok(1));
    }
}

#[test]
fn a_version_that_does_not_publish_a_pin_takes_it_away() {
    for work_loop in LOOPS {
        let board = board("reload = \"fewer\"", work_loop);
        ask(&board, "input", "in", 0).unwrap();
        ask(&board, "output", "out", 0).unwrap();
        board.reload("publish").unwrap();
        assert_eq!(ask(&board, "set", "out", 1), Err(ErrorCode::NoDevice));
        assert_eq!(ask(&board, "read", "in", 0), Ok(0));
        ask(&board, "close", "out", 0).unwrap();
        assert_eq!(ask(&board, "output", "out", 0), Err(ErrorCode::NoDevice));
    }
}

#[test]
fn a_version_that_refuses_what_is_open_takes_it_away() {
    let board = board("reload = \"refuses\"", "provider");
    ask(&board, "input", "in", 0).unwrap();
    ask(&board, "output", "out", 0).unwrap();
    let (result, logged) = log::capture(|| {
        board.reload("publish").unwrap();
        board.run_for(MILLISECOND);
        ask(&board, "set", "out", 1)
    });
    assert_eq!(result, Err(ErrorCode::NoDevice));
    assert!(logged.contains("`expander:P3`"), "{logged}");
    assert_eq!(ask(&board, "read", "in", 0), Err(ErrorCode::NoDevice));
    assert_running(&board, "publish");
}

#[test]
fn a_level_that_is_another_after_a_reload_is_an_edge() {
    // It lives on while its provider is stopped.
    let drivers = drivers("reload = \"high\"", "provider", "");
    let board = virtual_board(with_another_provider(&drivers, "expander"));
    ask(&board, "input", "in", 0).unwrap();
    ask(&board, "listen", "in", BOTH).unwrap();
    board.reload("publish").unwrap();
    assert_eq!(heard(&board), ["in 1 high"]);
    board.reload("publish").unwrap();
    assert!(heard(&board).is_empty(), "high as before");
    board.stop_driver("publish").unwrap();
    assert_eq!(ask(&board, "read", "in", 0), Err(ErrorCode::DriverDied));
    board.start_driver("publish").unwrap();
    assert_eq!(heard(&board), ["in 2 low"], "low unless it is told");
}

/// Threads this time: edges while the user listens anew and the provider is
/// reloaded, and calls both ways between their loops.
#[test]
fn two_loops_and_many_threads() {
    let board = real_board(drivers("", "dedicated", ""));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = StopOnPanic(&board);
        let changing = || {
            let mut high = false;
            while !over.load(Relaxed) {
                high = !high;
                let _ = change_at(&board, 0, high, 0);
                let _ = change_at(&board, 2, high, 0);
            }
        };
        let reloading = || {
            while !over.load(Relaxed) {
                board.reload("publish").unwrap();
            }
        };
        let using = || {
            for _ in 0..300 {
                for pin in ["in", "high-level"] {
                    let edges = if pin == "in" { BOTH } else { HIGH_LEVEL };
                    assert_eq!(ask(&board, "input", pin, 0), Ok(0));
                    assert_eq!(ask(&board, "listen", pin, edges), Ok(0));
                    assert!(ask(&board, "read", pin, 0).is_ok());
                    assert_eq!(ask(&board, "close", pin, 0), Ok(0));
                }
                // What it has heard may not become more than a reply can hold.
                report_now(&board, "pins");
            }
            over.store(true, Relaxed);
        };
        scope.spawn(changing);
        scope.spawn(reloading);
        scope.spawn(using);
    });
    assert_running(&board, "user");
    assert_running(&board, "publish");
    ask(&board, "input", "in", 0).unwrap();
    ask(&board, "listen", "in", BOTH).unwrap();
    change(&board, 0, false);
    change(&board, 0, true);
    until("the edge is heard", || {
        !report_now(&board, "pins").is_empty()
    });
}

/// A driver on the provider's loop calls the user, whose loop is another, and
/// the user calls the provider: each waits for what the other has closed.
#[test]
fn waiting_across_loops_ends_in_an_answer() {
    const READ: u64 = 4;
    let calls = "uses = [\"expander\", \"pins\"]\nprovides = [\"calls\"]\n\
                 config = { target = \"pins\" }";
    let calls = entry("calls", &guest("probe_calls"), calls);
    let board = real_board(drivers("", "dedicated", "") + &calls);
    ask(&board, "input", "in", 0).unwrap();
    std::thread::scope(|scope| {
        let _stop = StopOnPanic(&board);
        scope.spawn(|| {
            for _ in 0..5000 {
                let outcome = ask(&board, "read", "in", 0);
                let expected = [Ok(0), Err(ErrorCode::WouldDeadlock)];
                assert!(expected.contains(&outcome), "{outcome:?}");
            }
        });
        scope.spawn(|| {
            let mut request = Request::named("run").data("in");
            request.scalars = [READ, 100, 0, 0];
            for _ in 0..5000 {
                let reply = board.call("calls", request.clone()).unwrap().data;
                let expected: [&[u8]; 2] = [b"ok", b"would-deadlock"];
                assert!(expected.contains(&&*reply), "{reply:?}");
            }
        });
    });
    assert_eq!(ask(&board, "read", "in", 0), Ok(0));
}

fn refused(text: &str) -> String {
    let text = format!("[board]\nbackend = \"sim\"\n{text}");
    let error = BoardFile::parse(&text, "board.toml").unwrap_err();
    error.to_string()
}

#[test]
fn a_board_file_says_of_published_pins_what_can_be() {
    let good = drivers("", "provider", "");
    let file = format!("[board]\nbackend = \"sim\"\n{good}");
    BoardFile::parse(&file, "board.toml").unwrap();
    let stimulus = "[[board.stimulus]]\nat = \"1 s\"\nline = \"expander:P0\"\nlevel = \"high\"\n";
    let line = "[[board.line]]\nname = \"expander:P0\"\n";
    let plus = |pin: &str, more: &str| {
        let (before, after) = good.split_once(pin).unwrap();
        format!("{before}{pin}{more}{after}")
    };
    let table = [
        (
            good.replace("uses = [\"expander\"]", "uses = []"),
            "line `expander:P0` is a pin that `publish` publishes; add `expander` to the `uses` of `user`",
        ),
        (plus("edges = \"both\"", ", bias = \"pull-up\""), "has no `bias`; leave it out"),
        (plus("edges = \"both\"", ", debounce = \"1 ms\""), "has no `debounce`; leave it out"),
        (
            plus("edges = \"both\"", ", shared = true"),
            "has no `shared`; leave it out",
        ),
        (good.replace("expander:P0", "expander:"), "names no pin"),
        (good.replace("expander:P5", "expander:P0"), "a second time"),
        (format!("{stimulus}{good}"), "no line of the simulated board"),
        (format!("{line}{good}"), "no line of the simulated board"),
        (
            good.replacen("provides = [\"expander\"]", "provides = [\"expander\"]\ngpio = { own = { line = \"expander:P9\", direction = \"input\" } }", 1),
            "is a pin of its own",
        ),
    ];
    for (text, words) in table {
        let error = refused(&text);
        assert!(
            error.starts_with("board.toml:") && error.contains(words),
            "{error}"
        );
    }
    // Kernel lines may have a colon in their names, too.
    let board = virtual_board(good.replace("expander:P5", "chip:P5"));
    let lines: Vec<String> = board
        .sim()
        .show()
        .into_iter()
        .map(|line| line.name)
        .collect();
    assert_eq!(lines, ["chip:P5"], "nothing else is a line of the board");
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

fn told(board: &Board) -> Vec<String> {
    board.run_for(MILLISECOND);
    let reply = board.call("pins", Request::named("told")).unwrap();
    let text = String::from_utf8(reply.data).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// A service that has nothing but pins, and a user that has another provider.
fn nothing_but_pins(work_loop: &str) -> Board {
    let provider = "control = \"publish\", told = \"yes\"";
    let drivers = drivers(provider, work_loop, "");
    let drivers = drivers.replace(
        "provides = [\"expander\"]",
        "provides = [\"expander\", \"publish\"]",
    );
    virtual_board(with_another_provider(&drivers, "expander"))
}

#[test]
fn rule_130_who_uses_nothing_but_pins_is_told_that_they_go_and_come() {
    for work_loop in LOOPS {
        let board = nothing_but_pins(work_loop);
        ask(&board, "input", "in", 0).unwrap();
        assert!(told(&board).is_empty(), "{work_loop}");
        board.stop_driver("publish").unwrap();
        assert_eq!(told(&board), ["ProviderTerminated expander"]);
        board.start_driver("publish").unwrap();
        assert_eq!(told(&board), ["ProviderPublished expander"]);
        // It was open all the while, and is for the next one.
        assert_eq!(
            report(&board, "publish"),
            ["ClientOpened expander", "configure 0 input"]
        );
        board.reload("publish").unwrap();
        let both = ["ProviderTerminated expander", "ProviderPublished expander"];
        assert_eq!(told(&board), both);
        assert_eq!(ask(&board, "read", "in", 0), Ok(0));
    }
}

#[test]
fn rule_138_the_first_pin_that_is_opened_and_the_last_that_is_closed_are_told() {
    for work_loop in LOOPS {
        let board = nothing_but_pins(work_loop);
        ask(&board, "input", "in", 0).unwrap();
        ask(&board, "output", "out", 1).unwrap();
        ask(&board, "close", "in", 0).unwrap();
        let mut opened = report(&board, "publish");
        opened.retain(|line| line.starts_with("Client"));
        assert_eq!(opened, ["ClientOpened expander"], "{work_loop}");
        ask(&board, "close", "out", 0).unwrap();
        let mut closed = report(&board, "publish");
        closed.retain(|line| line.starts_with("Client"));
        assert_eq!(closed, ["ClientClosed expander"]);
    }
}

#[test]
fn rule_134_a_pin_that_is_open_delays_its_providers_stop() {
    for work_loop in LOOPS {
        for (closing, limit) in [(100, 100), (5000, 1000)] {
            let user = format!("closing = \"{closing}\"");
            let board = virtual_board(drivers("", work_loop, &user));
            ask(&board, "input", "in", 0).unwrap();
            board.run_for(MILLISECOND);
            let begun = board.now();
            let (stopped, logged) = log::capture(|| board.stop_driver("publish").unwrap());
            assert_eq!(stopped, ["user", "publish"]);
            let taken = board.now().saturating_since(begun);
            assert_eq!(taken, limit * MILLISECOND, "{work_loop}");
            let by_force = "still has something of `publish` open";
            assert_eq!(logged.contains(by_force), closing > 1000, "{logged}");
        }
    }
}

/// Whether the pin is opened before the ending or not at all, nobody hangs.
#[test]
fn race_x22_a_pin_that_is_opened_and_closed_while_its_provider_ends() {
    let drivers = drivers("", "dedicated", "");
    let board = real_board(with_another_provider(&drivers, "expander"));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = StopOnPanic(&board);
        scope.spawn(|| {
            while !over.load(Relaxed) {
                let opened = ask(&board, "input", "in", 0);
                let expected = [Ok(0), Err(ErrorCode::NoDevice), Err(ErrorCode::DriverDied)];
                assert!(expected.contains(&opened), "{opened:?}");
                ask(&board, "close", "in", 0).unwrap();
            }
        });
        for _ in 0..50 {
            board.stop_driver("publish").unwrap();
            board.start_driver("publish").unwrap();
        }
        over.store(true, Relaxed);
    });
    assert_eq!(ask(&board, "input", "in", 0), Ok(0));
}

/// It says what it likes, and always the same.
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
