//! Rule 16: a new version goes on with the state of the last one, and with all
//! that it has open.

use loopgate::{Board, ErrorCode, Handed, Mode, Reload, Request, State};
use loopgate_integration::{
    StopOnPanic, ask, assert_running, driver, entry, guest, logged, real_board, until,
    virtual_board,
};
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);
const NANOSECOND: Duration = Duration::from_nanos(1);

/// The entry of a `probe_state`, its output pulled the other way than it is
/// driven here.
fn probe(config: &str, limits: &str) -> String {
    let rest = format!(
        "provides = [\"state\", \"held\"]\nconfig = {{ {config} }}\n[driver.limits]\n{limits}\n\
         [driver.gpio]\n\
         in = {{ line = \"IN\", direction = \"input\", edges = \"both\" }}\n\
         out = {{ line = \"OUT\", direction = \"output\" }}\n\
         new = {{ line = \"NEW\", direction = \"output\" }}"
    );
    entry("probe", &guest("probe_state"), &rest)
}

/// Another one, which submits requests to the first.
fn submitter() -> String {
    let rest = "provides = [\"other\", \"other-held\"]\nuses = [\"held\"]\n\
        config = { service = \"other\", held = \"other-held\", target = \"held\" }\n\
        [driver.gpio]\n\
        in = { line = \"IN2\", direction = \"input\", edges = \"both\" }\n\
        out = { line = \"OUT2\", direction = \"output\" }\n";
    entry("submitter", &guest("probe_state"), rest)
}

fn board(config: &str) -> Board {
    let board = virtual_board(probe(config, ""));
    assert_running(&board, "probe");
    board.run_for(MILLISECOND);
    board
}

fn tell(board: &Board, selector: &str, scalar: u64) {
    let request = Request {
        scalars: [scalar, 0, 0, 0],
        ..Request::named(selector)
    };
    board.call("state", request).unwrap();
}

/// Edges, timeouts, software interrupts, completions, reloads.
fn counts_of(board: &Board, service: &str) -> String {
    let reply = board.call(service, Request::named("counts")).unwrap();
    String::from_utf8(reply.data).unwrap()
}

fn counts(board: &Board) -> String {
    counts_of(board, "state")
}

fn told(board: &Board) -> String {
    let reply = board.call("state", Request::named("told")).unwrap();
    String::from_utf8(reply.data).unwrap()
}

fn toggle(board: &Board, times: u32) {
    for _ in 0..times {
        let lines = board.sim().show();
        let line = lines.iter().find(|line| line.name == "IN").unwrap();
        board.sim().set("IN", !line.high).unwrap();
    }
}

/// How often the level of a line has changed, and who holds it.
fn line(board: &Board, name: &str) -> (u64, Option<String>) {
    let lines = board.sim().show();
    let line = lines.into_iter().find(|line| line.name == name);
    line.map_or((0, None), |line| (line.edges, line.consumer))
}

/// Three edges, two software interrupts and a timer for 5 ms from now, none of
/// which was delivered yet, and a high output.
fn load(board: &Board) -> (u64, Option<String>) {
    tell(board, "set", 1);
    tell(board, "arm", 5_000_000);
    tell(board, "signal", 2);
    toggle(board, 3);
    line(board, "OUT")
}

#[test]
fn rule_16_all_that_waits_goes_to_the_next_version_with_the_state() {
    let board = board("bytes = \"100\"");
    toggle(&board, 4);
    board.run_for(MILLISECOND);
    let out = load(&board);
    let reload = board.reload("probe").unwrap();
    let Reload {
        generation,
        events_waiting,
        lost,
        state_bytes,
        handed_over,
        gate_closed_ns,
    } = reload;
    assert_eq!((generation, events_waiting, lost), (2, 5, 0));
    assert!(state_bytes.is_some_and(|bytes| bytes > 100) && gate_closed_ns > 0);
    let all = Handed {
        pins: 2,
        ports: 0,
        interrupts: 2,
        timers: 1,
        gates: 2,
        services: 2,
        requests: 0,
    };
    assert_eq!(handed_over, all);
    assert_eq!(counts(&board), "[4, 0, 0, 0, 1]");
    board.run_for(MILLISECOND);
    assert_eq!(counts(&board), "[7, 0, 2, 0, 1]");
    toggle(&board, 1);
    board.run_for(MILLISECOND);
    assert_eq!(counts(&board), "[8, 0, 2, 0, 1]");
    assert_eq!(line(&board, "OUT"), out);
    let status = &board.status().drivers[0];
    assert_eq!((status.counts.interrupts, status.counts.lost), (10, 0));
    assert_eq!(status.usage.sources, 5);
    assert_eq!(status.last_reload.as_ref().unwrap().generation, 2);
}

