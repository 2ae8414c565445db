//! A host that is killed leaves nothing behind that keeps the next one from running.
//!
//! It is alone in here, since it has a cache of its own. 10 rounds, or as many as
//! `LOOPGATE_KILLS` says.

use loopgate_integration::program::Program;
use loopgate_integration::{Random, cache, driver, entry, until};
use serde_json::Value;
use std::path::PathBuf;
use std::time::{Duration, Instant};

const ROUNDS: u32 = 10;

/// A board that leaves a link to a port in its folder.
fn board() -> String {
    let blink = "[driver.gpio]\nled = { line = \"LED\", direction = \"output\" }";
    let gps = "provides = [\"gps\"]\n[driver.serial]\nport = { pty = \"run/gps\", baud = 4800 }";
    let drivers = entry("blink", &driver("blink"), blink) + &entry("gps", &driver("gps_nmea"), gps);
    format!("[board]\nbackend = \"sim\"\n{drivers}")
}

/// The compiled components in the cache; what was being written is not among them.
fn compiled() -> Vec<PathBuf> {
    let listed = std::fs::read_dir(cache().join("loopgate")).expect("compiled code");
    let entries = listed.map(|entry| entry.expect("an entry").path());
    let is_code = |path: &PathBuf| path.is_file() && path.extension().is_none();
    entries.filter(is_code).collect()
}

fn rounds() -> u32 {
    std::env::var("LOOPGATE_KILLS").map_or(ROUNDS, |text| {
        text.parse().expect("`LOOPGATE_KILLS` is a number")
    })
}

fn assert_all_run(program: &Program) {
    let status: Value = serde_json::from_str(&program.says(&["status", "--json"])).unwrap();
    let drivers = status["drivers"].as_array().unwrap();
    assert_eq!(drivers.len(), 2);
    for driver in drivers {
        assert_eq!(driver["state"], "running", "{driver}");
    }
    assert!(program.path("run/gps").exists());
    assert_eq!(compiled().len(), 2);
}

#[test]
fn a_host_that_was_killed_at_any_moment_comes_up_again() {
    let begun = Instant::now();
    let mut program = Program::run(&board());
    // Until it was ready, with everything to compile, and as long again.
    let longest = begun.elapsed() * 2;
    let mut random = Random(9);
    let (mut before_ready, mut uncompiled) = (0, 0);
    for _ in 0..rounds() {
        if random.below(2) == 0 {
            for entry in compiled() {
                std::fs::remove_file(entry).unwrap();
            }
        }
        let moment = Duration::from_nanos(random.below(longest.as_nanos() as usize) as u64);
        program.begin_again();
        let begun = Instant::now();
        until("the moment has come", || begun.elapsed() >= moment);
        let printed = program.kill();
        before_ready += u32::from(!printed.contains("control socket: "));
        uncompiled += u32::from(compiled().len() < 2);
        program.begin_again();
        program.wait_until_ready();
        assert_all_run(&program);
    }
    eprintln!(
        "killed before it was ready: {before_ready}; without all compiled code: {uncompiled}"
    );
}
