//! A driver's lines in the host's log: bounded in rate and length, and unable
//! to look like anybody else's.

use crate::bindings::loopgate::driver::log::Level;
use crate::text::printable_within;
use loopgate_workloop::{Clock, Instant};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// Longer lines are cut, in the form in which they are printed.
const LINE_MAX: usize = 4096;

/// What a line costs besides its text: time, level and name are printed too,
/// and an empty line must not be free.
const LINE_COST: u64 = 64;

/// How much of a driver's log is kept for `loopgate logs`, with the cost of
/// its lines.
const KEPT_MAX: u64 = 64 << 10;

/// A line of a driver's log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LogLine {
    /// Counts the driver's lines; the first is 1.
    pub sequence: u64,
    /// Nanoseconds since the board was made, by its clock.
    pub time_ns: u64,
    /// `trace`, `debug`, `info`, `warn` or `error`.
    pub level: String,
    /// What the driver wrote, or the host of it; printable.
    pub text: String,
}

/// The log of one driver, whichever instance of it writes.
pub(crate) struct DriverLog {
    name: Arc<str>,
    clock: Arc<dyn Clock>,
    begun: Instant,
    /// Bytes a second, and at most that many at once. What is counted is what
    /// is printed: a character that is escaped costs its escape.
    rate: u64,
    bucket: Mutex<Bucket>,
    kept: Mutex<Kept>,
    /// A line came.
    more: Condvar,
}

/// The latest lines.
#[derive(Default)]
struct Kept {
    lines: VecDeque<LogLine>,
    bytes: u64,
    latest: u64,
}

struct Bucket {
    bytes: u64,
    filled: Instant,
    left_out: u64,
}

impl DriverLog {
    pub(crate) fn new(name: &str, clock: Arc<dyn Clock>, rate: u64) -> Self {
        let begun = clock.now();
        Self {
            name: name.into(),
            begun,
            clock,
            rate,
            bucket: Mutex::new(Bucket {
                bytes: rate,
                filled: begun,
                left_out: 0,
            }),
            kept: Mutex::default(),
            more: Condvar::new(),
        }
    }

    /// A line that the driver wrote.
    pub(crate) fn driver(&self, level: Level, line: &str) {
        let Some(text) = self.admitted(line) else {
            return;
        };
        let name = &self.name;
        let level = match level {
            Level::Trace => {
                tracing::trace!(target: "driver", "{name}: {text}");
                "trace"
            }
            Level::Debug => {
                tracing::debug!(target: "driver", "{name}: {text}");
                "debug"
            }
            Level::Info => {
                tracing::info!(target: "driver", "{name}: {text}");
                "info"
            }
            Level::Warn => {
                tracing::warn!(target: "driver", "{name}: {text}");
                "warn"
            }
            Level::Error => {
                tracing::error!(target: "driver", "{name}: {text}");
                "error"
            }
        };
        self.keep(level, text);
    }

    /// Something in the driver's life, which nobody causes in a loop.
    pub(crate) fn life(&self, text: &str) {
        tracing::info!(target: "loopgate", "{}: {text}", self.name);
        self.keep("info", text.to_owned());
    }

    /// Its end by its own fault.
    pub(crate) fn failure(&self, text: &str) {
        tracing::error!(target: "loopgate", "{}: {text}", self.name);
        self.keep("error", text.to_owned());
    }

    /// What the host has to say of this driver because of something it did:
    /// it pays for it too, since it could do it in a loop.
    pub(crate) fn host(&self, line: &str) {
        if let Some(text) = self.admitted(line) {
            tracing::warn!(target: "loopgate", "{}: {text}", self.name);
            self.keep("warn", text);
        }
    }

    /// The lines after the one of this number that are still kept, and where
    /// there are none the first that comes, for which it waits at most so long.
    /// `stop` is asked a few times a second whether to wait on.
    pub(crate) fn after(
        &self,
        sequence: u64,
        wait: Duration,
        stop: impl Fn() -> bool,
    ) -> Vec<LogLine> {
        const GLANCE: Duration = Duration::from_millis(100);
        let begun = std::time::Instant::now();
        let mut kept = self.kept.lock();
        while kept.latest <= sequence && !stop() {
            let left = wait.saturating_sub(begun.elapsed());
            if left.is_zero() {
                break;
            }
            self.more.wait_for(&mut kept, left.min(GLANCE));
        }
        let later = kept.lines.iter().filter(|line| line.sequence > sequence);
        later.cloned().collect()
    }

    fn keep(&self, level: &str, text: String) {
        let kept = &mut *self.kept.lock();
        kept.latest += 1;
        kept.bytes += cost(&text);
        kept.lines.push_back(LogLine {
            sequence: kept.latest,
            time_ns: self.clock.now().saturating_since(self.begun).as_nanos() as u64,
            level: level.to_owned(),
            text,
        });
        while kept.bytes > KEPT_MAX
            && let Some(oldest) = kept.lines.pop_front()
        {
            kept.bytes -= cost(&oldest.text);
        }
        self.more.notify_all();
    }

    /// An instance has ended: what it left out would otherwise be told at the
    /// next line, which may never come.
    pub(crate) fn instance_ended(&self) {
        let left_out = std::mem::take(&mut self.bucket.lock().left_out);
        self.tell_left_out(left_out);
    }

    fn tell_left_out(&self, left_out: u64) {
        if left_out > 0 {
            let text = format!("{left_out} lines left out, over its limit `log`");
            tracing::warn!(target: "driver", "{}: {text}", self.name);
            self.keep("warn", text);
        }
    }

