//! On loops with threads.

use crate::support::{BOTH, HIGH_LEVEL, ask, change, change_at, drivers, report_now};
use loopgate::{ErrorCode, Request};
use loopgate_integration::{StopOnPanic, assert_running, entry, guest, real_board, until};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

/// Threads this time: edges while the user listens anew and the provider is
/// reloaded, and calls both ways between their loops.
#[test]
fn two_loops_and_many_threads() {
    let board = real_board(drivers("", "dedicated", ""));
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _stop = StopOnPanic(&board);
        let changing = || {
            let mut high = false;
            while !over.load(Relaxed) {
                high = !high;
                let _ = change_at(&board, 0, high, 0);
                let _ = change_at(&board, 2, high, 0);
            }
        };
        let reloading = || {
            while !over.load(Relaxed) {
                board.reload("publish").unwrap();
            }
        };
        let using = || {
            for _ in 0..300 {
                for pin in ["in", "high-level"] {
                    let edges = if pin == "in" { BOTH } else { HIGH_LEVEL };
                    assert_eq!(ask(&board, "input", pin, 0), Ok(0));
                    assert_eq!(ask(&board, "listen", pin, edges), Ok(0));
                    assert!(ask(&board, "read", pin, 0).is_ok());
                    assert_eq!(ask(&board, "close", pin, 0), Ok(0));
                }
                // What it has heard may not become more than a reply can hold.
                report_now(&board, "pins");
            }
            over.store(true, Relaxed);
        };
        scope.spawn(changing);
        scope.spawn(reloading);
        scope.spawn(using);
    });
    assert_running(&board, "user");
    assert_running(&board, "publish");
    ask(&board, "input", "in", 0).unwrap();
    ask(&board, "listen", "in", BOTH).unwrap();
    change(&board, 0, false);
    change(&board, 0, true);
    until("the edge is heard", || {
        !report_now(&board, "pins").is_empty()
    });
}

/// A driver on the provider's loop calls the user, whose loop is another, and
/// the user calls the provider: each waits for what the other has closed.
#[test]
fn waiting_across_loops_ends_in_an_answer() {
    const READ: u64 = 4;
    let calls = "uses = [\"expander\", \"pins\"]\nprovides = [\"calls\"]\n\
                 config = { target = \"pins\" }";
    let calls = entry("calls", &guest("probe_calls"), calls);
    let board = real_board(drivers("", "dedicated", "") + &calls);
    ask(&board, "input", "in", 0).unwrap();
    std::thread::scope(|scope| {
        let _stop = StopOnPanic(&board);
        scope.spawn(|| {
            for _ in 0..5000 {
                let outcome = ask(&board, "read", "in", 0);
                let expected = [Ok(0), Err(ErrorCode::WouldDeadlock)];
                assert!(expected.contains(&outcome), "{outcome:?}");
            }
        });
        scope.spawn(|| {
            let mut request = Request::named("run").data("in");
            request.scalars = [READ, 100, 0, 0];
            for _ in 0..5000 {
                let reply = board.call("calls", request.clone()).unwrap().data;
                let expected: [&[u8]; 2] = [b"ok", b"would-deadlock"];
                assert!(expected.contains(&&*reply), "{reply:?}");
            }
        });
    });
    assert_eq!(ask(&board, "read", "in", 0), Ok(0));
}
