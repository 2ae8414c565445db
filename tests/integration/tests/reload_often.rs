//! A thousand reloads under a thousand edges a second. Alone in its program,
//! since it counts what the process holds.

use loopgate::Board;
use loopgate_integration::{assert_running, driver, entry, held, real_board, until};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

const RELOADS: u64 = 1000;
const EDGE: Duration = Duration::from_millis(1);

/// Edges made, delivered, and reported as lost.
fn edges(board: &Board) -> (u64, u64, u64) {
    let lines = board.sim().show();
    let made = lines.iter().find(|line| line.name == "BUTTON").unwrap();
    let counts = board.status().drivers[0].counts;
    (made.edges, counts.interrupts, counts.lost)
}

#[test]
fn rule_04_every_edge_is_delivered_or_lost_over_a_thousand_reloads() {
    let pins = "provides = [\"button-led\"]\n[driver.gpio]\n\
        button = { line = \"BUTTON\", direction = \"input\", edges = \"both\" }\n\
        led = { line = \"LED\", direction = \"output\" }";
    let board = real_board(entry("button", &driver("button_led"), pins));
    let begun = board.now();
    let times = (1_u32..).map(move |number| (begun.saturating_add(number * EDGE), number % 2 == 1));
    // Until the reloads are done.
    let enough = Arc::new(AtomicBool::new(false));
    let going = enough.clone();
    let play = times.take_while(move |_| !going.load(Relaxed));
    board.sim().play("BUTTON", play).unwrap();
    let mut before = held();
    for number in 1..=RELOADS {
        board.reload("button").unwrap();
        if number == RELOADS / 10 {
            before = held();
        }
        // At the pace of the edges: some fall into the change, some between.
        let made = edges(&board).0;
        until("another edge", || edges(&board).0 > made);
    }
    let after = held();
    enough.store(true, Relaxed);
    assert_running(&board, "button");
    assert_eq!(board.status().drivers[0].generation, RELOADS + 1);
    until("all is delivered", || {
        let (made, delivered, lost) = edges(&board);
        delivered + lost == made && board.sim().next_due().is_none()
    });
    let (made, delivered, lost) = edges(&board);
    eprintln!(
        "{RELOADS} reloads: {made} edges, {delivered} delivered, {lost} lost; {before:?} -> {after:?} KiB, descriptors"
    );
    assert!(made >= RELOADS);
    assert_eq!(after.1, before.1, "file descriptors");
    assert!(after.0 < before.0 + 4096, "{before:?} {after:?}");
}
