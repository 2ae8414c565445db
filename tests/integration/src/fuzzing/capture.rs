//! Recordings: `.sr` and VCD, as files, and `.sr` by its parts.

use super::held;
use super::input::Input;
use loopgate::devices::capture::{self, Capture};
use loopgate::workloop::Instant;
use std::io::{Cursor, Write as _};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A file of the target that begins so says what a session has in it: a fuzzer
/// finds no checksums.
const PARTS: &[u8] = b"parts:";
/// Of a channel that is long: enough to see that it is in order.
const CHANGES: usize = 10_000;
const CHANNELS: usize = 4;

/// Reads a recording and plays its channels.
pub fn capture(bytes: &[u8]) {
    let session = bytes.strip_prefix(PARTS).map(session);
    let file = held(session.as_deref().unwrap_or(bytes));
    match capture::open(file.path()) {
        Ok(capture) => play(&capture),
        Err(error) => {
            let told = error.to_string();
            assert!(told.contains("; "), "no remedy in: {told}");
        }
    }
}

fn play(capture: &Capture) {
    let names: Vec<_> = capture.channels().map(str::to_owned).collect();
    assert!(!names.is_empty(), "a recording of nothing");
    assert!(names.len() <= capture::MAX_VARIABLES);
    for name in names.iter().take(CHANNELS) {
        assert!(capture.position(name).is_some(), "`{name}` has no place");
        let end = Instant::ZERO.saturating_add(capture.length());
        let mut last: Option<(Instant, bool)> = None;
        let edges = capture.edges(name, false, Instant::ZERO).expect("its name");
        for (at, high) in edges.take(CHANGES) {
            assert!(at <= end, "`{name}` changes after the end");
            if let Some((before, was)) = last {
                assert!(before <= at, "`{name}` goes back in time");
                assert!(was != high, "`{name}` does not change");
            }
            last = Some((at, high));
        }
        assert!(last.is_some(), "`{name}` has no first level");
    }
    assert!(capture.fault().is_none(), "it was whole, and is not now");
    assert!(
        capture
            .edges("no such channel\0", false, Instant::ZERO)
            .is_err()
    );
}

/// The description, up to a zero, and samples: in parts, of which each says
/// whether it is compressed.
fn session(bytes: &[u8]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut add = |name: &str, method, data: &[u8]| {
        let options = SimpleFileOptions::default().compression_method(method);
        zip.start_file(name, options).expect("it is in memory");
        zip.write_all(data).expect("it is in memory");
    };
    let end = bytes.iter().position(|&byte| byte == 0);
    let (metadata, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
    add("version", CompressionMethod::Stored, b"2");
    add("metadata", CompressionMethod::Deflated, metadata);
    let mut input = Input::new(rest.get(1..).unwrap_or_default());
    for part in 1..=64 {
        if input.is_over() {
            break;
        }
        let (method, repeat) = match input.byte() {
            byte @ 0..128 => (CompressionMethod::Stored, usize::from(byte)),
            byte => (CompressionMethod::Deflated, usize::from(byte) * 16),
        };
        add(
            &format!("logic-1-{part}"),
            method,
            &input.chunk().repeat(1 + repeat),
        );
    }
    zip.finish().expect("it is in memory").into_inner()
}
