//! The board sleeps and wakes, through real guests.

use loopgate::{Board, Cancel, ErrorCode, LogLine, Mode, PowerState, Request, State};
use loopgate_integration::program::Program;
use loopgate_integration::{
    Random, StopOnPanic, ask, assert_running, driver, entry, guest, real_board, state, until,
    virtual_board,
};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn probe(name: &str, rest: &str, config: &str) -> String {
    let rest = format!(
        "provides = [\"{name}\", \"{name}-control\"]\nconfig = {{ service = \"{name}\", {config} }}\n{rest}"
    );
    entry(name, &guest("probe_power"), &rest)
}

/// `top` uses `middle`, which uses `low`. Each takes a microsecond to answer,
/// so that it can be told who was called when.
fn stack(of_middle: &str) -> String {
    let takes = "takes-us = \"1\"";
    let of_middle = format!("{takes}, {of_middle}");
    probe("low", "", takes)
        + &probe("middle", "uses = [\"low\"]", &of_middle)
        + &probe("top", "uses = [\"middle\"]", takes)
}

/// In which `top` uses `low`, too: it lives on when `middle` is stopped.
fn loose_stack(of_middle: &str) -> String {
    let stack = stack(of_middle);
    stack.replace("uses = [\"middle\"]", "uses = [\"middle\", \"low\"]")
}

/// What the drivers of a stack tell meanwhile, in the order in which they do,
/// which is that of time: `NAME: TEXT`.
fn traced<R>(board: &Board, f: impl FnOnce() -> R) -> (R, Vec<String>) {
    let begun = told_by_all(board).len();
    let result = f();
    let told = told_by_all(board).split_off(begun);
    (result, told.into_iter().map(|(_, text)| text).collect())
}

fn told_by_all(board: &Board) -> Vec<(u64, String)> {
    let drivers = board.status().drivers;
    let logs = drivers.iter().flat_map(|driver| {
        let lines = board.logs(&driver.name, 0, Duration::ZERO, &Cancel::default());
        let of_guest = |line: &LogLine| {
            let words = ["start", "allow ", "set ", "did change ", "stop"];
            let text = &line.text;
            words.iter().any(|word| text.starts_with(word)) && text != "stopped"
        };
        let lines = lines.unwrap().into_iter().filter(of_guest);
        lines.map(|line| (line.time_ns, format!("{}: {}", driver.name, line.text)))
    });
    let mut told: Vec<_> = logs.collect();
    told.sort_by_key(|&(at, _)| at);
    told
}

/// What a driver's log has had so far.
fn told(board: &Board, driver: &str) -> Vec<String> {
    let lines = board.logs(driver, 0, Duration::ZERO, &Cancel::default());
    lines.unwrap().into_iter().map(|line| line.text).collect()
}

fn has_told(board: &Board, driver: &str, what: &str) -> bool {
    told(board, driver).iter().any(|line| line.contains(what))
}

fn sleep(board: &Board) {
    board.power(PowerState::Sleep).unwrap();
    assert_eq!(board.status().power, PowerState::Sleep);
}

fn wake(board: &Board) {
    board.power(PowerState::On).unwrap();
    assert_eq!(board.status().power, PowerState::On);
}

/// How long the board takes to sleep, with a driver of this config.
fn time_to_sleep(config: &str) -> (Duration, Board) {
    let board = virtual_board(probe("power", "", config));
    let before = board.now();
    sleep(&board);
    (board.now().saturating_since(before), board)
}

#[test]
fn rule_140_power_calls_hold_the_drivers_gate() {
    let rest = "limits = { handler-wall = \"60 s\" }\n[driver.gpio]\n\
                lamp = { line = \"LAMP\", direction = \"output\" }";
    let board = real_board(probe("power", rest, "lamp = \"yes\""));
    // It starts with the lamp low: only the way back changes it.
    sleep(&board);
    let (inside, release) = hold(&board, "LAMP");
    std::thread::scope(|scope| {
        let _guard = StopOnPanic(&board);
        scope.spawn(|| wake(&board));
        inside.recv().unwrap();
        let attempt = Request::named("interrupts").mode(Mode::Attempt);
        let refused = board.call("power-control", attempt).unwrap_err();
        release.send(()).unwrap();
        assert_eq!(refused.code, ErrorCode::CannotLock);
    });
    assert!(has_told(&board, "power", "set On, in gate: true"));
}

