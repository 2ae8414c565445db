//! 64 clients on one gate, some asleep in it, some stalled before it, while it
//! is disabled, enabled, taken off its loop, and its driver killed, in random
//! order: every client ends, with the right code.
//!
//! 500 rounds, or as many as `LOOPGATE_ROUNDS` says:
//! `LOOPGATE_ROUNDS=10000 cargo xtask rules`.

use loopgate::{Board, Cancel, ErrorCode, Reply, Request, RequestError};
use loopgate_integration::{Random, StopOnPanic, entry, guest, real_board, until};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

const CLIENTS: usize = 64;
const ROUNDS: u32 = 500;

/// What happens to the gate; each once in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happening {
    Disable,
    Enable,
    Remove,
    Kill,
}
use Happening::{Disable, Enable, Kill, Remove};

impl Happening {
    fn happen(self, board: &Board) {
        let selector = match self {
            Disable => "disable",
            Enable => "enable",
            Remove => "remove",
            Kill => "trap",
        };
        let answer = board.call("gated-control", Request::named(selector));
        let code = answer.map_err(|error| error.code).err();
        if self == Kill {
            assert_eq!(code, Some(ErrorCode::DriverDied));
        } else {
            // Killed before: there is nobody to ask.
            assert!(matches!(code, None | Some(ErrorCode::NoDevice)), "{code:?}");
        }
    }
}

/// What happened in a round, and how its clients ended.
struct Round {
    order: [Happening; 4],
    /// Asleep before the first happening.
    early: Vec<Ended>,
    /// Came after it.
    late: Vec<Ended>,
}

struct Ended {
    cancelled: bool,
    outcome: Result<Reply, RequestError>,
}

impl Round {
    fn before(&self, first: Happening, second: Happening) -> bool {
        let place = |wanted| self.order.iter().position(|&happening| happening == wanted);
        place(first) < place(second)
    }

    /// Stalled from their first moment until the removal.
    fn stalls_until_removal(&self) -> bool {
        self.order[0] == Disable && self.before(Remove, Enable) && self.before(Remove, Kill)
    }

    fn judge(&self) {
        for client in &self.early {
            let right: &[_] = &[ErrorCode::DriverDied];
            client.assert(right, "asleep", self.order);
        }
        let mut right = vec![ErrorCode::DriverDied, ErrorCode::NoDevice];
        if self.stalls_until_removal() {
            right.clear();
        }
        if self.before(Remove, Kill) {
            right.extend([ErrorCode::Aborted, ErrorCode::NotReady]);
        }
        for client in &self.late {
            client.assert(&right, "late", self.order);
        }
    }
}

impl Ended {
    fn code(&self) -> Option<ErrorCode> {
        self.outcome.as_ref().map_err(|error| error.code).err()
    }

    /// Who was cancelled may have ended otherwise just before.
    fn assert(&self, right: &[ErrorCode], who: &str, order: [Happening; 4]) {
        let code = self.code();
        let right = code.is_some_and(|code| {
            right.contains(&code) || self.cancelled && code == ErrorCode::Aborted
        });
        assert!(right, "{who}, {order:?}: {:?}", self.outcome);
    }
}

fn shuffled(random: &mut Random) -> [Happening; 4] {
    let mut order = [Disable, Enable, Remove, Kill];
    for place in 0..order.len() {
        let other = place + random.below(order.len() - place);
        order.swap(place, other);
    }
    order
}

/// Clients that have come, and those that have ended.
#[derive(Default)]
struct Group {
    begun: AtomicUsize,
    ended: AtomicUsize,
}

fn sleep(board: &Board, group: &Group, cancel: &Cancel) -> Ended {
    group.begun.fetch_add(1, SeqCst);
    let outcome = board.call_cancellable("gated", Request::named("sleep"), cancel);
    group.ended.fetch_add(1, SeqCst);
    Ended {
        cancelled: cancel.is_cancelled(),
        outcome,
    }
}

fn asleep(board: &Board) -> usize {
    board.status().drivers[0].usage.requests
}

fn round(board: &Board, random: &mut Random) -> Round {
    let mut round = Round {
        order: shuffled(random),
        early: Vec::new(),
        late: Vec::new(),
    };
    let cancels: Vec<Cancel> = (0..CLIENTS).map(|_| Cancel::default()).collect();
    let (early, late) = cancels.split_at(1 + random.below(CLIENTS - 1));
    let groups = [Group::default(), Group::default()];
    std::thread::scope(|scope| {
        let _guard = StopOnPanic(board);
        let [first, second] = &groups;
        let spawn = |group, cancel| scope.spawn(move || sleep(board, group, cancel));
        let sleepers: Vec<_> = early.iter().map(|cancel| spawn(first, cancel)).collect();
        until("the first ones sleep", || asleep(board) == early.len());
        round.order[0].happen(board);
        let others: Vec<_> = late.iter().map(|cancel| spawn(second, cancel)).collect();
        until("the others come", || {
            second.begun.load(SeqCst) == late.len()
        });
        for &happening in &round.order[1..] {
            for _ in 0..CLIENTS / 8 {
                cancels[random.below(CLIENTS)].cancel();
            }
            happening.happen(board);
            if happening == Remove && round.stalls_until_removal() {
                until("the stalled are told", || {
                    second.ended.load(SeqCst) == late.len()
                });
            }
        }
        let join = |client: std::thread::ScopedJoinHandle<'_, _>| client.join().unwrap();
        round.early = sleepers.into_iter().map(join).collect();
        round.late = others.into_iter().map(join).collect();
    });
    round
}

fn rounds() -> u32 {
    std::env::var("LOOPGATE_ROUNDS").map_or(ROUNDS, |text| {
        text.parse().expect("`LOOPGATE_ROUNDS` is a number")
    })
}

#[test]
fn rule_08_every_client_on_a_gate_ends_with_the_right_code() {
    let rest = "provides = [\"gated\", \"gated-control\"]";
    let board = real_board(entry("gated", &guest("probe_gate"), rest));
    let mut random = Random(64);
    let mut seen = Vec::new();
    for _ in 0..rounds() {
        let round = round(&board, &mut random);
        round.judge();
        seen.extend(
            round
                .late
                .iter()
                .filter(|client| !client.cancelled)
                .map(Ended::code),
        );
        board.start_driver("gated").unwrap();
        assert_eq!(asleep(&board), 0);
    }
    // Else no round was what it is meant to be.
    for code in [
        ErrorCode::Aborted,
        ErrorCode::DriverDied,
        ErrorCode::NoDevice,
    ] {
        assert!(seen.contains(&Some(code)), "nobody got {code:?}");
    }
}
