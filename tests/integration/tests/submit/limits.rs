//! What is refused, and what is bounded.

use crate::support::{
    CONCURRENT, LOOPS, NEVER, NOW, call, completed, pending, provider, settle, submit, submitter,
    usage,
};
use loopgate::{ErrorCode, Request, State};
use loopgate_integration::{assert_running, entry, guest, log, refused, state, virtual_board};

#[test]
fn what_the_service_does_not_take_is_refused_and_nothing_follows() {
    let echo = entry("echo", &guest("probe_echo"), "provides = [\"echo\"]");
    let board = virtual_board(echo + &submitter("echo", "provider", ", reply-max = \"3\"", ""));
    let mut request = Request::named("submit");
    request.scalars = [99, 0, 0, 0];
    assert_eq!(
        refused(&board, "submit", request.clone()).code,
        ErrorCode::BadArgument
    );
    request.scalars[0] = 1;
    for (text, outcome) in [("abc", "ok 0 3"), ("abcd", "io")] {
        let before = completed(&board).len();
        board.call("submit", request.clone().data(text)).unwrap();
        settle(&board);
        let told = completed(&board);
        assert_eq!(told.len(), before + 1);
        assert!(told[before].ends_with(outcome), "{told:?}");
    }
}

#[test]
fn a_flood_ends_at_the_limit_and_every_one_is_completed() {
    for work_loop in LOOPS {
        for (limits, most) in [("", 256), ("limits = { requests = 3 }", 3)] {
            let submitter = submitter("pending", work_loop, "", limits);
            let board = virtual_board(pending("") + &submitter);
            for round in 1..=3 {
                let (told, log) = log::capture(|| call(&board, "flood", [NOW, 0, 7, 0]));
                assert_eq!(told, (most, "no-resources".into()));
                let words = format!("limit `requests`: more than {most} submitted");
                assert!(log.contains(&words), "{log}");
                settle(&board);
                assert_eq!(call(&board, "completed", [0; 4]).0, round * most);
            }
            assert_running(&board, "pending");
        }
    }
}

/// What the host holds for a driver's requests is bounded by what the driver
/// may hold itself.
#[test]
fn a_flood_of_large_requests_ends_at_the_memory_limit() {
    const REPLY_MAX: u64 = 65536;
    let config = format!(", reply-max = \"{REPLY_MAX}\"");
    let board = virtual_board(pending("") + &submitter("pending", "dedicated", &config, ""));
    for round in 1..=3 {
        let (told, log) = log::capture(|| call(&board, "flood", [NOW, 0, 7, 0]));
        let most = (4 << 20) / REPLY_MAX;
        assert_eq!(told, (most, "no-resources".into()));
        assert!(log.contains("limit `memory`: asked for"), "{log}");
        settle(&board);
        assert_eq!(call(&board, "completed", [0; 4]).0, round * most);
    }
}

/// More than the provider can have pending are refused, one by one.
#[test]
fn what_the_provider_has_no_room_for_is_no_resources() {
    let provider = pending(&format!("{CONCURRENT}\nlimits = {{ requests = 2 }}"));
    let board = virtual_board(provider + &submitter("pending", "provider", "", ""));
    for _ in 0..3 {
        submit(&board, NEVER, 0, 0, 0);
    }
    settle(&board);
    assert_eq!(completed(&board), ["completed 3 as 1002: no-resources"]);
    assert_eq!(usage(&board, "pending"), (2, 0));
}

#[test]
fn in_stop_nothing_can_be_submitted_and_in_start_it_can() {
    let submitter = submitter("pending", "provider", ", stop = \"11\", start = \"11\"", "");
    let board = virtual_board(pending("") + &submitter);
    settle(&board);
    let told = ["start: ok 1", "completed 1 as 1000: ok 0 0"];
    // What the first one did is noted before `start` has returned.
    assert_eq!(completed(&board), told);
    let (_, log) = log::capture(|| board.stop_driver("submit").unwrap());
    assert!(log.contains("submitted in stop: not-permitted"), "{log}");
    assert_eq!(provider(&board), "now 1");
}

#[test]
fn nobody_can_submit_to_what_the_board_file_does_not_name() {
    let rest = "provides = [\"submit\"]\nconfig = { target = \"submit\" }";
    let (board, log) =
        log::capture(|| virtual_board(entry("submit", &guest("probe_submit"), rest)));
    let (state, cause) = state(&board, "submit");
    assert_eq!(state, State::Failed);
    assert!(cause.contains("not-granted"), "{cause}");
    assert!(log.contains("add it to `uses`"), "{log}");
}
