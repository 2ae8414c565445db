//! Recordings of real hardware, played to the drivers that decode them, and
//! what is recorded of the board meanwhile: in virtual time and in real time.
//!
//! The reference is sigrok's own decoders: what they made of the recordings
//! once, and, where `sigrok-cli` is installed, what they make of our files.

use loopgate::board_file::ClockKind;
use loopgate::devices::capture::{self, Capture};
use loopgate::devices::sim::Resolution;
use loopgate::workloop::Instant;
use loopgate::{Board, BoardError, BoardFile, Request, VcdFile};
use loopgate_integration::{PATIENCE, ask, assert_running, cache, data, driver, entry, until};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc;
use std::time::Duration;

const REMOTE: &str = "logic/tv_matsui_0001_buttons_1234567890_hold.sr";
const ROTARY: &str = "logic/rotary-ramp.sr";
/// Of the recording, and the line that it is played into.
const IR: (&str, &str) = ("IR Toy IRRX", "IR");
const PINS: [(&str, &str); 2] = [("0", "A"), ("1", "B")];

const CLOCKS: [ClockKind; 2] = [ClockKind::Virtual, ClockKind::Real];

/// A board, whose drivers run, and what is recorded of it.
struct Scene {
    board: Board,
    folder: tempfile::TempDir,
}

impl Scene {
    fn new(board: &str, clock: ClockKind) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        // As fine as the finest of the recordings.
        let resolution = Resolution::new(Duration::from_nanos(100)).unwrap();
        let vcd = VcdFile::new(folder.path().join("lines.vcd")).resolution(resolution);
        let board = build(board, clock, vcd).unwrap_or_else(|error| panic!("{error}"));
        Self { board, folder }
    }

    /// Waits until the recording `capture` was played into these lines, from the
    /// start of the board. Its length as a multiple of the time that this took.
    fn play_out(&self, capture: &Capture, lines: &[(&str, &str)], clock: ClockKind) -> f64 {
        let begun = std::time::Instant::now();
        match clock {
            ClockKind::Virtual => self.board.run_for(capture.length()),
            ClockKind::Real => {
                for (channel, line) in lines {
                    self.wait_for(line, changes(capture, channel));
                }
            }
        }
        let (took, length) = (begun.elapsed(), capture.length());
        let ratio = length.as_secs_f64() / took.as_secs_f64();
        eprintln!("{clock:?}: a recording of {length:?} took {took:?}: {ratio:.1} times as fast");
        ratio
    }

    /// Until the line's level has changed so often.
    fn wait_for(&self, line: &str, changes: u64) {
        let (tell, told) = mpsc::channel();
        let watched = line.to_owned();
        let observer = self.board.sim().observe(move |change| {
            if change.line == watched {
                let _ = tell.send(());
            }
        });
        let seen = || {
            let lines = self.board.sim().show();
            lines
                .into_iter()
                .find(|shown| shown.name == line)
                .unwrap()
                .edges
        };
        while seen() < changes {
            told.recv_timeout(PATIENCE).expect("the recording goes on");
        }
        self.board.sim().unobserve(observer);
    }

    /// Ends the board: what was recorded of it.
    fn recorded(self) -> (Capture, PathBuf, tempfile::TempDir) {
        self.board.shutdown();
        let path = self.folder.path().join("lines.vcd");
        (capture::open(&path).unwrap(), path, self.folder)
    }
}

fn build(board: &str, clock: ClockKind, vcd: VcdFile) -> Result<Board, BoardError> {
    let file = BoardFile::parse(&format!("[board]\nbackend = \"sim\"\n{board}"), "test.toml")?;
    let builder = Board::builder().board(file).clock(clock);
    builder
        .cache_directory(cache().join("code"))
        .record(vcd)
        .build()
}

/// How often a line that is low at first changes.
fn changes(capture: &Capture, channel: &str) -> u64 {
    let levels = capture.edges(channel, false, Instant::ZERO).unwrap();
    let mut last = false;
    levels.fold(0, |changes, (_, high)| {
        changes + u64::from(std::mem::replace(&mut last, high) != high)
    })
}

fn remote(capture: &Path, (channel, line): (&str, &str), rest: &str) -> String {
    let pins = format!(
        "work-loop = \"dedicated\"\nprovides = [\"ir\"]\n\
         [driver.gpio]\nir = {{ line = \"{line}\", direction = \"input\", edges = \"both\" }}"
    );
    format!(
        "[[board.play]]\ncapture = \"{}\"\nchannel = \"{channel}\"\nline = \"{line}\"\n{rest}\n{}",
        capture.display(),
        entry("ir", &driver("ir_nec"), &pins)
    )
}

