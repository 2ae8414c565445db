//! Recordings that are broken, absurd or made to harm.

mod common;

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use common::{Random, at};
use loopgate_devices::capture::{self, Error, MAX_EXPANDED_BYTES, MAX_FILE_BYTES};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

const METADATA: &str = "[global]\nsigrok version=0.5.0\n\n[device 1]\ncapturefile=logic-1\n\
    total probes=8\nsamplerate=1 MHz\nprobe1=A\nprobe2=B\nunitsize=1\n";

/// A session with these parts beside `metadata`.
fn session(metadata: &str, parts: &[(&str, &[u8])]) -> Vec<u8> {
    session_by(CompressionMethod::Deflated, metadata, parts)
}

fn session_by(method: CompressionMethod, metadata: &str, parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, data) in [("version", &b"2"[..]), ("metadata", metadata.as_bytes())]
        .iter()
        .chain(parts)
    {
        zip.start_file(*name, options).unwrap();
        zip.write_all(data).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("made.sr")
    }

    fn open(&self, bytes: &[u8]) -> Result<capture::Capture, Error> {
        // A new file each time: some file systems write one that is truncated
        // and rewritten to the disk at once.
        let _ = fs::remove_file(self.path());
        fs::write(self.path(), bytes).unwrap();
        capture::open(self.path())
    }

    fn error(&self, bytes: &[u8]) -> Error {
        let error = self.open(bytes).expect_err("it was accepted");
        let text = error.to_string();
        assert!(text.contains("made.sr`"), "no file in: {text}");
        assert!(text.contains("; "), "no remedy in: {text}");
        error
    }
}

fn edges(capture: &capture::Capture, channel: &str) -> Vec<(u64, bool)> {
    let edges = capture.edges(channel, false, at(0)).unwrap();
    edges.map(|(t, high)| (t.as_nanos(), high)).collect()
}

#[test]
fn parts_follow_by_number_not_by_name() {
    let parts: Vec<(String, Vec<u8>)> = (1..=12)
        .rev()
        .map(|n| (format!("logic-1-{n}"), vec![n % 2; 10]))
        .collect();
    let parts: Vec<_> = parts
        .iter()
        .map(|(name, data)| (&**name, &**data))
        .collect();
    for method in [CompressionMethod::Deflated, CompressionMethod::Stored] {
        let capture = Place::new()
            .open(&session_by(method, METADATA, &parts))
            .unwrap();
        let expected: Vec<_> = (0..12).map(|n| (n * 10_000, n % 2 == 0)).collect();
        assert_eq!(edges(&capture, "A"), expected);
        assert_eq!(edges(&capture, "B"), [(0, false)]);
    }
}

#[test]
fn samples_may_be_cut_between_parts() {
    let metadata = METADATA
        .replace("unitsize=1", "unitsize=3")
        .replace("probe2=B", "probe24=B");
    let samples = [[0, 0, 0], [0, 0, 128], [1, 0, 128], [1, 0, 0]].concat();
    for cut in 1..samples.len() {
        let (head, tail) = samples.split_at(cut);
        let parts = [("logic-1-1", head), ("logic-1-2", tail)];
        let capture = Place::new().open(&session(&metadata, &parts)).unwrap();
        assert_eq!(capture.samples(), Some(4));
        assert_eq!(edges(&capture, "A"), [(0, false), (2_000, true)]);
        assert_eq!(
            edges(&capture, "B"),
            [(0, false), (1_000, true), (3_000, false)]
        );
    }
}

#[test]
fn times_are_rounded_once_and_never_add_up() {
    let metadata = METADATA.replace("1 MHz", "3 Hz");
    let samples: Vec<u8> = (0..1_000).map(|n| u8::from(n % 2 == 1)).collect();
    let capture = Place::new()
        .open(&session(&metadata, &[("logic-1", &samples)]))
        .unwrap();
    for (n, (time, _)) in edges(&capture, "A").into_iter().enumerate() {
        assert_eq!(time, (n as u64 * 2_000_000_000 + 3) / 6, "sample {n}");
    }
}

#[test]
fn a_time_past_the_clock_stays_at_its_end() {
    let capture = Place::new()
        .open(&session(METADATA, &[("logic-1", &[0, 1])]))
        .unwrap();
    let end = at(u64::MAX);
    assert_eq!(
        capture.edges("A", false, end).unwrap().last(),
        Some((end, true))
    );
}

