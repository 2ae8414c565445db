//! Passes one list of selectors whose strings are all the same memory when it
//! is set off: a megabyte in the guest, `amount` times three (8 unless told)
//! megabytes for a host that copies each.

#![allow(unsafe_code, reason = "safe Rust has no string that is in two places")]

use loopgate_guest::prelude::*;
use loopgate_test_guests::{Trigger, misbehaves};

const MEBIBYTE: usize = 1 << 20;

/// A `selector` of the contract as the canonical ABI lays it out.
#[repr(C)]
#[derive(Clone, Copy)]
struct Selector {
    number: u32,
    texts: [Text; 3],
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Text {
    bytes: *const u8,
    length: usize,
}

#[link(wasm_import_module = "loopgate:driver/request@0.1.0")]
unsafe extern "C" {
    #[link_name = "publish"]
    fn publish(
        name: *const u8,
        name_length: usize,
        gate: u32,
        queueing: u32,
        input_max: u32,
        selectors: *const Selector,
        count: usize,
        result: *mut u8,
    );
}

fn alias(trigger: &Trigger) -> Reply {
    let count = usize::try_from(trigger.amount.unwrap_or(8)).unwrap_or(usize::MAX);
    let shared = vec![b'a'; MEBIBYTE];
    let text = Text {
        bytes: shared.as_ptr(),
        length: shared.len(),
    };
    let selector = Selector {
        number: 1,
        texts: [text; 3],
    };
    let selectors = vec![selector; count];
    let name = "aliased";
    let mut result = [0_u8; 2];
    // SAFETY: every pointer is to memory that lives across the call, with its
    // length; `result` has room for a `result<_, enum>`.
    unsafe {
        publish(
            name.as_ptr(),
            name.len(),
            0,
            0,
            0,
            selectors.as_ptr(),
            selectors.len(),
            result.as_mut_ptr(),
        );
    }
    format!(
        "host took {count} selectors: case {}, code {}",
        result[0], result[1]
    )
    .into()
}

misbehaves!(alias);
