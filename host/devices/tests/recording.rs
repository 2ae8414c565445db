//! What happens on lines, written to a VCD and read back.

mod common;

use std::fs::{self, File, OpenOptions};
use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use common::{Fixture, Random, at};
use loopgate_devices::capture;
use loopgate_devices::sim::{
    Pull, Recorder, Recording, Resolution, SimBoard, SimLineConfig, WAITING_MAX,
};
use loopgate_workloop::VirtualClock;

struct Scene {
    fixture: Fixture,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        Self {
            fixture: Fixture::new(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("lines.vcd")
    }

    /// From `start` on, at a nanosecond.
    fn record(&self, start: u64) -> Recording {
        self.record_lines(start, &[], 1)
    }

    fn record_lines(&self, start: u64, lines: &[&str], nanos: u64) -> Recording {
        let lines: Vec<_> = lines.iter().map(|&line| line.to_owned()).collect();
        let resolution = Resolution::new(Duration::from_nanos(nanos)).unwrap();
        let recorder = Recorder::new(&self.fixture.board, &lines, resolution).unwrap();
        let file = File::create(self.path()).unwrap();
        recorder
            .start(file, at(start), |error| panic!("{error}"))
            .unwrap()
    }

    /// What the file has of a line.
    fn written(&self, line: &str) -> Vec<(u64, bool)> {
        let capture = capture::open(self.path()).unwrap();
        let edges = capture.edges(line, false, at(0)).unwrap();
        edges.map(|(t, high)| (t.as_nanos(), high)).collect()
    }
}

#[test]
fn levels_and_changes_of_every_line_are_written_back() {
    let scene = Scene::new();
    let board = &scene.fixture.board;
    scene.fixture.run_to(1_000);
    board.set("float", true).unwrap();
    let recording = scene.record(1_000);
    scene.fixture.run_to(1_500);
    let output = scene.fixture.output("down", true);
    scene.fixture.run_to(1_700);
    output.set(false).unwrap();
    board.set("up", false).unwrap();
    scene.fixture.run_to(2_000);
    recording.finish();
    assert_eq!(scene.written("up"), [(0, true), (700, false)]);
    assert_eq!(
        scene.written("down"),
        [(0, false), (500, true), (700, false)]
    );
    assert_eq!(scene.written("float"), [(0, true)]);
    let length = capture::open(scene.path()).unwrap().length();
    assert_eq!(length, Duration::from_micros(1));
    // Nothing is written any more.
    let size = fs::metadata(scene.path()).unwrap().len();
    board.set("up", true).unwrap();
    assert_eq!(fs::metadata(scene.path()).unwrap().len(), size);
}

#[test]
fn the_lines_asked_for_are_written_and_unknown_ones_refused() {
    let scene = Scene::new();
    let recording = scene.record_lines(0, &["down", "down"], 1);
    scene.fixture.board.set("up", false).unwrap();
    scene.fixture.board.set("down", true).unwrap();
    recording.finish();
    let capture = capture::open(scene.path()).unwrap();
    assert_eq!(capture.channels().collect::<Vec<_>>(), ["down"]);
    let board = &scene.fixture.board;
    let unknown = Recorder::new(board, &["left".to_owned()], Resolution::default());
    let error = unknown.err().unwrap().to_string();
    assert!(
        error.contains("`left`") && error.contains("`down`"),
        "{error}"
    );
}

#[test]
fn a_resolution_is_a_power_of_ten_and_times_are_rounded_to_it() {
    for power in 0..=6 {
        let span = Duration::from_nanos(10_u64.pow(power));
        assert_eq!(Resolution::new(span).unwrap().span(), span);
    }
    for wrong in [0, 2, 15, 10_000_000] {
        assert_eq!(Resolution::new(Duration::from_nanos(wrong)), None);
    }
    let scene = Scene::new();
    let recording = scene.record_lines(0, &[], 10_000);
    let edges = [(0, true), (14_999, false), (25_000, true), (25_001, false)];
    scene
        .fixture
        .board
        .play("down", edges.map(|(t, high)| (at(t), high)))
        .unwrap();
    scene.fixture.run_to(100_000);
    recording.finish();
    let text = fs::read_to_string(scene.path()).unwrap();
    assert!(text.contains("$timescale 10 us $end"), "{text}");
    assert_eq!(
        scene.written("down"),
        [(0, true), (10_000, false)],
        "what is shorter than the resolution is not seen: {text}"
    );
}

/// A player that is late: its edges come with the times that they had.
#[test]
fn edges_that_are_told_late_find_their_place() {
    let scene = Scene::new();
    let board = &scene.fixture.board;
    let recording = scene.record(0);
    let edges: Vec<_> = (0..1_000).map(|n| (n * 1_000, n % 2 == 1)).collect();
    let played = edges.clone();
    board
        .play("down", played.into_iter().map(|(t, high)| (at(t), high)))
        .unwrap();
    let output = scene.fixture.output("float", false);
    let mut random = Random(1);
    let (mut expected, mut now, mut high) = (vec![(0, false)], 0, false);
    while now < 1_000_000 {
        now += 1 + random.below(30_000);
        scene.fixture.clock.advance_to(at(now));
        high = !high;
        output.set(high).unwrap();
        expected.push((now, high));
        // Only now.
        board.run_due(at(now));
    }
    recording.finish();
    assert_eq!(scene.written("down"), edges);
    assert_eq!(scene.written("float"), expected);
}

#[test]
fn what_waits_is_bounded_and_what_is_too_late_is_written_with_the_last_time() {
    let scene = Scene::new();
    let board = &scene.fixture.board;
    let recording = scene.record(0);
    // A second and more of changes, in which none of `up` was told.
    board.play("up", [(at(10), false)]).unwrap();
    let output = scene.fixture.output("float", false);
    let count = WAITING_MAX as u64 + 10_000;
    for n in 1..=count {
        scene.fixture.clock.advance_to(at(n * 1_000));
        output.set(n % 2 == 1).unwrap();
    }
    board.run_due(at(count * 1_000));
    recording.finish();
    assert_eq!(scene.written("float").len() as u64, count + 1);
    let late = scene.written("up")[1].0;
    assert!(late > 10 && late < count * 1_000, "{late}");
}

#[test]
fn a_host_that_is_killed_leaves_a_file_that_can_be_read() {
    let scene = Scene::new();
    let recording = scene.record(0);
    scene.fixture.run_to(5_000);
    scene.fixture.board.set("down", true).unwrap();
    // Without anything that follows, and without the end of the recording.
    let begun = std::time::Instant::now();
    let is_there = || fs::read_to_string(scene.path()).is_ok_and(|text| text.contains("#5000\n"));
    while !is_there() {
        assert!(begun.elapsed() < Duration::from_mins(1), "nothing came");
        std::thread::yield_now();
    }
    assert_eq!(scene.written("down"), [(0, false), (5_000, true)]);
    drop(recording);
}

#[test]
fn a_full_disk_is_told_once_and_ends_the_recording_alone() {
    let scene = Scene::new();
    let (told, faults) = mpsc::channel();
    let recorder = Recorder::new(&scene.fixture.board, &[], Resolution::default()).unwrap();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let recording = recorder
        .start(full, at(0), move |error| told.send(error).unwrap())
        .unwrap();
    let output = scene.fixture.output("down", false);
    let record = scene.fixture.record();
    for n in 1..=200_000 {
        scene.fixture.clock.advance_to(at(n * 100_000));
        output.set(n % 2 == 1).unwrap();
    }
    assert_eq!(record.lock().len(), 200_000);
    recording.finish();
    let faults: Vec<_> = faults.iter().collect();
    assert_eq!(faults.len(), 1, "{faults:?}");
}

#[test]
fn every_line_has_a_name_of_its_own() {
    let names = ["IR Toy", "IR_Toy", "D[0]"];
    let lines = names.map(|name| SimLineConfig::new(name, Pull::Down));
    let board = SimBoard::new(Arc::new(VirtualClock::new()), lines.to_vec());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lines.vcd");
    let recorder = Recorder::new(&board, &[], Resolution::default()).unwrap();
    let recording = recorder
        .start(File::create(&path).unwrap(), at(0), |error| {
            panic!("{error}")
        })
        .unwrap();
    recording.finish();
    let capture = capture::open(&path).unwrap();
    let channels: Vec<_> = capture.channels().collect();
    assert_eq!(channels, ["IR_Toy", "IR_Toy_2", "D_0_"]);
}