#[test]
fn rule_16_a_timer_is_neither_lost_nor_doubled() {
    for (config, at) in [
        ("", Some(5 * MILLISECOND)),
        // Armed anew for 1 ms, or in `restore-state` for 2 ms.
        ("start = \"changes\"", Some(2 * MILLISECOND)),
        ("restore = \"changes\"", Some(3 * MILLISECOND)),
        ("start = \"cancels\"", None),
    ] {
        let board = board(config);
        let armed = board.now();
        tell(&board, "arm", 5_000_000);
        board.run_for(MILLISECOND);
        for _ in 0..3 {
            board.reload("probe").unwrap();
        }
        let expired = || counts(&board).split(", ").nth(1).unwrap().to_owned();
        if let Some(at) = at {
            board.run_until(armed.saturating_add(at.saturating_sub(NANOSECOND)));
            assert_eq!(expired(), "0", "{config}");
            board.run_for(NANOSECOND);
            assert_eq!(expired(), "1", "{config}");
        }
        board.run_for(20 * MILLISECOND);
        assert_eq!(expired(), if at.is_some() { "1" } else { "0" }, "{config}");
    }
}

/// Not that of its pull, not that of a new output, and no `stop` is called.
#[test]
fn rule_16_an_output_keeps_its_level_over_every_reload() {
    let pulled = "[[board.line]]\nname = \"OUT\"\npull = \"down\"\n";
    let board = virtual_board(format!("{pulled}{}", probe("", "")));
    tell(&board, "set", 1);
    let before = line(&board, "OUT");
    for _ in 0..10 {
        board.reload("probe").unwrap();
        board.run_for(MILLISECOND);
    }
    assert_eq!(line(&board, "OUT"), before);
    tell(&board, "set", 0);
    assert_eq!(line(&board, "OUT").0, before.0 + 1);
    assert_eq!(counts(&board), "[0, 0, 0, 0, 10]");
}

#[test]
fn rule_16_effects_are_withheld_until_the_commit() {
    let target = "target = \"context\"";
    for when in ["start", "restore"] {
        let context = entry(
            "context",
            &guest("probe_context"),
            "provides = [\"context\"]",
        );
        let probe = probe(&format!("{when} = \"effects\", {target}"), "");
        let uses = probe.replacen("config", "uses = [\"context\"]\nconfig", 1);
        let board = virtual_board(context + &uses);
        let out = line(&board, "OUT");
        board.reload("probe").unwrap();
        assert_eq!(line(&board, "OUT"), out);
        let refused = ["set", "run", "attempt", "immediate", "submit"];
        let refused = refused.map(|what| format!("{what}=not-permitted"));
        assert_eq!(told(&board), refused.join(" "), "{when}");
        board.run_for(MILLISECOND);
        assert_eq!(counts(&board), "[0, 0, 0, 0, 1]");
    }
}

