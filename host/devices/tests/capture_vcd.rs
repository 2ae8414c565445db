//! Recordings as VCD: good ones, broken ones, and ones made to harm; and
//! recordings of either format that are played more than once.

mod common;

use std::fmt::Write as _;
use std::fs;
use std::io::{Cursor, Write as _};
use std::path::PathBuf;
use std::time::Duration;

use common::{Random, at};
use loopgate_devices::capture::{
    self, Capture, Error, MAX_COMMAND_BYTES, MAX_HEADER_BYTES, MAX_VARIABLES,
};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

/// As sigrok-cli writes it.
const WHOLE: &str = "\
$date Sat Nov 21 12:00:00 2026 $end
$version libsigrok 0.5.2 $end
$comment
  Acquisition with 2/8 channels at 1 MHz
$end
$timescale 1 us $end
$scope module libsigrok $end
$var wire 1 ! A $end
$var wire 1 \" B $end
$upscope $end
$enddefinitions $end
#0 1! 0\"
#4 0!
#7 1! 1\"
#10 0! 0\"
#12
";

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        // The content tells the format, not the name.
        self.0.path().join("made.sr")
    }

    fn open(&self, content: impl AsRef<[u8]>) -> Result<Capture, Error> {
        let _ = fs::remove_file(self.path());
        fs::write(self.path(), content).unwrap();
        capture::open(self.path())
    }

    fn error(&self, content: impl AsRef<[u8]>) -> String {
        let text = self.open(content).expect_err("it was accepted").to_string();
        assert!(text.contains("made.sr`"), "no file in: {text}");
        assert!(text.contains("; "), "no remedy in: {text}");
        text
    }
}

fn edges(capture: &Capture, channel: &str) -> Vec<(u64, bool)> {
    plays(capture, channel, 1)
}

fn plays(capture: &Capture, channel: &str, times: u64) -> Vec<(u64, bool)> {
    let edges = capture.edges(channel, false, at(0)).unwrap().times(times);
    edges.map(|(t, high)| (t.as_nanos(), high)).collect()
}

/// A dump of one wire `A`, at this time scale.
fn dump(time_scale: &str, body: &str) -> String {
    format!(
        "$timescale {time_scale} $end $scope module m $end $var wire 1 ! A $end $upscope $end \
         $enddefinitions $end\n{body}\n"
    )
}

/// What stands before `body` in a dump with these declarations.
fn declaring(declarations: &str) -> String {
    format!("$timescale 1 ns $end {declarations} $enddefinitions $end #0 0! #1\n")
}

#[test]
fn a_dump_has_the_levels_and_the_length_that_it_says() {
    let capture = Place::new().open(WHOLE).unwrap();
    assert_eq!(capture.channels().collect::<Vec<_>>(), ["A", "B"]);
    assert_eq!(capture.length(), Duration::from_micros(12));
    let a = [(0, true), (4_000, false), (7_000, true), (10_000, false)];
    assert_eq!(edges(&capture, "A"), a);
    assert_eq!(
        edges(&capture, "B"),
        [(0, false), (7_000, true), (10_000, false)]
    );
    let turned = capture.edges("B", true, at(5)).unwrap();
    let turned: Vec<_> = turned.map(|(t, high)| (t.as_nanos(), high)).collect();
    assert_eq!(turned, [(5, true), (7_005, false), (10_005, true)]);
}

#[test]
fn unknown_levels_keep_the_last_one() {
    let place = Place::new();
    for (body, expected) in [
        (
            "#0 x! #5 1! #9 x! #12 z! #15 0! #20",
            &[(0, false), (5, true), (15, false)][..],
        ),
        (
            "#0 $dumpvars 1! $end #5 $dumpoff x! $end #9 $dumpon 0! $end",
            &[(0, true), (9, false)],
        ),
        // The last of one time counts, and what is no change is none.
        ("#0 0! #3 1! 0! #4 0! #5 0! 1! #6", &[(0, false), (5, true)]),
        ("#0 b0 ! #3 b1 ! #4 bx !", &[(0, false), (3, true)]),
        // The recording begins with its first time.
        ("1! #100 #105 0! #107", &[(0, true), (5, false)]),
    ] {
        let capture = place.open(dump("1 ns", body)).unwrap();
        assert_eq!(edges(&capture, "A"), expected, "{body}");
    }
}

