//! Rule 4 across reloads: what becomes of an input's edges where the old
//! version or the new one does as it likes with them.

use loopgate::{Board, Request, State};
use loopgate_integration::{ask, assert_running, entry, guest, state, virtual_board};
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);

fn board(config: &str) -> Board {
    let rest = format!(
        "provides = [\"successor\", \"late\"]\nconfig = {{ {config} }}\n[driver.gpio]\n\
         in = {{ line = \"IN\", direction = \"input\", edges = \"both\" }}"
    );
    let board = virtual_board(entry("successor", &guest("probe_successor"), &rest));
    assert_running(&board, "successor");
    board
}

/// So many edges, the first one to the other level than now.
fn toggle(board: &Board, times: u32) {
    for _ in 0..times {
        let high = board.sim().show()[0].high;
        board.sim().set("IN", !high).unwrap();
    }
}

fn delivered_and_lost(board: &Board) -> (u64, u64) {
    let counts = board.status().drivers[0].counts;
    (counts.interrupts, counts.lost)
}

/// Two edges that the first version is given, three that it leaves, a reload,
/// and two more: what was delivered, and what was lost.
fn reloaded(board: &Board) -> (u64, u64) {
    board.run_for(MILLISECOND);
    toggle(board, 2);
    board.run_for(MILLISECOND);
    toggle(board, 3);
    let _ = board.reload("successor");
    toggle(board, 2);
    board.run_for(MILLISECOND);
    delivered_and_lost(board)
}

#[test]
fn rule_04_a_version_that_takes_over_in_a_roundabout_way_gets_every_edge() {
    for how in ["", "pin-again", "line-again", "twice", "removed", "full"] {
        let board = board(&format!("how = \"{how}\""));
        assert_eq!(reloaded(&board), (7, 0), "{how}");
        assert_running(&board, "successor");
        assert_eq!(ask(&board, "successor", "edges"), 5, "{how}");
    }
}

#[test]
fn rule_04_a_version_that_does_not_want_the_edges_leaves_them_as_lost() {
    for (how, counts) in [("other-edges", (3, 3)), ("source-again", (4, 3))] {
        let board = board(&format!("how = \"{how}\""));
        assert_eq!(reloaded(&board), counts, "{how}");
        assert_running(&board, "successor");
    }
    for how in ["traps", "refuses"] {
        let board = board(&format!("how = \"{how}\""));
        assert_eq!(reloaded(&board), (2, 3), "{how}");
        assert_eq!(state(&board, "successor").0, State::Failed, "{how}");
        assert_eq!(board.sim().show()[0].consumer, None, "{how}");
    }
}

#[test]
fn rule_04_a_line_that_the_new_version_keeps_for_later_feeds_a_source_then() {
    let board = board("how = \"later\"");
    // The source is on no loop meanwhile: its line is off, as after a removal.
    assert_eq!(reloaded(&board), (2, 0));
    ask(&board, "successor", "take");
    toggle(&board, 1);
    board.run_for(MILLISECOND);
    assert_eq!(ask(&board, "successor", "edges"), 4);
    assert_eq!(delivered_and_lost(&board), (6, 0));
}

#[test]
fn rule_04_a_line_that_is_dropped_after_all_loses_its_edges() {
    let board = board("how = \"later\"");
    assert_eq!(reloaded(&board), (2, 0));
    ask(&board, "successor", "drop");
    assert_eq!(delivered_and_lost(&board), (2, 3));
    board.reload("successor").unwrap();
    board.stop_driver("successor").unwrap();
    assert_eq!(delivered_and_lost(&board), (2, 3));
}

#[test]
fn rule_04_whatever_the_old_version_does_in_its_stop() {
    for stop in ["returns", "traps", "spins"] {
        let board = board(&format!("stop = \"{stop}\""));
        assert_eq!(reloaded(&board), (7, 0), "{stop}");
        assert_running(&board, "successor");
        assert_eq!(ask(&board, "successor", "edges"), 5, "{stop}");
        assert!(board.call("late", Request::named("late")).is_err());
        assert_eq!(board.status().drivers[0].usage.sources, 2, "{stop}");
    }
}