/// A provider hears of a new client at the commit, and of one that never was
/// not at all.
#[test]
fn rule_16_a_service_is_not_opened_for_all_to_see_before_the_commit() {
    for (how, heard) in [("refuses", ""), ("", "ClientOpened expander")] {
        let echo = entry("echo", &guest("probe_echo"), "provides = [\"echo\"]");
        let told =
            "provides = [\"expander\"]\nwork-loop = \"dedicated\"\nconfig = { told = \"yes\" }";
        let expander = entry("expander", &guest("probe_publish"), told);
        let rest = format!(
            "uses = [\"echo\", \"expander\"]\nprovides = [\"misbehave\"]\n\
             config = {{ how = \"{how}\", other = \"expander\" }}\n\
             [driver.gpio]\nled = {{ line = \"LED\", direction = \"output\" }}\n\
             [driver.serial]\nport = {{ sim = \"PORT\" }}"
        );
        let board =
            virtual_board(echo + &expander + &entry("user", &guest("hostile_state"), &rest));
        board.run_for(MILLISECOND);
        assert_eq!(board.reload("user").is_ok(), how.is_empty());
        board.run_for(MILLISECOND);
        let report = board.call("expander", Request::named("report")).unwrap();
        assert_eq!(String::from_utf8(report.data).unwrap(), heard);
        board.stop_driver("user").unwrap();
        board.run_for(MILLISECOND);
        let report = board.call("expander", Request::named("report")).unwrap();
        let closed = heard.replace("Opened", "Closed");
        assert_eq!(String::from_utf8(report.data).unwrap(), closed);
    }
}

#[test]
fn rule_16_nothing_is_adopted_twice() {
    let board = board("start = \"twice\"");
    load(&board);
    board.reload("probe").unwrap();
    assert_eq!(
        told(&board),
        "pin=busy out=busy timer=bad-argument gate=bad-argument source=bad-argument \
         service=bad-argument"
    );
    board.run_for(10 * MILLISECOND);
    assert_eq!(counts(&board), "[3, 1, 2, 0, 1]");
}

#[test]
fn rule_16_what_is_not_adopted_is_released_at_the_commit() {
    let board = board("start = \"drops\"");
    load(&board);
    let reload = board.reload("probe").unwrap();
    // The edges and the software interrupts of sources that it dropped.
    assert_eq!((reload.events_waiting, reload.lost), (5, 5));
    assert_eq!(line(&board, "OUT").1, None);
    assert_eq!(line(&board, "IN").1, None);
    assert_eq!(board.status().drivers[0].usage.sources, 3);
    board.run_for(10 * MILLISECOND);
    assert_eq!(counts(&board), "[0, 0, 0, 0, 1]");
    let gone = board.call("held", Request::named("now")).unwrap_err();
    assert_eq!(gone.code, ErrorCode::NoDevice);
    // The sources that it has instead are its own.
    tell(&board, "arm", 1000);
    tell(&board, "signal", 1);
    board.run_for(MILLISECOND);
    assert_eq!(counts(&board), "[0, 1, 1, 0, 1]");
}

#[test]
fn rule_16_a_new_output_is_driven_at_the_commit() {
    let board = board("start = \"new\"");
    board.reload("probe").unwrap();
    assert_eq!(line(&board, "NEW"), (1, Some("probe".to_owned())));
    assert_eq!(told(&board), "high=done set=not-permitted");
    // It is adopted from now on.
    assert_eq!(board.reload("probe").unwrap().handed_over.pins, 3);
    assert_eq!(line(&board, "NEW").0, 1);
}

#[test]
fn rule_16_other_edges_begin_at_the_commit() {
    let board = board("start = \"other-edges\"");
    toggle(&board, 3);
    let reload = board.reload("probe").unwrap();
    assert_eq!((reload.lost, reload.handed_over.interrupts), (3, 1));
    toggle(&board, 3);
    board.run_for(MILLISECOND);
    assert_eq!(counts(&board), "[1, 0, 0, 0, 1]");
}

#[test]
fn rule_16_a_level_that_waits_counts_once() {
    let entry = probe("edges = \"level\"", "").replace("\"both\"", "\"high-level\"");
    let board = virtual_board(entry);
    board.run_for(MILLISECOND);
    board.sim().set("IN", true).unwrap();
    assert_eq!(board.reload("probe").unwrap().events_waiting, 1);
    board.sim().set("IN", false).unwrap();
    board.run_for(MILLISECOND);
    assert_eq!(counts(&board), "[1, 0, 0, 0, 1]");
    board.sim().set("IN", true).unwrap();
    board.sim().set("IN", false).unwrap();
    board.run_for(MILLISECOND);
    assert_eq!(counts(&board), "[2, 0, 0, 0, 1]");
}