fn rotary(capture: &Path, [a, b]: [(&str, &str); 2], rest: &str) -> String {
    // As many as there are: on a machine that stands still for a while none
    // is lost for that.
    let pins = format!(
        "provides = [\"quadrature\"]\n[driver.limits]\noccurrences = 8192\n[driver.gpio]\n\
         a = {{ line = \"{}\", direction = \"input\", edges = \"both\" }}\n\
         b = {{ line = \"{}\", direction = \"input\", edges = \"both\" }}",
        a.1, b.1
    );
    format!(
        "[[board.play]]\ncapture = \"{}\"\nlines = {{ \"{}\" = \"{}\", \"{}\" = \"{}\" }}\n{rest}\n{}",
        capture.display(),
        a.0,
        a.1,
        b.0,
        b.1,
        entry("quadrature", &driver("quadrature"), &pins)
    )
}

type Keys = Vec<(String, Option<u64>, Option<u64>)>;

/// What the reference decoder says, in the words of `ir keys`.
fn expected_keys(text: &str) -> Keys {
    let hex = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let mut keys = Vec::new();
    let mut address = None;
    for line in text.lines() {
        match line.trim_start_matches("ir_nec-1: ").split_once(": ") {
            Some(("Address", value)) => address = Some(hex(value)),
            Some(("Command", value)) => keys.push(("code".to_owned(), address, Some(hex(value)))),
            None if line.ends_with("Repeat code") => keys.push(("repeat".to_owned(), None, None)),
            _ => panic!("`{line}` is not of the reference decoder"),
        }
    }
    keys
}

/// What the driver says, with the reference's silence about repeats.
fn keys(board: &Board) -> Keys {
    let reply = board.call("ir", Request::named("keys")).unwrap();
    let text = String::from_utf8(reply.data).unwrap();
    text.lines()
        .map(|line| {
            let key: serde_json::Value = serde_json::from_str(line).unwrap();
            let kind = key["kind"].as_str().unwrap().to_owned();
            match kind.as_str() {
                "repeat" => (kind, None, None),
                _ => (kind, key["address"].as_u64(), key["command"].as_u64()),
            }
        })
        .collect()
}

/// The signed count, from the reply's text and from its scalar.
fn count(board: &Board) -> i64 {
    let reply = board.call("quadrature", Request::named("count")).unwrap();
    let count = String::from_utf8(reply.data).unwrap().parse().unwrap();
    assert_eq!(reply.scalar.cast_signed(), count);
    count
}

fn assert_same_edges(recorded: &Capture, line: &str, original: &Capture, channel: &str) {
    let recorded = recorded.edges(line, false, Instant::ZERO).unwrap();
    let original = original.edges(channel, false, Instant::ZERO).unwrap();
    assert!(recorded.eq(original), "{channel}");
}

/// What sigrok's decoder makes of a file, or `None`, said aloud, without it.
fn sigrok(file: &Path, format: &str, decoder: &str, annotations: &str) -> Option<String> {
    let mut command = Command::new("sigrok-cli");
    command.args(["-I", format, "-i"]).arg(file);
    command.args(["-P", decoder, "-A", annotations]);
    let Ok(output) = command.output() else {
        eprintln!("SKIPPED: `sigrok-cli` is not installed");
        return None;
    };
    // Not its exit status: some releases of its Python crash when all is said.
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.lines().count() > 20, "{command:?}: {text}");
    Some(text)
}

