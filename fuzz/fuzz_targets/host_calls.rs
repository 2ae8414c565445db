#![no_main]
//! See `loopgate_integration::fuzzing::host_calls`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| loopgate_integration::fuzzing::host_calls(bytes));