#[test]
fn rule_16_a_version_without_state_stops_and_the_next_one_starts_afresh() {
    let board = board("save = \"unsupported\"");
    let (edges, _) = line(&board, "OUT");
    toggle(&board, 3);
    let reload = board.reload("probe").unwrap();
    assert_eq!((reload.state_bytes, reload.lost), (None, 0));
    assert_eq!(reload.handed_over.pins, 2);
    assert_eq!(reload.handed_over.interrupts, 1);
    // Its `stop` drives the output, and the new version's `start` again.
    assert_eq!(line(&board, "OUT").0, edges + 2);
    board.run_for(MILLISECOND);
    assert_eq!(counts(&board), "[3, 0, 0, 0, 0]");
}

#[test]
fn rule_16_a_version_that_dies_of_its_own_state_has_a_successor_that_starts_afresh() {
    for how in ["traps", "spins"] {
        let board = board(&format!("save = \"{how}\""));
        toggle(&board, 3);
        let reload = board.reload("probe").unwrap();
        assert_eq!((reload.state_bytes, reload.lost), (None, 0), "{how}");
        assert!(logged(&board, "probe", "(in `save-state`)"), "{how}");
        board.run_for(MILLISECOND);
        assert_eq!(counts(&board), "[3, 0, 0, 0, 0]", "{how}");
    }
}

#[test]
fn rule_16_a_client_that_is_stalled_goes_on_in_the_next_version() {
    let board = real_board(probe("", ""));
    let _stop = StopOnPanic(&board);
    tell(&board, "admit", 0);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..3)
            .map(|_| scope.spawn(|| board.call("held", Request::named("now"))))
            .collect();
        // Whether they stall by now or come later, nobody may notice.
        for _ in 0..20 {
            board.reload("probe").unwrap();
        }
        assert!(clients.iter().all(|client| !client.is_finished()));
        tell(&board, "admit", 1);
        for client in clients {
            assert_eq!(client.join().unwrap().unwrap().scalar, 20);
        }
    });
}

#[test]
fn rule_16_begun_requests_end_first_and_new_ones_wait() {
    let board = real_board(probe("", "drain = \"60 s\""));
    let _stop = StopOnPanic(&board);
    std::thread::scope(|scope| {
        let begun = scope.spawn(|| board.call("held", Request::named("wait")));
        let pending = || board.status().drivers[0].usage.requests;
        until("it is pending", || pending() == 1);
        let reload = scope.spawn(|| board.reload("probe"));
        let attempt = Request::named("counts").mode(Mode::Attempt);
        until("new requests wait", || {
            let refused = board.call("state", attempt.clone());
            refused.is_err_and(|error| error.code == ErrorCode::Busy)
        });
        let new = scope.spawn(|| board.call("held", Request::named("now")));
        // Goes ahead of everybody, and is over when it has returned.
        let free = Request {
            immediate: true,
            ..Request::named("free")
        };
        board.call("state", free).unwrap();
        assert_eq!(begun.join().unwrap().unwrap().scalar, 7);
        let reload = reload.join().unwrap().unwrap();
        assert!(reload.gate_closed_ns < 10_000_000_000, "{reload:?}");
        let late = new.join().unwrap().unwrap().scalar;
        assert!(late <= 1, "{late}");
        assert_eq!(counts(&board), "[0, 0, 0, 0, 1]");
    });
}

#[test]
fn rule_16_requests_that_do_not_end_are_named_and_ended_on_demand() {
    let board = real_board(probe("", "drain = \"20 ms\""));
    let _stop = StopOnPanic(&board);
    std::thread::scope(|scope| {
        let begun = scope.spawn(|| board.call("held", Request::named("wait")));
        let pending = || board.status().drivers[0].usage.requests;
        until("it is pending", || pending() == 1);
        let error = board.reload("probe").unwrap_err();
        assert_eq!(error.code, ErrorCode::Busy);
        for part in [
            "limit `drain`: 1 of service `held`",
            "`loopgate reload --force probe`",
            "20 ms",
        ] {
            assert!(error.message.contains(part), "{error}");
        }
        assert_eq!(counts(&board), "[0, 0, 0, 0, 0]");
        assert!(!begun.is_finished());
        let reload = board.force_reload("probe").unwrap();
        assert!(reload.state_bytes.is_some());
        let ended = begun.join().unwrap().unwrap_err();
        assert_eq!(ended.code, ErrorCode::DriverDied);
        assert_eq!(counts(&board), "[0, 0, 0, 0, 1]");
    });
}

