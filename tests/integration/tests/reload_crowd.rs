//! Reloads, stops and starts from several threads at once, among clients that
//! call, wait, sleep and are cancelled: nobody hangs, and what a version leaves
//! does not outlive it.

use loopgate::{Board, Cancel, Mode, Request};
use loopgate_integration::{StopOnPanic, assert_running, entry, guest, real_board};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

const ROUNDS: u32 = 50;

fn board() -> Board {
    let pending =
        "provides = [\"pending\", \"pending-report\"]\nconfig = { queueing = \"serial\" }";
    let calls = "provides = [\"calls\"]\nuses = [\"sleep\"]\nwork-loop = \"dedicated\"\n\
        config = { target = \"sleep\" }";
    let successor = "provides = [\"successor\", \"late\"]\nconfig = { stop = \"returns\" }\n\
        work-loop = \"dedicated\"\n[driver.gpio]\n\
        in = { line = \"IN\", direction = \"input\", edges = \"both\" }";
    real_board(
        entry("pending", &guest("probe_pending"), pending)
            + &entry("sleep", &guest("probe_sleep"), "provides = [\"sleep\"]")
            + &entry("calls", &guest("probe_calls"), calls)
            + &entry("successor", &guest("probe_successor"), successor),
    )
}

#[test]
fn reloads_stops_and_starts_among_clients() {
    let board = board();
    let _stop = StopOnPanic(&board);
    let names = ["pending", "sleep", "calls", "successor"];
    for name in names {
        assert_running(&board, name);
    }
    let over = AtomicBool::new(false);
    let wait = Mode::Run(Some(Duration::from_millis(2)));
    std::thread::scope(|scope| {
        let client = |service: &'static str, selector: &'static str, mode: Mode| {
            let (board, over) = (&board, &over);
            scope.spawn(move || {
                while !over.load(Relaxed) {
                    let _ = board.call(service, Request::named(selector).mode(mode));
                }
            });
        };
        for (service, selector) in [
            ("pending", "never"),
            ("sleep", "next"),
            ("sleep", "wake"),
            ("calls", "run"),
            ("successor", "edges"),
        ] {
            client(service, selector, wait);
        }
        client("pending", "later", Mode::Attempt);
        scope.spawn(|| {
            while !over.load(Relaxed) {
                let cancel = Cancel::default();
                std::thread::scope(|scope| {
                    scope.spawn(|| {
                        let never = Request::named("never").mode(Mode::Run(None));
                        let _ = board.call_cancellable("pending", never, &cancel);
                    });
                    cancel.cancel();
                });
            }
        });
        scope.spawn(|| {
            let mut high = false;
            while !over.load(Relaxed) {
                high = !high;
                board.sim().set("IN", high).unwrap();
                std::thread::yield_now();
            }
        });
        let reloads: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..ROUNDS {
                        for name in names {
                            let _ = board.reload(name);
                        }
                    }
                })
            })
            .collect();
        for round in 0..ROUNDS {
            let name = names[round as usize % names.len()];
            board.stop_driver(name).unwrap();
            board.start_driver(name).unwrap();
        }
        for reload in reloads {
            reload.join().unwrap();
        }
        over.store(true, Relaxed);
    });
    for name in names {
        assert_running(&board, name);
    }
    board.stop();
    for driver in board.status().drivers {
        let usage = driver.usage;
        assert_eq!((usage.sources, usage.requests), (0, 0), "{}", driver.name);
    }
    assert_eq!(board.sim().show()[0].consumer, None);
}
