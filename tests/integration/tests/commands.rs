//! `loopgate start | stop | reload | logs` on a running board.

use loopgate_integration::program::Program;
use loopgate_integration::{driver, entry, guest, until};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::Stdio;

const BOARD: &str = "[board]\nbackend = \"sim\"\n[[driver]]\nname = \"button\"\n\
    component = \"driver.wasm\"\nprovides = [\"button-led\", \"counter\"]\n[driver.gpio]\n\
    button = { line = \"BUTTON\", direction = \"input\", bias = \"pull-up\", edges = \"both\" }\n\
    in = { line = \"IN\", direction = \"input\", edges = \"both\" }\n\
    led = { line = \"LED\", direction = \"output\" }";

/// A board with a component in its own folder.
fn program(arguments: &[&str]) -> Program {
    Program::prepared(BOARD, arguments, |folder| {
        replace(folder, &driver("button_led"));
    })
}

fn replace(folder: &Path, version: &Path) {
    std::fs::copy(version, folder.join("new")).unwrap();
    std::fs::rename(folder.join("new"), folder.join("driver.wasm")).unwrap();
}

fn fails(program: &Program, arguments: &[&str]) -> String {
    let output = program.command(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn a_driver_is_stopped_started_and_reloaded() {
    let program = program(&["--no-watch"]);
    let said = |arguments: &[&str]| program.says(arguments);
    assert_eq!(said(&["stop", "button"]), "button: stopped, generation 1\n");
    assert_eq!(program.status()["state"], "stopped");
    let error = fails(&program, &["reload", "button"]);
    assert!(error.contains("`loopgate start button`"), "{error}");
    let error = fails(&program, &["call", "button-led", "presses"]);
    assert!(error.contains("it was stopped"), "{error}");
    assert_eq!(
        said(&["start", "button"]),
        "button: running, generation 2\n"
    );
    replace(&program.path(""), &guest("probe_counter"));
    let mut reloaded: serde_json::Value =
        serde_json::from_str(&said(&["reload", "button", "--json"])).unwrap();
    let how = reloaded["last-reload"].take();
    assert_eq!(how["generation"], 3);
    assert_eq!(how["state-bytes"], serde_json::Value::Null);
    assert_eq!(
        reloaded,
        serde_json::json!({"name": "button", "state": "running", "generation": 3, "last-reload": null})
    );
    said(&["call", "counter", "edges"]);
    std::fs::write(program.path("driver.wasm"), "text").unwrap();
    let error = fails(&program, &["reload", "button"]);
    assert!(error.contains("the old version goes on"), "{error}");
    said(&["call", "counter", "edges"]);
    for command in ["start", "stop", "reload", "logs"] {
        let error = fails(&program, &[command, "buton"]);
        assert!(error.contains("its drivers are `button`"), "{error}");
    }
}

#[test]
fn a_changed_component_is_reloaded_and_its_log_tells() {
    let program = program(&[]);
    let mut follower = program
        .command(&["logs", "button", "--follow", "--json"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let mut next =
        || -> serde_json::Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let first = next();
    assert_eq!(first["text"], "running, generation 1");
    assert_eq!(
        (&first["sequence"], &first["level"]),
        (&1.into(), &"info".into())
    );
    replace(&program.path(""), &guest("probe_counter"));
    assert_eq!(next()["text"], "running, generation 2");
    program.says(&["call", "counter", "edges"]);
    let logged = program.says(&["logs", "button", "-n", "1"]);
    assert!(
        logged.ends_with("INFO   running, generation 2\n"),
        "{logged}"
    );
    follower.kill().unwrap();
    follower.wait().unwrap();
    // The connection of the one who is gone ends too.
    until("it is stopped", || {
        program.says(&["stop", "button"]).contains("stopped")
    });
}

/// A driver and one that uses it, on a running board.
#[test]
fn a_stack_is_stopped_and_started_as_one() {
    let part = |name: &str, uses: &str| {
        let rest = format!("provides = [\"{name}\"]\n{uses}\nconfig = {{ service = \"{name}\" }}");
        entry(name, &guest("probe_stack"), &rest)
    };
    let board = "[board]\nbackend = \"sim\"\n".to_owned()
        + &part("low", "")
        + &part("middle", "uses = [\"low\"]")
        + &part("top", "uses = [\"middle\"]");
    let program = Program::run(&board);
    let said = |arguments: &[&str]| program.says(arguments);
    assert_eq!(
        said(&["stop", "low"]),
        "top: stopped, generation 1\nmiddle: stopped, generation 1\nlow: stopped, generation 1\n"
    );
    let status = said(&["status"]);
    let cause = "middle: `low`, which it uses, was stopped\n";
    assert!(status.contains(cause), "{status}");
    let error = fails(&program, &["start", "top"]);
    assert!(error.contains("`loopgate start middle` first"), "{error}");
    let started: serde_json::Value =
        serde_json::from_str(&said(&["start", "low", "--json"])).unwrap();
    let running = |name| serde_json::json!({"name": name, "state": "running", "generation": 2});
    let mut expected = running("low");
    expected["with"] = serde_json::json!([running("middle"), running("top")]);
    assert_eq!(started, expected);
    assert_eq!(said(&["stop", "top"]), "top: stopped, generation 2\n");
}