#[test]
fn times_are_exact_at_every_scale() {
    let place = Place::new();
    for (scale, tick) in [
        ("1 s", 1_000_000_000_u64),
        ("10ms", 10_000_000),
        ("100 us", 100_000),
        ("1ns", 1),
    ] {
        let capture = place.open(dump(scale, "#0 0! #7 1! #9")).unwrap();
        assert_eq!(edges(&capture, "A"), [(0, false), (7 * tick, true)]);
        assert_eq!(capture.length(), Duration::from_nanos(9 * tick));
    }
    // Finer than a nanosecond: rounded to one.
    let capture = place
        .open(dump("100 ps", "#0 0! #14 1! #15 0! #1000000000"))
        .unwrap();
    assert_eq!(edges(&capture, "A"), [(0, false), (1, true), (2, false)]);
    let end = u64::MAX;
    let capture = place
        .open(dump("100 s", &format!("#0 0! #{end} 1!")))
        .unwrap();
    assert_eq!(edges(&capture, "A"), [(0, false), (end, true)]);
}

#[test]
fn channels_go_by_name_and_by_path_where_that_is_not_enough() {
    let text = "$timescale 1 ns $end $scope module top $end $var wire 1 ! clk $end \
        $scope module cpu $end $var reg 1 \" clk $end $var wire 8 # bus $end $upscope $end \
        $var wire 1 $ d [3] $end $var real 1 % volts $end $var wire 1 ! copy $end \
        $var wire 1 ! copy $end $upscope $end $enddefinitions $end \
        #0 0! 1\" b10x # 0$ r1.5 % #1 0\" #2\n";
    let capture = Place::new().open(text).unwrap();
    let names: Vec<_> = capture.channels().collect();
    assert_eq!(names, ["top.clk", "top.cpu.clk", "d[3]", "copy"]);
    assert_eq!(edges(&capture, "top.clk"), [(0, false)]);
    assert_eq!(edges(&capture, "top.cpu.clk"), [(0, true), (1, false)]);
    assert_eq!(edges(&capture, "top.d[3]"), edges(&capture, "d[3]"));
    assert_eq!(edges(&capture, "copy"), [(0, false)]);
    assert_eq!(capture.position("top.d[3]"), Some(2));
    let error = capture
        .edges("clk", false, at(0))
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.ends_with("no channel `clk`; it has `top.clk`, `top.cpu.clk`, `d[3]`, `copy`"),
        "{error}"
    );
}

