#![no_main]
//! See `loopgate_integration::fuzzing::component`.

use arbitrary::Unstructured;
use libfuzzer_sys::fuzz_target;
use loopgate_integration::fuzzing::component;
use wasm_smith::{Component, Config};

// Bytes that are no component by themselves choose one.
fuzz_target!(|bytes: &[u8]| {
    component(bytes);
    if !bytes.starts_with(b"\0asm")
        && let Ok(made) = Component::new(Config::default(), &mut Unstructured::new(bytes))
    {
        component(&made.to_bytes());
    }
});
