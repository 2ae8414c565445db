//! The rules of `wit/README.md` that hold now, through real guests; rule 2 is
//! held in `context.rs`. `cargo xtask rules` tells which there are.

use loopgate::{Board, BoardFile, ErrorCode, Mode, Request, RequestError, State};
use loopgate_integration::{
    StopOnPanic, ask, assert_running, driver, entry, guest, log, real_board, refused, state, until,
    virtual_board,
};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const MILLISECOND: Duration = Duration::from_millis(1);

fn counter(name: &str, place: &str) -> String {
    let rest = format!(
        "provides = [\"{name}\"]\nwork-loop = \"{place}\"\nconfig = {{ service = \"{name}\" }}\n\
         [driver.gpio]\nin = {{ line = \"{name}\", direction = \"input\", edges = \"both\" }}"
    );
    entry(name, &guest("probe_counter"), &rest)
}

fn calls(name: &str, target: &str, place: &str) -> String {
    let rest = format!(
        "provides = [\"{name}\"]\nuses = [\"{target}\"]\nwork-loop = \"{place}\"\n\
         config = {{ service = \"{name}\", target = \"{target}\" }}"
    );
    entry(name, &guest("probe_calls"), &rest)
}

fn on_command(name: &str, component: &str, more: &str) -> String {
    let rest = format!(
        "provides = [\"{name}\"]\nconfig = {{ when = \"command\", service = \"{name}\" }}\n{more}"
    );
    entry(name, &guest(component), &rest)
}

/// What a `probe_calls` got from its target.
fn told(board: &Board, service: &str, scalars: [u64; 4]) -> String {
    let mut request = Request::named("run");
    request.scalars = scalars;
    String::from_utf8(board.call(service, request).unwrap().data).unwrap()
}

fn timeouts(board: &Board, driver: &str) -> u64 {
    let status = board.status();
    let driver = status.drivers.iter().find(|status| status.name == driver);
    driver.unwrap().counts.timeouts
}

#[test]
fn rule_01_one_handler_of_a_loop_at_a_time() {
    let limits = "limits = { handler-cpu = \"10 s\", handler-wall = \"2 s\" }";
    let spins = on_command("spins", "hostile_spin", limits);
    let board = real_board(spins + &counter("same", "provider") + &counter("apart", "dedicated"));
    std::thread::scope(|scope| {
        scope.spawn(|| refused(&board, "spins", Request::numbered(1)));
        until("it spins, in the gate", || {
            board.status().drivers[0].counts.commands == 1
        });
        let (same, apart) = (timeouts(&board, "same"), timeouts(&board, "apart"));
        until("the other loop goes on", || {
            timeouts(&board, "apart") >= apart + 3
        });
        let waited = timeouts(&board, "same") == same;
        assert!(waited || state(&board, "spins").0 == State::Failed);
    });
}

/// A driver with a filter of `IN`, which interrupts as `edges` says.
fn filtered(edges: &str, config: &str) -> String {
    let rest = format!(
        "provides = [\"filter\"]\nconfig = {{ edges = \"{edges}\", {config} }}\n[driver.gpio]\n\
         in = {{ line = \"IN\", direction = \"input\", edges = \"{edges}\" }}"
    );
    entry("filtered", &guest("probe_filter"), &rest)
}

#[test]
fn rule_02_a_filter_runs_outside_the_gate_and_sees_its_arguments_alone() {
    let limits = "limits = { handler-cpu = \"10 s\", handler-wall = \"2 s\" }";
    let spins = on_command("spins", "hostile_spin", limits);
    // It claims what comes once a handler has run, as far as it can see.
    let board = real_board(filtered("both", "word = \"1\"") + &spins);
    board.sim().set("IN", true).unwrap();
    until("a handler has run", || ask(&board, "filter", "calls") == 1);
    board
        .call("filter", Request::named("word").scalar(5))
        .unwrap();
    std::thread::scope(|scope| {
        scope.spawn(|| refused(&board, "spins", Request::numbered(1)));
        until("someone spins in the gate of this loop", || {
            board.status().drivers[1].counts.commands == 1
        });
        board.sim().set("IN", false).unwrap();
        let counts = board.status().drivers[0].counts;
        assert_eq!(counts.declined, 1, "at once, and nothing was to be seen");
        assert_running(&board, "spins");
    });
}

