//! What only a board with threads of its own can show.

use loopgate::{ErrorCode, Mode, Request};
use loopgate_integration::{code, entry, guest, real_board};
use std::time::{Duration, Instant};

#[test]
fn a_pending_request_ends_at_its_deadline() {
    let rest = "provides = [\"pending\", \"pending-report\"]";
    let board = real_board(entry("pending", &guest("probe_pending"), rest));
    let wait = Duration::from_millis(20);
    let begun = Instant::now();
    // Completed by an hour's timer, so never in this test.
    let mut request = Request::named("later").mode(Mode::Run(Some(wait)));
    request.scalars = [3_600_000, 7, 0, 0];
    let error = board.call("pending", request).expect_err("a time-out");
    assert_eq!(error.code, ErrorCode::TimedOut);
    assert!(begun.elapsed() >= wait);
    assert_eq!(
        code(&board, "pending", "no-such-selector", wait),
        ErrorCode::BadArgument
    );
}
