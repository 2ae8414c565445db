//! Scenarios of the conformance kit.

use loopgate_conform::Scenario;

/// A scenario is read, or refused in words.
pub fn scenario(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    if let Err(error) = Scenario::parse(text, "fuzz.toml") {
        assert!(!error.to_string().is_empty());
    }
}
