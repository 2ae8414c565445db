//! From an interrupt, or a timer, to the guest's handler and back the host
//! allocates nothing.

use loopgate::Board;
use loopgate::board_file::ClockKind;
use loopgate::trace::Recorder;
use loopgate_integration::{ask, board_of, entry, guest, virtual_board};
use std::hint::black_box;
use std::time::Duration;

/// How many allocations `f` makes on this thread, which in virtual time is the
/// only one that runs handlers.
fn allocations(f: impl FnOnce()) -> u64 {
    allocation_counter::measure(f).count_total
}

fn board() -> Board {
    let rest = "provides = [\"counter\"]\n[driver.gpio]\nin = { line = \"IN\", direction = \"input\", edges = \"both\" }";
    virtual_board(entry("counter", &guest("probe_counter"), rest))
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(black_box(Box::new(1)))), 1);
}

#[test]
fn a_timer_reaches_its_handler_without_an_allocation() {
    let rest =
        "provides = [\"timers\"]\nconfig = { timers = \"1010\" }\nlimits = { handles = 2000 }";
    let board = virtual_board(entry("timers", &guest("probe_timers"), rest));
    board.run_for(Duration::from_millis(10));
    assert_eq!(ask(&board, "timers", "expired"), 10);
    let counted = allocations(|| board.run_for(Duration::from_secs(1)));
    assert_eq!(ask(&board, "timers", "expired"), 1010);
    assert_eq!(counted, 0);
}

/// The engine notes every handle that a guest lends to a host function on its
/// heap. It is not the host's to avoid, but it must be the only one.
#[test]
fn a_handler_that_arms_its_timer_again_costs_one_in_the_engine() {
    let board = board();
    board.run_for(Duration::from_millis(100));
    let before = ask(&board, "counter", "ticks");
    // 10 ms a tick.
    let counted = allocations(|| board.run_for(Duration::from_secs(10)));
    assert_eq!(ask(&board, "counter", "ticks") - before, 1000);
    assert!(counted <= 1000, "{counted}");
}

/// What a thousand edges allocate, ten others before them not counted.
fn a_thousand_edges(board: &Board) -> u64 {
    let mut high = false;
    let mut counted = 0;
    for round in 0..1010 {
        high = !high;
        let edge = allocations(|| {
            board.sim().set("IN", high).unwrap();
            board.run_for(Duration::ZERO);
        });
        if round >= 10 {
            counted += edge;
        }
    }
    counted
}

#[test]
fn an_edge_reaches_its_handler_without_an_allocation() {
    let board = board();
    let counted = a_thousand_edges(&board);
    assert_eq!(ask(&board, "counter", "calls"), 1010);
    assert_eq!(ask(&board, "counter", "edges"), 1010);
    assert_eq!(counted, 0);
}

/// A recording's buffers grow to what they need, and are kept.
#[test]
fn a_recorded_edge_allocates_nothing_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let recorder = Recorder::to_file(&folder.path().join("edges.trace")).unwrap();
    let rest = "provides = [\"counter\"]\n[driver.gpio]\n\
        in = { line = \"IN\", direction = \"input\", edges = \"both\" }";
    let drivers = entry("counter", &guest("probe_counter"), rest);
    let board = board_of(drivers, ClockKind::Virtual).trace(recorder.clone());
    let board = board.build().unwrap();
    let counted = a_thousand_edges(&board);
    // Two buffers, each doubled a few times.
    assert!(counted <= 40, "{counted}");
    assert_eq!(ask(&board, "counter", "edges"), 1010);
}

#[test]
fn a_filter_decides_without_an_allocation() {
    for (word, claimed) in [(1, 1010), (2, 0), (0, 1010 / 3)] {
        let rest = format!(
            "provides = [\"filter\"]\nconfig = {{ word = \"{word}\" }}\n[driver.gpio]\n\
             in = {{ line = \"IN\", direction = \"input\", edges = \"both\" }}"
        );
        let board = virtual_board(entry("filter", &guest("probe_filter"), &rest));
        let counted = a_thousand_edges(&board);
        assert_eq!(ask(&board, "filter", "counted"), claimed);
        assert_eq!(counted, 0, "word {word}");
    }
}
