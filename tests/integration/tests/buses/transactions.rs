//! What a driver gets of the devices that it is granted, in virtual time and in real
//! time.

use crate::support::{SENSOR, answer, device, i2c, many, probe, said};
use loopgate::devices::i2c::Address;
use loopgate::devices::sim::i2c::{FaultKind, SimFault};
use loopgate::{Board, BoardFile, Request};
use loopgate_integration::{assert_running, logged, real_board, virtual_board};
use std::time::Duration;

/// The same on a bus that is made at once, and on one with a thread.
fn boards(drivers: &str) -> [Board; 2] {
    let all = format!("{SENSOR}{drivers}");
    [virtual_board(&all), real_board(&all)]
}

#[test]
fn registers_are_read_and_written_in_one_transaction() {
    for board in boards(&probe("bus", "", &device(0x76))) {
        assert_eq!(i2c(&board, "bus", &[0xd0], 1), [0x60]);
        assert_eq!(i2c(&board, "bus", &[0x10], 4), [1, 2, 3, 0]);
        assert!(i2c(&board, "bus", &[0x11, 9, 8], 0).is_empty());
        assert_eq!(i2c(&board, "bus", &[0x10], 3), [1, 9, 8]);
        // Read-only, cleared by a read, a counter.
        assert!(i2c(&board, "bus", &[0xd0, 1], 0).is_empty());
        assert_eq!(i2c(&board, "bus", &[0xd0], 1), [0x60]);
        assert_eq!(i2c(&board, "bus", &[0x20], 1), [0xff]);
        assert_eq!(i2c(&board, "bus", &[0x20], 1), [0]);
        assert_eq!(i2c(&board, "bus", &[0x30], 1), [7]);
        assert_eq!(i2c(&board, "bus", &[0x30], 1), [8]);
        let status = board.status();
        assert_eq!(status.buses["i2c"]["i2c-1"].stuck_by, None);
        assert_eq!(status.buses["i2c"]["i2c-1"].transactions, 11);
    }
}

#[test]
fn neighbours_of_one_direction_are_one_message() {
    let board = virtual_board(format!("{SENSOR}{}", probe("bus", "", &device(0x76))));
    assert!(i2c(&board, "bus", &[0x10], 0).is_empty());
    let begun = board.now();
    assert_eq!(many(&board, 42, 2), "84");
    // START, address and acknowledge once, 84 bytes of nine bits, STOP.
    let bits = 10 + 84 * 9 + 1;
    assert_eq!(
        board.now().saturating_since(begun),
        Duration::from_micros(10 * bits)
    );
}

#[test]
fn rule_12_a_driver_reaches_its_own_address_alone() {
    let table = format!(
        "{}other = {{ bus = \"i2c-1\", address = 0x20 }}\n",
        device(0x76)
    );
    for board in boards(&probe("bus", "", &table)) {
        assert_eq!(open(&board, "device"), "busy");
        assert_eq!(open(&board, "i2c-1"), "not-granted");
        assert_eq!(open(&board, "0x76"), "not-granted");
        assert!(logged(&board, "bus", "asked for the I2C device `i2c-1`"));
        // There is no device, which is no matter of opening one.
        assert_eq!(open(&board, "other"), "");
    }
}

fn open(board: &Board, name: &str) -> String {
    let answer = answer(board, "bus", Request::named("open").data(name));
    String::from_utf8(answer).unwrap()
}

#[test]
fn faults_are_what_the_bus_calls_them() {
    let faults = "\n[[board.i2c-device.fault]]\nkind = \"no-acknowledge\"\nat = 2\n\
                  [[board.i2c-device.fault]]\nkind = \"arbitration-loss\"\nat = 3\n";
    let nobody = probe("nobody", "", &device(0x20));
    let all = format!(
        "{SENSOR}{faults}{}{nobody}",
        probe("bus", "", &device(0x76))
    );
    for board in [virtual_board(&all), real_board(&all)] {
        // The probe makes one at its start.
        assert_eq!(said(&board, "bus", &[0], 1), "NoAcknowledge(Address)");
        assert_eq!(said(&board, "bus", &[0], 1), "ArbitrationLoss");
        assert_eq!(i2c(&board, "bus", &[0xd0], 1), [0x60]);
        assert_eq!(said(&board, "nobody", &[0], 1), "NoAcknowledge(Address)");
        let fault = SimFault {
            kind: FaultKind::ArbitrationLoss,
            at: None,
        };
        board
            .sim_i2c()
            .set_faults("i2c-1", Address::new(0x76), vec![fault]);
        for _ in 0..3 {
            assert_eq!(said(&board, "bus", &[0], 1), "ArbitrationLoss");
        }
    }
}

