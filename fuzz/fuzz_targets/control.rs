#![no_main]
//! See `loopgate_integration::fuzzing::control`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| loopgate_integration::fuzzing::control(bytes));
