//! Lines that several drivers share.

use loopgate::{Board, Request, State};
use loopgate_integration::{
    ask, assert_running, entry, guest, log, real_board, refused, state, until, virtual_board,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);

/// A driver with a device of its own, which is the line of that name, on the
/// shared line `IN`.
fn sharer(name: &str, config: &str, more: &str) -> String {
    let rest = format!(
        "provides = [\"{name}\"]\nconfig = {{ service = \"{name}\", {config} }}\n{more}\n\
         [driver.gpio]\n\
         mine = {{ line = \"{name}\", direction = \"input\" }}\n\
         in = {{ line = \"IN\", direction = \"input\", edges = \"high-level\", shared = true }}\n\
         ack = {{ line = \"ack-{name}\", direction = \"output\" }}"
    );
    entry(name, &guest("probe_sharer"), &rest)
}

/// What makes another driver's handler last: a step of 20 ms is done by it.
fn stepper() -> String {
    let rest = "provides = [\"stepper\"]\nwork-loop = \"dedicated\"\n\
                config = { service = \"stepper\", how = \"steps\" }\n[driver.gpio]\n\
                mine = { line = \"STOP\", direction = \"input\" }";
    entry("stepper", &guest("probe_sharer"), rest)
}

const DEVICES: [&str; 3] = ["a", "b", "c"];

/// Wires the devices: an acknowledgement lowers its device, and `IN` is high
/// while any device is.
fn wire(board: &Board) {
    let sim = Arc::downgrade(board.sim());
    board.sim().observe(move |change| {
        let Some(sim) = sim.upgrade() else { return };
        if let Some(device) = change.line.strip_prefix("ack-").filter(|_| change.high) {
            sim.set(device, false).unwrap();
        }
        if DEVICES.contains(&change.line) || change.line.starts_with("ack-") {
            let lines = sim.show();
            let mut up = lines.iter().filter(|line| line.high);
            let any = up.any(|line| DEVICES.contains(&line.name.as_str()));
            sim.set("IN", any).unwrap();
        }
    });
}

fn raise(board: &Board, device: &str) {
    board.sim().set(device, true).unwrap();
}

fn counted(board: &Board) -> [u64; 3] {
    DEVICES.map(|name| ask(board, name, "counted"))
}

fn left(board: &Board, name: &str) -> Option<String> {
    let status = board.status();
    let driver = status.drivers.iter().find(|driver| driver.name == name);
    driver.unwrap().left_lines.get("in").cloned()
}

#[test]
fn rule_05_all_filters_of_a_shared_line_are_called() {
    let board = virtual_board(DEVICES.map(|name| sharer(name, "", "")).concat());
    wire(&board);
    raise(&board, "b");
    board.run_for(MILLISECOND);
    assert_eq!(counted(&board), [0, 1, 0]);
    let asked = |index: usize| {
        let counts = board.status().drivers[index].counts;
        (counts.claimed, counts.declined)
    };
    assert_eq!([0, 1, 2].map(asked), [(0, 1), (1, 0), (0, 1)]);
    for device in DEVICES {
        raise(&board, device);
    }
    board.run_for(MILLISECOND);
    assert_eq!(counted(&board), [1, 2, 1], "those that came meanwhile, too");
    let lines = board.sim().show();
    let line = lines.iter().find(|line| line.name == "IN").unwrap();
    assert_eq!(line.consumer.as_deref(), Some("a, b, c"));
}

#[test]
fn rule_05_a_sharer_that_dies_takes_its_mask_along() {
    let drivers = ["", "how = \"traps\"", ""];
    let drivers = DEVICES.iter().zip(drivers);
    let drivers: String = drivers.map(|(name, how)| sharer(name, how, "")).collect();
    let board = virtual_board(drivers);
    wire(&board);
    raise(&board, "b");
    raise(&board, "c");
    assert_eq!(ask(&board, "c", "counted"), 0, "masked by b");
    board.run_for(MILLISECOND);
    assert_eq!(state(&board, "b").0, State::Failed);
    assert_eq!(["a", "c"].map(|name| ask(&board, name, "counted")), [0, 1]);
    assert_eq!(left(&board, "b"), None);
    // The line is still up, and the next one to switch on finds it so.
    raise(&board, "a");
    board.start_driver("b").unwrap();
    board.run_for(MILLISECOND);
    assert_eq!(["a", "c"].map(|name| ask(&board, name, "counted")), [1, 1]);
}