#[test]
fn a_transaction_has_bounds() {
    let board = virtual_board(format!("{SENSOR}{}", probe("bus", "", &device(0x76))));
    for (count, bytes) in [(43, 1), (43, 0), (1, 65_537), (2, 40_000)] {
        assert_eq!(
            many(&board, count, bytes),
            "Other(BadArgument)",
            "{count} {bytes}"
        );
    }
    assert!(logged(&board, "bus", "at most 42 operations"));
    assert_eq!(many(&board, 42, 10), "420");
    assert_running(&board, "bus");
}

#[test]
fn spi_goes_both_ways_and_takes_its_time() {
    let bus = "[[board.spi-device]]\nbus = \"spi0\"\nmodel = \"loop-back\"\n\
               [[board.spi-device]]\nbus = \"spi0\"\nchip-select = 1\nmodel = \"registers\"\n\
               registers = { 0x0f = \"33\" }\n";
    let of = |select| {
        format!(
            "[driver.spi]\ndisplay = {{ bus = \"spi0\", chip-select = {select}, clock = 1000000 }}\n"
        )
    };
    let drivers = [probe("loop", "", &of(0)), probe("registers", "", &of(1))].concat();
    let spi = |board: &Board, service: &str, words: &[u8], delay: u64| {
        let request = Request::named("spi").data(words).scalar(delay);
        answer(board, service, request)
    };
    for board in [
        virtual_board(format!("{bus}{drivers}")),
        real_board(format!("{bus}{drivers}")),
    ] {
        assert_eq!(spi(&board, "loop", &[1, 2, 3], 0), [1, 2, 3]);
        let begun = board.now();
        assert_eq!(spi(&board, "loop", &[1, 2, 3], 5000), [1, 2, 3]);
        let took = board.now().saturating_since(begun);
        let least = Duration::from_micros(24 + 5);
        assert!(took >= least && (board.status().clock == "real" || took == least));
        assert_eq!(
            spi(&board, "loop", &[1, 2], 300_000_000),
            b"Other(TimedOut)"
        );
        assert_eq!(spi(&board, "registers", &[0x8f, 0], 0), [0, 0x33]);
        assert_eq!(spi(&board, "registers", &[0x0f, 9], 0), [0, 0]);
        assert_eq!(spi(&board, "registers", &[0x8f, 0, 0], 0), [0, 9, 0]);
    }
}

#[test]
fn the_board_file_says_what_is_wrong_with_a_bus() {
    let one = |rest: &str| format!("[[driver]]\nname = \"one\"\ncomponent = \"one.wasm\"\n{rest}");
    let two = |rest: &str| format!("[[driver]]\nname = \"two\"\ncomponent = \"two.wasm\"\n{rest}");
    let spi = |rest: &str| one(&format!("spi = {{ d = {{ bus = \"spi0\", {rest} }} }}\n"));
    let table = [
        (one(&device(0x78)), "0x08 to 0x77"),
        (
            one(&device(0x76)) + &two(&device(0x76)),
            "belongs to driver `one`",
        ),
        (spi("clock = 0"), "a clock of 0"),
        (spi("clock = 1, mode = 4"), "0, 1, 2 or 3"),
        (spi("clock = 1, bits = 9"), "`bits` is 1 to 8"),
        (format!("{SENSOR}{SENSOR}"), "belongs to the board"),
        (SENSOR.replace("\"ff\"", "\"f\""), "are no registers"),
        (SENSOR.replace("0x20-0x21", "a-b"), "names no registers"),
    ];
    for (text, part) in table {
        let text = format!("[board]\nbackend = \"sim\"\n{text}");
        let error = BoardFile::parse(&text, "board.toml").unwrap_err();
        let error = error.to_string();
        assert!(
            error.contains(part) && error.contains("board.toml:"),
            "{error}"
        );
    }
}