#[test]
fn random_samples_give_the_edges_of_a_plain_search() {
    for seed in 0..60 {
        let mut random = Random(seed);
        let unit = 1 + random.below(8) as usize;
        let bit = random.below(unit as u64 * 8) as usize;
        let metadata = METADATA
            .replace("unitsize=1", &format!("unitsize={unit}"))
            .replace("probe1=A", &format!("probe{}=X", bit + 1))
            .replace("probe2=B\n", "");
        let sparse = random.below(2) == 0;
        let count = 1 + random.below(40_000) as usize;
        let samples: Vec<u8> = (0..count * unit)
            .map(|_| {
                if sparse && random.below(1_000) > 0 {
                    0
                } else {
                    random.next() as u8
                }
            })
            .collect();
        let high = |n: usize| samples[n * unit + bit / 8] & (1 << (bit % 8)) != 0;
        let expected: Vec<_> = (0..count)
            .filter(|n| *n == 0 || high(*n) != high(n - 1))
            .map(|n| (n as u64 * 1_000, high(n)))
            .collect();
        let cut = random.below(samples.len() as u64 + 1) as usize;
        let parts = [
            ("logic-1-1", &samples[..cut]),
            ("logic-1-2", &samples[cut..]),
        ];
        let capture = Place::new().open(&session(&metadata, &parts)).unwrap();
        assert_eq!(edges(&capture, "X"), expected, "seed {seed}");
    }
}

#[test]
fn what_is_no_session_is_named() {
    let place = Place::new();
    let missing = capture::open(place.path()).err().unwrap();
    assert!(matches!(missing, Error::Unreadable { .. }), "{missing}");
    assert!(
        missing.to_string().contains("made.sr` cannot be read"),
        "{missing}"
    );
    let folder = capture::open(place.0.path()).err().unwrap();
    assert!(
        folder.to_string().contains("not a regular file"),
        "{folder}"
    );
    for bytes in [&b""[..], b"PK", b"#!/bin/sh\n", &[0; 10_000]] {
        let error = place.error(bytes);
        assert!(matches!(error, Error::Malformed { .. }), "{error}");
    }
    let mut no_metadata = session(METADATA, &[("logic-1", &[1; 5_000])]);
    let at = entry(&no_metadata, "metadata");
    no_metadata[at + 46] = b'M';
    let error = place.error(&no_metadata).to_string();
    assert!(error.contains("no `metadata`"), "{error}");
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let place = Place::new();
    let mut random = Random(1);
    let noise: Vec<u8> = (0..3_000).map(|_| random.next() as u8).collect();
    let whole = session(
        METADATA,
        &[
            ("logic-1-1", &noise[..2_000]),
            ("logic-1-2", &noise[2_000..]),
        ],
    );
    assert!(place.open(&whole).is_ok());
    for length in 0..whole.len() {
        place.error(&whole[..length]);
    }
}

#[test]
fn a_flipped_bit_never_panics_and_never_plays_other_samples() {
    let place = Place::new();
    let mut random = Random(2);
    let noise: Vec<u8> = (0..64).map(|_| random.next() as u8).collect();
    let whole = session(METADATA, &[("logic-1", &noise)]);
    let expected = edges(&place.open(&whole).unwrap(), "A");
    let rate = |capture: &capture::Capture| capture.sample_rate();
    for byte in 0..whole.len() {
        for bit in 0..8 {
            let mut changed = whole.clone();
            changed[byte] ^= 1 << bit;
            // Accepted where the bit does not matter, as in a date.
            if let Ok(capture) = place.open(&changed) {
                assert_eq!(rate(&capture), Some(1_000_000), "byte {byte} bit {bit}");
                assert_eq!(edges(&capture, "A"), expected, "byte {byte} bit {bit}");
            }
        }
    }
}

#[test]
fn noise_never_panics() {
    let place = Place::new();
    let whole = session(METADATA, &[("logic-1", &[1; 5_000])]);
    let mut random = Random(3);
    for _ in 0..1_000 {
        let mut changed = whole.clone();
        for _ in 0..=random.below(20) {
            let index = random.below(changed.len() as u64) as usize;
            changed[index] = random.next() as u8;
        }
        if let Ok(capture) = place.open(&changed) {
            let _ = edges(&capture, capture.channels().next().unwrap());
        }
    }
}

#[test]
fn a_missing_part_is_named() {
    let place = Place::new();
    let parts = [("logic-1-1", &[0; 9][..]), ("logic-1-3", &[0; 9][..])];
    let error = place.error(&session(METADATA, &parts));
    assert!(
        error
            .to_string()
            .contains("2 parts are there but not `logic-1-2`"),
        "{error}"
    );
    let error = place.error(&session(METADATA, &[]));
    assert!(error.to_string().contains("it holds no samples"), "{error}");
    let error = place.error(&session(
        &METADATA.replace("unitsize=1", "unitsize=2"),
        &[("logic-1", &[0; 9])],
    ));
    assert!(
        error.to_string().contains("no multiple of the 2 bytes"),
        "{error}"
    );
}

