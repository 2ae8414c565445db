//! Every guest that misbehaves has its verdict, in the words of the limit that
//! it hit, wherever it misbehaves.

use loopgate::{Board, ErrorCode, Request, State};
use loopgate_integration::hostile::{ALL, Hostile, Verdict, handler, line};
use loopgate_integration::{assert_running, entry, guest, log, refused, state, virtual_board};
use std::time::Duration;

fn board_of(hostile: &Hostile, when: &str) -> Board {
    let echo = entry("echo", &guest("probe_echo"), "provides = [\"echo\"]");
    virtual_board(echo + &hostile.entry("bad", when, ""))
}

/// It ended, and the cause names what was hit and the handler that hit it; or
/// it told what it was to tell, and nothing ended.
fn assert_verdict(board: &Board, hostile: &Hostile, when: &str, told: &str) {
    let what = format!("{} ({when})", hostile.name());
    let (state, cause) = state(board, "bad");
    match hostile.verdict {
        Verdict::Fails(_) => {
            let words = hostile.end(when).unwrap();
            assert_eq!(state, State::Failed, "{what}");
            let end = format!("(in `{}`)", handler(when));
            assert!(
                cause.contains(words) && cause.ends_with(&end),
                "{what}: {cause}"
            );
        }
        Verdict::Outlived(_) | Verdict::Runs | Verdict::Any => {}
        Verdict::Tells(words) => {
            assert_ne!(state, State::Failed, "{what}: {cause}");
            // A flood of the log leaves no room for its own end.
            assert!(
                hostile.guest == "hostile_log" || told.contains(words),
                "{what}: {told}"
            );
        }
    }
}

fn all_at(when: &str, set_off: impl Fn(&Board)) {
    for hostile in ALL.iter().filter(|hostile| hostile.can(when)) {
        let board = board_of(hostile, when);
        assert_running(&board, "bad");
        let ((), log) = log::capture(|| set_off(&board));
        assert_verdict(&board, hostile, when, &log);
        assert_running(&board, "echo");
    }
}

#[test]
fn in_start() {
    for hostile in ALL {
        let (board, log) = log::capture(|| board_of(hostile, "start"));
        assert_verdict(&board, hostile, "start", &log);
        assert_running(&board, "echo");
    }
}

#[test]
fn at_an_interrupt() {
    all_at("interrupt", |board| {
        board.sim().set(&line("bad"), true).unwrap();
        board.run_for(Duration::from_millis(1));
    });
}

#[test]
fn at_a_timer() {
    all_at("timer", |board| board.run_for(Duration::from_millis(2)));
}

#[test]
fn in_a_command() {
    for hostile in ALL {
        let board = board_of(hostile, "command");
        match board.call("bad", Request::numbered(1)) {
            Ok(reply) => {
                let told = String::from_utf8(reply.data).unwrap();
                assert_verdict(&board, hostile, "command", &told);
            }
            // The client is told why, and later ones too.
            Err(error) => {
                assert_verdict(&board, hostile, "command", "");
                let (_, cause) = state(&board, "bad");
                assert_eq!(error.code, ErrorCode::DriverDied);
                assert!(error.message.contains(&cause), "{error}");
                let later = refused(&board, "bad", Request::numbered(1));
                assert_eq!(later.code, ErrorCode::NoDevice);
                assert!(later.message.contains(&cause), "{later}");
            }
        }
        assert_running(&board, "echo");
    }
}

#[test]
fn in_stop() {
    for hostile in ALL {
        let board = board_of(hostile, "stop");
        let ((), log) = log::capture(|| {
            if hostile.how == "clients" {
                // Where its provider ends with it, there is nothing to open.
                board.stop_driver("bad").unwrap();
            } else {
                board.stop();
            }
        });
        assert_verdict(&board, hostile, "stop", &log);
        board.stop();
        assert_eq!(state(&board, "echo").0, State::Stopped);
    }
}

#[test]
fn a_reply_larger_than_any_call_may_carry_ends_its_driver() {
    let rest = "provides = [\"big\"]\nconfig = { when = \"command\", service = \"big\" }";
    let board = virtual_board(entry("bad", &guest("hostile_reply"), rest));
    let error = refused(&board, "big", Request::numbered(1));
    assert_eq!(error.code, ErrorCode::DriverDied);
    let words = "limit `payload`: one call carried more than 64 KiB (in `command`)";
    assert!(error.message.contains(words), "{error}");
}

fn flood(config: &str) -> String {
    let rest = format!(
        "config = {{ when = \"timer\"{config} }}\nlimits = {{ handler-cpu = \"10 s\", handler-wall = \"60 s\" }}"
    );
    let board = virtual_board(entry("loud", &guest("hostile_log"), &rest));
    let ((), log) = log::capture(|| board.run_for(Duration::from_millis(2)));
    assert_running(&board, "loud");
    log
}

#[test]
fn a_flood_of_log_lines_is_cut_to_its_rate() {
    // 16 KiB at once, each line with what the host puts before it, for which
    // it is charged 64 bytes.
    for config in ["", ", how = \"long\", amount = \"100\""] {
        let log = flood(config);
        let told: usize = log
            .lines()
            .map(|line| line.len() - " WARN driver: loud: ".len() + 64)
            .sum();
        assert!((8 << 10..=16 << 10).contains(&told), "{told} bytes");
        assert!(log.lines().all(|line| line.len() < 5000));
    }
}

#[test]
fn what_a_flood_left_out_is_counted_and_named() {
    let quiet = "config = { when = \"timer\", amount = \"2000\" }\nlimits = { log = \"1 KiB/s\", handler-cpu = \"10 s\" }";
    let board = virtual_board(entry("loud", &guest("hostile_log"), quiet));
    let ((), log) = log::capture(|| {
        board.run_for(Duration::from_secs(5));
        board.stop();
    });
    let written = log
        .lines()
        .filter(|line| line.contains("loud: flood"))
        .count();
    assert!(
        log.contains(&format!(
            "loud: {} lines left out, over its limit `log`",
            2001 - written
        )),
        "{log}"
    );
}

#[test]
fn log_lines_cannot_forge_others() {
    let log = flood(", how = \"control\", amount = \"3\"");
    assert_eq!(log.lines().count(), 4, "{log}");
    assert!(
        log.lines().all(|line| line.contains("driver: loud: ")),
        "{log}"
    );
    assert!(
        !log.contains(['\u{1b}', '\0', '\u{7}', '\u{202e}']),
        "{log}"
    );
}

#[test]
fn what_used_up_the_handles_is_in_the_log() {
    let hostile = ALL.iter().find(|hostile| hostile.how == "timers").unwrap();
    let (_board, log) = log::capture(|| board_of(hostile, "start"));
    let words =
        "bad: limit `handles`: more than 256 sources, pins, lines, gates and clients at a time";
    assert!(log.contains(words), "{log}");
}

#[test]
fn a_line_goes_on_feeding_the_one_source_it_has() {
    let hostile = ALL.iter().find(|hostile| hostile.how == "feeds").unwrap();
    let board = board_of(hostile, "start");
    board.sim().set(&line("bad"), true).unwrap();
    board.run_for(Duration::from_millis(1));
    let status = board.status();
    let bad = status.drivers.iter().find(|driver| driver.name == "bad");
    assert_eq!(bad.unwrap().counts.interrupts, 1);
}
