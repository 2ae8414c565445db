//! Allocates without end when it is set off.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::{Trigger, misbehaves};

fn allocate(_: &Trigger) -> Reply {
    let mut hoard = Vec::new();
    loop {
        hoard.push(vec![1_u8; 64 * 1024]);
        std::hint::black_box(&mut hoard);
    }
}

misbehaves!(allocate);
