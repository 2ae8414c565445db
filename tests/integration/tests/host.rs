//! The host itself: what it drops, how it ends, how its board file changes.

use loopgate_integration::program::Program;
use loopgate_integration::{cache, driver, entry, guest, until};
use serde_json::{Value, json};
use std::path::Path;

const SIM: &str = "[board]\nbackend = \"sim\"\n";

fn echo(name: &str, more: &str) -> String {
    let rest = format!("provides = [\"{name}\"]\nconfig = {{ service = \"{name}\" }}\n{more}");
    entry(name, &guest("probe_echo"), &rest)
}

/// A lamp whose component lies in the board's own folder.
fn blink() -> String {
    format!(
        "{SIM}[[driver]]\nname = \"blink\"\ncomponent = \"driver.wasm\"\n[driver.gpio]\nled = {{ line = \"LED\", direction = \"output\" }}\n"
    )
}

fn put_blink(folder: &Path) {
    std::fs::copy(driver("blink"), folder.join("driver.wasm")).unwrap();
}

fn whole_status(program: &Program) -> Value {
    serde_json::from_str(&program.says(&["status", "--json"])).unwrap()
}

/// Each driver's name, state and generation.
fn drivers(program: &Program) -> Vec<(String, String, u64)> {
    let status = whole_status(program);
    let drivers = status["drivers"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    drivers
        .map(|driver| {
            let generation = driver["generation"].as_u64().unwrap();
            (text(&driver["name"]), text(&driver["state"]), generation)
        })
        .collect()
}

fn fails(program: &Program, arguments: &[&str]) -> String {
    let output = program.command(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A field of `/proc/PID/task/*/status`, of every thread.
fn of_threads(program: &Program, field: &str) -> Vec<String> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", program.id())).unwrap();
    // A thread may end meanwhile.
    let texts =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("status")).ok());
    texts
        .map(|text| {
            let mut lines = text.lines();
            let line = lines.find_map(|line| line.strip_prefix(field)).unwrap();
            line.trim().to_owned()
        })
        .collect()
}

/// Whether this kernel has both; said aloud where not.
fn is_held(program: &Program) -> bool {
    let sandbox = whole_status(program)["sandbox"].clone();
    let on = |by: &str| sandbox[by].as_str().unwrap().starts_with("on");
    let held = on("landlock") && on("seccomp");
    if !held {
        eprintln!("SKIPPED: this kernel cannot hold the host: {sandbox}");
    }
    held
}

/// Has the component lead to a file outside of what the board names, which is a
/// good one.
fn lead_outside(program: &Program) -> tempfile::TempDir {
    let outside = tempfile::tempdir().unwrap();
    put_blink(outside.path());
    let link = program.path("new");
    std::os::unix::fs::symlink(outside.path().join("driver.wasm"), &link).unwrap();
    std::fs::rename(link, program.path("driver.wasm")).unwrap();
    outside
}

#[test]
fn the_host_holds_itself_in_every_thread() {
    let program = Program::prepared(&blink(), &["--no-watch"], put_blink);
    if !is_held(&program) {
        return;
    }
    let shown = program.says(&["status"]);
    assert!(shown.contains("host held by seccomp: on\n"), "{shown}");
    let seccomp = of_threads(&program, "Seccomp:");
    assert!(
        seccomp.len() > 3 && seccomp.iter().all(|mode| mode == "2"),
        "{seccomp:?}"
    );
    let privileges = of_threads(&program, "NoNewPrivs:");
    assert!(privileges.iter().all(|set| set == "1"), "{privileges:?}");
    // A link to a good component elsewhere: the file is closed to it.
    let _outside = lead_outside(&program);
    let error = fails(&program, &["reload", "blink"]);
    for part in [
        "the old version goes on",
        "Permission denied",
        "a restart of the host",
    ] {
        assert!(error.contains(part), "{error}");
    }
    assert_eq!(drivers(&program), [("blink".into(), "running".into(), 1)]);
    // What it has open goes on: the folder of the board, also for a new file.
    std::fs::remove_file(program.path("driver.wasm")).unwrap();
    put_blink(&program.path(""));
    program.says(&["reload", "blink"]);
}

