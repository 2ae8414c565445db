//! `loopgate run --record` and `loopgate replay`, with what can befall a file.

use loopgate::control::{Call, Client, Place, Request, Response, Selector};
use loopgate_integration::program::Program;
use loopgate_integration::{driver, entry, guest, root, until};
use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

/// Two minutes of a lamp's life take a second.
const LAMP: &str = "config = { period-ms = \"4\" }\n[driver.gpio]\n\
    led = { line = \"LED\", direction = \"output\" }";

fn blink() -> String {
    format!(
        "[board]\nbackend = \"sim\"\n{}",
        entry("blink", &driver("blink"), LAMP)
    )
}

/// A board that is recorded to `trace`, in the sandbox if the kernel has one.
fn recorded(board: &str, trace: &Path) -> Program {
    Program::prepared(board, &["--record", &trace.display().to_string()], |_| ())
}

/// What `loopgate replay` says of a driver, and whether it was the same.
fn replayed(program: &Program, trace: &Path, name: &str, component: &Path) -> (String, bool) {
    let (trace, component) = (trace.display().to_string(), component.display().to_string());
    let command = ["replay", &trace, &component, "--driver", name];
    let output = program.command(&command).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (text, output.status.success())
}

fn ends(program: Program) {
    program.signal("-TERM");
    assert_eq!(program.wait(), Some(0));
}

/// How often the lamp was switched.
fn switched(program: &Program) -> u64 {
    program.status()["counts"]["timeouts"].as_u64().unwrap()
}

fn goes_on(program: &Program) {
    let before = switched(program);
    until("the board goes on", || switched(program) > before + 10);
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |meta| meta.len())
}

const CANNOT: &str = "cannot be written: ";

#[test]
fn a_killed_host_leaves_what_replays_up_to_the_cut() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("cut.trace");
    let mut program = recorded(&blink(), &trace);
    until("something was written", || size(&trace) > 4_000);
    program.kill();
    let (text, same) = replayed(&program, &trace, "blink", &driver("blink"));
    assert!(same && text.contains("the recording was cut off here"), "{text}");
}

#[test]
fn a_full_disk_ends_the_recording_and_nothing_else() {
    let program = recorded(&blink(), Path::new("/dev/full"));
    until("it is logged", || program.log().contains(CANNOT));
    goes_on(&program);
    let log = program.log();
    assert_eq!(log.matches(CANNOT).count(), 1, "{log}");
    assert!(log.contains("No space left"), "{log}");
    ends(program);
}

/// Of a disk that is full later, what fitted is replayed.
#[test]
fn what_fitted_on_a_full_disk_is_replayed() {
    let folder = tempfile::tempdir().unwrap();
    let mounted = std::process::Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=16k", "none"])
        .arg(folder.path())
        .output();
    if !mounted.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: only root can mount a small disk");
        return;
    }
    let trace = folder.path().join("full.trace");
    let program = recorded(&blink(), &trace);
    until("it is logged", || program.log().contains(CANNOT));
    goes_on(&program);
    let (text, same) = replayed(&program, &trace, "blink", &driver("blink"));
    ends(program);
    let unmounted = std::process::Command::new("umount").arg(folder.path()).status();
    assert!(unmounted.unwrap().success());
    assert!(same && text.contains("cut off here"), "{text}");
}

#[test]
fn a_removed_file_is_told_of_once() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("gone.trace");
    let program = recorded(&blink(), &trace);
    until("something was written", || size(&trace) > 0);
    std::fs::remove_file(&trace).unwrap();
    until("it is logged", || program.log().contains(CANNOT));
    goes_on(&program);
    let log = program.log();
    assert_eq!(log.matches(CANNOT).count(), 1, "{log}");
    assert!(log.contains("it was removed"), "{log}");
    ends(program);
}

/// A changed driver, and the program's words for where.
#[test]
fn a_changed_handler_is_named_with_its_first_other_call() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("other.trace");
    let program = recorded(&blink(), &trace);
    goes_on(&program);
    ends_with(program, |program| {
        let (text, same) = replayed(program, &trace, "blink", &driver("blink"));
        assert!(same, "{text}");
        let (text, same) = replayed(program, &trace, "blink", &fast_blink(folder.path()));
        println!("{text}");
        assert!(!same && text.contains("diverges at"), "{text}");
        let line = |head: &str| {
            let found = text.lines().find(|line| line.trim().starts_with(head));
            found.unwrap_or_default().to_owned()
        };
        for head in ["recorded", "now"] {
            assert!(line(head).contains("timer-event-source.wake-at("), "{text}");
        }
        assert!(text.contains("the component is another") || line("recorded") != line("now"));
    });
}

/// Ends it and looks at what it has left.
fn ends_with(program: Program, look: impl FnOnce(&Program)) {
    program.signal("-TERM");
    let mut program = program;
    until("it ends", || program.has_ended());
    look(&program);
}
