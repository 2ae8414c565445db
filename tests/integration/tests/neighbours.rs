//! A board of all guests that misbehave, in real time, and two that do not.

use loopgate::{Board, Request, State};
use loopgate_integration::hostile::{ALL, Hostile, handler, line};
use loopgate_integration::{ask, assert_running, entry, guest, real_board, state, until};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The good ones: on the loop of those that misbehave, and on one of its own.
const GOOD: [(&str, &str); 2] = [("same", "provider"), ("apart", "dedicated")];
const WHENS: [&str; 4] = ["start", "interrupt", "timer", "command"];
/// Far fewer than an interrupt source holds, so that none may be lost.
const BURST: u64 = 300;

/// Each hostile guest at each moment: its name on the board too.
fn hostiles() -> Vec<(&'static Hostile, &'static str, String)> {
    let named = |when| {
        move |hostile: &'static Hostile| {
            (
                hostile,
                when,
                format!("{}-{when}", hostile.name().replace('_', "-")),
            )
        }
    };
    WHENS
        .into_iter()
        .flat_map(|when| {
            ALL.iter()
                .filter(move |hostile| hostile.can(when))
                .map(named(when))
        })
        .collect()
}

fn board() -> Board {
    let good = GOOD.map(|(name, place)| {
        let rest = format!(
            "provides = [\"{name}\"]\nwork-loop = \"{place}\"\nconfig = {{ service = \"{name}\" }}\n\
             [driver.gpio]\nin = {{ line = \"{name}\", direction = \"input\", edges = \"both\" }}"
        );
        entry(name, &guest("probe_counter"), &rest)
    });
    let echo = entry("echo", &guest("probe_echo"), "provides = [\"echo\"]");
    let mut bad = String::new();
    for (nth, (hostile, when, name)) in hostiles().iter().enumerate() {
        bad += &hostile.entry(name, when, &format!(", after-ms = \"{}\"", 5 * nth));
    }
    real_board(good.concat() + &echo + &bad)
}

/// Sets off what waits for an edge or a command. The timers do it on their own.
fn set_off(board: &Board) {
    for (_, when, name) in hostiles() {
        match when {
            "interrupt" => board.sim().set(&line(&name), true).unwrap(),
            // How it answers, if at all, is for the other tests.
            "command" => drop(board.call(&name, Request::numbered(1))),
            _ => {}
        }
    }
}

fn verdicts_are_in(board: &Board) -> bool {
    let to_fail = |(hostile, when, name): &(&Hostile, &str, String)| {
        hostile.end(when).is_none() || state(board, name).0 == State::Failed
    };
    hostiles().iter().all(to_fail)
}

#[test]
fn good_neighbours_miss_nothing_and_each_bad_one_has_its_verdict() {
    let board = board();
    let ticks = GOOD.map(|(name, _)| ask(&board, name, "ticks"));
    let begun = board.now();
    let mut made = 0;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            set_off(&board);
            done.store(true, Ordering::SeqCst);
        });
        let mut high = false;
        while !(done.load(Ordering::SeqCst) && verdicts_are_in(&board)) {
            for _ in 0..BURST {
                high = !high;
                for (name, _) in GOOD {
                    board.sim().set(name, high).unwrap();
                }
            }
            made += BURST;
            for (name, _) in GOOD {
                until("the edges are delivered", || {
                    ask(&board, name, "edges") + ask(&board, name, "lost") == made
                });
            }
        }
    });
    assert!(made > BURST, "the edges were to be made meanwhile");
    for ((name, _), ticks) in GOOD.into_iter().zip(ticks) {
        assert_running(&board, name);
        assert_eq!(ask(&board, name, "edges"), made, "{name}");
        assert_eq!(ask(&board, name, "lost"), 0, "{name}");
        // One for every 10 ms: late ones are made up for, none is left out.
        let due = ticks + board.now().saturating_since(begun).as_millis() as u64 / 10;
        until("the ticks are made up for", || {
            ask(&board, name, "ticks") >= due
        });
    }
    for (hostile, when, name) in hostiles() {
        let (state, cause) = state(&board, &name);
        match hostile.end(when) {
            Some(words) => {
                assert_eq!(state, State::Failed, "{name}");
                assert!(
                    cause.contains(words) && cause.contains(handler(when)),
                    "{name}: {cause}"
                );
            }
            None => assert_eq!(state, State::Running, "{name}: {cause}"),
        }
    }
    board.shutdown();
}

/// Standard output from `start`, while whoever embeds the board is inside an
/// asynchronous runtime: a WASI that blocks on one would panic here.
#[test]
fn printing_from_start_inside_tokio_is_no_trouble() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let board = runtime.block_on(async {
        let rest = "config = { when = \"start\", amount = \"3\" }";
        real_board(entry("prints", &guest("hostile_println"), rest))
    });
    assert_running(&board, "prints");
    runtime.block_on(async { drop(board) });
}

#[test]
fn a_board_stops_in_time_although_a_driver_spins() {
    let rest = "config = { when = \"stop\" }";
    let board = real_board(entry("spins", &guest("hostile_spin"), rest));
    let begun = std::time::Instant::now();
    board.stop();
    assert!(begun.elapsed() < Duration::from_secs(5));
    let (_, cause) = state(&board, "spins");
    assert!(cause.starts_with("limit `handler-cpu`"), "{cause}");
}
