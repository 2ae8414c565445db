//! Reloads with 64 KiB of state under 10,000 edges a second: 300 of them, or
//! with `LOOPGATE_LONG=1` 10,000. Alone in its program, since it counts what the
//! process holds, and measures.

use loopgate::{Board, Request};
use loopgate_integration::{assert_running, entry, guest, held, real_board, until};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

const EDGE: Duration = Duration::from_micros(100);

fn board() -> Board {
    let rest = "provides = [\"state\", \"held\"]\nconfig = { bytes = \"65536\" }\n\
        [driver.limits]\noccurrences = 65536\n[driver.gpio]\n\
        in = { line = \"IN\", direction = \"input\", edges = \"both\" }\n\
        out = { line = \"OUT\", direction = \"output\" }";
    let pulled = "[[board.line]]\nname = \"OUT\"\npull = \"down\"\n";
    real_board(format!(
        "{pulled}{}",
        entry("probe", &guest("probe_state"), rest)
    ))
}

/// How often the level of a line has changed.
fn changes(board: &Board, name: &str) -> u64 {
    let lines = board.sim().show();
    lines.iter().find(|line| line.name == name).unwrap().edges
}

/// Interrupts delivered, and reported as lost.
fn interrupts(board: &Board) -> (u64, u64) {
    let counts = board.status().drivers[0].counts;
    (counts.interrupts, counts.lost)
}

/// The middle one, and that which one in a hundred exceeds.
fn median_and_p99(mut times: Vec<u64>) -> (u64, u64) {
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 99 / 100])
}

fn gate_call(board: &Board) -> u64 {
    let call = || {
        let begun = Instant::now();
        board.call("held", Request::named("now")).unwrap();
        begun.elapsed().as_nanos() as u64
    };
    median_and_p99((0..10_000).map(|_| call()).collect()).0
}

#[test]
fn rule_16_no_edge_is_lost_and_no_output_moves_over_many_reloads() {
    let long = std::env::var_os("LOOPGATE_LONG").is_some();
    let reloads = if long { 10_000 } else { 300 };
    let board = board();
    assert_running(&board, "probe");
    let high = Request {
        scalars: [1, 0, 0, 0],
        ..Request::named("set")
    };
    board.call("state", high).unwrap();
    let call = gate_call(&board);
    let out = changes(&board, "OUT");
    let begun = board.now();
    let times = (1_u32..).map(move |number| (begun.saturating_add(number * EDGE), number % 2 == 1));
    // Until the reloads are done.
    let enough = Arc::new(AtomicBool::new(false));
    let going = enough.clone();
    let play = times.take_while(move |_| !going.load(Relaxed));
    board.sim().play("IN", play).unwrap();
    let mut before = held();
    let mut closed = Vec::new();
    let mut waited = 0;
    for number in 1..=reloads {
        let reload = board.reload("probe").unwrap();
        assert!(reload.state_bytes.is_some_and(|bytes| bytes > 65_536));
        assert_eq!(reload.lost, 0);
        closed.push(reload.gate_closed_ns);
        waited += reload.events_waiting;
        if number == reloads / 10 {
            before = held();
        }
    }
    let after = held();
    enough.store(true, Relaxed);
    until("all is delivered", || {
        let (delivered, lost) = interrupts(&board);
        delivered + lost == changes(&board, "IN") && board.sim().next_due().is_none()
    });
    let made = changes(&board, "IN");
    let (delivered, lost) = interrupts(&board);
    let (median, p99) = median_and_p99(closed);
    eprintln!(
        "{reloads} reloads: {made} edges, {delivered} delivered, {lost} lost, {waited} waited; gate closed \
         for {median} ns (median), {p99} ns (p99); a gate call takes {call} ns: {} and {} times; \
         {before:?} -> {after:?} KiB, descriptors",
        median / call,
        p99 / call,
    );
    assert_eq!((delivered, lost), (made, 0));
    assert_eq!(changes(&board, "OUT"), out);
    let told = board.call("state", Request::named("counts")).unwrap();
    let told = String::from_utf8(told.data).unwrap();
    assert_eq!(told, format!("[{made}, 0, 0, 0, {reloads}]"));
    assert_eq!(after.1, before.1, "file descriptors");
    assert!(after.0 < before.0 + 4096, "{before:?} {after:?}");
}
