//! Floods the log when it is set off: `amount` lines, 10000 unless told. `how`:
//! `long` makes each 32 KiB long, `control` fills it with control characters.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::{Trigger, misbehaves};

fn flood(trigger: &Trigger) -> Reply {
    let filling = match trigger.how.as_str() {
        "long" => "x".repeat(32 * 1024),
        "control" => "\u{1b}[31m\r\n\0\u{7}\u{202e}forged: line".into(),
        _ => String::new(),
    };
    for line in 0..trigger.amount.unwrap_or(10_000) {
        warn!("flood {line} {filling}");
    }
    "flooded".into()
}

misbehaves!(flood);