#[test]
fn without_its_sandbox_the_host_has_all_rights_of_its_user() {
    let program = Program::prepared(&blink(), &["--no-watch", "--sandbox", "off"], put_blink);
    let status = whole_status(&program);
    assert_eq!(
        status["sandbox"],
        json!({"landlock": "off", "seccomp": "off"})
    );
    let _outside = lead_outside(&program);
    program.says(&["reload", "blink"]);
}

#[test]
fn a_recording_and_the_links_of_ports_are_made_all_the_same() {
    let gps = entry(
        "gps",
        &driver("gps_nmea"),
        "provides = [\"gps\"]\n[driver.serial]\nport = { pty = \"run/here/gps\", baud = 4800 }",
    );
    let outside = tempfile::tempdir().unwrap();
    let vcd = outside.path().join("lines.vcd");
    let arguments = ["--vcd", vcd.to_str().unwrap()];
    let program = Program::prepared(&format!("{SIM}{gps}"), &arguments, |_| ());
    assert_eq!(drivers(&program), [("gps".into(), "running".into(), 1)]);
    assert!(program.path("run/here/gps").exists());
    program.signal("-TERM");
    let link = program.path("run/here/gps");
    assert_eq!(program.wait(), Some(0));
    assert!(link.symlink_metadata().is_err(), "its link was not removed");
    assert!(std::fs::read_to_string(vcd).unwrap().contains("$timescale"));
}

#[test]
fn the_board_changes_to_what_its_file_says() {
    let file = |drivers: &[String]| format!("{SIM}{}", drivers.concat());
    let before = file(&[echo("kept", ""), echo("other", ""), echo("gone", "")]);
    let program = Program::prepared(&before, &[], |folder| {
        std::fs::copy(driver("button_led"), folder.join("new.wasm")).unwrap();
    });
    let replace = |text: &str| {
        // As editors do.
        std::fs::write(program.path("new"), text).unwrap();
        std::fs::rename(program.path("new"), program.path("board.toml")).unwrap();
    };
    program.says(&["reload", "kept"]);
    let new = entry(
        "new",
        Path::new("new.wasm"),
        "work-loop = \"dedicated\"\nprovides = [\"button-led\"]\n[driver.gpio]\n\
         button = { line = \"BUTTON\", direction = \"input\", edges = \"both\" }\n\
         led = { line = \"LED\", direction = \"output\" }",
    );
    let more = "limits = { memory = \"2 MiB\" }";
    replace(&file(&[echo("kept", ""), echo("other", more), new.clone()]));
    let changes: Value =
        serde_json::from_str(&program.says(&["reload", "--board", "--json"])).unwrap();
    assert_eq!(
        changes,
        json!({
            "added": ["new"], "changed": ["other"], "reloaded": [], "refused": {},
            "removed": ["gone"], "restarted": [], "unchanged": ["kept"]
        })
    );
    let running = |name: &str, generation| (name.to_owned(), "running".to_owned(), generation);
    let now = [running("kept", 2), running("other", 1), running("new", 1)];
    assert_eq!(drivers(&program), now);
    // Its line is there, which no driver had before.
    program.says(&["sim", "set", "BUTTON", "low"]);
    fails(&program, &["call", "gone", "same"]);
    // Nothing is different.
    let said = program.says(&["reload", "--board"]);
    assert_eq!(said, "3 unchanged\n");
    // A mistake, or other hardware, changes nothing.
    for (text, part) in [
        (format!("{SIM}[[driver]]\nname = 7\n"), "board.toml:4"),
        (
            format!("{SIM}clock = \"virtual\"\n"),
            "only drivers can change",
        ),
    ] {
        replace(&text);
        let error = fails(&program, &["reload", "--board"]);
        assert!(
            error.contains("was not changed") && error.contains(part),
            "{error}"
        );
        assert_eq!(drivers(&program), now);
    }
    // By signal. The dedicated loop goes with its driver.
    replace(&file(&[echo("kept", "")]));
    program.signal("-HUP");
    until("the board is another", || {
        drivers(&program) == [running("kept", 2)]
    });
    let loops = || of_threads(&program, "Name:");
    until("its thread has ended", || {
        !loops().contains(&"loop-new".to_owned())
    });
    // The file in its place is claimed as the first one was.
    let socket = program.path("socket2");
    let second = [
        "run",
        program.path("board.toml").to_str().unwrap(),
        "--socket",
        socket.to_str().unwrap(),
    ]
    .map(str::to_owned);
    let error = fails(&program, &second.each_ref().map(String::as_str));
    assert!(error.contains("is run by another loopgate"), "{error}");
}