#[test]
fn rule_05_who_switches_off_leaves_the_line_to_the_others() {
    let drivers = sharer("a", "", "") + &sharer("b", "how = \"off\"", "") + &sharer("c", "", "");
    let board = virtual_board(drivers);
    wire(&board);
    // The second of `b` stays, and keeps the line active.
    for device in ["b", "a", "b", "c"] {
        raise(&board, device);
        board.run_for(10 * MILLISECOND);
    }
    assert_eq!(counted(&board), [1, 1, 1]);
}

const OVERRUNS: &str = "how = \"waits\", target = \"stepper\"";
const LIMIT: &str =
    "uses = [\"stepper\"]\nlimits = { line-hold = \"50 ms\" }\nwork-loop = \"dedicated\"";

/// Its own handler limits do not run down while another driver's handler runs,
/// and nothing on its own loop could end its mask.
#[test]
fn rule_13_a_sharer_that_holds_the_line_for_too_long_leaves_while_it_does() {
    let drivers = stepper()
        + &sharer("a", "", "work-loop = \"dedicated\"")
        + &sharer("b", OVERRUNS, LIMIT)
        + &sharer("c", "", "work-loop = \"dedicated\"");
    let board = real_board(drivers);
    wire(&board);
    raise(&board, "b");
    raise(&board, "a");
    until("a is served, while b is in its handler", || {
        ask(&board, "a", "counted") == 1
    });
    until("it is told that b left", || left(&board, "b").is_some());
    let cause = left(&board, "b").unwrap();
    assert!(
        cause.contains("limit `line-hold`") && cause.contains("50 ms"),
        "{cause}"
    );
    board.sim().set("STOP", true).unwrap();
    assert_eq!(ask(&board, "b", "counted"), 1);
    assert_running(&board, "b");
    let again = board.call("b", Request::named("again")).unwrap();
    assert_eq!(String::from_utf8_lossy(&again.data), "not-permitted");
    raise(&board, "b");
    raise(&board, "c");
    until("c is served", || ask(&board, "c", "counted") == 1);
    assert_eq!(ask(&board, "b", "counted"), 1, "it is told nothing more");
    // The next version begins anew, and finds its device's level.
    board.reload("b").unwrap();
    assert_eq!(left(&board, "b"), None);
    until("b is served", || ask(&board, "b", "counted") == 1);
}

/// Fifty steps of 20 ms are a second, which is the limit.
#[test]
fn rule_17_in_virtual_time_the_limit_is_met_to_the_nanosecond() {
    for (steps, leaves) in [(49, false), (50, true), (60, true)] {
        let run = || {
            let config = format!("{OVERRUNS}, steps = \"{steps}\"");
            let drivers = stepper()
                + &sharer("a", "", "work-loop = \"dedicated\"")
                + &sharer(
                    "b",
                    &config,
                    "uses = [\"stepper\"]\nlimits = { handler-wall = \"2 s\" }",
                )
                + &sharer("c", "", "");
            let board = virtual_board(drivers);
            wire(&board);
            log::capture(|| {
                raise(&board, "b");
                board.run_for(MILLISECOND);
                raise(&board, "a");
                raise(&board, "c");
                board.run_for(MILLISECOND);
                (board.now(), counted(&board), left(&board, "b"))
            })
        };
        let ((now, counted, cause), log) = run();
        assert_eq!(counted, [1; 3]);
        assert_eq!(cause.is_some(), leaves, "{steps}");
        let told = "b: pin `in` interrupts no more: limit `line-hold`";
        assert_eq!(log.contains(told), leaves, "{log}");
        assert_eq!(run(), ((now, counted, cause), log));
    }
}