    /// The line as it is to be printed, paid for; `None` if it is left out.
    fn admitted(&self, line: &str) -> Option<String> {
        // A full bucket has room for any line, cut.
        let max = self.rate.saturating_sub(LINE_COST).min(LINE_MAX as u64);
        let text = printable_within(line, max as usize);
        let left_out = self.admit(cost(&text).min(self.rate))?;
        self.tell_left_out(left_out);
        Some(text)
    }

    /// Takes a line's bytes from the bucket: how many lines were left out
    /// before it, or `None` if it is to be left out too.
    fn admit(&self, bytes: u64) -> Option<u64> {
        let now = self.clock.now();
        let mut bucket = self.bucket.lock();
        let elapsed = now.as_nanos().saturating_sub(bucket.filled.as_nanos());
        let earned = (u128::from(elapsed) * u128::from(self.rate) / 1_000_000_000)
            .min(u128::from(self.rate)) as u64;
        if earned > 0 {
            bucket.bytes = (bucket.bytes + earned).min(self.rate);
            bucket.filled = now;
        }
        if bucket.bytes < bytes {
            bucket.left_out += 1;
            return None;
        }
        bucket.bytes -= bytes;
        let left_out = std::mem::take(&mut bucket.left_out);
        if left_out > 0 {
            // The line that tells of them.
            bucket.bytes = bucket.bytes.saturating_sub(LINE_COST);
        }
        Some(left_out)
    }
}

fn cost(text: &str) -> u64 {
    text.len() as u64 + LINE_COST
}

/// Collects standard output and standard error into lines.
#[derive(Default)]
pub(crate) struct LineBuffer(Vec<u8>);

impl LineBuffer {
    /// Adds output; gives each line that is complete, or too long to wait.
    pub(crate) fn add(&mut self, bytes: &[u8], mut line: impl FnMut(&str)) {
        for &byte in bytes {
            if byte != b'\n' {
                self.0.push(byte);
            }
            let complete = byte == b'\n' || self.0.len() >= LINE_MAX;
            // A panic message begins with an empty line.
            if complete && !self.0.is_empty() {
                line(&String::from_utf8_lossy(&self.0));
                self.0.clear();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use loopgate_workloop::VirtualClock;
    use std::time::Duration;

    #[test]
    fn over_the_rate_lines_are_left_out_and_counted() {
        let clock = Arc::new(VirtualClock::new());
        let log = DriverLog::new("noisy", clock.clone(), 100);
        assert_eq!(log.admit(60), Some(0));
        assert_eq!(log.admit(60), None);
        assert_eq!(log.admit(60), None);
        clock.advance(Duration::from_millis(500));
        assert_eq!(log.admit(60), Some(2));
        clock.advance(Duration::from_hours(1));
        assert_eq!((log.admit(100), log.admit(1)), (Some(0), None));
    }

    #[test]
    fn output_comes_in_lines_of_bounded_length() {
        let mut lines = Vec::new();
        let mut buffer = LineBuffer::default();
        buffer.add(b"one\ntw", |line| lines.push(line.to_owned()));
        buffer.add(b"o\n", |line| lines.push(line.to_owned()));
        buffer.add(&[b'x'; LINE_MAX + 1], |line| lines.push(line.to_owned()));
        assert_eq!(lines[..2], ["one", "two"]);
        assert_eq!((lines.len(), lines[2].len()), (3, LINE_MAX));
    }

    /// Of `tried` lines at one moment, how many are printed and with how many
    /// bytes of text.
    fn printed(rate: u64, line: &str, tried: usize) -> (usize, usize) {
        let log = DriverLog::new("noisy", Arc::new(VirtualClock::new()), rate);
        let texts = (0..tried).filter_map(|_| log.admitted(line));
        texts.fold((0, 0), |(lines, bytes), text| {
            (lines + 1, bytes + text.len())
        })
    }

    #[test]
    fn empty_lines_cost_something() {
        assert_eq!(printed(16 << 10, "", 100_000), (256, 0));
    }

    #[test]
    fn what_is_escaped_costs_its_escape() {
        let line = "\u{1b}".repeat(1000);
        let (lines, bytes) = printed(16 << 10, &line, 1000);
        assert_eq!((lines, bytes), (3, 3 * 4092));
    }

    #[test]
    fn the_latest_lines_are_kept() {
        let log = DriverLog::new("noisy", Arc::new(VirtualClock::new()), 1 << 20);
        let at_once = |sequence| log.after(sequence, Duration::ZERO, || false);
        assert_eq!(at_once(0), []);
        for number in 1..=2000 {
            log.driver(Level::Info, &number.to_string());
        }
        let kept = at_once(0);
        assert!((900..1000).contains(&kept.len()), "{}", kept.len());
        assert_eq!(kept[0].sequence, 2001 - kept.len() as u64);
        assert_eq!(kept[0].text, kept[0].sequence.to_string());
        assert_eq!(at_once(1998).len(), 2);
        assert_eq!(at_once(2000), []);
        assert_eq!(log.after(2000, Duration::MAX, || true), []);
    }

    #[test]
    fn a_line_over_the_rate_is_printed_cut() {
        let line = "x".repeat(LINE_MAX);
        assert_eq!(printed(1 << 10, &line, 2), (1, 1024 - 64));
        assert_eq!(printed(10, &line, 2), (1, 0));
        assert_eq!(printed(16 << 10, &"x".repeat(99_999), 1), (1, LINE_MAX));
    }
}