#[test]
fn a_driver_that_comes_later_uses_services_that_were_there_before() {
    let disk = entry(
        "ram-block",
        &driver("ram_block"),
        "provides = [\"ram-block\"]",
    );
    let cache = entry(
        "block-cache",
        &driver("block_cache"),
        "provides = [\"block-cache\"]\nuses = [\"ram-block\"]",
    );
    let program = Program::run(&format!("{SIM}{disk}"));
    program.says(&["call", "ram-block", "write", "1000", "--data", "text:hello"]);
    std::fs::write(program.path("board.toml"), format!("{SIM}{disk}{cache}")).unwrap();
    let said = program.says(&["reload", "--board"]);
    assert_eq!(said, "added block-cache; 1 unchanged\n");
    let read = program.says(&["call", "block-cache", "read", "1000", "5"]);
    assert!(read.contains("hello"), "{read}");
}

#[test]
fn a_driver_that_comes_later_is_watched() {
    let program = Program::prepared(&blink(), &[], put_blink);
    let later = program.path("later");
    std::fs::create_dir(&later).unwrap();
    put_blink(&later);
    let text = blink()
        + "[[driver]]\nname = \"later\"\ncomponent = \"later/driver.wasm\"\n[driver.gpio]\nled = { line = \"LAMP\", direction = \"output\" }\n";
    std::fs::write(program.path("board.toml"), text).unwrap();
    program.says(&["reload", "--board"]);
    // Another version: the same, with an empty custom section.
    let mut version = std::fs::read(driver("blink")).unwrap();
    version.extend([0, 2, 1, b'x']);
    std::fs::write(later.join("new"), version).unwrap();
    std::fs::rename(later.join("new"), later.join("driver.wasm")).unwrap();
    until("it was reloaded", || {
        drivers(&program)[1] == ("later".into(), "running".into(), 2)
    });
}

/// A board with a driver that takes ten seconds of processor time to stop.
fn slow_to_stop(arguments: &[&str]) -> Program {
    let slow = entry(
        "slow",
        &guest("hostile_spin"),
        "provides = [\"slow\"]\nconfig = { when = \"stop\", service = \"slow\" }\n\
         limits = { handler-cpu = \"10 s\", handler-wall = \"60 s\" }\n[driver.gpio]\n\
         in = { line = \"IN\", direction = \"input\", edges = \"both\" }",
    );
    let program = Program::prepared(&format!("{SIM}{slow}"), arguments, |_| ());
    assert_eq!(drivers(&program), [("slow".into(), "running".into(), 1)]);
    program
}

#[test]
fn an_end_in_order_has_a_limit() {
    let program = slow_to_stop(&["--stop-limit", "200 ms"]);
    program.signal("-TERM");
    assert_eq!(program.wait(), Some(1));
}

/// A change of the board waits for a change of its power, which waits for a driver.
#[test]
fn an_end_does_not_wait_for_the_board_file_to_be_read_again() {
    let later = entry(
        "later",
        &guest("probe_power"),
        "provides = [\"power\", \"power-control\"]\nconfig = { answer = \"60000\" }",
    );
    let program = Program::prepared(&format!("{SIM}{later}"), &["--stop-limit", "30 s"], |_| ());
    let mut sleeps = program.command(&["power", "sleep"]).spawn().unwrap();
    until("the driver was told", || {
        let log = program.says(&["logs", "later"]);
        log.contains("set Sleep")
    });
    program.signal("-HUP");
    program.signal("-TERM");
    assert_eq!(program.wait(), Some(0));
    let _ = sleeps.wait();
}

