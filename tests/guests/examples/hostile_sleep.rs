//! Sleeps when it is set off: `amount` milliseconds, 2000 unless told.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::{Trigger, misbehaves};

fn sleep(trigger: &Trigger) -> Reply {
    std::thread::sleep(trigger.amount.unwrap_or(2_000).millis());
    "slept".into()
}

misbehaves!(sleep);
