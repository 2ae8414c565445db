//! Thousands of traps and restarts: `LOOPGATE_ROUNDS` says how many. Alone in
//! its program, since it counts what the process holds.

use loopgate::{Board, State};
use loopgate_integration::{PATIENCE, guest, held, real_board, supervised, until};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const ROUNDS: u64 = 500;

const RESTART: &str = "restart = { budget = \"unlimited\", backoff = \"0 ms\" }\n[driver.gpio]\n\
    in = { line = \"IN\", direction = \"input\", edges = \"both\" }";

fn rounds() -> u64 {
    std::env::var("LOOPGATE_ROUNDS").map_or(ROUNDS, |rounds| {
        rounds.parse().expect("LOOPGATE_ROUNDS is a number")
    })
}

fn percentile(spans: &mut [Duration], part: usize) -> Duration {
    spans.sort();
    spans[(spans.len() - 1) * part / 100]
}

/// What the process holds after the first fifth of the rounds, and at the end.
#[derive(Default)]
struct Flat {
    before: Option<(u64, usize)>,
}

impl Flat {
    fn look(&mut self, round: u64, rounds: u64) {
        if round == rounds / 5 {
            self.before = Some(held());
        }
    }

    fn hold(&self) -> String {
        let (before, after) = (self.before.expect("there were rounds"), held());
        // The thread that writes crash reports may have one open.
        assert!(after.1 <= before.1 + 1, "file descriptors");
        assert!(after.0 < before.0 + 4096, "{before:?} {after:?}");
        format!("{before:?} -> {after:?} KiB, descriptors")
    }
}

#[test]
fn traps_and_restarts_leave_nothing_behind() {
    over_every_event();
    over_each_edge_once();
}

/// Each edge kills twice, and then the news of its loss does.
const DEATHS: u64 = 3;

fn running(board: &Board, generation: u64) -> bool {
    board.driver_state("trap").unwrap() == (State::Running, generation)
}

fn over_every_event() {
    let rounds = rounds().div_ceil(DEATHS);
    let rest = format!("config = {{ when = \"interrupt\" }}\n{RESTART}");
    let board = real_board(supervised("trap", &guest("hostile_trap"), &rest));
    let (mut spans, mut flat) = (Vec::new(), Flat::default());
    for round in 0..rounds {
        let begun = Instant::now();
        board.sim().set("IN", round % 2 == 0).unwrap();
        until("it runs again", || {
            running(&board, 1 + DEATHS * (round + 1))
        });
        spans.push(begun.elapsed() / DEATHS as u32);
        flat.look(round, rounds);
    }
    eprintln!(
        "{} traps: to running again median {:?}, p99 {:?}; {}; {:?}",
        board.status().drivers[0].restarts.made,
        percentile(&mut spans, 50),
        percentile(&mut spans, 99),
        flat.hold(),
        board.status().drivers[0].counts,
    );
    assert!(percentile(&mut spans, 50) < Duration::from_secs(1));
}

/// Each instance handles one edge, and dies over the next, which comes to its
/// successor: from the moment before it traps until that one has handled it.
fn over_each_edge_once() {
    let rounds = rounds();
    let rest = format!(
        "provides = [\"mortal\"]\nconfig = {{ survives = \"1\", out = \"low\" }}\n{RESTART}\n\
         out = {{ line = \"OUT\", direction = \"output\" }}"
    );
    let board = real_board(supervised("mortal", &guest("probe_mortal"), &rest));
    let (changes, next) = mpsc::channel();
    board.sim().observe(move |change| {
        if change.line == "OUT" {
            // Nobody looks at what comes after the last round.
            let _ = changes.send((change.high, change.timestamp));
        }
    });
    let change = |expected| {
        let (high, at) = next.recv_timeout(PATIENCE).expect("its output changes");
        assert_eq!(high, expected);
        at
    };
    let (mut spans, mut safe, mut flat) = (Vec::new(), Vec::new(), Flat::default());
    board.sim().set("IN", true).unwrap();
    change(true);
    change(false);
    for round in 0..rounds {
        board.sim().set("IN", round % 2 == 1).unwrap();
        let trap = change(true);
        safe.push(change(false).saturating_since(trap));
        change(true);
        spans.push(change(false).saturating_since(trap));
        flat.look(round, rounds);
    }
    let driver = &board.status().drivers[0];
    eprintln!(
        "{} traps: to the next handled event median {:?}, p99 {:?}; to the safe state of its output \
         median {:?}, p99 {:?}; {}",
        driver.restarts.made,
        percentile(&mut spans, 50),
        percentile(&mut spans, 99),
        percentile(&mut safe, 50),
        percentile(&mut safe, 99),
        flat.hold(),
    );
    assert_eq!(driver.restarts.made, rounds);
    assert_eq!(driver.counts.lost, 0, "each edge was handled");
    assert!(percentile(&mut spans, 50) < Duration::from_secs(1));
}
