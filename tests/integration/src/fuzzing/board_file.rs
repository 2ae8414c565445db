//! Board files: read, checked, and explained.

use loopgate::BoardFile;
use loopgate::board_file::DriverEntry;

/// Reads a board file.
pub fn board_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    match BoardFile::parse(text, "/board/fuzz.toml") {
        Ok(file) => look_around(&file),
        Err(error) => {
            let told = error.to_string();
            assert!(told.contains("fuzz.toml"), "it names no file: {told}");
        }
    }
}

/// What was accepted keeps what was checked.
fn look_around(file: &BoardFile) {
    for (place, driver) in file.drivers.iter().enumerate() {
        let named = file.place(&driver.name);
        assert!(named.contains("fuzz.toml"), "{named}");
        assert!(!driver.name.get_ref().is_empty());
        for service in &driver.provides {
            let provider = file.provider_of(service.get_ref());
            let provider = provider.map(|provider| provider.name.get_ref());
            assert_eq!(provider, Some(driver.name.get_ref()));
        }
        for used in driver
            .uses
            .iter()
            .filter_map(|used| file.provider_of(used.get_ref()))
        {
            let before = &file.drivers[..place];
            let comes_before = before.iter().any(|other| other.name == used.name);
            assert!(comes_before, "it starts before `{}`", used.name.get_ref());
        }
        within_bounds(driver);
        let _ = file.resolve(driver.component.get_ref());
    }
}

fn within_bounds(driver: &DriverEntry) {
    let limits = driver.limits();
    assert!(limits.memory <= 16 << 20 && limits.payload <= 4 << 20);
    assert!((1..=65_536).contains(&limits.handles));
    assert_eq!(driver.gpio_in_order().len(), driver.gpio.len());
    let _ = driver.restart();
}
