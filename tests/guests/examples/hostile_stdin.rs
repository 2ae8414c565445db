//! Reads standard input when it is set off.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::{Trigger, misbehaves};

fn read(_: &Trigger) -> Reply {
    let mut line = String::new();
    match std::io::stdin().read_line(&mut line) {
        Ok(length) => format!("read {length} bytes").into(),
        Err(error) => format!("could not read: {error}").into(),
    }
}

misbehaves!(read);
