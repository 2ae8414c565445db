//! Devices over reloads and deaths.

use crate::support::{SENSOR, device, i2c, probe, said};
use loopgate_integration::{assert_running, logged, virtual_board};

#[test]
fn rule_16_a_transaction_before_the_commit_is_not_permitted_and_the_device_goes_over() {
    let board = virtual_board(format!("{SENSOR}{}", probe("bus", "", &device(0x76))));
    assert!(logged(&board, "bus", "in start: [0]"));
    let before = board.status().buses["i2c"]["i2c-1"].transactions;
    let reload = board.reload("bus").unwrap();
    assert!(reload.state_bytes.is_some());
    assert!(logged(&board, "bus", "in start: Other(NotPermitted)"));
    assert_eq!(board.status().buses["i2c"]["i2c-1"].transactions, before);
    assert_running(&board, "bus");
    assert_eq!(i2c(&board, "bus", &[0xd0], 1), [0x60]);
}

#[test]
fn a_driver_that_was_stopped_has_its_device_again() {
    let board = virtual_board(format!("{SENSOR}{}", probe("bus", "", &device(0x76))));
    for _ in 0..3 {
        board.stop_driver("bus").unwrap();
        board.start_driver("bus").unwrap();
        assert_eq!(i2c(&board, "bus", &[0xd0], 1), [0x60]);
    }
}

#[test]
fn a_grant_that_is_revoked_ends_with_the_next_transaction() {
    let board = virtual_board(format!("{SENSOR}{}", probe("bus", "", &device(0x76))));
    assert_eq!(board.revoke("bus", "device").unwrap().devices, 1);
    assert_eq!(board.revoke("bus", "device").unwrap().devices, 0);
    assert_eq!(said(&board, "bus", &[0xd0], 1), "Other(NotGranted)");
    assert!(logged(&board, "bus", "which was revoked"));
    assert_running(&board, "bus");
}
