//! A device that never answers costs its driver its wall limit, its loop no more than
//! that, and other loops nothing.

use crate::support::{SENSOR, answer, device, i2c, many_request, probe, said};
use loopgate::board_file::ClockKind;
use loopgate::devices::i2c::{Address, Error, I2cBus, Message};
use loopgate::devices::sim::i2c::{FaultKind, SimFault};
use loopgate::{Board, ErrorCode, Request, State};
use loopgate_integration::{ask, assert_running, board_of, refused, state, until, virtual_board};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

const WALL: Duration = Duration::from_millis(250);
const OVER: &str = "limit `handler-wall`: one handler took more than 250 ms";

/// Three on the bus `i2c-1`, one of them on a loop of its own, and one that uses no
/// bus on the loop of the first.
fn drivers() -> String {
    let dedicated = format!("work-loop = \"dedicated\"\n{}", device(0x22));
    [
        probe("hung", "", &device(0x20)),
        probe("same", "", &device(0x21)),
        probe("apart", "", &dedicated),
        probe("aside", ", every-ms = \"1\"", ""),
    ]
    .concat()
}

/// Answers at once, but at 0x20 not before it is let go.
struct Hanging(Gate);

impl I2cBus for Hanging {
    fn transaction(&self, address: Address, messages: &mut [Message]) -> Result<(), Error> {
        // What the probe sends at its start is answered.
        let at_start = matches!(&messages[0], Message::Write(bytes) if bytes == &[0]);
        if address == Address::new(0x20) && !at_start {
            self.0.wait();
        }
        Ok(())
    }
}

#[derive(Default)]
struct Gate(Mutex<bool>, Condvar);

impl Gate {
    fn wait(&self) {
        let open = self.0.lock().unwrap();
        drop(self.1.wait_while(open, |open| !*open).unwrap());
    }

    fn open(&self) {
        *self.0.lock().unwrap() = true;
        self.1.notify_all();
    }
}

fn board_with(bus: &Arc<Hanging>) -> Board {
    let builder = board_of(drivers(), ClockKind::Real).i2c_bus("i2c-1", bus.clone());
    builder.build().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn rule_13_a_device_that_never_answers_costs_its_driver_alone_in_real_time() {
    let bus = Arc::new(Hanging(Gate::default()));
    let board = board_with(&bus);
    assert_eq!(i2c(&board, "hung", &[0], 1), [0]);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let hung = scope.spawn(|| {
            let error = refused(&board, "hung", Request::named("i2c").data([1]));
            (error.code, begun.elapsed())
        });
        // Another loop goes on meanwhile, as long as it leaves the bus alone.
        until("it has the bus", || {
            !i2c_is_free(&board) || hung.is_finished()
        });
        let quick = Instant::now();
        assert_eq!(ask(&board, "apart", "made"), 0);
        assert!(quick.elapsed() < WALL, "{:?}", quick.elapsed());
        let (code, took) = hung.join().unwrap();
        assert_eq!(code, ErrorCode::DriverDied);
        assert!(took >= WALL, "{took:?}");
    });
    let (ended, cause) = state(&board, "hung");
    assert_eq!(
        (ended, cause.contains(OVER)),
        (State::Failed, true),
        "{cause}"
    );
    let stuck = |board: &Board| board.status().buses["i2c"]["i2c-1"].stuck_by.clone();
    assert_eq!(stuck(&board).as_deref(), Some("hung"));
    // Who shares the bus is told, and lives; the loop goes on.
    for _ in 0..3 {
        assert_eq!(said(&board, "same", &[0], 1), "Other(Io)");
        assert_eq!(said(&board, "apart", &[0], 1), "Other(Io)");
    }
    for name in ["same", "apart", "aside"] {
        assert_running(&board, name);
    }
    bus.0.open();
    until("the call has come back", || stuck(&board).is_none());
    assert_eq!(i2c(&board, "same", &[0], 1), [0]);
}

/// Whether nobody waits for the device that hangs: its driver's loop answers.
fn i2c_is_free(board: &Board) -> bool {
    let attempt = Request::named("made").mode(loopgate::Mode::Attempt);
    board.call("same", attempt).is_ok()
}

#[test]
fn rule_13_a_device_that_never_answers_costs_its_driver_exactly_its_limit_in_virtual_time() {
    let hangs = "[[board.i2c-device]]\nbus = \"i2c-1\"\naddress = 0x20\nmodel = \"registers\"\n";
    let board = virtual_board(format!("{SENSOR}{hangs}{}", drivers()));
    let stuck = SimFault {
        kind: FaultKind::Stuck,
        at: Some(1),
    };
    let sim = board.sim_i2c();
    sim.set_faults("i2c-1", Address::new(0x20), vec![stuck]);
    let begun = board.now();
    let error = refused(&board, "hung", Request::named("i2c").data([1]));
    assert_eq!(error.code, ErrorCode::DriverDied);
    let (ended, cause) = state(&board, "hung");
    assert_eq!(
        (ended, cause.contains(OVER)),
        (State::Failed, true),
        "{cause}"
    );
    assert_eq!(board.now().saturating_since(begun), WALL);
    let stuck_by = || board.status().buses["i2c"]["i2c-1"].stuck_by.clone();
    assert_eq!(stuck_by().as_deref(), Some("hung"));
    let before = board.now();
    for name in ["same", "apart"] {
        assert_eq!(said(&board, name, &[0], 1), "Other(Io)");
        assert_running(&board, name);
    }
    assert_eq!(board.now(), before);
    sim.release("i2c-1");
    assert_eq!(stuck_by(), None);
    assert_eq!(said(&board, "same", &[0], 1), "NoAcknowledge(Address)");
}

#[test]
fn a_transaction_that_takes_too_long_ends_its_driver_and_then_the_bus_is_free() {
    let board = virtual_board(format!("{SENSOR}{}", probe("bus", "", &device(0x76))));
    // At 100 kHz this takes 0.9 s.
    let long = many_request(1, 10_000);
    assert_eq!(refused(&board, "bus", long).code, ErrorCode::DriverDied);
    let (ended, cause) = state(&board, "bus");
    assert_eq!(
        (ended, cause.contains(OVER)),
        (State::Failed, true),
        "{cause}"
    );
    board.start_driver("bus").unwrap();
    assert_eq!(said(&board, "bus", &[0xd0], 1), "Other(Io)");
    board.run_for(Duration::from_secs(1));
    assert_eq!(
        answer(&board, "bus", Request::named("i2c").data([0xd0]).scalar(1)),
        [0x60]
    );
}
