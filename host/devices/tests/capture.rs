//! Real recordings. The figures come from a separate reading of the files
//! (another zip and deflate, the edges searched in the whole of the samples).

mod common;

use std::path::PathBuf;
use std::time::Instant as Real;

use common::{Fixture, at, listen};
use loopgate_devices::capture::{self, Capture};
use loopgate_devices::gpio::Edges;

struct Reference {
    file: &'static str,
    channel: &'static str,
    rate: u64,
    samples: u64,
    items: usize,
    second: (u64, bool),
    last: (u64, bool),
    /// FNV-1a over time * 2 + level of every item.
    hash: u64,
}

#[rustfmt::skip]
const REFERENCES: [Reference; 8] = [
    Reference { file: "am2301_1mhz", channel: "SDA", rate: 1_000_000, samples: 5_000_000, items: 269,
        second: (673_573_000, false), last: (2_982_094_000, true), hash: 0x0609_a122_8993_29a5 },
    Reference { file: "am2302_1mhz_3samples", channel: "SDA", rate: 1_000_000, samples: 5_000_000, items: 259,
        second: (68_471_000, false), last: (4_657_235_000, true), hash: 0x1015_5346_ac53_9d4c },
    Reference { file: "dht11_1mhz", channel: "SDA", rate: 1_000_000, samples: 5_000_000, items: 173,
        second: (1_892_253_000, false), last: (4_199_415_000, true), hash: 0xf879_f3a5_4c50_6e8d },
    Reference { file: "tv_matsui_0001_buttons_1234567890_hold", channel: "IR Toy IRRX", rate: 2_000_000, samples: 21_565_440, items: 845,
        second: (1_113_720_000, false), last: (9_595_205_000, true), hash: 0x46b6_cb30_a21b_03cf },
    Reference { file: "ps2_keyboard_asdfgh", channel: "Clock", rate: 24_000_000, samples: 57_458_933, items: 433,
        second: (148_482_292, false), last: (2_244_836_792, true), hash: 0x44bf_03d2_2d66_d00b },
    Reference { file: "ps2_keyboard_asdfgh", channel: "Data", rate: 24_000_000, samples: 57_458_933, items: 85,
        second: (148_467_542, false), last: (2_244_187_708, true), hash: 0x5575_4af2_e1cb_9e26 },
    Reference { file: "rotary-ramp", channel: "0", rate: 1_000_000, samples: 600_000, items: 6367,
        second: (3_760_000, true), last: (595_559_000, false), hash: 0x4ba0_b71f_3ae4_5069 },
    Reference { file: "rotary-ramp", channel: "1", rate: 1_000_000, samples: 600_000, items: 6367,
        second: (5_318_000, true), last: (597_636_000, false), hash: 0xd90f_b2af_f99c_0f1c },
];

/// `None`, and says so, where the recordings are absent.
fn open(name: &str) -> Option<Capture> {
    let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    if !data.is_dir() {
        eprintln!("SKIPPED: ../shared/data is absent");
        return None;
    }
    Some(capture::open(data.join("logic").join(format!("{name}.sr"))).unwrap())
}

fn hash(items: &[(u64, bool)]) -> u64 {
    items
        .iter()
        .flat_map(|(t, high)| (t * 2 + u64::from(*high)).to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
}

#[test]
fn real_recordings_have_exactly_their_edges() {
    for reference in REFERENCES {
        let begun = Real::now();
        let Some(capture) = open(reference.file) else {
            return;
        };
        let opened = begun.elapsed();
        assert_eq!(capture.sample_rate(), Some(reference.rate));
        assert_eq!(capture.samples(), Some(reference.samples));
        let edges = capture.edges(reference.channel, false, at(0)).unwrap();
        let items: Vec<_> = edges.map(|(t, high)| (t.as_nanos(), high)).collect();
        eprintln!(
            "{}: opened in {opened:?}, both in {:?}",
            reference.file,
            begun.elapsed()
        );
        assert_eq!(items.len(), reference.items, "{}", reference.file);
        assert_eq!(items[0], (0, !reference.second.1));
        assert_eq!(items[1], reference.second);
        assert_eq!(*items.last().unwrap(), reference.last);
        assert_eq!(hash(&items), reference.hash, "{}", reference.file);
        assert!(capture.fault().is_none());
    }
}

#[test]
fn start_shifts_and_invert_turns_over() {
    let Some(capture) = open("tv_matsui_0001_buttons_1234567890_hold") else {
        return;
    };
    let plain = capture.edges("IR Toy IRRX", false, at(0)).unwrap();
    let turned = capture.edges("IR Toy IRRX", true, at(500)).unwrap();
    let shifted = plain.map(|(t, high)| (at(t.as_nanos() + 500), !high));
    assert!(turned.eq(shifted));
}

#[test]
fn channels_are_listed_and_asked_for_by_name() {
    let Some(capture) = open("ps2_keyboard_asdfgh") else {
        return;
    };
    let names: Vec<_> = capture.channels().collect();
    assert_eq!(names, ["D0", "D1", "Data", "Clock", "D4", "D5", "D6", "D7"]);
    let error = capture
        .edges("clock", false, at(0))
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("ps2_keyboard_asdfgh.sr` has no channel `clock`"),
        "{error}"
    );
    assert!(
        error.ends_with("it has `D0`, `D1`, `Data`, `Clock`, `D4`, `D5`, `D6`, `D7`"),
        "{error}"
    );
}

#[test]
fn a_recording_played_into_a_line_interrupts_at_its_own_times() {
    let Some(capture) = open("tv_matsui_0001_buttons_1234567890_hold") else {
        return;
    };
    let fixture = Fixture::new();
    let line = fixture.input("up");
    let (_interrupt, sink) = listen(&line, Edges::Both);
    fixture
        .board
        .play(
            "up",
            capture.edges("IR Toy IRRX", false, at(1_000)).unwrap(),
        )
        .unwrap();
    fixture.run_to(20_000_000_000);
    let seen = sink.take();
    // The first item is the level that the pull gives already.
    assert_eq!(seen.len(), 844);
    assert_eq!(seen[0], (1, 1_113_721_000, false));
    assert_eq!(seen[843], (844, 9_595_206_000, true));
}

#[test]
fn two_streams_of_one_recording_do_not_disturb_each_other() {
    let Some(capture) = open("rotary-ramp") else {
        return;
    };
    let mut a = capture.edges("0", false, at(0)).unwrap();
    let mut b = capture.edges("1", false, at(0)).unwrap();
    let (mut seen_a, mut seen_b) = (Vec::new(), Vec::new());
    for _ in 0..6367 {
        seen_a.extend(a.next().map(|(t, high)| (t.as_nanos(), high)));
        seen_b.extend(b.next().map(|(t, high)| (t.as_nanos(), high)));
    }
    assert_eq!(
        (hash(&seen_a), hash(&seen_b)),
        (REFERENCES[6].hash, REFERENCES[7].hash)
    );
}
