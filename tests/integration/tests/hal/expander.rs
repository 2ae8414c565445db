//! `expander-pcf8574`, and drivers on its pins.

use crate::support::{built, is_high, samples};
use loopgate::board_file::ClockKind;
use loopgate::devices::i2c::Address;
use loopgate::devices::sim::i2c::{FaultKind, SimFault};
use loopgate_integration::{ask, assert_running, board_of, driver, entry, guest};
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);

#[test]
fn a_driver_on_a_pin_behind_the_bus_is_the_same() {
    let board = built(samples());
    assert_running(&board, "expander-pcf8574");
    assert_running(&board, "far-blink");
    let levels = (0..4).map(|_| {
        let level = is_high(&board, "X7");
        board.run_for(500 * MILLISECOND);
        level
    });
    assert_eq!(levels.collect::<Vec<_>>(), [false, true, false, true]);
}

/// The sample and a driver that counts the edges of two of its pins, on a board with
/// the chip.
fn counted() -> loopgate::Board {
    let component = driver("expander_pcf8574");
    let chip = "[[board.i2c-device]]\nbus = \"b\"\naddress = 0x20\nmodel = \"pcf8574\"\n\
         interrupt = \"INT\"\n\
         lines = [\"X0\", \"X1\", \"X2\", \"X3\", \"X4\", \"X5\", \"X6\", \"X7\"]\n";
    let rest = "provides = [\"pcf8574\"]\n\
         [driver.i2c]\nchip = { bus = \"b\", address = 0x20 }\n\
         [driver.gpio]\n\
         interrupt = { line = \"INT\", direction = \"input\", bias = \"pull-up\", edges = \"falling\" }\n";
    let counter = |name: &str, pin: &str| {
        let service = format!("provides = [\"{name}\"]\nconfig = {{ service = \"{name}\" }}");
        let pins =
            format!("in = {{ line = \"pcf8574:{pin}\", direction = \"input\", edges = \"both\" }}");
        let rest = format!("uses = [\"pcf8574\"]\n{service}\n[driver.gpio]\n{pins}\n");
        entry(name, &guest("probe_counter"), &rest)
    };
    let drivers =
        chip.to_owned() + &entry("expander", &component, rest) + &counter("counter", "P0");
    let board = board_of(drivers, ClockKind::Virtual).build();
    board.unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn a_change_of_a_pin_interrupts_its_driver_by_the_chip_s_line() {
    let board = counted();
    assert_running(&board, "counter");
    for (edges, high) in [(1, false), (2, true), (3, false)] {
        board.sim().set("X0", high).unwrap();
        assert!(!is_high(&board, "INT"));
        board.run_for(5 * MILLISECOND);
        assert!(is_high(&board, "INT"), "it was read");
        assert_eq!(ask(&board, "counter", "edges"), edges);
    }
    // A pin that nobody has is read, too, and concerns nobody.
    board.sim().set("X3", false).unwrap();
    board.run_for(5 * MILLISECOND);
    assert!(is_high(&board, "INT"));
    assert_eq!(ask(&board, "counter", "edges"), 3);
}

#[test]
fn a_chip_that_does_not_answer_costs_a_change_and_not_the_driver() {
    let board = counted();
    let missing = SimFault {
        kind: FaultKind::NoAcknowledge,
        at: Some(1),
    };
    board
        .sim_i2c()
        .set_faults("b", Address::new(0x20), vec![missing]);
    board.sim().set("X0", false).unwrap();
    board.run_for(5 * MILLISECOND);
    assert_running(&board, "expander");
    assert_eq!(ask(&board, "counter", "edges"), 0);
    // The next one is told; and the first one with it, had it lasted.
    board.sim().set("X0", true).unwrap();
    board.sim().set("X0", false).unwrap();
    board.run_for(5 * MILLISECOND);
    assert_eq!(ask(&board, "counter", "edges"), 1);
}
