//! The models of devices, on a board.

use crate::support::{device, i2c, probe, said};
use loopgate::Board;
use loopgate::devices::i2c::Address;
use loopgate::devices::sim::i2c::Ssd1306;
use loopgate_integration::{ask, board_of, entry, guest, real_board, until, virtual_board};
use std::sync::Arc;
use std::time::Duration;

const EXPANDER: &str = r#"
[[board.i2c-device]]
bus = "i2c-1"
address = 0x20
model = "pcf8574"
lines = ["X0", "X1", "X2", "X3", "X4", "X5", "X6", "X7"]
interrupt = "INT"
"#;

fn is_high(board: &Board, line: &str) -> bool {
    let lines = board.sim().show();
    lines.iter().any(|one| one.name == line && one.high)
}

#[test]
fn an_expander_s_pins_are_lines_of_the_board_and_its_interrupt_says_when_to_read() {
    let counter = entry(
        "counter",
        &guest("probe_counter"),
        "provides = [\"counter\"]\n[driver.gpio]\n\
         in = { line = \"INT\", direction = \"input\", edges = \"both\", bias = \"pull-up\" }",
    );
    let drivers = format!("{EXPANDER}{}{counter}", probe("bus", "", &device(0x20)));
    for board in [virtual_board(&drivers), real_board(&drivers)] {
        // The probe writes a zero at its start: all pins are driven low.
        assert!(!is_high(&board, "X0") && !is_high(&board, "X7"));
        assert!(i2c(&board, "bus", &[0xfe], 0).is_empty());
        assert!(!is_high(&board, "X0") && is_high(&board, "X7") && is_high(&board, "INT"));
        board.sim().set("X7", false).unwrap();
        assert!(!is_high(&board, "INT"));
        assert_eq!(i2c(&board, "bus", &[0xfe], 1), [0x7e]);
        assert!(is_high(&board, "INT"));
        // There and back again: nothing is left to read.
        board.sim().release("X7").unwrap();
        assert!(!is_high(&board, "INT"));
        board.sim().set("X7", false).unwrap();
        assert!(is_high(&board, "INT"));
        until("its driver was told of each change", || {
            if board.status().clock == "virtual" {
                board.run_for(Duration::from_millis(1));
            }
            ask(&board, "counter", "edges") == 4
        });
    }
}

#[test]
fn a_humidity_sensor_answers_when_its_time_is_over() {
    let sensor = "[[board.i2c-device]]\nbus = \"i2c-1\"\naddress = 0x44\nmodel = \"sht4x\"\n";
    let board = virtual_board(format!("{sensor}{}", probe("bus", "", &device(0x44))));
    assert!(i2c(&board, "bus", &[0xfd], 0).is_empty());
    assert_eq!(said(&board, "bus", &[0xfd], 6), "NoAcknowledge(Address)");
    board.run_for(Duration::from_millis(9));
    assert!(i2c(&board, "bus", &[0x89], 6).starts_with(&[0, 0]));
}

#[test]
fn a_display_shows_what_was_drawn() {
    let display = Arc::new(Ssd1306::new());
    let clock = loopgate::board_file::ClockKind::Virtual;
    let board = board_of(probe("bus", "", &device(0x3c)), clock)
        .i2c_device("i2c-1", Address::new(0x3c), display.clone())
        .build()
        .unwrap_or_else(|error| panic!("{error}"));
    let set_up = [0, 0xae, 0x20, 0, 0xa1, 0xc8, 0x21, 0, 127, 0x22, 0, 7, 0xaf];
    assert!(i2c(&board, "bus", &set_up, 0).is_empty());
    let rows = [0x40]
        .into_iter()
        .chain((0..1024).map(|nth| u8::from(nth % 128 < 2)));
    assert!(i2c(&board, "bus", &rows.collect::<Vec<_>>(), 0).is_empty());
    let lit = |x: usize, y: usize| display.is_lit(x, y);
    assert!((0..8).all(|page| lit(0, 8 * page) && lit(1, 8 * page) && !lit(2, 8 * page)));
    assert_eq!(display.pbm().matches('1').count(), 1 + 1 + 16);
}