/// Whoever changes the line is held up, from the first message to the second.
fn hold(board: &Board, line: &'static str) -> (mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (begun, inside) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let released = std::sync::Mutex::new(released);
    board.sim().observe(move |change| {
        if change.line == line {
            // The test has ended where either fails.
            let _ = begun.send(());
            let _ = released.lock().unwrap().recv();
        }
    });
    (inside, release)
}

#[test]
fn rule_141_later_waits_for_the_acknowledgement_ten_seconds_at_least() {
    for (config, expected) in [
        ("answer = \"made\"", Duration::ZERO),
        ("answer = \"failed\"", Duration::ZERO),
        ("answer = \"1000\"", 10 * SECOND),
        ("answer = \"20000\"", 20 * SECOND),
        ("answer = \"3600000\"", 60 * SECOND),
        (
            "answer = \"1000\", acknowledge = \"9999\"",
            Duration::from_millis(9999),
        ),
        ("answer = \"20000\", acknowledge = \"3000\"", 3 * SECOND),
        ("answer = \"1000\", acknowledge = \"11000\"", 10 * SECOND),
    ] {
        let (taken, board) = time_to_sleep(config);
        assert_eq!(taken, expected, "{config}");
        let late = has_told(&board, "power", "`set-power-state` was not done with");
        assert_eq!(late, taken >= 10 * SECOND, "{config}");
        let failed = has_told(
            &board,
            "power",
            "`set-power-state` failed: io; it counts as made",
        );
        assert_eq!(failed, config.contains("failed"), "{config}");
        assert_running(&board, "power");
    }
}

#[test]
fn rule_142_an_early_acknowledgement_counts_and_a_stray_one_does_not() {
    let (taken, _) = time_to_sleep("answer = \"5000\", acknowledge = \"0\"");
    assert_eq!(taken, Duration::ZERO);

    let board = virtual_board(probe("power", "", "answer = \"20000\""));
    let stray = Request::named("acknowledge").scalar(10_000);
    for state in [PowerState::Sleep, PowerState::On] {
        board.call("power-control", stray.clone()).unwrap();
        let before = board.now();
        board.power(state).unwrap();
        assert_eq!(board.now().saturating_since(before), 20 * SECOND);
    }
    board.call("power-control", stray).unwrap();
    assert_running(&board, "power");
}

#[test]
fn rule_143_users_sleep_before_their_providers_and_wake_after_them() {
    let board = virtual_board(stack(""));
    let ((), down) = traced(&board, || sleep(&board));
    assert_eq!(
        down,
        [
            "top: allow Sleep: yes",
            "middle: allow Sleep: yes",
            "low: allow Sleep: yes",
            "top: set Sleep, in gate: true",
            "middle: set Sleep, in gate: true",
            "low: set Sleep, in gate: true",
            "top: did change Sleep",
            "middle: did change Sleep",
            "low: did change Sleep",
        ]
    );
    let ((), up) = traced(&board, || wake(&board));
    assert_eq!(
        up,
        [
            "low: set On, in gate: true",
            "middle: set On, in gate: true",
            "top: set On, in gate: true",
            "low: did change On",
            "middle: did change On",
            "top: did change On",
        ]
    );
    assert_eq!(
        traced(&board, || wake(&board)).1,
        [""; 0],
        "it is awake already"
    );
}

#[test]
fn rule_143_one_that_does_not_allow_it_keeps_the_board_up() {
    let board = virtual_board(stack("allow = \"no\""));
    let (answer, told) = traced(&board, || board.power(PowerState::Sleep));
    let error = answer.unwrap_err();
    assert_eq!(error.code, ErrorCode::NotPermitted);
    assert!(error.message.contains("driver `middle`"), "{error}");
    assert_eq!(board.status().power, PowerState::On);
    assert_eq!(
        told,
        [
            "top: allow Sleep: yes",
            "middle: allow Sleep: no",
            "middle: did change On",
            "top: did change On",
        ]
    );
    board.stop_driver("middle").unwrap();
    sleep(&board);
}

