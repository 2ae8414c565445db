//! What drivers live through: each is recorded, and done again.

use super::{MEMORY, again, record};
use loopgate::board_file::ClockKind;
use loopgate::trace::{Divergence, Recorder, ReplayError, Summary, Trace, replay};
use loopgate::{Board, Request};
use loopgate_integration::{assert_running, board_of, entry, guest, root, supervised};
use std::path::{Path, PathBuf};
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);

fn edges(board: &Board, count: u32) {
    for edge in 0..count {
        board.sim().set("IN", edge % 2 == 0).unwrap();
        board.run_for(MILLISECOND);
    }
}

/// Runs the driver `probe`, in virtual time, and replays it.
fn same(drivers: &str, component: &Path, run: impl FnOnce(&Board)) -> Summary {
    let trace = record(drivers, ClockKind::Virtual, run);
    let component = component.display().to_string();
    let summary = again(&trace, "probe", &component).unwrap_or_else(|error| panic!("{error}"));
    assert!(summary.is_whole && !summary.is_lossy, "{summary:?}");
    println!("{summary:?}");
    summary
}

#[test]
fn a_reload_with_state_is_replayed() {
    let component = guest("probe_state");
    let rest = "provides = [\"state\", \"held\"]\n[driver.gpio]\n\
        in = { line = \"IN\", direction = \"input\", edges = \"both\" }\n\
        out = { line = \"OUT\", direction = \"output\" }\n\
        new = { line = \"NEW\", direction = \"output\" }";
    let summary = same(&entry("probe", &component, rest), &component, |board| {
        for generation in 2..=4 {
            edges(board, 20);
            board.reload("probe").unwrap();
            assert_eq!(board.status().drivers[0].generation, generation);
        }
        edges(board, 20);
        assert_running(board, "probe");
    });
    assert!(
        summary.instances == 4 && summary.handlers > 80,
        "{summary:?}"
    );
}

#[test]
fn a_death_and_the_restart_after_it_are_replayed() {
    let component = guest("probe_mortal");
    let rest = "provides = [\"mortal\"]\nconfig = { survives = \"3\" }\n\
        restart = { backoff = \"1 ms\", budget = 100 }\n[driver.gpio]\n\
        in = { line = \"IN\", direction = \"input\", edges = \"both\" }";
    let summary = same(
        &supervised("probe", &component, rest),
        &component,
        |board| {
            edges(board, 20);
            board.run_for(Duration::from_mins(1));
        },
    );
    assert!(summary.instances > 2, "{summary:?}");
}

#[test]
fn what_a_filter_lets_through_is_replayed() {
    let component = guest("probe_filter");
    let rest = "provides = [\"filter\"]\nconfig = { word = \"0\" }\n[driver.gpio]\n\
        other = { line = \"OTHER\", direction = \"input\" }\n\
        in = { line = \"IN\", direction = \"input\", edges = \"both\" }";
    let summary = same(&entry("probe", &component, rest), &component, |board| {
        edges(board, 90);
        assert_running(board, "probe");
    });
    assert!((20..90).contains(&summary.handlers), "{summary:?}");
}

#[test]
fn a_driver_of_wasi_i2c_is_replayed() {
    let component = guest("probe_wasi_i2c");
    let sensor = "[[board.i2c-device]]\nbus = \"i2c-1\"\naddress = 0x76\nmodel = \"registers\"\n\
        registers = { 0xd0 = \"60\" }\n";
    let device = "[driver.i2c]\ndevice = { bus = \"i2c-1\", address = 0x76 }\n";
    let drivers = sensor.to_owned() + &entry("probe", &component, device);
    let summary = same(&drivers, &component, |_| {});
    assert!(summary.calls >= 3, "{summary:?}");
}

#[test]
fn tasks_that_wait_are_replayed() {
    let component = guest("probe_tasks");
    let rest = "provides = [\"tasks\"]\n[driver.gpio]\n\
        lamp = { line = \"LAMP\", direction = \"output\" }\n\
        in = { line = \"IN\", direction = \"input\", edges = \"both\" }";
    let summary = same(&entry("probe", &component, rest), &component, |board| {
        for wait in 1..10 {
            let later = Request::named("later").scalar(wait);
            board.call("tasks", later).unwrap();
        }
        edges(board, 20);
    });
    assert!(summary.handlers > 20, "{summary:?}");
}