/// Its handler opens the line again as fast as it can, while its device keeps it
/// active.
#[test]
fn rule_13_a_sharer_that_refires_leaves_its_neighbours_their_filters() {
    let dedicated = "work-loop = \"dedicated\"\nlimits = { filter-budget = 1000000 }";
    let board =
        real_board(sharer("a", "how = \"refires\"", dedicated) + &sharer("b", "", dedicated));
    wire(&board);
    raise(&board, "a");
    let off = |index: usize| board.status().drivers[index].counts.filters_off;
    until("its own budget is over", || off(0) == 1);
    let before = ask(&board, "a", "counted");
    until("it goes on", || {
        ask(&board, "a", "counted") > before + 200_000
    });
    assert_eq!(off(1), 0);
    raise(&board, "b");
    until("b is served", || ask(&board, "b", "counted") == 1);
    assert_running(&board, "a");
}

fn shared(edges: &str, more: &str) -> String {
    format!(
        "in = {{ line = \"IN\", direction = \"input\", edges = \"{edges}\", shared = true{more} }}\n"
    )
}

fn counter(name: &str, more: &str) -> String {
    let pin = shared("both", more);
    let rest = format!(
        "provides = [\"{name}\"]\nconfig = {{ service = \"{name}\" }}\n[driver.gpio]\n{pin}"
    );
    entry(name, &guest("probe_counter"), &rest)
}

fn toggle(board: &Board, edges: u32) {
    for _ in 0..edges {
        let high = board.sim().show()[0].high;
        board.sim().set("IN", !high).unwrap();
    }
}

/// What rule 4 says of a line of its own, with a neighbour that misses nothing.
#[test]
fn rule_04_a_shared_line_passes_over_to_the_next_version() {
    for (how, counts) in [
        ("", (7, 0)),
        ("pin-again", (7, 0)),
        ("line-again", (7, 0)),
        ("source-again", (4, 3)),
        ("other-edges", (3, 3)),
    ] {
        let pin = shared("both", "");
        let rest = format!(
            "provides = [\"successor\", \"late\"]\nconfig = {{ how = \"{how}\" }}\n[driver.gpio]\n{pin}"
        );
        let successor = entry("successor", &guest("probe_successor"), &rest);
        let board = virtual_board(successor + &counter("counter", ""));
        board.run_for(MILLISECOND);
        toggle(&board, 2);
        board.run_for(MILLISECOND);
        toggle(&board, 3);
        board.reload("successor").unwrap();
        toggle(&board, 2);
        board.run_for(MILLISECOND);
        let told = board.status().drivers[0].counts;
        assert_eq!((told.interrupts, told.lost), counts, "{how}");
        assert_eq!(ask(&board, "counter", "edges"), 7, "{how}");
        assert_eq!(ask(&board, "counter", "lost"), 0, "{how}");
    }
}

#[test]
fn a_rate_cap_is_each_sharers_own() {
    let board = virtual_board(counter("capped", ", rate-cap = 100") + &counter("free", ""));
    toggle(&board, 250);
    board.run_for(MILLISECOND);
    let edges = ["capped", "free"].map(|name| ask(&board, name, "edges"));
    assert_eq!(edges, [100, 250]);
}

/// On loops of their own, so that one opens the line while the other closes it.
#[test]
fn a_line_is_there_for_whoever_opens_it() {
    let alone = "work-loop = \"dedicated\"";
    let board = real_board(sharer("a", "", alone) + &sharer("b", "", alone));
    std::thread::scope(|scope| {
        for name in ["a", "b"] {
            let board = &board;
            scope.spawn(move || {
                for _ in 0..200 {
                    board.stop_driver(name).unwrap();
                    board.start_driver(name).unwrap();
                    assert_running(board, name);
                }
            });
        }
    });
}