/// It is in a handler all the while: real seconds pass, ten of them.
#[test]
fn rule_143_one_that_cannot_be_asked_agrees() {
    let rest = "work-loop = \"dedicated\"\n[driver.gpio]\n\
                button = { line = \"BUTTON\", direction = \"input\", bias = \"pull-up\", edges = \"both\" }\n\
                led = { line = \"LED\", direction = \"output\" }";
    let rest = format!("provides = [\"button-led\"]\n{rest}");
    let stuck = entry("stuck", &driver("button_led"), &rest);
    let board = real_board(stuck + &probe("power", "", ""));
    let (inside, release) = hold(&board, "LED");
    board.sim().set("BUTTON", false).unwrap();
    inside.recv().unwrap();
    std::thread::scope(|scope| {
        let _guard = StopOnPanic(&board);
        scope.spawn(|| sleep(&board));
        until("the others sleep", || {
            has_told(&board, "power", "set Sleep")
        });
        assert!(has_told(
            &board,
            "stuck",
            "`allow-power-change` was not done with"
        ));
        release.send(()).unwrap();
    });
    assert!(has_told(&board, "power", "did change Sleep"));
}

#[test]
fn rule_144_one_blocked_stack_does_not_block_others() {
    let rest = "work-loop = \"dedicated\"\nlimits = { handler-wall = \"60 s\" }\n\
                [driver.gpio]\nlamp = { line = \"LAMP\", direction = \"output\" }";
    let board = real_board(probe("blocked", rest, "lamp = \"yes\"") + &stack(""));
    sleep(&board);
    let (inside, release) = hold(&board, "LAMP");
    std::thread::scope(|scope| {
        let _guard = StopOnPanic(&board);
        let change = scope.spawn(|| wake(&board));
        inside.recv().unwrap();
        until("the other stack wakes", || {
            has_told(&board, "top", "set On")
        });
        assert_eq!(board.status().power, PowerState::Sleep, "not yet");
        release.send(()).unwrap();
        change.join().unwrap();
    });
}

/// Changes of four threads: they never overlap, and what was overtaken is
/// not made.
#[test]
fn rule_144_changes_are_made_one_after_another() {
    // Every line counts here.
    let rest = "limits = { log = \"64 MiB/s\" }";
    let user = format!("uses = [\"low\"]\n{rest}");
    let board = real_board(probe("low", rest, "") + &probe("top", &user, ""));
    std::thread::scope(|scope| {
        for seed in 1..=4 {
            let board = &board;
            scope.spawn(move || {
                let mut random = Random(seed);
                for _ in 0..100 {
                    let state = [PowerState::On, PowerState::Sleep][random.below(2)];
                    let answer = board.power(state).map_err(|error| error.code);
                    assert!(
                        matches!(answer, Ok(()) | Err(ErrorCode::Aborted)),
                        "{answer:?}"
                    );
                }
            });
        }
    });
    for driver in ["low", "top"] {
        let told = told(&board, driver);
        let told = told.iter().filter(|line| line.starts_with("set "));
        let set: Vec<_> = told.map(|line| line.contains("Sleep")).collect();
        assert!(set.windows(2).all(|pair| pair[0] != pair[1]), "{set:?}");
        let asleep = board.status().power == PowerState::Sleep;
        assert_eq!(set.last().copied().unwrap_or(false), asleep);
    }
}

#[test]
fn rule_145_one_that_is_not_there_is_not_waited_for() {
    let board = virtual_board(loose_stack(""));
    board.stop_driver("middle").unwrap();
    let before = board.now();
    let ((), told) = traced(&board, || sleep(&board));
    assert!(board.now() < before.saturating_add(SECOND));
    assert_eq!(
        told[..2],
        ["top: allow Sleep: yes", "low: allow Sleep: yes"]
    );
    assert!(
        !told.iter().any(|line| line.starts_with("middle")),
        "{told:?}"
    );
}

#[test]
fn rule_145_one_that_dies_in_it_counts_as_made() {
    for answer in ["trap", "spin"] {
        let board = virtual_board(stack(&format!("answer = \"{answer}\"")));
        let before = board.now();
        let ((), told) = traced(&board, || sleep(&board));
        assert!(board.now() < before.saturating_add(SECOND));
        let (state, cause) = state(&board, "middle");
        assert_eq!(state, State::Failed);
        assert!(cause.contains("(in `set-power-state`)"), "{cause}");
        assert!(
            told.contains(&"low: set Sleep, in gate: true".to_owned()),
            "{told:?}"
        );
        wake(&board);
    }
}

