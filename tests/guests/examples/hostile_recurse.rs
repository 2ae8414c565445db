//! Recurses without end when it is set off.

#![forbid(unsafe_code)]

use std::hint::black_box;

use loopgate_guest::prelude::*;
use loopgate_test_guests::{Trigger, misbehaves};

fn recurse(_: &Trigger) -> Reply {
    deeper(1).into()
}

/// Called through a pointer that the compiler cannot see through, and used
/// afterwards: it must not become a loop.
#[inline(never)]
fn deeper(depth: u64) -> u64 {
    let next: fn(u64) -> u64 = black_box(deeper);
    next(black_box(depth) + 1) ^ depth
}

misbehaves!(recurse);