#[test]
fn a_real_remote_is_decoded_as_the_reference_does_and_recorded_exactly() {
    let (Some(file), Some(expected)) = (
        data(REMOTE),
        data("logic/tv_matsui_0001_buttons_1234567890_hold.expected.txt"),
    ) else {
        return;
    };
    let file = file.canonicalize().unwrap();
    let original = capture::open(&file).unwrap();
    let expected = expected_keys(&std::fs::read_to_string(expected).unwrap());
    assert!(expected.len() > 20);
    for clock in CLOCKS {
        let scene = Scene::new(&remote(&file, IR, ""), clock);
        assert_running(&scene.board, "ir");
        let ratio = scene.play_out(&original, &[IR], clock);
        // Far below what it is, far above what waiting could give.
        assert!(clock == ClockKind::Real || ratio > 2.0, "{ratio}");
        until("every key is there", || {
            ask(&scene.board, "ir", "keys") >= expected.len() as u64
        });
        assert_eq!(keys(&scene.board), expected);
        let (recorded, path, _folder) = scene.recorded();
        assert_same_edges(&recorded, IR.1, &original, IR.0);
        let decoded = |file: &Path, format, channel| {
            let decoder = format!("ir_nec:ir={channel}");
            sigrok(file, format, &decoder, "ir_nec=addr:cmd:repeat-code")
        };
        if let Some(decoded_back) = decoded(&path, "vcd", IR.1) {
            assert_eq!(Some(decoded_back), decoded(&file, "srzip", IR.0));
        }
        // And played from that file.
        let scene = Scene::new(&remote(&path, (IR.1, IR.1), ""), ClockKind::Virtual);
        scene.play_out(&recorded, &[], ClockKind::Virtual);
        assert_eq!(keys(&scene.board), expected);
    }
}

/// As the folder of the recordings has it. It is the last one that the
/// reference prints, which prints a count when the next one replaces it: the
/// recording's last edge is one step more.
fn expected_count() -> i64 {
    let readme = std::fs::read_to_string(data("README.md").unwrap()).unwrap();
    let (_, rest) = readme.split_once("final count ").unwrap();
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap();
    digits.parse().unwrap()
}

#[test]
fn a_rotary_encoder_is_counted_as_the_reference_does_and_recorded_exactly() {
    let Some(file) = data(ROTARY) else { return };
    let file = file.canonicalize().unwrap();
    let original = capture::open(&file).unwrap();
    let last_edge = PINS
        .iter()
        .filter_map(|(channel, _)| {
            original
                .edges(channel, false, Instant::ZERO)
                .unwrap()
                .last()
        })
        .max()
        .unwrap()
        .0;
    let scene = Scene::new(&rotary(&file, PINS, ""), ClockKind::Virtual);
    let before = last_edge.saturating_since(Instant::from_nanos(1));
    scene.board.run_for(before);
    assert_eq!(count(&scene.board), expected_count());
    for clock in CLOCKS {
        let scene = Scene::new(&rotary(&file, PINS, ""), clock);
        let board = &scene.board;
        assert_running(board, "quadrature");
        scene.play_out(&original, &PINS, clock);
        until("every edge is decoded", || {
            count(board) > expected_count() || ask(board, "quadrature", "errors") > 0
        });
        assert_eq!(count(board), expected_count() + 1);
        assert_eq!(ask(board, "quadrature", "errors"), 0);
        let (recorded, path, _folder) = scene.recorded();
        for (channel, line) in PINS {
            assert_same_edges(&recorded, line, &original, channel);
        }
        let decoded = |file: &Path, format, [a, b]: [&str; 2]| {
            let decoder = format!("graycode:d0={a}:d1={b}");
            sigrok(file, format, &decoder, "graycode=count")
        };
        if let Some(decoded_back) = decoded(&path, "vcd", PINS.map(|pin| pin.1)) {
            let reference = decoded(&file, "srzip", PINS.map(|pin| pin.0)).unwrap();
            assert_eq!(decoded_back, reference);
            let last = format!("graycode-1: {}", expected_count());
            assert_eq!(reference.lines().last(), Some(&*last));
        }
        // And played from that file, back again.
        let back = [("B", "A"), ("A", "B")];
        let scene = Scene::new(&rotary(&path, back, ""), ClockKind::Virtual);
        scene.play_out(&recorded, &[], ClockKind::Virtual);
        assert_eq!(count(&scene.board), -(expected_count() + 1));
    }
}

#[test]
fn a_recording_is_played_as_often_as_it_is_to_be() {
    let Some(file) = data(ROTARY) else { return };
    let file = file.canonicalize().unwrap();
    let length = capture::open(&file).unwrap().length();
    // Ends at the level that it began with, so that each play counts alike.
    let once = expected_count() + 1;
    for (repeat, in_five) in [("1", 1), ("3", 3), ("\"forever\"", 5)] {
        let repeat = format!("repeat = {repeat}\nstart = \"1 s\"");
        let scene = Scene::new(&rotary(&file, PINS, &repeat), ClockKind::Virtual);
        scene.board.run_for(Duration::from_secs(1) + length);
        assert_eq!(count(&scene.board), once);
        scene.board.run_for(4 * length);
        assert_eq!(count(&scene.board), in_five * once, "{repeat}");
    }
}