/// What it did not live to say is no refusal.
#[test]
fn rule_145_one_that_dies_as_it_is_asked_agrees() {
    let board = virtual_board(stack("allow = \"trap\""));
    sleep(&board);
    let (state, cause) = state(&board, "middle");
    assert_eq!(state, State::Failed);
    assert!(cause.contains("(in `allow-power-change`)"), "{cause}");
}

#[test]
fn rule_145_one_that_is_stopped_in_it_counts_as_made() {
    let board = real_board(probe("power", "", "answer = \"60000\""));
    std::thread::scope(|scope| {
        let _guard = StopOnPanic(&board);
        let change = scope.spawn(|| sleep(&board));
        until("it is waited for", || {
            has_told(&board, "power", "set Sleep")
        });
        board.stop_driver("power").unwrap();
        change.join().unwrap();
    });
}

#[test]
fn a_driver_that_starts_while_the_board_sleeps_is_told_after_its_start() {
    let board = virtual_board(loose_stack("answer = \"20000\""));
    board.stop_driver("middle").unwrap();
    sleep(&board);
    let before = board.now();
    let (names, started) = traced(&board, || board.start_driver("middle").unwrap());
    assert_eq!(names, ["middle"]);
    let expected = ["middle: start", "middle: set Sleep, in gate: true"];
    assert_eq!(started, expected);
    let (_, reloaded) = traced(&board, || board.reload("middle").unwrap());
    assert_eq!(reloaded[0], "middle: stop");
    assert_eq!(reloaded[1..], expected);
    let taken = board.now().saturating_since(before);
    assert!(taken < SECOND, "nobody waits for it");
    wake(&board);
    assert!(has_told(&board, "middle", "set On"));
    let (_, started) = traced(&board, || board.reload("middle").unwrap());
    assert_eq!(started, ["middle: stop", "middle: start"]);
}

#[test]
fn rule_145b_clients_stall_while_the_board_sleeps_and_each_is_served_once() {
    let rest = "[driver.gpio]\nin = { line = \"IN\", direction = \"input\", edges = \"both\" }";
    let board = real_board(probe("power", rest, "in = \"yes\""));
    for cycle in 0..20_u64 {
        sleep(&board);
        let (begun, ended) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut entered: Vec<u64> = std::thread::scope(|scope| {
            let _guard = StopOnPanic(&board);
            let client = || {
                begun.fetch_add(1, SeqCst);
                let entered = ask(&board, "power", "enter");
                ended.fetch_add(1, SeqCst);
                entered
            };
            let clients: Vec<_> = (0..4).map(|_| scope.spawn(client)).collect();
            until("they come", || begun.load(SeqCst) == 4);
            board.sim().set("IN", cycle % 2 == 0).unwrap();
            until("interrupts are delivered", || {
                ask(&board, "power-control", "interrupts") == cycle + 1
            });
            assert_eq!(ended.load(SeqCst), 0, "they wait for the board to wake");
            wake(&board);
            clients
                .into_iter()
                .map(|client| client.join().unwrap())
                .collect()
        });
        entered.sort_unstable();
        let expected: Vec<_> = (4 * cycle + 1..=4 * cycle + 4).collect();
        assert_eq!(entered, expected);
    }
}

#[test]
fn race_x26_an_acknowledgement_as_its_time_is_over() {
    let (taken, board) = time_to_sleep("answer = \"1000\", acknowledge = \"10000\"");
    assert_eq!(taken, 10 * SECOND);
    board.run_for(SECOND);
    let told = told(&board, "power");
    let count = |what| told.iter().filter(|line| line.contains(what)).count();
    assert_eq!((count("acknowledges"), count("did change Sleep")), (1, 1));
    assert_running(&board, "power");
}

#[test]
fn the_program_takes_the_board_to_sleep_and_tells() {
    let board = |allow| {
        let driver = probe("power", "", &format!("allow = \"{allow}\""));
        Program::run(&format!("[board]\nbackend = \"sim\"\n{driver}"))
    };
    let program = board("yes");
    assert_eq!(program.says(&["power", "sleep"]), "power: sleep\n");
    assert!(program.says(&["status"]).contains(", power sleep, up "));
    let json = program.says(&["power", "wake", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["power"], "on");
    let status: serde_json::Value =
        serde_json::from_str(&program.says(&["status", "--json"])).unwrap();
    assert_eq!(status["power"], "on");

    let output = board("no").command(&["power", "sleep"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(
        error.contains("driver `power` does not allow the board to sleep"),
        "{error}"
    );
}
