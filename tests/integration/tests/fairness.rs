//! What a neighbour on the same loop gets while a driver takes all it can.

use loopgate_integration::{ask, assert_running, entry, guest, virtual_board};
use std::time::Duration;

/// The neighbour's ticks, one due every 10 ms, beside the hog, which comes
/// first on the loop.
fn ticks_beside(how: &str, span: Duration) -> u64 {
    let hog = entry(
        "hog",
        &guest("hostile_hog"),
        &format!("config = {{ how = \"{how}\" }}\nlimits = {{ host-calls = 1000000000 }}"),
    );
    let pins = "provides = [\"counter\"]\n[driver.gpio]\nin = { line = \"IN\", direction = \"input\", edges = \"both\" }";
    let board = virtual_board(format!(
        "{hog}{}",
        entry("counter", &guest("probe_counter"), pins)
    ));
    board.run_for(span);
    assert_running(&board, "hog");
    ask(&board, "counter", "ticks")
}

/// Rule 13: less than two handler limits (of 250 ms) at a time.
#[test]
fn a_driver_with_many_slow_sources_delays_its_neighbour_by_its_limit_only() {
    assert!(ticks_beside("delays", Duration::from_secs(10)) >= 20);
}

/// Rule 6: a change of the chain loses nobody, however often there is one.
#[test]
fn a_driver_that_changes_the_chain_without_end_starves_nobody() {
    assert_eq!(ticks_beside("changes", Duration::from_millis(100)), 10);
}
