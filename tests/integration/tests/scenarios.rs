//! The scenarios of the sample drivers, and what the kit says of drivers that do
//! something else.

use loopgate::VcdFile;
use loopgate::devices::capture;
use loopgate_conform::report::{Failure, MomentKind, Outcome, ScenarioResult};
use loopgate_conform::{Scenario, Subject, scenario};
use loopgate_integration::{data, driver, guest, root};
use std::path::{Path, PathBuf};

/// The folders of the sample drivers, in the order of their names.
fn samples() -> Vec<PathBuf> {
    let folders = std::fs::read_dir(root().join("sample-drivers")).unwrap();
    let folders = folders.map(|entry| entry.unwrap().path());
    let mut samples: Vec<_> = folders.filter(|path| path.join("src").is_dir()).collect();
    samples.sort();
    samples
}

fn component(sample: &Path) -> PathBuf {
    let name = sample.file_name().unwrap().to_str().unwrap();
    driver(&name.replace('-', "_"))
}

fn played(path: &Path, component: &Path) -> ScenarioResult {
    let scenario = Scenario::read(path).unwrap_or_else(|error| panic!("{error}"));
    let subject = scenario.subject(component);
    let subject = subject.unwrap_or_else(|error| panic!("{error}"));
    let subject = subject.unwrap_or_else(|| panic!("{}: no board", path.display()));
    let result = scenario.run(&subject, None);
    result.unwrap_or_else(|error| panic!("{error}"))
}

/// Why a scenario failed.
fn failure(result: &ScenarioResult) -> &Failure {
    match &result.outcome {
        Outcome::Failed(failure) => failure,
        other => panic!("{}: {other:?}", result.file),
    }
}

