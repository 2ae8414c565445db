//! Prints to standard output and error when it is set off.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::{Trigger, misbehaves};

fn print(trigger: &Trigger) -> Reply {
    for line in 0..trigger.amount.unwrap_or(1) {
        println!("line {line} on standard output");
        eprintln!("line {line} on standard error");
    }
    "printed".into()
}

misbehaves!(print);
