//! Endings beside what else happens.

use crate::support::{LOOPS, closes_on_edge, part, settled, tell};
use loopgate::{Request, State};
use loopgate_integration::{Random, assert_running, real_board, refused, state, virtual_board};

/// Whenever a client closes, its `stop` and its provider's are called once.
#[test]
fn race_x22_a_client_that_closes_while_its_provider_ends() {
    let mut random = Random(22);
    for place in LOOPS {
        let config = ", answer = \"closing\", edge = \"in\"";
        let middle = part("middle", &["low"], place, config, &closes_on_edge("50 ms"));
        let board = real_board(part("low", &[], "provider", "", "") + &middle);
        for round in 1..=50 {
            let spins = random.below(2000);
            std::thread::scope(|scope| {
                scope.spawn(|| {
                    (0..spins).for_each(|_| std::hint::spin_loop());
                    board.sim().set("IN", round % 2 == 1).unwrap();
                });
                assert_eq!(board.stop_driver("low").unwrap(), ["middle", "low"]);
            });
            assert_eq!(board.start_driver("low").unwrap(), ["low", "middle"]);
        }
        for driver in ["low", "middle"] {
            assert_running(&board, driver);
            assert_eq!(board.driver_state(driver).unwrap().1, 51);
        }
    }
}

/// Services become known, and drivers start, while what is below them ends:
/// none of them outlives it.
#[test]
fn race_x25_a_service_that_becomes_known_while_its_driver_ends() {
    let low = part("low", &[], "provider", ", control = \"low-control\"", "");
    let board = real_board(
        low + &part("middle", &["low"], "dedicated", "", "")
            + &part("top", &["middle"], "dedicated", "", ""),
    );
    for _ in 0..100 {
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for selector in ["withdraw", "offer", "withdraw", "offer"] {
                    let _ = board.call("low-control", Request::named(selector));
                }
            });
            for name in ["middle", "top"] {
                let board = &board;
                scope.spawn(move || {
                    let _ = board.reload(name);
                    let _ = board.start_driver(name);
                });
            }
            board.stop_driver("low").unwrap();
        });
        for driver in ["low", "middle", "top"] {
            assert_eq!(state(&board, driver).0, State::Stopped, "{driver}");
        }
        board.start_driver("low").unwrap();
        for driver in ["low", "middle", "top"] {
            // One that began while the service was withdrawn has failed.
            if state(&board, driver).0 != State::Running {
                board.start_driver(driver).unwrap();
            }
        }
    }
}

#[test]
fn the_death_of_a_provider_is_told_and_so_is_its_return() {
    for place in LOOPS {
        let board = virtual_board(
            part("low", &[], "provider", "", "") + &part("user", &["low"], place, "", ""),
        );
        settled(&board);
        refused(&board, "low", Request::named("trap"));
        settled(&board);
        assert_eq!(tell(&board, "user", "report", ""), "ProviderTerminated low");
        assert_eq!(tell(&board, "user", "ask", "low"), "driver-died");
        assert_eq!(tell(&board, "user", "open", "low"), "no-device");
        assert_eq!(board.start_driver("low").unwrap(), ["low"]);
        settled(&board);
        assert_eq!(
            tell(&board, "user", "report", ""),
            "ProviderTerminated low\nProviderPublished low"
        );
        assert_eq!(tell(&board, "user", "open", "low"), "ok");
        assert_eq!(tell(&board, "user", "ask", "low"), "ok");
    }
}

#[test]
fn a_reload_is_an_end_and_a_beginning_on_both_sides() {
    let board = virtual_board(
        part("low", &[], "provider", "", "") + &part("user", &["low"], "provider", "", ""),
    );
    settled(&board);
    board.reload("low").unwrap();
    settled(&board);
    let told = "ProviderTerminated low\nProviderPublished low";
    assert_eq!(tell(&board, "user", "report", ""), told);
    assert_eq!(tell(&board, "low", "report", ""), "", "its client is gone");
    assert_eq!(tell(&board, "user", "open", "low"), "ok");
    settled(&board);
    board.reload("user").unwrap();
    settled(&board);
    let told = "ClientOpened low\nClientClosed low\nClientOpened low";
    assert_eq!(tell(&board, "low", "report", ""), told);
}