/// A scenario of these steps for `component` on this board, and what came of it.
fn scene(board: &str, component: &Path, steps: &str) -> ScenarioResult {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("board.toml");
    std::fs::write(&path, format!("[board]\nbackend = \"sim\"\n{board}")).unwrap();
    let subject = Subject::new(component, Some(&path), None);
    let subject = subject.unwrap_or_else(|error| panic!("{error}"));
    let scenario = Scenario::parse(&format!("title = \"t\"\n{steps}"), "t.toml");
    let scenario = scenario.unwrap_or_else(|error| panic!("{error}"));
    let result = scenario.run(&subject, None);
    result.unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_sample_driver_does_what_its_scenarios_say() {
    let mut failed = Vec::new();
    for sample in samples() {
        let found = scenario::find(sample.join("conform")).unwrap_or_default();
        if found.len() < 2 {
            failed.push(format!("{}: {} scenarios", sample.display(), found.len()));
        }
        for path in found {
            let begun = std::time::Instant::now();
            let result = played(&path, &component(&sample));
            eprintln!("{:?} {}", begun.elapsed(), path.display());
            if let Outcome::Failed(failure) = &result.outcome {
                let evidence = failure.evidence.join("\n");
                failed.push(format!(
                    "{}: {}\n{evidence}",
                    path.display(),
                    failure.message
                ));
            }
        }
    }
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

/// Each run is the same, to the byte.
#[test]
fn a_scenario_played_twice_is_the_same() {
    for sample in samples() {
        for path in scenario::find(sample.join("conform")).unwrap_or_default() {
            let play = || serde_json::to_string(&played(&path, &component(&sample))).unwrap();
            assert_eq!(play(), play(), "{}", path.display());
        }
    }
}

const LAMP: &str = r#"
[[driver]]
name = "lamp"
component = "blink.wasm"
config = { period-ms = "500" }
[driver.gpio]
led = { line = "LED", direction = "output" }
"#;

#[test]
fn what_was_missed_stands_with_what_was_seen_on_one_timeline() {
    let steps = r#"
[[step]]
at = "400 ms"
expect = { line = "LED", level = "low" }
[[step]]
at = "500 ms"
expect = { line = "LED", level = "low" }
[[step]]
at = "600 ms"
pulse = { line = "LED", level = "high", width = "400 ms", tolerance = "10 ms", within = "1 s" }
[[step]]
at = "2 s"
expect = { line = "LED", level = "low" }
"#;
    let result = scene(LAMP, &driver("blink"), steps);
    let failure = failure(&result);
    assert_eq!(
        failure.message,
        "at 500 ms, LED should be low, and is high since 500 ms (t.toml:7); 1 more were missed"
    );
    assert_eq!(
        failure.evidence,
        [
            "           0 s  seen    `lamp` logs info: running, generation 1",
            "        400 ms  met     LED is low",
            "        500 ms  seen    LED rises",
            "        500 ms  MISSED  LED should be low, and is high since 500 ms",
            "       1000 ms  seen    LED falls",
            "       1500 ms  seen    LED rises",
            "       1600 ms  MISSED  LED should be high for 400 ms +- 10 ms, from 600 ms to 1600 ms on, and was for 500 ms from 1500 ms on",
            "       2000 ms  seen    LED falls",
            "       2000 ms  met     LED is low",
        ]
    );
    let wave = &result.waves["LED"];
    assert!(!wave.initial);
    let changes = [500, 1000, 1500, 2000].map(|ms| ms * 1_000_000);
    assert_eq!(wave.changes_ns, changes);
}

#[test]
fn a_driver_that_fails_on_the_way_has_not_passed() {
    let board = "[[driver]]\nname = \"d\"\ncomponent = \"d.wasm\"\n";
    let steps = "[[step]]\nat = \"1 s\"\npower = \"sleep\"\n";
    // Nothing is granted to it.
    let result = scene(board, &driver("blink"), steps);
    let message = &failure(&result).message;
    assert!(
        message.starts_with("at 0 s, `d` should start, and is failed: "),
        "{message}"
    );
    assert!(message.contains("led"), "{message}");
}

#[test]
fn what_the_board_has_not_is_refused_with_its_place() {
    let component = driver("blink");
    let subject = Subject::new(&component, None, None).unwrap();
    for (step, words) in [
        (
            "set = { line = \"X\", level = \"low\" }",
            "no line `X`; it has none",
        ),
        (
            "quiet = { port = \"X\", for = \"1 s\" }",
            "no port `X`; it has none",
        ),
        (
            "call = { service = \"X\", selector = 1 }",
            "no service `X`; it has none",
        ),
        ("reload = \"X\"", "no driver `X`; it has `blink`"),
    ] {
        let text = format!("title = \"t\"\n[[step]]\nat = \"0 s\"\n{step}\n");
        let scenario = Scenario::parse(&text, "dir/t.toml").unwrap();
        let error = scenario.run(&subject, None).unwrap_err().to_string();
        assert!(
            error.starts_with("dir/t.toml:3: ") && error.contains(words),
            "{error}"
        );
    }
}

#[test]
fn a_call_that_waits_keeps_no_step_from_its_time() {
    let board = "[[driver]]\nname = \"echo\"\ncomponent = \"e.wasm\"\nprovides = [\"gps\"]\n\
         [driver.serial]\nport = { sim = \"p\" }\n";
    let steps = r#"
[[step]]
at = "1 s"
call = { service = "gps", selector = "next-fix", within = "10 s", error = "driver-died" }
[[step]]
at = "2 s"
call = { service = "gps", selector = "position", within = "0 s" }
[[step]]
at = "3 s"
stop = true
"#;
    let result = scene(board, &driver("gps_nmea"), steps);
    assert_eq!(result.outcome, Outcome::Passed, "{:?}", result.timeline);
    let met = result
        .timeline
        .iter()
        .filter(|moment| moment.kind == MomentKind::Met);
    let times: Vec<_> = met.map(|moment| moment.at_ns / 1_000_000_000).collect();
    assert_eq!(times, [2, 3]);
}

#[test]
fn a_driver_that_traps_has_not_passed_even_where_it_is_started_again() {
    // It traps 1 ms after each start.
    let board = "[[driver]]\nname = \"d\"\ncomponent = \"d.wasm\"\nconfig = { when = \"timer\" }\n\
         restart = { budget = 1, backoff = \"100 ms\" }\n";
    for (restarts, end, passes) in [
        (0, 50, false),
        (0, 101, false),
        (1, 101, true),
        (1, 103, false),
    ] {
        let steps = format!("restarts = {restarts}\n[[step]]\nat = \"{end} ms\"\npower = \"on\"\n");
        let result = scene(board, &guest("hostile_trap"), &steps);
        let message = match &result.outcome {
            Outcome::Failed(failure) => failure.message.clone(),
            _ => String::new(),
        };
        assert_eq!(message.is_empty(), passes, "{message}");
        assert_eq!(
            message.contains("`d` should not fail"),
            !passes,
            "{message}"
        );
    }
}

#[test]
fn a_capture_is_played_and_the_lines_are_recorded() {
    const REMOTE: &str = "logic/tv_matsui_0001_buttons_1234567890_hold.sr";
    let Some(remote) = data(REMOTE) else { return };
    let folder = tempfile::tempdir().unwrap();
    let board = folder.path().join("board.toml");
    let text = format!(
        "[board]\nbackend = \"sim\"\n[[board.play]]\ncapture = \"{}\"\nchannel = \"IR Toy IRRX\"\nline = \"IR\"\n\
         [[driver]]\nname = \"ir\"\ncomponent = \"ir.wasm\"\nprovides = [\"ir\"]\n\
         [driver.gpio]\nir = {{ line = \"IR\", direction = \"input\", edges = \"both\" }}\n",
        remote.canonicalize().unwrap().display()
    );
    std::fs::write(&board, text).unwrap();
    let steps = "title = \"t\"\n[[step]]\nat = \"11 s\"\n\
         call = { service = \"ir\", selector = \"keys\", reply = { contains = '\"address\":64,\"command\":1}' } }\n";
    let scenario = Scenario::parse(steps, "t.toml").unwrap();
    let subject = Subject::new(&driver("ir_nec"), Some(&board), None).unwrap();
    let vcd = folder.path().join("lines.vcd");
    let result = scenario.run(&subject, Some(VcdFile::new(&vcd))).unwrap();
    assert_eq!(result.outcome, Outcome::Passed, "{:?}", result.timeline);
    let changes = &result.waves["IR"].changes_ns;
    assert!(
        changes.len() > 500 && changes.is_sorted(),
        "{}",
        changes.len()
    );
    let recorded = capture::open(&vcd).unwrap();
    assert!(recorded.position("IR").is_some());
}