/// A component that is written by hand, with one instruction of its `timeout-occurred`
/// changed: the next turn comes before the last one, not after it.
fn changed(folder: &Path) -> PathBuf {
    let mut bytes = std::fs::read(guest("wat_minimal")).unwrap();
    // `local.get $deadline`, `global.get $period`, `i64.add`.
    let sum = [0x20, 1, 0x23, 6, 0x7c];
    let found: Vec<_> = bytes
        .windows(5)
        .enumerate()
        .filter(|(_, code)| *code == sum)
        .collect();
    let [(at, _)] = found[..] else {
        panic!("{found:?}")
    };
    bytes[at + 4] = 0x7d;
    let path = folder.join("changed.wasm");
    std::fs::write(&path, bytes).unwrap();
    path
}

fn diverged(trace: &Trace, component: &Path) -> Divergence {
    match replay(trace, None, component) {
        Err(ReplayError::Diverged(divergence)) => *divergence,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_changed_handler_is_found_at_its_first_other_call() {
    let component = guest("wat_minimal");
    let led =
        "provides = [\"minimal\"]\n[driver.gpio]\nled = { line = \"LED\", direction = \"output\" }";
    let drivers = entry("probe", &component, led);
    let trace = record(&drivers, ClockKind::Virtual, |board| {
        assert_running(board, "probe");
        board.run_for(Duration::from_secs(1));
    });
    let folder = tempfile::tempdir().unwrap();
    let divergence = diverged(&trace, &changed(folder.path()));
    println!("{divergence}");
    assert!(
        divergence.handler.starts_with("timeout-occurred("),
        "{divergence}"
    );
    assert_eq!(divergence.before.len(), 1, "{divergence}");
    assert!(
        divergence.before[0].starts_with("gpio.pin.set("),
        "{divergence}"
    );
    for call in [&divergence.recorded, &divergence.now] {
        assert!(
            call.starts_with("timer-event-source.wake-at("),
            "{divergence}"
        );
    }
}

/// The corpus of the fuzz target is made so; see `fuzz/corpus/trace`.
#[test]
#[ignore = "it writes into the sources"]
fn the_fuzzer_s_corpus_is_written() {
    let led =
        "provides = [\"minimal\"]\n[driver.gpio]\nled = { line = \"LED\", direction = \"output\" }";
    let minimal = record(
        &entry("probe", &guest("wat_minimal"), led),
        ClockKind::Virtual,
        |board| {
            board.run_for(Duration::from_millis(50));
        },
    );
    let folder = root().join("fuzz/corpus/trace");
    std::fs::create_dir_all(&folder).unwrap();
    let write = |name: &str, how: u8, trace: &Trace| {
        std::fs::write(folder.join(name), [&[how], trace.bytes()].concat()).unwrap();
    };
    write("minimal", 1, &minimal);
    let all = record(&super::samples(), ClockKind::Virtual, |board| {
        board.run_for(Duration::from_millis(900));
        let _ = board.call("block-cache", Request::named("read"));
    });
    write("samples", 0, &all);
}

/// A recorder that is full gives the driver's instance up, and the next one is recorded.
#[test]
fn what_finds_no_room_is_lost_until_the_next_instance() {
    let component = guest("probe_counter");
    let rest = "provides = [\"counter\"]\n[driver.gpio]\n\
        in = { line = \"IN\", direction = \"input\", edges = \"both\" }";
    let recorder = Recorder::in_memory(4_000);
    let board = board_of(entry("probe", &component, rest), ClockKind::Virtual);
    let board = board.trace(recorder.clone()).build().unwrap();
    edges(&board, 1_000);
    let mut bytes = recorder.take();
    board.stop_driver("probe").unwrap();
    board.start_driver("probe").unwrap();
    edges(&board, 10);
    board.shutdown();
    recorder.finish();
    bytes.extend(recorder.take());
    assert!(bytes.len() < MEMORY);
    let summary = replay(&Trace::parse(bytes).unwrap(), None, &component).unwrap();
    assert!(summary.is_whole && summary.is_lossy, "{summary:?}");
    assert_eq!(summary.instances, 2);
}
