#![no_main]
//! See `loopgate_integration::fuzzing::trace`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| loopgate_integration::fuzzing::trace(bytes));
