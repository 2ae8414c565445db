//! What crosses a driver's boundary is recorded, and done again without a board.

mod drivers;
mod program;

use loopgate::board_file::ClockKind;
use loopgate::trace::{Recorder, ReplayError, Summary, Trace, TraceError, replay};
use loopgate::{Board, Request, State};
use loopgate_integration::{Random, board_of, cache, driver, entry, root};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const MEMORY: usize = 64 << 20;

/// The sample drivers that need no pseudo-terminal, and something for each to do.
fn samples() -> String {
    let text = std::fs::read_to_string(root().join("sample-drivers/board.toml")).unwrap();
    let begin = text.find("[[driver]]").unwrap();
    let drivers = text[begin..]
        .replace(
            "../target/drivers",
            &driver("").with_file_name("").display().to_string(),
        )
        .replace("pty = \"run/gps\"", "sim = \"gps\"");
    let mut stimuli = String::new();
    for press in 0..200 {
        let at = 7 + press * 290;
        for (line, at) in [
            ("GPIO17", at),
            ("GPIO5", at + 3),
            ("GPIO6", at + 5),
            ("GPIO23", at + 9),
        ] {
            let level = if press % 2 == 0 { "low" } else { "high" };
            let _ = writeln!(
                stimuli,
                "[[board.stimulus]]\nat = \"{at} ms\"\nline = \"{line}\"\nlevel = \"{level}\""
            );
        }
    }
    format!("{stimuli}\n{drivers}")
}

fn record(drivers: &str, clock: ClockKind, run: impl FnOnce(&Board)) -> Trace {
    let recorder = Recorder::in_memory(MEMORY);
    let board = board_of(drivers, clock).trace(recorder.clone()).build();
    let board = board.unwrap_or_else(|error| panic!("{error}"));
    run(&board);
    board.shutdown();
    recorder.finish();
    Trace::parse(recorder.take()).unwrap()
}

/// A minute of the sample board.
fn minute(board: &Board) {
    for driver in board.status().drivers {
        assert_eq!(
            driver.state,
            State::Running,
            "{}: {:?}",
            driver.name,
            driver.cause
        );
    }
    for second in 0..60 {
        board.run_for(Duration::from_secs(1));
        let key = Request::named("press").scalar(second % 4);
        let _ = board.call("expander", key);
        let wrote = Request::named("write")
            .scalar(512 * second)
            .data(b"hello".to_vec());
        board.call("ram-block", wrote).unwrap();
        let read = Request::named("read").scalar(512 * second);
        let _ = board.call("block-cache", read);
        let _ = board.call("button-led", Request::named("presses"));
    }
}

fn components() -> Vec<(String, String)> {
    let text = samples();
    let value = |line: &str| line.split('"').nth(1).unwrap_or_default().to_owned();
    let names = text
        .lines()
        .filter(|line| line.starts_with("name = "))
        .map(value);
    let files = text
        .lines()
        .filter(|line| line.starts_with("component = "))
        .map(value);
    names.zip(files).collect()
}

fn again(trace: &Trace, name: &str, component: &str) -> Result<Summary, ReplayError> {
    replay(trace, Some(name), Path::new(component))
}

#[test]
fn a_minute_of_the_sample_board_is_replayed_without_divergence() {
    let trace = record(&samples(), ClockKind::Virtual, minute);
    for (name, component) in components() {
        let summary = again(&trace, &name, &component).unwrap_or_else(|error| panic!("{error}"));
        println!("{summary:?}");
        assert!(summary.is_whole && !summary.is_lossy && !summary.is_other_component);
        assert!(summary.handlers >= 2, "{summary:?}");
    }
}

#[test]
fn rule_17_the_same_minute_is_the_same_trace() {
    let traces = [(); 2].map(|()| record(&samples(), ClockKind::Virtual, minute));
    let [mut one, mut other] = [traces[0].entries(), traces[1].entries()];
    let mut entries = 0_u64;
    loop {
        match (one.next(), other.next()) {
            (None, None) => break,
            (one, other) => {
                let (one, other) = (one.unwrap().unwrap(), other.unwrap().unwrap());
                assert_eq!(one.bytes(), other.bytes(), "{one}, {other}");
                entries += 1;
            }
        }
    }
    assert!(entries > 1_000, "{entries}");
}