#[test]
fn what_cannot_be_played_or_recorded_is_said_before_anything_runs() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let dump = "$timescale 1 ns $end $var wire 1 ! A $end $enddefinitions $end #0 1!\n";
    std::fs::write(path("point.vcd"), dump).unwrap();
    std::fs::write(path("text.vcd"), "no dump at all").unwrap();
    let play = |file: &str, rest: &str| {
        format!(
            "[[board.play]]\ncapture = \"{}\"\n{rest}",
            path(file).display()
        )
    };
    let one = "channel = \"A\"\nline = \"X\"";
    for (board, vcd, expected) in [
        (
            play("text.vcd", one),
            "out.vcd",
            "neither VCD nor a sigrok session",
        ),
        (
            play("point.vcd", "lines = { B = \"X\" }"),
            "out.vcd",
            "no channel `B`; it has `A`",
        ),
        (
            play("point.vcd", &format!("{one}\nrepeat = \"forever\"")),
            "out.vcd",
            "has no length, so it cannot be repeated",
        ),
        (
            play("point.vcd", one),
            "point.vcd",
            "is played here and cannot be recorded to",
        ),
        (
            play("point.vcd", one),
            "none/out.vcd",
            "none/out.vcd` cannot be written",
        ),
    ] {
        let built = build(&board, ClockKind::Virtual, VcdFile::new(path(vcd)));
        let error = built.err().expect("it was accepted").to_string();
        assert!(error.contains(expected), "{error}");
        assert!(
            error.starts_with("test.toml:4: ") || vcd.starts_with("none"),
            "{error}"
        );
    }
    let vcd = VcdFile::new(path("out.vcd")).lines(["Y"]);
    let built = build(&play("point.vcd", one), ClockKind::Virtual, vcd);
    let error = built.err().expect("it was accepted").to_string();
    assert!(error.contains("no line `Y`; the board has `X`"), "{error}");
    assert!(
        !path("out.vcd").exists(),
        "a refused recording leaves no file"
    );
    assert_eq!(std::fs::read_to_string(path("point.vcd")).unwrap(), dump);
}

const SENSORS: [(&str, &str); 3] = [
    ("am2301_1mhz", "dht22"),
    ("am2302_1mhz_3samples", "dht22"),
    ("dht11_1mhz", "dht11"),
];
const SDA: (&str, &str) = ("SDA", "SDA");

fn sensor(capture: &Path, model: &str) -> String {
    let pins = format!(
        "provides = [\"am230x\"]\nconfig = {{ model = \"{model}\", listen = \"true\" }}\n\
         [driver.gpio]\ndata = {{ line = \"SDA\", direction = \"input\", edges = \"falling\" }}"
    );
    format!(
        "[[board.play]]\ncapture = \"{}\"\nchannel = \"SDA\"\nline = \"SDA\"\n{}",
        capture.display(),
        entry("sensor", &driver("am230x"), &pins)
    )
}

/// Humidity and temperature of each answer whose checksum is right, and how many there
/// are whose checksum is wrong.
type Answers = (Vec<[f64; 2]>, u64);

fn expected_answers(text: &str) -> Answers {
    let lines: Vec<_> = text.lines().collect();
    let value = |line: &str, name: &str| {
        let (_, value) = line.split_once(&format!("{name}: ")).unwrap();
        value.split(' ').next().unwrap().to_owned()
    };
    let mut answers = Answers::default();
    for answer in lines.chunks(3) {
        let values = [(0, "Humidity"), (1, "Temperature")];
        let values = values.map(|(line, name)| value(answer[line], name).parse().unwrap());
        match &*value(answer[2], "Checksum") {
            "OK" => answers.0.push(values),
            _ => answers.1 += 1,
        }
    }
    answers
}

fn answers(board: &Board) -> Answers {
    let reply = board.call("am230x", Request::named("readings")).unwrap();
    let text = String::from_utf8(reply.data).unwrap();
    let readings = text.lines().map(|line| {
        let reading: serde_json::Value = serde_json::from_str(line).unwrap();
        ["humidity", "temperature"].map(|name| reading[name].as_f64().unwrap())
    });
    (readings.collect(), ask(board, "am230x", "checksum-errors"))
}