/// Where the central directory's entry of `name` begins.
fn entry(bytes: &[u8], name: &str) -> usize {
    let is_entry = |at: &usize| {
        bytes[*at..].starts_with(b"PK\x01\x02") && bytes[at + 46..].starts_with(name.as_bytes())
    };
    (0..bytes.len() - 46).find(is_entry).unwrap()
}

#[test]
fn a_part_holds_what_the_directory_declares() {
    let place = Place::new();
    let whole = session(METADATA, &[("logic-1", &[1; 5_000])]);
    let at = entry(&whole, "logic-1");
    let cases = [
        (24, 4_999_u32, "goes on after"),
        (24, 5_001, "ends 1 bytes early"),
        (16, 7, "checksum"),
    ];
    for (offset, value, expected) in cases {
        let mut changed = whole.clone();
        changed[at + offset..at + offset + 4].copy_from_slice(&value.to_le_bytes());
        let error = place.error(&changed);
        assert!(matches!(error, Error::Damaged { .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn bombs_are_refused_before_they_are_expanded() {
    let place = Place::new();
    let whole = session(METADATA, &[("logic-1", &[1; 5_000])]);
    let at = entry(&whole, "logic-1");
    // What it declares is over the limit.
    let mut large = whole.clone();
    large[at + 24..at + 28].copy_from_slice(&(MAX_EXPANDED_BYTES as u32 + 1).to_le_bytes());
    let error = place.error(&large);
    assert!(matches!(error, Error::TooLarge { .. }), "{error}");
    // So many parts, each within it, that the sum is over it.
    let mut sum = session(METADATA, &[("logic-1-1", &[1; 9]), ("logic-1-2", &[1; 9])]);
    for name in ["logic-1-1", "logic-1-2"] {
        let at = entry(&sum, name);
        sum[at + 24..at + 28].copy_from_slice(&(MAX_EXPANDED_BYTES as u32).to_le_bytes());
    }
    assert!(matches!(place.error(&sum), Error::TooLarge { .. }));
    // It declares little and expands to much: read no further than declared.
    let zeros = vec![0; 50 << 20];
    let mut liar = session(METADATA, &[("logic-1", &zeros)]);
    let at = entry(&liar, "logic-1");
    liar[at + 24..at + 28].copy_from_slice(&1_000_u32.to_le_bytes());
    let error = place.error(&liar);
    assert!(
        error.to_string().contains("goes on after the 1000 bytes"),
        "{error}"
    );
}

#[test]
fn absurd_descriptions_are_refused() {
    let place = Place::new();
    let with = |from: &str, to: &str| session(&METADATA.replace(from, to), &[("logic-1", &[0; 8])]);
    for (from, to, expected) in [
        ("unitsize=1", "unitsize=1000000000", "at most 8"),
        ("1 MHz", "0 Hz", "`samplerate` is `0 Hz`"),
        ("1 MHz", "10 GHz", "at most 1000000000 Hz"),
        ("probe1", "probe99999", "`probe99999` has no place"),
        (
            "probe1=A",
            &format!("probe1={}", "A".repeat(1_000)),
            "1000 bytes and at most 64",
        ),
        (
            "capturefile=logic-1",
            "capturefile=/etc/passwd",
            "it holds no samples",
        ),
    ] {
        let error = place.error(&with(from, to));
        assert!(error.to_string().contains(expected), "{error}");
    }
    let long = session(&"x".repeat(100_000), &[("logic-1", &[0; 8])]);
    assert!(
        place
            .error(&long)
            .to_string()
            .contains("`metadata` has 100000 bytes")
    );
}

#[test]
fn a_directory_of_64_bits_is_refused() {
    let mut bytes = session(METADATA, &[("logic-1", &[0; 8])]);
    let end = bytes.len() - 22;
    bytes.splice(end..end, *b"PK\x06\x07\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0");
    assert!(
        Place::new()
            .error(&bytes)
            .to_string()
            .contains("64-bit zip archive")
    );
}

#[test]
fn a_file_over_the_limit_is_not_read() {
    let place = Place::new();
    let file = fs::File::create(place.path()).unwrap();
    file.set_len(MAX_FILE_BYTES + 1).unwrap();
    assert!(matches!(
        capture::open(place.path()),
        Err(Error::TooLarge { .. })
    ));
}

#[test]
fn a_file_changed_after_it_was_opened_ends_with_a_fault() {
    let place = Place::new();
    let mut random = Random(4);
    let noise: Vec<u8> = (0..300_000).map(|_| random.next() as u8).collect();
    let whole = session(METADATA, &[("logic-1", &noise)]);
    let capture = place.open(&whole).unwrap();
    let count = edges(&capture, "A").len();
    overwrite(&place.path(), whole.len());
    assert!(edges(&capture, "A").len() < count);
    assert!(matches!(capture.fault(), Some(Error::Damaged { .. })));
}

fn overwrite(path: &Path, length: usize) {
    let mut file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all(&vec![0xff; length]).unwrap();
}
