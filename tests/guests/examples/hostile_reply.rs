//! Replies with `amount` bytes, 1 MiB unless told.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::{Trigger, misbehaves};

fn reply(trigger: &Trigger) -> Reply {
    let bytes = usize::try_from(trigger.amount.unwrap_or(1 << 20));
    vec![b'x'; bytes.unwrap_or(usize::MAX)].into()
}

misbehaves!(reply);
