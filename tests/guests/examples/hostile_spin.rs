//! Spins for ever when it is set off.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::{Trigger, misbehaves};

fn spin(_: &Trigger) -> Reply {
    loop {
        std::hint::black_box(());
    }
}

misbehaves!(spin);
