//! Thousands of traps and restarts: `LOOPGATE_ROUNDS` says how many. Alone in
//! its program, since it counts what the process holds.

use loopgate::{Board, State};
use loopgate_integration::{guest, held, real_board, supervised, until};
use std::time::{Duration, Instant};

const ROUNDS: u64 = 500;
/// Each edge kills twice, and then the news of its loss does.
const DEATHS: u64 = 3;

fn running(board: &Board, generation: u64) -> bool {
    board.driver_state("trap").unwrap() == (State::Running, generation)
}

/// From the edge that makes it trap until the next one was handled by its
/// successor: the deadly edge itself comes again first, and is set aside.
#[test]
fn traps_and_restarts_leave_nothing_behind() {
    let rounds = std::env::var("LOOPGATE_ROUNDS").map_or(ROUNDS, |rounds| {
        rounds.parse().expect("LOOPGATE_ROUNDS is a number")
    });
    let rest = "config = { when = \"interrupt\" }\n\
        restart = { budget = \"unlimited\", backoff = \"0 ms\" }\n[driver.gpio]\n\
        in = { line = \"IN\", direction = \"input\", edges = \"both\" }";
    let board = real_board(supervised("trap", &guest("hostile_trap"), rest));
    let mut spans = Vec::new();
    let mut before = held();
    for round in 0..rounds.div_ceil(DEATHS) {
        let begun = Instant::now();
        board.sim().set("IN", round % 2 == 0).unwrap();
        until("it runs again", || {
            running(&board, 1 + DEATHS * (round + 1))
        });
        spans.push(begun.elapsed() / DEATHS as u32);
        if round == rounds / DEATHS / 5 {
            before = held();
        }
    }
    let after = held();
    spans.sort();
    let percentile = |part| spans[(spans.len() - 1) * part / 100];
    let counts = board.status().drivers[0].counts;
    eprintln!(
        "{} traps: to the next handled event median {:?}, p99 {:?}; {before:?} -> {after:?} KiB, descriptors; {counts:?}",
        board.status().drivers[0].restarts.made,
        percentile(50),
        percentile(99),
    );
    assert!(percentile(50) < Duration::from_secs(1));
    // The thread that writes crash reports may have one open.
    assert!(after.1 <= before.1 + 1, "file descriptors");
    assert!(after.0 < before.0 + 4096, "{before:?} {after:?}");
}
