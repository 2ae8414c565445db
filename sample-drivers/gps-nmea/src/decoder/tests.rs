use std::path::{Path, PathBuf};

use loopgate_guest::LineReader;
use serde_json::Value;

use super::*;

/// A log's name, its bytes, and the last fix in it.
type Log = (String, Vec<u8>, Option<(f64, f64)>);

/// Logs of real receivers, and what gpsd makes of each; `None` where they are
/// not at hand.
fn logs() -> Option<Vec<Log>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/nmea");
    let Ok(entries) = std::fs::read_dir(&folder) else {
        eprintln!("SKIPPED: no logs in `{}`", folder.display());
        return None;
    };
    let logs = entries.map(|entry| entry.unwrap().path());
    let logs = logs.filter(|path| path.extension().is_some_and(|end| end == "log"));
    let logs: Vec<_> = logs.map(|path| log(&path)).collect();
    assert!(!logs.is_empty(), "no logs in `{}`", folder.display());
    Some(logs)
}

fn log(path: &Path) -> Log {
    let name = path.file_stem().unwrap().to_string_lossy().into_owned();
    let checked = std::fs::read_to_string(path.with_extension("log.chk")).unwrap();
    let reports = checked
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let fixes = reports.filter(|report| report["class"] == "TPV");
    let mut fixes = fixes.filter_map(|fix| fix["lat"].as_f64().zip(fix["lon"].as_f64()));
    // Binary throughout: gpsd reads it, an NMEA reader must find nothing.
    let fix = fixes.next_back().filter(|_| name != "bu303-moving");
    (name, std::fs::read(path).unwrap(), fix)
}

struct Receiver {
    lines: LineReader,
    decoder: Decoder,
}

impl Receiver {
    fn new() -> Self {
        let lines = LineReader::new(nmea::SENTENCE_MAX_LEN).starting_with(b'$');
        Self {
            lines,
            decoder: Decoder::default(),
        }
    }

    fn hear(&mut self, bytes: &[u8]) {
        self.lines.push(bytes, |line| self.decoder.line(line));
    }

    fn position(&self) -> Value {
        serde_json::from_str(&self.decoder.to_string()).unwrap()
    }

    fn assert_at(&self, expected: Option<(f64, f64)>, log: &str) {
        let position = self.position();
        let Some((lat, lon)) = expected else {
            assert!(
                position["lat"].is_null() && position["lon"].is_null(),
                "{log}: {position}"
            );
            return;
        };
        let near =
            |key: &str, expected: f64| (position[key].as_f64().unwrap() - expected).abs() <= 2e-6;
        assert!(
            near("lat", lat) && near("lon", lon),
            "{log}: {position}, gpsd: {lat}, {lon}"
        );
    }
}

/// Numbers from a seed, by xorshift: the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn noise(&mut self) -> Vec<u8> {
        (0..self.below(300))
            .map(|_| self.below(256) as u8)
            .collect()
    }
}

#[test]
fn the_last_fix_is_the_one_that_gpsd_found() {
    for (name, bytes, fix) in logs().unwrap_or_default() {
        let mut receiver = Receiver::new();
        receiver.hear(&bytes);
        receiver.assert_at(fix, &name);
        let position = receiver.position();
        assert_eq!(
            position["time"].is_null(),
            fix.is_none(),
            "{name}: {position}"
        );
        assert_eq!(
            position["mode"].as_u64(),
            fix.map(|_| 3),
            "{name}: {position}"
        );
    }
}

#[test]
fn pieces_do_not_matter() {
    for (name, bytes, fix) in logs().unwrap_or_default() {
        for seed in 1..=20 {
            let (mut dice, mut receiver) = (Dice(seed), Receiver::new());
            let mut rest = bytes.as_slice();
            while !rest.is_empty() {
                let (piece, others) = rest.split_at(1 + dice.below(rest.len().min(40)));
                receiver.hear(piece);
                rest = others;
            }
            receiver.assert_at(fix, &format!("{name}, seed {seed}"));
        }
    }
}

#[test]
fn noise_between_sentences_costs_none_of_them() {
    for (name, bytes, fix) in logs().unwrap_or_default() {
        for seed in 1..=20 {
            let (mut dice, mut receiver) = (Dice(seed), Receiver::new());
            for line in bytes.split_inclusive(|&byte| byte == b'\n') {
                receiver.hear(&dice.noise());
                receiver.hear(line);
            }
            receiver.hear(&dice.noise());
            receiver.assert_at(fix, &format!("{name}, seed {seed}"));
        }
    }
}

fn after(sentences: &[&str]) -> Value {
    let mut receiver = Receiver::new();
    for sentence in sentences {
        let sum = sentence.bytes().fold(0, |sum, byte| sum ^ byte);
        receiver.hear(format!("${sentence}*{sum:02X}\r\n").as_bytes());
    }
    receiver.position()
}

#[test]
fn what_was_not_heard_is_null() {
    let silent = after(&[]);
    assert!(silent.as_object().unwrap().values().all(Value::is_null) && silent["mode"].is_null());
    let void = after(&["GPRMC,,V,,,,,,,,,,N"]);
    assert_eq!((&void["mode"], &void["lat"]), (&1.into(), &Value::Null));
    let no_date = after(&["GPGLL,5313.2228,N,00634.4228,E,200619.295,A"]);
    assert_eq!(
        (&no_date["mode"], &no_date["time"]),
        (&2.into(), &Value::Null)
    );
    assert!(no_date["alt"].is_null());
}

#[test]
fn a_void_sentence_leaves_the_last_fix() {
    let position = after(&[
        "GPGGA,120000,5313.2228,N,00634.4228,E,1,05,2.6,12.5,M,,,,",
        "GPRMC,120001,V,1111.1111,N,00111.1111,E,,,200506,,,N",
        "GPGGA,120002,1111.1111,N,00111.1111,E,0,00,,,M,,M,,",
    ]);
    assert!((position["lat"].as_f64().unwrap() - 53.220_38).abs() < 2e-6);
    assert_eq!(position["alt"], 12.5);
}

#[test]
fn the_date_goes_on_at_midnight() {
    let position = after(&[
        "GPRMC,235959,A,5313.2228,N,00634.4228,E,0,0,311214,,,A",
        "GPGGA,000000,5313.2228,N,00634.4228,E,1,05,2.6,1,M,,,,",
    ]);
    assert_eq!(position["time"], "2015-01-01T00:00:00.000Z");
}

#[test]
fn numbers_that_are_none_are_no_position() {
    let position = after(&[
        "GPGGA,120000,53nan,N,006inf,E,1,05,2.6,nan,M,,,,",
        "GPGGA,120000,9959.9999,N,00634.4228,E,1,05,2.6,1,M,,,,",
    ]);
    assert!(position["lat"].is_null(), "{position}");
}

#[test]
fn a_wrong_sum_is_no_sentence() {
    let mut receiver = Receiver::new();
    receiver.hear(b"$GPGLL,5313.2228,N,00634.4228,E,200619.295,A*36\r\n$GPGLL,5313\r\n");
    assert_eq!(receiver.decoder.fixes(), 0);
}