/// A sigrok session of one channel `A`.
fn session(samples: &[u8], rate: &str) -> Vec<u8> {
    let metadata = format!(
        "[device 1]\ncapturefile=logic-1\ntotal probes=1\nsamplerate={rate}\nprobe1=A\nunitsize=1\n"
    );
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in [("metadata", metadata.as_bytes()), ("logic-1-1", samples)] {
        zip.start_file(name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn a_repetition_begins_where_the_recording_ends() {
    let place = Place::new();
    let expected = [0, 12_000, 24_000].map(|from| {
        let a = [(0, true), (4_000, false), (7_000, true), (10_000, false)];
        a.map(|(t, high)| (from + t, high))
    });
    let capture = place.open(WHOLE).unwrap();
    assert_eq!(plays(&capture, "A", 3), expected.concat());
    let capture = place.open(session(&[0, 1, 1], "1 MHz")).unwrap();
    assert_eq!(capture.length(), Duration::from_micros(3));
    assert_eq!(
        plays(&capture, "A", 2),
        [(0, false), (1_000, true), (3_000, false), (4_000, true)]
    );
    let mut forever = capture
        .edges("A", false, at(0))
        .unwrap()
        .times(u64::MAX)
        .skip(20_000);
    assert_eq!(forever.next(), Some((at(30_000_000), false)));
}

#[test]
fn repetitions_do_not_add_up_what_is_rounded() {
    let capture = Place::new().open(session(&[0], "3 Hz")).unwrap();
    for (n, (time, _)) in plays(&capture, "A", 1_000).into_iter().enumerate() {
        assert_eq!(time, (n as u64 * 2_000_000_000 + 3) / 6, "play {n}");
    }
}

#[test]
fn random_changes_give_the_edges_of_a_plain_list() {
    let place = Place::new();
    for seed in 0..40 {
        let mut random = Random(seed);
        let (mut body, mut time) = (String::new(), 0);
        let mut expected = Vec::new();
        let mut levels = [false; 2];
        for n in 0..random.below(2_000) {
            let _ = write!(body, "#{time}");
            for (level, id) in levels.iter_mut().zip(['!', '"']) {
                if n == 0 || random.below(2) == 0 {
                    *level = random.below(2) == 0;
                    let separator = ["\n", " ", "\r\n", "\t"][random.below(4) as usize];
                    let _ = write!(body, "{separator}{}{id}", u8::from(*level));
                }
            }
            body.push('\n');
            if expected.last().is_none_or(|(_, high)| *high != levels[0]) {
                expected.push((time * 10, levels[0]));
            }
            time += 1 + random.below(1_000_000);
        }
        let _ = writeln!(body, "#{time}");
        let text = format!(
            "$timescale 10 ns $end $var wire 1 ! A $end $var wire 1 \" B $end \
             $enddefinitions $end\n{body}"
        );
        let capture = place.open(text).unwrap();
        if expected.is_empty() {
            expected.push((0, false));
        }
        assert_eq!(edges(&capture, "A"), expected, "seed {seed}");
        assert_eq!(capture.length(), Duration::from_nanos(time * 10));
    }
}

#[test]
fn what_is_wrong_is_said_with_its_line() {
    let place = Place::new();
    let body = |body: &str| dump("1 ns", body);
    for (text, expected) in [
        (
            body("#5 0!\n#4 1!"),
            "in line 3, time goes back from 5 to 4",
        ),
        (
            body("#0 0$"),
            "in line 2, `$` changes, which the header does not declare",
        ),
        (body("#0\nhello"), "in line 3, unexpected character"),
        (body("#0\n2!"), "in line 3, unexpected character"),
        (body("#zero"), "in line 2, invalid digit"),
        (
            body("#0 $var wire 1 # B $end"),
            "in line 2, a declaration stands behind",
        ),
        (body(""), "it holds no times"),
        (dump("3 ns", "#0"), "the time scale is 3 ns"),
        (dump("1 fortnight", "#0"), "in line 1, "),
        (
            WHOLE.replace("$timescale 1 us $end\n", ""),
            "has no `$timescale`",
        ),
        (
            declaring("$var wire 8 ! bus $end"),
            "no variable of one bit",
        ),
        (
            declaring("$upscope $end $var wire 1 ! A $end"),
            "no scope is open",
        ),
        (
            declaring("$var wire 1 ! A $end $var wire 1 \" A $end"),
            "more than one variable `A`",
        ),
        (
            declaring("$var wire 1 ! A\u{1b}[2J $end"),
            r"a name is `A\u{1b}[2J`",
        ),
        (
            declaring("#5 $var wire 1 ! A $end"),
            "a change stands within the header",
        ),
        (
            "$timescale 1 ns $end\n".to_owned(),
            "ends before its `$enddefinitions`",
        ),
    ] {
        let error = place.error(&text);
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn absurd_sizes_are_refused() {
    let place = Place::new();
    let long = "x".repeat(100_000);
    let scopes = "$scope module deep $end ".repeat(200_000);
    let variables = (0..=MAX_VARIABLES).fold(String::new(), |mut all, n| {
        let _ = write!(all, "$var wire 1 ! v{n} $end ");
        all
    });
    let comments = format!("$comment {} $end ", "x".repeat(60_000)).repeat(20);
    let vector = format!("#0 b{} ! #1", "1".repeat(100_000));
    for (text, expected) in [
        (
            declaring(&format!("$var wire 1 ! {long} $end")),
            "65536 bytes",
        ),
        (
            declaring(&format!("$var wire 1 ! {} $end", &long[..99])),
            "99 bytes and at most 64",
        ),
        (
            declaring(&format!("$var wire 1 {long} A $end")),
            "token too long",
        ),
        (declaring(&scopes), "scopes are so deep"),
        (declaring(&variables), "more than the 4096 variables"),
        (
            declaring(&comments),
            "header has more than the 1048576 bytes",
        ),
        (
            dump("1 ns", &format!("#0 $comment {long} $end #1")),
            "65536 bytes",
        ),
        (dump("1 ns", &vector), "65536 bytes"),
        (
            dump("1 ns", &format!("#0 {} #1", " ".repeat(100_000))),
            "65536 bytes",
        ),
        (dump("1 ns", "#99999999999999999999"), "number too large"),
    ] {
        let error = place.error(&text);
        assert!(error.contains(expected), "{}: {error}", &text[..80]);
    }
    const { assert!(MAX_HEADER_BYTES > MAX_COMMAND_BYTES) };
}

#[test]
fn a_file_cut_anywhere_is_refused_or_plays_what_is_left_of_it() {
    let place = Place::new();
    let whole = edges(&place.open(WHOLE).unwrap(), "A");
    let mut refused = 0;
    for length in 0..WHOLE.len() {
        let content = &WHOLE[..length];
        if let Ok(capture) = place.open(content) {
            assert!(content.ends_with(['\n', ' ']), "{length}");
            let left = edges(&capture, "A");
            // Low where not even its first level is left.
            assert!(whole.starts_with(&left) || left == [(0, false)], "{length}");
        } else {
            place.error(content);
            refused += 1;
        }
    }
    // Without a time at least.
    assert!(refused > WHOLE.find("#0").unwrap());
}

#[test]
fn changed_bytes_never_panic() {
    let place = Place::new();
    let mut random = Random(5);
    for _ in 0..3_000 {
        let mut changed = WHOLE.as_bytes().to_vec();
        for _ in 0..=random.below(6) {
            let index = random.below(changed.len() as u64) as usize;
            let known = WHOLE.as_bytes()[random.below(WHOLE.len() as u64) as usize];
            match random.below(4) {
                0 => changed[index] = random.next() as u8,
                1 => changed[index] = known,
                2 => changed.insert(index, known),
                _ => drop(changed.remove(index)),
            }
        }
        match place.open(&changed) {
            Ok(capture) => {
                let names: Vec<_> = capture.channels().map(str::to_owned).collect();
                for name in names {
                    let items = edges(&capture, &name);
                    assert!(items.is_sorted_by_key(|(time, _)| *time));
                    assert_eq!(items.first().map(|(time, _)| *time), Some(0));
                }
            }
            Err(_) => drop(place.error(&changed)),
        }
    }
}

#[test]
fn a_dump_changed_after_it_was_opened_ends_with_a_fault() {
    let place = Place::new();
    let mut body = String::new();
    for n in 0..100_000 {
        let _ = writeln!(body, "#{n}\n{}!", n % 2);
    }
    let text = dump("1 us", &body);
    let capture = place.open(&text).unwrap();
    assert_eq!(edges(&capture, "A").len(), 100_000);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .open(place.path())
        .unwrap();
    file.write_all(&vec![b'?'; text.len()]).unwrap();
    assert!(edges(&capture, "A").is_empty());
    assert!(matches!(capture.fault(), Some(Error::Malformed { .. })));
}