#[test]
fn real_sensors_say_what_the_reference_reads() {
    for (name, model) in SENSORS {
        let (Some(file), Some(expected)) = (
            data(&format!("logic/{name}.sr")),
            data(&format!("logic/{name}.expected.txt")),
        ) else {
            return;
        };
        let file = file.canonicalize().unwrap();
        let original = capture::open(&file).unwrap();
        let expected = expected_answers(&std::fs::read_to_string(expected).unwrap());
        assert!(expected.0.len() > 1);
        for clock in CLOCKS {
            let scene = Scene::new(&sensor(&file, model), clock);
            assert_running(&scene.board, "sensor");
            scene.play_out(&original, &[SDA], clock);
            until("every answer is there", || {
                let (readings, wrong) = answers(&scene.board);
                readings.len() as u64 + wrong >= expected.0.len() as u64 + expected.1
            });
            assert_eq!(answers(&scene.board), expected, "{name}, {clock:?}");
            assert_eq!(ask(&scene.board, "am230x", "missed"), 0);
        }
    }
}

const KEYBOARD: [(&str, &str); 2] = [("Clock", "CLOCK"), ("Data", "DATA")];

fn keyboard(capture: &Path) -> String {
    let pins = "provides = [\"keyboard\"]\n[driver.gpio]\n\
        clock = { line = \"CLOCK\", direction = \"input\", edges = \"falling\" }\n\
        data = { line = \"DATA\", direction = \"input\", edges = \"both\" }";
    format!(
        "[[board.play]]\ncapture = \"{}\"\nlines = {{ Clock = \"CLOCK\", Data = \"DATA\" }}\n{}",
        capture.display(),
        entry("keyboard", &driver("ps2_keyboard"), pins)
    )
}

#[test]
fn a_real_keyboard_types_what_the_reference_reads() {
    let (Some(file), Some(expected)) = (
        data("logic/ps2_keyboard_asdfgh.sr"),
        data("logic/ps2_keyboard_asdfgh.expected.txt"),
    ) else {
        return;
    };
    let file = file.canonicalize().unwrap();
    let original = capture::open(&file).unwrap();
    let expected = std::fs::read_to_string(expected).unwrap();
    let expected: Vec<_> = expected
        .lines()
        .map(|line| line.strip_prefix("ps2-1: Data: ").unwrap())
        .collect();
    assert!(expected.len() > 10);
    for clock in CLOCKS {
        let scene = Scene::new(&keyboard(&file), clock);
        let board = &scene.board;
        assert_running(board, "keyboard");
        scene.play_out(&original, &KEYBOARD, clock);
        until("every code is there", || {
            ask(board, "keyboard", "codes") >= expected.len() as u64
                || ask(board, "keyboard", "errors") > 0
        });
        let lines = |selector| {
            let reply = board.call("keyboard", Request::named(selector)).unwrap();
            String::from_utf8(reply.data).unwrap()
        };
        assert_eq!(lines("codes").lines().collect::<Vec<_>>(), expected);
        assert_eq!(ask(board, "keyboard", "errors"), 0);
        // What was typed stands in the recording's name.
        let key = |key| {
            format!(
                "{{\"key\":\"{key}\",\"pressed\":true}}\n{{\"key\":\"{key}\",\"pressed\":false}}\n"
            )
        };
        let typed: String = "asdfgh".chars().map(key).collect();
        assert_eq!(lines("keys"), typed);
    }
}

/// Its reader may come late or never, and the board's drivers would wait for it.
#[test]
fn nothing_is_recorded_to_a_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let built = build("", ClockKind::Virtual, VcdFile::new(&pipe));
    let error = built.err().expect("it was accepted").to_string();
    assert!(error.contains("it is a pipe"), "{error}");
}

#[test]
fn a_recording_that_is_played_is_known_by_whichever_name() {
    let folder = tempfile::tempdir().unwrap();
    let [played, twin] = ["played.vcd", "twin.vcd"].map(|name| folder.path().join(name));
    let dump = "$timescale 1 ns $end $var wire 1 ! A $end $enddefinitions $end #0 1!\n";
    std::fs::write(&played, dump).unwrap();
    std::fs::hard_link(&played, &twin).unwrap();
    let board = format!(
        "[[board.play]]\ncapture = \"{}\"\nchannel = \"A\"\nline = \"X\"",
        played.display()
    );
    let built = build(&board, ClockKind::Virtual, VcdFile::new(&twin));
    let error = built.err().expect("it was accepted").to_string();
    assert!(error.contains("cannot be recorded to"), "{error}");
    assert_eq!(std::fs::read_to_string(&played).unwrap(), dump);
}
