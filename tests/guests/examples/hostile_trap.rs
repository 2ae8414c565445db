//! Traps when it is set off.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::{Trigger, misbehaves};

fn trap(_: &Trigger) -> Reply {
    panic!("set off")
}

misbehaves!(trap);