/// A driver with a filter of every third edge of `IN`.
fn thirds(name: &str) -> String {
    let pin = shared("both", "");
    let rest = format!(
        "provides = [\"{name}\"]\nconfig = {{ service = \"{name}\" }}\n\
         work-loop = \"dedicated\"\nlimits = {{ filter-budget = 10000000000 }}\n[driver.gpio]\n{pin}"
    );
    entry(name, &guest("probe_filter"), &rest)
}

/// Nothing is lost to the neighbour of a driver that comes and goes.
#[test]
fn every_edge_reaches_the_neighbour_of_a_driver_killed_ten_times() {
    let board = real_board(thirds("stays") + &thirds("dies"));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for edge in 0..200_000 {
                board.sim().set("IN", edge % 2 == 0).unwrap();
            }
            over.store(true, Ordering::Release);
        });
        for _ in 0..10 {
            let counts = || board.status().drivers[1].counts;
            let before = counts().claimed;
            until("its interrupts", || {
                over.load(Ordering::Acquire) || counts().claimed > before + 100
            });
            refused(&board, "dies", Request::named("trap"));
            assert_eq!(state(&board, "dies").0, State::Failed);
            board.start_driver("dies").unwrap();
        }
    });
    let counts = |index: usize| board.status().drivers[index].counts;
    assert_eq!(counts(0).claimed + counts(0).declined, 200_000);
    for driver in [0, 1] {
        until("all are told", || {
            counts(driver).claimed == counts(driver).interrupts + counts(driver).lost
        });
    }
}

/// A driver that has the line masked while its gate is closed for a reload, for
/// longer than it may mask it. What its reload came to.
fn masked_in_a_reload(config: &str) -> (Board, Result<(), String>) {
    let rest = format!(
        "provides = [\"state\", \"held\"]\nconfig = {{ edges = \"level\", {config} }}\n\
         limits = {{ line-hold = \"100 ms\" }}\n[driver.gpio]\n\
         in = {{ line = \"IN\", direction = \"input\", edges = \"high-level\", shared = true }}\n\
         out = {{ line = \"OUT\", direction = \"output\" }}"
    );
    let neighbour = sharer("a", "", "work-loop = \"dedicated\"");
    let board = real_board(entry("probe", &guest("probe_state"), &rest) + &neighbour);
    assert_running(&board, "probe");
    // It stays up: there always is an interrupt that waits.
    board.sim().set("IN", true).unwrap();
    until("it is interrupted", || ask(&board, "state", "counts") > 0);
    let came = std::thread::scope(|scope| {
        let reload = scope.spawn(|| board.reload("probe"));
        board.sim().set("a", true).unwrap();
        until("its neighbour is served", || {
            ask(&board, "a", "counted") > 0
        });
        board.sim().set("a", false).unwrap();
        reload.join().unwrap()
    });
    (board, came.map(drop).map_err(|error| error.to_string()))
}

#[test]
fn rule_16_a_masked_line_stays_a_drivers_whatever_becomes_of_its_reload() {
    for (config, done) in [
        ("start = \"dawdles\"", true),
        ("start = \"dawdles\", restore = \"traps\"", false),
        ("save = \"unsupported\", stop = \"dawdles\"", true),
        ("save = \"unsupported\", start = \"dawdles\"", true),
    ] {
        let (board, came) = masked_in_a_reload(config);
        assert_eq!(came.is_ok(), done, "{config}: {came:?}");
        assert_eq!(left(&board, "probe"), None, "{config}");
        assert_running(&board, "probe");
        let before = ask(&board, "state", "counts");
        until("it is interrupted again", || {
            ask(&board, "state", "counts") > before
        });
    }
}

/// The limit holds for its handlers as before.
#[test]
fn a_driver_that_was_reloaded_still_leaves_for_its_own_handler() {
    let drivers = stepper() + &sharer("b", OVERRUNS, LIMIT);
    let board = real_board(drivers);
    wire(&board);
    board.reload("b").unwrap();
    raise(&board, "b");
    until("it is told that b left", || left(&board, "b").is_some());
    board.sim().set("STOP", true).unwrap();
}
