//! Many clients that wait at once: for a fix, or for a driver that dies.
//! Alone in its program, since it counts what the process holds.

use loopgate::{Board, Cancel, ErrorCode, Reply, Request, RequestError};
use loopgate_integration::{Random, driver, entry, guest, held, real_board, until};

const CLIENTS: usize = 64;
const FIX: &[u8] = b"$GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W*6A\r\n";

/// Requests that wait for their completion, as the status has them.
fn waiting(board: &Board) -> usize {
    board.status().drivers[0].usage.requests
}

/// 64 clients ask at once. A random half is cancelled; then `end` ends the
/// others. What each half got.
fn round(
    board: &Board,
    random: &mut Random,
    ask: &Request,
    service: &str,
    end: impl FnOnce(),
) -> [Vec<Result<Reply, RequestError>>; 2] {
    let cancels: Vec<Cancel> = (0..CLIENTS).map(|_| Cancel::default()).collect();
    std::thread::scope(|scope| {
        let client = |cancel| move || board.call_cancellable(service, ask.clone(), cancel);
        let clients: Vec<_> = cancels
            .iter()
            .map(|cancel| scope.spawn(client(cancel)))
            .collect();
        until("all sleep", || waiting(board) == CLIENTS);
        let mut order: Vec<usize> = (0..CLIENTS).collect();
        for place in 0..CLIENTS {
            let other = place + random.below(CLIENTS - place);
            order.swap(place, other);
        }
        let (cancelled, kept) = order.split_at(CLIENTS / 2);
        for &client in cancelled {
            cancels[client].cancel();
        }
        until("half of them are gone", || waiting(board) == CLIENTS / 2);
        end();
        let mut outcomes: Vec<_> = clients
            .into_iter()
            .map(|client| client.join().ok())
            .collect();
        [cancelled, kept].map(|half| {
            half.iter()
                .map(|&client| outcomes[client].take().expect("no client panics"))
                .collect()
        })
    })
}

fn gps() -> Board {
    real_board(entry(
        "gps",
        &driver("gps_nmea"),
        "provides = [\"gps\"]\n[driver.serial]\nport = { sim = \"gps\", baud = 4800 }",
    ))
}

fn assert_codes(outcomes: &[Result<Reply, RequestError>], code: ErrorCode) {
    for outcome in outcomes {
        assert_eq!(
            outcome.as_ref().map_err(|error| error.code).err(),
            Some(code),
            "{outcome:?}"
        );
    }
}

#[test]
fn every_waiting_client_ends_with_the_right_outcome_and_nothing_leaks() {
    const ROUNDS: u32 = 1000;
    let mut random = Random(5);
    let mut board = gps();
    let mut before = held();
    for number in 0..ROUNDS {
        if number % 10 == 9 {
            // The driver is killed while they sleep.
            let board = real_board(entry(
                "sleep",
                &guest("probe_sleep"),
                "provides = [\"sleep\"]",
            ));
            let trap = || {
                board
                    .call("sleep", Request::named("trap"))
                    .expect_err("it traps");
            };
            let [cancelled, killed] =
                round(&board, &mut random, &Request::named("next"), "sleep", trap);
            assert_codes(&cancelled, ErrorCode::Aborted);
            assert_codes(&killed, ErrorCode::DriverDied);
        } else {
            let fix = || board.sim_ports().feed("gps", FIX).unwrap();
            let [cancelled, fixed] =
                round(&board, &mut random, &Request::named("next-fix"), "gps", fix);
            assert_codes(&cancelled, ErrorCode::Aborted);
            assert!(fixed.iter().all(Result::is_ok), "{fixed:?}");
            assert_eq!(waiting(&board), 0);
        }
        if number % 100 == 50 {
            // Or it is stopped in order.
            let [cancelled, stopped] = round(
                &board,
                &mut random,
                &Request::named("next-fix"),
                "gps",
                || board.stop(),
            );
            assert_codes(&cancelled, ErrorCode::Aborted);
            assert_codes(&stopped, ErrorCode::DriverDied);
            board = gps();
        }
        if number == 100 {
            before = held();
        }
    }
    let after = held();
    assert_eq!(after.1, before.1, "file descriptors");
    // The allocator may keep some of what 64 threads had.
    assert!(after.0 < before.0 + (16 << 10), "{before:?} {after:?}");
}