#[test]
fn what_was_recorded_in_real_time_is_replayed() {
    let trace = record(&samples(), ClockKind::Real, |board| {
        for number in 0..50 {
            board.call("button-led", Request::named("presses")).unwrap();
            let wrote = Request::named("write").scalar(number).data(b"x".to_vec());
            board.call("ram-block", wrote).unwrap();
        }
    });
    for (name, component) in components() {
        let summary = again(&trace, &name, &component).unwrap_or_else(|error| panic!("{error}"));
        assert!(summary.is_whole && summary.handlers >= 2, "{summary:?}");
    }
}

#[test]
fn a_truncated_trace_is_replayed_up_to_the_cut() {
    let (bytes, component) = blink_trace();
    let whole = replay(
        &Trace::parse(bytes.clone()).unwrap(),
        None,
        Path::new(&component),
    )
    .unwrap();
    assert!(whole.is_whole);
    let mut handlers = 0;
    for end in (bytes.len() / 2..bytes.len()).step_by(37) {
        let cut = Trace::parse(bytes[..end].to_vec()).unwrap();
        let summary = replay(&cut, None, Path::new(&component)).unwrap();
        assert!(!summary.is_whole);
        assert!(summary.handlers >= handlers && summary.handlers <= whole.handlers);
        handlers = summary.handlers;
    }
    assert!(handlers > whole.handlers / 2);
}

fn blink_trace() -> (Vec<u8>, String) {
    let recorder = Recorder::in_memory(MEMORY);
    let component = driver("blink");
    let led = "[driver.gpio]\nled = { line = \"LED\", direction = \"output\" }";
    let board = board_of(entry("blink", &component, led), ClockKind::Virtual);
    let board = board.trace(recorder.clone()).build().unwrap();
    board.run_for(Duration::from_secs(10));
    board.shutdown();
    recorder.finish();
    (recorder.take(), component.display().to_string())
}

#[test]
fn a_damaged_trace_is_refused_and_harms_nobody() {
    let (bytes, _) = blink_trace();
    let mut random = Random(7);
    let mut refused = 0;
    for _ in 0..3_000 {
        let mut damaged = bytes.clone();
        for _ in 0..=random.below(3) {
            let at = random.below(damaged.len());
            damaged[at] ^= 1 << random.below(8);
        }
        let Ok(trace) = Trace::parse(damaged) else {
            refused += 1;
            continue;
        };
        for entry in trace.entries() {
            let Ok(entry) = entry else {
                refused += 1;
                break;
            };
            let _ = (
                entry.to_string(),
                entry.calls().iter().map(ToString::to_string).count(),
            );
        }
    }
    assert!(refused > 100, "{refused}");
}

#[test]
fn what_is_no_trace_is_refused_in_words() {
    let other = Trace::parse(b"GIF89a".to_vec()).err().unwrap().to_string();
    assert!(other.contains("run BOARD --record FILE"), "{other}");
    let (mut bytes, _) = blink_trace();
    bytes[14] = 9;
    assert!(matches!(
        Trace::parse(bytes),
        Err(TraceError::Version { found: 9 })
    ));
}

#[test]
fn another_driver_diverges_and_the_first_call_is_named() {
    let (bytes, _) = blink_trace();
    let trace = Trace::parse(bytes).unwrap();
    let error = replay(&trace, Some("blink"), &driver("button_led")).unwrap_err();
    let ReplayError::Diverged(divergence) = error else {
        panic!("{error}")
    };
    println!("{divergence:?}");
    assert!(
        divergence.recorded.starts_with("gpio.pin.open(\"led\""),
        "{divergence:?}"
    );
    let nobody = replay(&trace, Some("lamp"), &driver("blink"))
        .unwrap_err()
        .to_string();
    assert!(
        nobody.contains("no driver `lamp`; it has `blink`"),
        "{nobody}"
    );
}

#[test]
fn a_file_is_written_while_the_board_runs() {
    let path = cache().join("blink.trace");
    let recorder: Arc<Recorder> = Recorder::to_file(&path).unwrap();
    let led = "[driver.gpio]\nled = { line = \"LED\", direction = \"output\" }";
    let board = board_of(entry("blink", &driver("blink"), led), ClockKind::Virtual);
    let board = board.trace(recorder.clone()).build().unwrap();
    board.run_for(Duration::from_secs(10));
    board.shutdown();
    recorder.finish();
    let trace = Trace::read(&path).unwrap();
    let summary = replay(&trace, None, &driver("blink")).unwrap();
    assert!(summary.is_whole && summary.handlers >= 20, "{summary:?}");
}