/// A board on which a call could come back cannot be described: `would-deadlock`
/// stands behind it for the boards to come.
#[test]
fn rule_03_no_board_lets_a_call_come_back() {
    for (drivers, cause) in [
        (
            calls("own", "own", "provider"),
            "`own` uses the service `own`, but it provides that itself; remove it from `uses`",
        ),
        (
            calls("one", "two", "provider") + &calls("two", "one", "provider"),
            "`two` uses the service `one`, but that waits for itself: `one` uses `two`, `two` uses `one`; take one",
        ),
    ] {
        let text = format!("[board]\nbackend = \"sim\"\n{drivers}");
        let error = BoardFile::parse(&text, "cycle.toml").unwrap_err();
        let error = error.to_string();
        let lines: Vec<_> = text.lines().collect();
        let last_uses = lines.iter().rposition(|line| line.starts_with("uses"));
        let last_uses = last_uses.expect("one uses") + 1;
        assert!(
            error.starts_with(&format!("cycle.toml:{last_uses}: ")) && error.contains(cause),
            "{error}"
        );
    }
}

/// The host itself tries to: a program that embeds it calls the driver from
/// where it sees the lamp change, in the midst of the driver's handler.
#[test]
fn rule_03_a_call_into_a_driver_on_the_stack_is_refused() {
    let rest = "provides = [\"button-led\"]\n[driver.gpio]\n\
                button = { line = \"BUTTON\", direction = \"input\", bias = \"pull-up\", edges = \"both\" }\n\
                led = { line = \"LED\", direction = \"output\" }";
    let board = Arc::new(virtual_board(entry(
        "button-led",
        &driver("button_led"),
        rest,
    )));
    let got = Arc::new(Mutex::new(Vec::new()));
    let (seen, inner) = (got.clone(), Arc::downgrade(&board));
    board.sim().observe(move |change| {
        let board = inner.upgrade().filter(|_| change.line == "LED");
        let answer = board.map(|board| board.call("button-led", Request::named("presses")));
        seen.lock().unwrap().extend(answer);
    });
    board.sim().set("BUTTON", false).unwrap();
    board.run_for(10 * MILLISECOND);
    let got = std::mem::take(&mut *got.lock().unwrap());
    let codes: Vec<_> = got
        .iter()
        .map(|answer| answer.as_ref().map_err(|error| error.code))
        .collect();
    assert_eq!(codes.len(), 1, "{got:?}");
    assert_eq!(codes[0].err(), Some(ErrorCode::WouldDeadlock));
    assert_eq!(ask(&board, "button-led", "presses"), 1);
    assert_running(&board, "button-led");
}

#[test]
fn rule_04_an_edge_is_delivered_or_reported_as_lost() {
    let board = virtual_board(counter("counter", "provider"));
    for edge in 0..5000 {
        board.sim().set("counter", edge % 2 == 0).unwrap();
    }
    board.run_for(MILLISECOND);
    let counts = ["edges", "lost"].map(|selector| ask(&board, "counter", selector));
    assert_eq!(counts, [1024, 5000 - 1024], "`occurrences` is 1024");
    assert_eq!(ask(&board, "counter", "calls"), 1);
    let status = &board.status().drivers[0];
    assert_eq!([status.counts.interrupts, status.counts.lost], counts);
}

#[test]
fn rule_04_what_a_filter_claims_is_delivered_or_reported_as_lost() {
    let board = virtual_board(filtered("both", "word = \"0\""));
    for edge in 0..6000 {
        board.sim().set("IN", edge % 2 == 0).unwrap();
    }
    board.run_for(MILLISECOND);
    let counts = ["counted", "lost"].map(|selector| ask(&board, "filter", selector));
    assert_eq!(counts, [1024, 2000 - 1024], "every third is claimed");
    assert_eq!(board.status().drivers[0].counts.claimed, 2000);
}

fn calls_of_the_handler(board: &Board) -> u64 {
    board.run_for(MILLISECOND);
    ask(board, "filter", "calls")
}

