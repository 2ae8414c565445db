//! Grants that are withdrawn while the board runs: `Board::revoke`. The driver
//! `clinging` uses all that it has each millisecond, whatever becomes of it.

use loopgate::devices::sim::DrivenBy;
use loopgate::{Board, ErrorCode, Request, Revoked, State};
use loopgate_integration::program::Program;
use loopgate_integration::{
    StopOnPanic, ask, assert_running, entry, guest, logged, real_board, state, supervised, until,
    virtual_board,
};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);

const PINS: &str = "[driver.gpio]\n\
    in = { line = \"IN\", direction = \"input\", edges = \"both\" }\n\
    out = { line = \"OUT\", direction = \"output\" }\n";

fn clinging(rest: &str) -> String {
    let rest = format!("provides = [\"clinging\"]\n{rest}");
    entry("clinging", &guest("hostile_clinging"), &rest)
}

fn board(rest: &str) -> Board {
    let board = virtual_board(clinging(rest));
    assert_running(&board, "clinging");
    board
}

fn revoke(board: &Board, driver: &str, grant: &str) -> Revoked {
    board
        .revoke(driver, grant)
        .unwrap_or_else(|error| panic!("{error}"))
}

fn text(board: &Board, service: &str, selector: &str) -> Vec<String> {
    let reply = board.call(service, Request::named(selector)).unwrap();
    let text = String::from_utf8(reply.data).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// What each call gave.
fn uses(board: &Board) -> Vec<String> {
    text(board, "clinging", "use")
}

/// All calls that begin so are refused, and there are some.
fn assert_refused(board: &Board, what: &str) {
    let uses = uses(board);
    let of = uses.iter().filter(|line| line.starts_with(what));
    let of: Vec<_> = of.collect();
    let refused = |line: &&String| line.ends_with(": not-granted");
    assert!(!of.is_empty() && of.iter().all(refused), "{uses:?}");
}

fn line(board: &Board, name: &str) -> (bool, DrivenBy, Option<String>) {
    let lines = board.sim().show();
    let line = lines.into_iter().find(|line| line.name == name).unwrap();
    (line.high, line.driven_by, line.consumer)
}

fn lost(board: &Board, driver: &str) -> u64 {
    let status = board.status();
    let driver = status.drivers.iter().find(|status| status.name == driver);
    driver.unwrap().counts.lost
}

fn reread(board: &Board) -> loopgate::Changes {
    board.change_to((*board.file()).clone()).unwrap()
}

#[test]
fn an_output_takes_its_safe_state_and_is_the_drivers_no_more() {
    for (on_death, (high, driven_by)) in [
        ("input", (false, DrivenBy::Pull)),
        ("low", (false, DrivenBy::Output)),
        ("high", (true, DrivenBy::Output)),
        ("hold", (true, DrivenBy::Output)),
    ] {
        let on_death = format!("output\", on-death = \"{on_death}\"");
        let board = board(&PINS.replace("output\"", &on_death));
        let revoked = revoke(&board, "clinging", "out");
        assert_eq!((revoked.pins, revoked.interrupts, revoked.lost), (1, 0, 0));
        let expected = (high, driven_by);
        let now = |board: &Board| {
            let (high, driven_by, _) = line(board, "OUT");
            (high, driven_by)
        };
        assert_eq!(now(&board), expected, "{on_death}");
        assert_refused(&board, "out ");
        board.run_for(10 * MILLISECOND);
        assert_eq!(now(&board), expected, "{on_death}");
        // Not by another version or instance of it, either.
        board.reload("clinging").unwrap();
        board.stop_driver("clinging").unwrap();
        board.start_driver("clinging").unwrap();
        assert_running(&board, "clinging");
        board.run_for(10 * MILLISECOND);
        assert_eq!(now(&board), expected, "{on_death}");
        assert!(logged(&board, "clinging", "pin `out`, which was revoked"));
        assert_eq!(
            board.status().drivers[0].revoked,
            BTreeSet::from(["out".to_owned()])
        );
        // The board file says otherwise.
        assert_eq!(reread(&board).changed, ["clinging"]);
        assert_eq!(now(&board), (true, DrivenBy::Output), "{on_death}");
        assert_eq!(board.status().drivers[0].revoked, BTreeSet::new());
        assert!(uses(&board).contains(&"out set: ok".to_owned()));
        assert_eq!(reread(&board).unchanged, ["clinging"]);
    }
}

#[test]
fn an_input_interrupts_no_more_and_what_waits_is_lost() {
    let board = board(PINS);
    board.sim().set("IN", true).unwrap();
    board.run_for(MILLISECOND);
    let heard = ask(&board, "clinging", "heard");
    for high in [false, true, false] {
        board.sim().set("IN", high).unwrap();
    }
    let before = lost(&board, "clinging");
    let revoked = revoke(&board, "clinging", "in");
    assert_eq!((revoked.pins, revoked.interrupts, revoked.lost), (1, 1, 3));
    assert_eq!(lost(&board, "clinging"), before + 3);
    assert_eq!(line(&board, "IN").2, None, "the line is free");
    assert_refused(&board, "in ");
    board.sim().set("IN", true).unwrap();
    board.run_for(10 * MILLISECOND);
    assert_eq!(ask(&board, "clinging", "heard"), heard);
    assert!(
        uses(&board).contains(&"out set: ok".to_owned()),
        "nothing else is gone"
    );
    // Its handles are worth nothing, and can be dropped.
    ask(&board, "clinging", "drop");
    assert_eq!(revoke(&board, "clinging", "in").pins, 0, "once more");
    assert_running(&board, "clinging");
}

#[test]
fn a_port_is_closed_with_its_lines() {
    let board = board("[driver.serial]\nport = { sim = \"S\" }");
    board.sim_ports().feed("S", b"one").unwrap();
    let revoked = revoke(&board, "clinging", "port");
    assert_eq!((revoked.ports, revoked.interrupts), (1, 1));
    assert_refused(&board, "port ");
    assert!(board.status().drivers[0].ports.is_empty());
    let heard = ask(&board, "clinging", "heard");
    board.sim_ports().feed("S", b"two").unwrap();
    board.run_for(10 * MILLISECOND);
    assert_eq!(ask(&board, "clinging", "heard"), heard);
    ask(&board, "clinging", "drop");
    reread(&board);
    assert_eq!(board.status().drivers[0].ports.len(), 1);
}

#[test]
fn a_service_is_closed_and_what_was_asked_of_it_cancelled() {
    for work_loop in ["provider", "dedicated"] {
        let target = entry(
            "pending",
            &guest("probe_pending"),
            "provides = [\"target\", \"target-report\"]\nconfig = { service = \"target\" }",
        );
        let user = format!("uses = [\"target\"]\nwork-loop = \"{work_loop}\"");
        let board = virtual_board(target + &clinging(&user));
        assert_eq!(text(&board, "clinging", "submit"), ["ok"]);
        board.run_for(MILLISECOND);
        let revoked = revoke(&board, "clinging", "target");
        assert_eq!((revoked.clients, revoked.requests), (1, 1), "{work_loop}");
        assert_refused(&board, "client ");
        board.run_for(10 * MILLISECOND);
        assert_eq!(text(&board, "clinging", "completed"), ["aborted"]);
        assert_eq!(text(&board, "clinging", "submit"), ["not-granted"]);
        let told = ["ProviderTerminated target"];
        assert_eq!(text(&board, "clinging", "told"), told, "{work_loop}");
        // What becomes of its provider is none of its business.
        board.reload("pending").unwrap();
        board.run_for(MILLISECOND);
        assert_eq!(text(&board, "clinging", "told"), told, "{work_loop}");
        reread(&board);
        assert_eq!(text(&board, "clinging", "submit"), ["ok"]);
    }
}

#[test]
fn a_pin_of_another_driver_is_closed_and_that_driver_told() {
    let publish = entry(
        "publish",
        &guest("probe_publish"),
        "provides = [\"expander\"]\nconfig = { told = \"yes\" }",
    );
    let pins = "uses = [\"expander\"]\n[driver.gpio]\n\
        in = { line = \"expander:P0\", direction = \"input\", edges = \"both\" }\n\
        out = { line = \"expander:P1\", direction = \"output\" }";
    for (grant, closed) in [("in", 1), ("expander", 2)] {
        let board = virtual_board(publish.clone() + &clinging(pins));
        board.run_for(MILLISECOND);
        text(&board, "expander", "report");
        let revoked = revoke(&board, "clinging", grant);
        assert_eq!((revoked.pins, revoked.interrupts), (closed, 1), "{grant}");
        assert_refused(&board, "in ");
        if grant == "expander" {
            assert_refused(&board, "out ");
        }
        board.run_for(MILLISECOND);
        let report = text(&board, "expander", "report");
        assert!(
            report.contains(&"configure 0 input".to_owned()),
            "{report:?}"
        );
        let last = report.contains(&"ClientClosed expander".to_owned());
        assert_eq!(last, grant == "expander", "{report:?}");
        board.reload("publish").unwrap();
        assert_refused(&board, "in ");
    }
}

#[test]
fn who_shares_a_line_leaves_it_to_the_others() {
    let shared = PINS.replace("edges = \"both\"", "edges = \"both\", shared = true");
    let other = entry(
        "other",
        &guest("hostile_clinging"),
        &format!(
            "provides = [\"other\"]\nconfig = {{ service = \"other\" }}\n{}",
            shared.replace("OUT", "OUT2")
        ),
    );
    let board = virtual_board(clinging(&shared) + &other);
    board.sim().set("IN", true).unwrap();
    assert_eq!(revoke(&board, "clinging", "in").lost, 1);
    board.sim().set("IN", false).unwrap();
    // Before it causes interrupts of its own.
    board.run_for(MILLISECOND / 2);
    assert_refused(&board, "in ");
    assert!(!uses(&board).iter().any(|line| line == "in is-high: ok"));
    assert_eq!(ask(&board, "other", "heard"), 2);
    assert!(text(&board, "other", "use").contains(&"in is-high: ok".to_owned()));
}

#[test]
fn what_is_kept_for_the_next_instance_goes_too() {
    let rest = "provides = [\"mortal\"]\nrestart = { backoff = \"10 ms\" }\n[driver.gpio]\n\
                in = { line = \"IN\", direction = \"input\", edges = \"both\" }";
    let board = virtual_board(supervised("mortal", &guest("probe_mortal"), rest));
    board.run_for(MILLISECOND);
    board.call("mortal", Request::named("die")).unwrap_err();
    board.sim().set("IN", true).unwrap();
    let revoked = revoke(&board, "mortal", "in");
    assert_eq!(
        (revoked.interrupts, revoked.lost),
        (0, 1),
        "no instance had it open"
    );
    assert_eq!(line(&board, "IN").2, None, "the line is free");
    board.run_for(20 * MILLISECOND);
    assert_running(&board, "mortal");
    assert_eq!(ask(&board, "mortal", "edges"), 0);
    assert!(logged(&board, "mortal", "pin `in`, which was revoked"));
}

#[test]
fn a_driver_that_does_not_run_loses_the_grant_as_well() {
    let board = board(PINS);
    board.stop_driver("clinging").unwrap();
    assert_eq!(revoke(&board, "clinging", "in").pins, 0);
    board.start_driver("clinging").unwrap();
    assert_eq!(line(&board, "IN").2, None);
}

#[test]
fn what_is_not_there_cannot_be_revoked() {
    let board = board(PINS);
    let error = board.revoke("clinging", "OUT").unwrap_err();
    assert_eq!(error.code, ErrorCode::BadArgument);
    assert!(error.message.contains("it has `in`, `out`"), "{error}");
    assert_eq!(
        board.revoke("nobody", "out").unwrap_err().code,
        ErrorCode::NoDevice
    );
    assert_eq!(board.status().drivers[0].revoked, BTreeSet::new());
}

#[test]
fn the_program_revokes_and_tells_of_it() {
    let drivers = clinging(&PINS.replace("output\"", "output\", on-death = \"high\""));
    let program = Program::run(&format!("[board]\nbackend = \"sim\"\n{drivers}"));
    let told = program.says(&["revoke", "clinging", "out"]);
    assert_eq!(
        told,
        "clinging: out is revoked; closed: 1 pins; 0 requests were cancelled, 0 interrupts were lost\n"
    );
    let told = program.says(&["revoke", "clinging", "in", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!(
        (&told["grant"], &told["interrupts"]),
        (&"in".into(), &1.into())
    );
    assert_eq!(
        program.status()["revoked"],
        serde_json::json!(["in", "out"])
    );
    assert!(
        program
            .says(&["status", "clinging"])
            .contains("  revoked       in, out\n")
    );
    let changes = program.says(&["reload", "--board"]);
    assert_eq!(changes.trim_end(), "changed clinging; 0 unchanged");
    assert!(program.status()["revoked"].is_null());
    let unknown = program
        .command(&["revoke", "clinging", "led"])
        .output()
        .unwrap();
    assert_eq!(unknown.status.code(), Some(1));
    let text = String::from_utf8(unknown.stderr).unwrap();
    assert!(
        text.contains("no grant `led`") && text.contains("it has `in`, `out`"),
        "{text}"
    );
}

/// Ends the threads of a race, also where it fails.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Rounds of each race.
const ROUNDS: u64 = 50;

#[test]
fn handlers_that_use_it_meanwhile_use_nothing_once_it_is_gone() {
    for _ in 0..ROUNDS {
        let board = real_board(clinging(PINS));
        let _guard = StopOnPanic(&board);
        let end = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let over = Over(&end);
            for _ in 0..2 {
                scope.spawn(|| {
                    while !end.load(Relaxed) {
                        board.call("clinging", Request::named("use")).unwrap();
                    }
                });
            }
            scope.spawn(|| {
                while !end.load(Relaxed) {
                    let (high, ..) = line(&board, "IN");
                    board.sim().set("IN", !high).unwrap();
                }
            });
            until("it hears", || ask(&board, "clinging", "heard") > 10);
            revoke(&board, "clinging", "out");
            assert_eq!(line(&board, "OUT").1, DrivenBy::Pull);
            revoke(&board, "clinging", "in");
            // Who drives it from outside may be about to tell of that.
            until("the line is free", || line(&board, "IN").2.is_none());
            let heard = ask(&board, "clinging", "heard");
            assert_refused(&board, "in ");
            assert_refused(&board, "out ");
            assert_eq!(ask(&board, "clinging", "heard"), heard);
            drop(over);
        });
        assert_eq!(line(&board, "OUT").1, DrivenBy::Pull);
        assert_running(&board, "clinging");
    }
}

#[test]
fn a_grant_is_withdrawn_before_during_or_after_a_reload_with_state() {
    let rest = format!("provides = [\"state\", \"held\"]\n{PINS}");
    let mut reloaded = 0;
    for round in 0..ROUNDS {
        let board = real_board(entry("probe", &guest("probe_state"), &rest));
        let _guard = StopOnPanic(&board);
        std::thread::scope(|scope| {
            let reload = scope.spawn(|| board.reload("probe"));
            (0..round * 2000).for_each(|_| std::hint::spin_loop());
            let revoked = revoke(&board, "probe", "in");
            assert_eq!((revoked.pins, revoked.interrupts), (0, 1));
            assert_eq!(line(&board, "IN").2, None);
            // The new version needs the pin: it took over before, or not at all.
            match reload.join().unwrap() {
                Ok(_) => reloaded += 1,
                Err(error) => assert_eq!(error.code, ErrorCode::Aborted, "{error}"),
            }
        });
        assert_eq!(line(&board, "IN").2, None);
        assert_eq!(state(&board, "probe").0, State::Running);
        board.sim().set("IN", true).unwrap();
        assert_eq!(ask(&board, "state", "counts"), 0);
        assert_eq!(board.reload("probe").unwrap_err().code, ErrorCode::Aborted);
    }
    println!("{reloaded} of {ROUNDS} reloads came first");
}

#[test]
fn a_reload_that_waits_for_requests_does_not_delay_it() {
    let rest = format!("provides = [\"state\", \"held\"]\nlimits = {{ drain = \"2 s\" }}\n{PINS}");
    let board = real_board(entry("probe", &guest("probe_state"), &rest));
    let _guard = StopOnPanic(&board);
    std::thread::scope(|scope| {
        scope.spawn(|| board.call("held", Request::named("wait")));
        let driver = || board.status().drivers.remove(0);
        until("it has begun", || driver().usage.requests == 1);
        let calls = driver().counts.calls;
        let reload = scope.spawn(|| board.reload("probe"));
        until("it asks for the state", || driver().counts.calls > calls);
        assert_eq!(revoke(&board, "probe", "in").interrupts, 1);
        assert!(!reload.is_finished());
        assert_eq!(reload.join().unwrap().unwrap_err().code, ErrorCode::Busy);
        assert_running(&board, "probe");
        board.stop();
    });
}
