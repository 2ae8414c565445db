//! A driver that was built against `wasi:i2c`, and knows nothing of ours.

use crate::support::{SENSOR, device};
use loopgate::{BoardFile, State, inspect};
use loopgate_integration::{entry, guest, logged, state, virtual_board};

fn entry_of(device: &str) -> String {
    entry("wasi", &guest("probe_wasi_i2c"), device)
}

#[test]
fn a_component_of_wasi_i2c_loads_as_it_is_and_reads_a_sensor() {
    let board = virtual_board(format!("{SENSOR}{}", entry_of(&device(0x76))));
    let (_, cause) = state(&board, "wasi");
    let expected = "read 0x60; elsewhere: Err(\"NoAcknowledge(Address)\")";
    assert!(cause.contains(expected), "{cause}");
    // Two messages of a byte each at 100 kHz, and the delay.
    let bits = 2 * 10 + 2 * 9 + 1;
    assert_eq!(board.now().as_nanos(), bits * 10_000 + 1_000_000);
}

#[test]
fn what_is_not_granted_is_not_handed_over() {
    let board = virtual_board(format!("{SENSOR}{}", entry_of("")));
    let (ended, cause) = state(&board, "wasi");
    assert_eq!(ended, State::Failed);
    assert!(cause.contains("nothing is granted"), "{cause}");
    assert!(!logged(&board, "wasi", "left out"));
}

#[test]
fn what_was_revoked_is_not_handed_over_again() {
    let board = virtual_board(format!("{SENSOR}{}", entry_of(&device(0x76))));
    board.revoke("wasi", "device").unwrap();
    let refused = board.start_driver("wasi").unwrap_err().to_string();
    assert!(refused.contains("nothing is granted"), "{refused}");
}

#[test]
fn check_says_what_it_imports_and_what_it_lacks() {
    let text = |device: &str| format!("[board]\nbackend = \"sim\"\n{}", entry_of(device));
    let board = |device| BoardFile::parse(&text(device), "test.toml").unwrap();
    let found = inspect(&guest("probe_wasi_i2c"), Some(&board(""))).unwrap();
    assert!(found.loads);
    let import = |part: &str| found.imports.iter().find(|one| one.import.contains(part));
    assert!(import("wasi:i2c/i2c@0.2.0-draft").is_some_and(|one| one.known));
    // Of ours there are types alone.
    let ours = found
        .imports
        .iter()
        .filter(|one| one.import.starts_with("loopgate:"));
    let types = ["types", "request", "gpio"];
    for import in ours {
        let known = types
            .iter()
            .any(|name| import.import.contains(&format!("/{name}@")));
        assert!(known, "{}", import.import);
    }
    assert!(
        found
            .missing
            .iter()
            .any(|text| text.contains("add `[driver.i2c]`"))
    );
    let found = inspect(&guest("probe_wasi_i2c"), Some(&board(&device(0x76)))).unwrap();
    assert!(found.missing.is_empty(), "{:?}", found.missing);
    let grant = "I2C device `device` = bus `i2c-1`, address 0x76";
    assert!(
        found.grants.iter().any(|text| text.contains(grant)),
        "{:?}",
        found.grants
    );
}