/// `1` claims, `3` claims and keeps the line on.
#[test]
fn rule_05_a_level_line_is_masked_until_the_action_returns() {
    for (edges, active) in [("high-level", true), ("low-level", false)] {
        let board = virtual_board(filtered(edges, "word = \"1\""));
        board.sim().set("IN", active).unwrap();
        let claimed = || board.status().drivers[0].counts.claimed;
        let calls = calls_of_the_handler(&board);
        assert!(calls > 1, "it comes back while the level lasts");
        // Each call but the last brought it back once; it waits masked now.
        assert!(claimed() <= calls + 1, "{} for {calls}", claimed());
        board.sim().set("IN", !active).unwrap();
        let calls = calls_of_the_handler(&board);
        assert_eq!(calls_of_the_handler(&board), calls, "the level is gone");
        assert_eq!(claimed(), calls);
    }
}

#[test]
fn rule_05_an_explicit_disable_wins() {
    for word in [1, 3] {
        let config = format!("word = \"{word}\", how = \"off\"");
        let board = virtual_board(filtered("high-level", &config));
        board.sim().set("IN", true).unwrap();
        assert_eq!(calls_of_the_handler(&board), 1);
        ask(&board, "filter", "enable");
        assert_eq!(calls_of_the_handler(&board), 2, "the level is still there");
    }
}

#[test]
fn rule_05_an_enable_in_the_action_lets_the_next_one_in() {
    let board = virtual_board(filtered("high-level", "word = \"1\", how = \"early\""));
    board.sim().set("IN", true).unwrap();
    board.sim().set("IN", false).unwrap();
    assert_eq!(
        calls_of_the_handler(&board),
        1,
        "nothing was there to let in"
    );
    let board = virtual_board(filtered("high-level", "word = \"3\", how = \"early\""));
    board.sim().set("IN", true).unwrap();
    board.run_for(Duration::ZERO);
    board.sim().set("IN", false).unwrap();
    assert!(calls_of_the_handler(&board) >= 2);
}

#[test]
fn rule_06_sources_are_served_in_the_order_they_were_added() {
    let blink = |name: &str| {
        let led = format!("[driver.gpio]\nled = {{ line = \"{name}\", direction = \"output\" }}");
        entry(&format!("blink-{name}"), &driver("blink"), &led)
    };
    let board = virtual_board(["C", "A", "B"].map(blink).concat());
    let order = Arc::new(Mutex::new(String::new()));
    let seen = order.clone();
    board
        .sim()
        .observe(move |change| *seen.lock().unwrap() += change.line);
    board.run_for(Duration::from_secs(2));
    assert_eq!(*order.lock().unwrap(), "CAB".repeat(4));
}

#[test]
fn rule_07_one_arming_is_one_expiry_and_never_early() {
    let board = virtual_board(counter("counter", "provider"));
    board.run_for(Duration::from_nanos(9_999_999));
    assert_eq!(ask(&board, "counter", "ticks"), 0);
    board.run_for(Duration::from_nanos(1));
    assert_eq!(ask(&board, "counter", "ticks"), 1);
    board.run_for(Duration::from_secs(10));
    assert_eq!(ask(&board, "counter", "ticks"), 1001);
}

#[test]
fn rule_08_run_waits_and_attempt_does_not() {
    let rest = "provides = [\"gated\", \"gated-control\"]";
    let board = virtual_board(entry("gated", &guest("probe_gate"), rest));
    ask(&board, "gated-control", "disable");
    let attempt = Request::named("enter").mode(Mode::Attempt);
    let error = refused(&board, "gated", attempt);
    assert_eq!(error.code, ErrorCode::NotPermitted);
    // The loop's own timer is not stalled: it enables the gate.
    let enable = Request::named("enable").scalar(20);
    board.call("gated-control", enable).unwrap();
    assert_eq!(ask(&board, "gated", "enter"), 1);
}

#[test]
fn rule_09_a_client_that_sleeps_has_left_the_gate() {
    let pending = "provides = [\"pending\", \"pending-report\"]";
    let pending = entry("pending", &guest("probe_pending"), pending);
    let board = virtual_board(pending + &counter("counter", "provider"));
    let mut later = Request::named("later");
    later.scalars = [1000, 7, 0, 0];
    assert_eq!(board.call("pending", later).unwrap().scalar, 7);
    assert!(ask(&board, "counter", "ticks") >= 99, "the loop went on");
}

