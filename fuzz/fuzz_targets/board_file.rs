#![no_main]
//! See `loopgate_integration::fuzzing::board_file`.

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| loopgate_integration::fuzzing::board_file(bytes));
