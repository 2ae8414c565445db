//! Real receivers through a real tty: recorded logs, written into the
//! pseudo-terminal of a running program.

use loopgate_integration::program::Program;
use loopgate_integration::{Random, data, driver, entry, until};
use serde_json::Value;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

fn gps() -> Program {
    let rest = "provides = [\"gps\"]\n[driver.serial]\nport = { pty = \"run/gps\", baud = 4800 }";
    Program::run(&format!(
        "[board]\nbackend = \"sim\"\n{}",
        entry("gps", &driver("gps_nmea"), rest)
    ))
}

/// The device's end. It may come and go.
fn device(program: &Program) -> File {
    OpenOptions::new()
        .write(true)
        .open(program.path("run/gps"))
        .expect("the link is there")
}

fn taken(program: &Program) -> u64 {
    program.status()["ports"]["port"]["bytes-in"]
        .as_u64()
        .expect("the port is open")
}

fn position(program: &Program) -> Value {
    assert_eq!(program.status()["state"], "running");
    serde_json::from_str(&program.says(&["call", "gps", "position"])).expect("a line of JSON")
}

/// A log, and the position that the reference decoder has at its end.
struct Log {
    name: String,
    bytes: Vec<u8>,
    fix: Option<(f64, f64)>,
}

fn logs() -> Vec<Log> {
    let Some(folder) = data("nmea") else {
        return Vec::new();
    };
    let mut logs: Vec<Log> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .map(|path| log(&path))
        .collect();
    logs.sort_by(|one, other| one.name.cmp(&other.name));
    assert_eq!(logs.len(), 7);
    logs
}

fn log(path: &Path) -> Log {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let reference = std::fs::read_to_string(path.with_extension("log.chk")).unwrap();
    let fix = reference
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|line| line["class"] == "TPV")
        .filter_map(|line| Some((line["lat"].as_f64()?, line["lon"].as_f64()?)))
        .next_back();
    // All binary: the reference decoder reads that too, an NMEA reader must
    // find nothing in it.
    let binary = name == "bu303-moving.log";
    Log {
        bytes: std::fs::read(path).unwrap(),
        fix: fix.filter(|_| !binary),
        name,
    }
}

fn assert_fix(log: &Log, position: &Value) {
    let seen = (position["lat"].as_f64(), position["lon"].as_f64());
    match (log.fix, seen) {
        (Some((lat, lon)), (Some(seen_lat), Some(seen_lon))) => {
            let near = (lat - seen_lat).abs() < 2e-6 && (lon - seen_lon).abs() < 2e-6;
            assert!(near, "{}: {position}, not {lat} {lon}", log.name);
        }
        (None, (None, None)) => {}
        (expected, _) => panic!("{}: {position}, not {expected:?}", log.name),
    }
}

#[test]
fn every_log_gives_the_last_fix_of_the_reference() {
    for log in logs() {
        let program = gps();
        device(&program).write_all(&log.bytes).unwrap();
        until("all is taken", || taken(&program) == log.bytes.len() as u64);
        assert_fix(&log, &position(&program));
    }
}

#[test]
fn a_log_in_random_pieces_gives_the_same() {
    let mut random = Random(7);
    for log in logs() {
        let program = gps();
        let mut rest = &log.bytes[..];
        let mut written = 0;
        while !rest.is_empty() {
            let (piece, later) = rest.split_at((1 + random.below(200)).min(rest.len()));
            // Each time another program is the device, and now and then it
            // is so slow that the driver has seen all there is.
            device(&program).write_all(piece).unwrap();
            (rest, written) = (later, written + piece.len() as u64);
            if random.below(4) == 0 {
                until("the piece is taken", || taken(&program) == written);
            }
        }
        until("all is taken", || taken(&program) == written);
        assert_fix(&log, &position(&program));
    }
}

#[test]
fn noise_between_sentences_changes_nothing() {
    let mut random = Random(11);
    for log in logs() {
        let program = gps();
        let mut noisy = Vec::new();
        for line in log.bytes.split_inclusive(|&byte| byte == b'\n') {
            noisy.extend_from_slice(line);
            // A log that is noise itself has no sentences to put it between.
            if line.starts_with(b"$") {
                let length = random.below(120);
                noisy.extend((0..length).map(|_| random.below(256) as u8));
            }
        }
        device(&program).write_all(&noisy).unwrap();
        until("all is taken", || taken(&program) == noisy.len() as u64);
        assert_fix(&log, &position(&program));
    }
}