#[test]
fn rule_10_a_request_is_answered_exactly_once() {
    let pending = "provides = [\"pending\", \"pending-report\"]";
    let board = virtual_board(entry("pending", &guest("probe_pending"), pending));
    let mut twice = Request::named("twice");
    twice.scalars = [1, 5, 0, 0];
    assert_eq!(board.call("pending", twice.clone()).unwrap().scalar, 5);
    // The second answer reached nobody: not the next request either.
    twice.scalars[1] = 6;
    assert_eq!(board.call("pending", twice).unwrap().scalar, 6);
    let report = board.call("pending-report", Request::named("report"));
    let report = String::from_utf8(report.unwrap().data).unwrap();
    assert_eq!(report.matches("again: bad-argument").count(), 2, "{report}");
}

/// A driver of each of two loops, that calls a driver of the other.
fn crossed() -> Board {
    let echo = |name: &str| {
        let rest = format!(
            "provides = [\"{name}\"]\nwork-loop = \"dedicated\"\nconfig = {{ service = \"{name}\" }}"
        );
        entry(name, &guest("probe_echo"), &rest)
    };
    let calls = |name: &str, near: &str, far: &str| {
        let rest = format!(
            "provides = [\"{name}\"]\nuses = [\"{near}\", \"{far}\"]\n\
             config = {{ service = \"{name}\", target = \"{far}\" }}"
        );
        entry(name, &guest("probe_calls"), &rest)
    };
    let echoes = echo("left") + &echo("right");
    real_board(
        echoes + &calls("rightwards", "left", "right") + &calls("leftwards", "right", "left"),
    )
}

/// For a minute where `LOOPGATE_LONG` is set, else for some thousand calls.
#[test]
fn rule_11_waiting_that_cannot_end_is_refused() {
    let board = crossed();
    let _stop = StopOnPanic(&board);
    let long = std::env::var_os("LOOPGATE_LONG").is_some();
    let end = Instant::now() + Duration::from_mins(1);
    let goes_on = |call: u32| {
        if long {
            Instant::now() < end
        } else {
            call < 2000
        }
    };
    let refused = AtomicU64::new(0);
    let answered = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for client in 0..8 {
            let name = ["leftwards", "rightwards"][client % 2];
            let (board, refused, answered) = (&board, &refused, &answered);
            scope.spawn(move || {
                for _ in (0..).take_while(|&call| goes_on(call)) {
                    // `add`; the wait for the other loop's gate may last as
                    // long as the handler.
                    match &*told(board, name, [2, 60_000, 3, 4]) {
                        "ok" => answered.fetch_add(1, Relaxed),
                        "would-deadlock" => refused.fetch_add(1, Relaxed),
                        other => panic!("{name}: {other}"),
                    };
                }
            });
        }
    });
    eprintln!("{answered:?} calls answered, {refused:?} refused");
    assert!(answered.load(Relaxed) > 0);
    for name in ["left", "right"] {
        assert_running(&board, name);
    }
    for name in ["leftwards", "rightwards"] {
        assert_running(&board, name);
        assert_eq!(told(&board, name, [2, 60_000, 3, 4]), "ok");
    }
}

#[test]
fn rule_12_what_is_not_granted_does_not_exist() {
    let echo = entry("echo", &guest("probe_echo"), "provides = [\"echo\"]");
    let flood = |how: &str| format!("config = {{ when = \"start\", how = \"{how}\" }}");
    for (how, words) in [
        (
            "services",
            "published the service `flood`, which its entry does not grant; add it to `provides`",
        ),
        (
            "clients",
            "opened the service `echo`, which its entry does not grant; add it to `uses`",
        ),
        (
            "pins",
            "asked for pin `in` as input, which its entry does not grant",
        ),
    ] {
        let nosy = entry("nosy", &guest("hostile_sources"), &flood(how));
        let (_board, log) = log::capture(|| virtual_board(echo.clone() + &nosy));
        assert!(
            log.contains(&format!("created 0 {how}, stopped by `not-granted`")),
            "{log}"
        );
        assert!(log.contains(&format!("`nosy` {words}")), "{log}");
    }
}