#[test]
fn a_second_signal_ends_at_once() {
    let mut program = slow_to_stop(&["--stop-limit", "1 h"]);
    // Two that come at the same time may count as one.
    until("it has ended", || {
        program.signal("-TERM");
        program.has_ended()
    });
    assert_eq!(program.wait(), Some(1));
}

/// The last level of each line in a recording.
fn last_levels(vcd: &Path) -> std::collections::BTreeMap<String, char> {
    let text = std::fs::read_to_string(vcd).unwrap();
    let names: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("$var wire 1 ")?.split_once(' '))
        .collect();
    let level = |id: &str| {
        let mut changes = text.lines().rev();
        changes.find_map(|line| line.strip_suffix(id)?.chars().next())
    };
    names
        .into_iter()
        .map(|(id, rest)| {
            let name = rest.trim_end_matches(" $end").to_owned();
            (name, level(id).expect("each line has a level"))
        })
        .collect()
}

#[test]
fn rule_14_outputs_are_in_their_safe_states_when_the_host_was_ended() {
    // Each is driven to the other level first, as far as it has one.
    let states = [
        ("low", "high", '0'),
        ("high", "low", '1'),
        ("input", "high", '0'),
        ("hold", "high", '1'),
    ];
    let driver = |(state, level, _): &(&str, &str, char)| {
        let rest = format!(
            "provides = [\"{state}\"]\nconfig = {{ service = \"{state}\", out = \"{level}\" }}\n[driver.gpio]\n\
             out = {{ line = \"{state}\", direction = \"output\", on-death = \"{state}\" }}"
        );
        entry(state, &guest("probe_mortal"), &rest)
    };
    let board = format!("{SIM}{}", states.iter().map(driver).collect::<String>());
    for signal in ["-TERM", "-INT"] {
        let outside = tempfile::tempdir().unwrap();
        let vcd = outside.path().join("lines.vcd");
        let program = Program::prepared(&board, &["--vcd", vcd.to_str().unwrap()], |_| ());
        let shown = program.says(&["sim", "show", "--json"]);
        let shown: Value = serde_json::from_str(&shown).unwrap();
        for line in shown.as_array().unwrap() {
            let (_, level, _) = states.iter().find(|state| line["name"] == state.0).unwrap();
            assert_eq!(line["high"], *level == "high", "{line}");
        }
        program.signal(signal);
        assert_eq!(program.wait(), Some(0));
        let expected = states.map(|(state, _, level)| (state.to_owned(), level));
        assert_eq!(last_levels(&vcd), expected.into(), "{signal}");
    }
}

/// What a trap leaves, under this much of a sandbox.
fn crash_report(sandbox: &str) -> Value {
    let rest = "provides = [\"bad\"]\nconfig = { when = \"command\", service = \"bad\" }";
    let board = format!("{SIM}{}", entry("bad", &guest("hostile_trap"), rest));
    let program = Program::prepared(&board, &["--sandbox", sandbox], |_| ());
    fails(&program, &["call", "bad", "1"]);
    let path = || program.status()["restarts"]["crash-report"].clone();
    until("the report is written", || path().is_string());
    let path = path();
    let path = Path::new(path.as_str().unwrap());
    assert!(path.starts_with(cache()), "{}", path.display());
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_trap_leaves_its_report_also_where_the_host_is_held() {
    let kernel = Program::prepared(&blink(), &["--no-watch"], put_blink);
    let sandbox = if is_held(&kernel) { "require" } else { "off" };
    let report = crash_report(sandbox);
    assert_eq!(report["driver"], "bad");
    assert_eq!(report["handler"], "command");
    assert_eq!(report["then"], "failed");
    let cause = report["cause"].as_str().unwrap();
    assert!(cause.contains("unreachable"), "{cause}");
    let innermost = report["backtrace"][0].to_string();
    assert!(!innermost.is_empty(), "{report}");
    let calls = report["calls"].as_array().unwrap().iter();
    let calls: Vec<_> = calls
        .map(|call| call["handler"].as_str().unwrap())
        .collect();
    assert_eq!(calls, ["start", "command"]);
}