/// In virtual time it takes exactly as long as the limit says.
#[test]
fn rule_16_a_reload_waits_for_begun_requests_as_long_as_its_limit_says() {
    let board = virtual_board(probe("", "drain = \"7 ms\"") + &submitter());
    assert_running(&board, "submitter");
    let submit = || board.call("other", Request::named("submit")).unwrap();
    submit();
    board.run_for(MILLISECOND);
    let begun = board.now();
    assert_eq!(board.reload("probe").unwrap_err().code, ErrorCode::Busy);
    assert_eq!(board.now(), begun.saturating_add(7 * MILLISECOND));
    // The one who has submitted it is told in its own next version.
    let reload = board.reload("submitter").unwrap();
    assert_eq!(reload.handed_over.requests, 1);
    tell(&board, "free", 0);
    board.run_for(MILLISECOND);
    assert_eq!(counts_of(&board, "other"), "[0, 0, 0, 1, 1]");
    // What waits before a disabled gate is handed to the next version.
    tell(&board, "admit", 0);
    submit();
    board.run_for(MILLISECOND);
    let reload = board.reload("probe").unwrap();
    assert_eq!((reload.events_waiting, reload.handed_over.requests), (1, 1));
    tell(&board, "admit", 1);
    board.run_for(MILLISECOND);
    tell(&board, "free", 0);
    board.run_for(MILLISECOND);
    assert_eq!(counts_of(&board, "other"), "[0, 0, 0, 2, 1]");
    assert_eq!(counts(&board), "[0, 0, 0, 0, 1]");
}

#[test]
fn rule_15_a_client_notices_only_that_a_service_has_other_terms() {
    for (config, code) in [
        ("", None),
        ("start = \"other-terms\"", Some(ErrorCode::DriverDied)),
    ] {
        let board = virtual_board(probe(config, "") + &submitter());
        let submit = || board.call("other", Request::named("submit"));
        submit().unwrap();
        board.run_for(MILLISECOND);
        tell(&board, "free", 0);
        board.reload("probe").unwrap();
        assert_eq!(submit().err().map(|error| error.code), code, "{config}");
    }
}

#[test]
fn rule_16_what_start_does_to_a_source_is_done_at_the_commit() {
    let board = board("");
    tell(&board, "listen", 0);
    toggle(&board, 1);
    board.reload("probe").unwrap();
    // `start` has enabled its source, as it always does.
    toggle(&board, 2);
    board.run_for(MILLISECOND);
    assert_eq!(counts(&board), "[2, 0, 0, 0, 1]");
}

#[test]
fn a_rotary_encoder_keeps_its_count() {
    let pins = "provides = [\"quadrature\"]\n[driver.gpio]\n\
        a = { line = \"A\", direction = \"input\", edges = \"both\" }\n\
        b = { line = \"B\", direction = \"input\", edges = \"both\" }";
    let board = virtual_board(entry("quadrature", &driver("quadrature"), pins));
    let count = |board: &Board| {
        let reply = board.call("quadrature", Request::named("count")).unwrap();
        String::from_utf8(reply.data).unwrap()
    };
    for turn in 1..=50_u32 {
        for (line, high) in [("A", true), ("B", true), ("A", false), ("B", false)] {
            board.sim().set(line, high).unwrap();
            // Some edges are decoded when it is replaced, some taken, some not.
            board.run_for(NANOSECOND);
            if turn % 3 == 0 {
                board.reload("quadrature").unwrap();
            }
        }
    }
    board.run_for(MILLISECOND);
    assert_eq!(count(&board), "200");
    assert_eq!(ask(&board, "quadrature", "errors"), 0);
    assert_eq!(
        board.driver_state("quadrature").unwrap(),
        (State::Running, 65)
    );
}