/// `tests/neighbours.rs` has all of them; here is what the neighbour sees.
#[test]
fn rule_13_a_driver_makes_only_itself_fail() {
    let board = virtual_board(on_command("bad", "hostile_spin", "") + &counter("good", "provider"));
    for edge in 0..100 {
        board.sim().set("good", edge % 2 == 0).unwrap();
    }
    let error = refused(&board, "bad", Request::numbered(1));
    assert_eq!(error.code, ErrorCode::DriverDied);
    board.run_for(100 * MILLISECOND);
    let counts = ["edges", "lost", "ticks"].map(|selector| ask(&board, "good", selector));
    assert_eq!(counts, [100, 0, 10]);
}

#[test]
fn rule_14_outputs_of_a_dead_driver_fall_to_their_pull() {
    let rest = "provides = [\"bad\"]\nconfig = { when = \"command\", service = \"bad\", out = \"led\" }\n\
                [driver.gpio]\nled = { line = \"LED\", direction = \"output\" }";
    for dies in [true, false] {
        let board = virtual_board(entry("bad", &guest("hostile_trap"), rest));
        let led = || {
            board
                .sim()
                .show()
                .into_iter()
                .find(|line| line.name == "LED")
                .unwrap()
        };
        assert!(led().high && led().consumer.is_some());
        if dies {
            refused(&board, "bad", Request::numbered(1));
        } else {
            board.stop();
        }
        assert!(!led().high && led().consumer.is_none());
    }
}

#[test]
fn rule_15_a_client_ends_with_the_generation_it_was_opened_on() {
    let bad = on_command("bad", "hostile_trap", "");
    let rest =
        "provides = [\"link\"]\nuses = [\"bad\"]\nconfig = { service = \"link\", next = \"bad\" }";
    let link = entry("link", &guest("hostile_chain"), rest);
    let board = virtual_board(bad + &link + &calls("opens", "bad", "provider"));
    let through_old_client = || {
        let reply = board.call("link", Request::named("call")).unwrap();
        String::from_utf8(reply.data).unwrap()
    };
    assert_eq!(through_old_client(), "driver-died");
    assert_eq!(through_old_client(), "driver-died");
    assert_eq!(told(&board, "opens", [1, 100, 0, 0]), "no-device");
    assert_running(&board, "link");
}

/// What a run shows outside: changes of lines, and answers.
#[derive(Debug)]
struct Trace {
    changes: Vec<(String, u64, bool)>,
    answers: Vec<Result<u64, RequestError>>,
}

/// A run, and its log.
fn run() -> (Trace, String) {
    let stimuli = "[[board.stimulus]]\nat = \"15 ms\"\nline = \"counter\"\nlevel = \"high\"\n";
    let led = "[driver.gpio]\nled = { line = \"LED\", direction = \"output\" }";
    let spins = on_command("spins", "hostile_spin", "");
    let loud = entry(
        "loud",
        &guest("hostile_log"),
        "config = { when = \"timer\", after-ms = \"30\", amount = \"2000\" }\nlimits = { handler-cpu = \"10 s\" }",
    );
    let drivers =
        counter("counter", "provider") + &entry("blink", &driver("blink"), led) + &spins + &loud;
    log::capture(|| {
        let board = virtual_board(format!("{stimuli}{drivers}"));
        let changes = Arc::new(Mutex::new(Vec::new()));
        let seen = changes.clone();
        board.sim().observe(move |change| {
            let at = change.timestamp.as_nanos();
            seen.lock()
                .unwrap()
                .push((change.line.to_owned(), at, change.high));
        });
        let mut answers = Vec::new();
        for service in ["counter", "spins", "counter", "spins"] {
            board.run_for(Duration::from_millis(777));
            let answer = board.call(service, Request::numbered(1));
            answers.push(answer.map(|reply| reply.scalar));
        }
        board.stop();
        let changes = changes.lock().unwrap().clone();
        Trace { changes, answers }
    })
}

#[test]
fn rule_17_the_same_inputs_give_the_same_trace() {
    let (first, second) = (run(), run());
    assert!(first.0.changes.len() > 6 && first.0.answers[1].is_err());
    assert_eq!(format!("{first:?}"), format!("{second:?}"));
}
