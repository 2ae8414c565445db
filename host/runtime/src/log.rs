//! A driver's lines in the host's log: bounded in rate and length, and unable
//! to look like anybody else's.

use crate::bindings::loopgate::driver::log::Level;
use crate::text::printable_within;
use loopgate_workloop::{Clock, Instant};
use parking_lot::Mutex;
use std::sync::Arc;

/// Longer lines are cut, in the form in which they are printed.
const LINE_MAX: usize = 4096;

/// What a line costs besides its text: time, level and name are printed too,
/// and an empty line must not be free.
const LINE_COST: u64 = 64;

/// The log of one driver, whichever instance of it writes.
pub(crate) struct DriverLog {
    name: Arc<str>,
    clock: Arc<dyn Clock>,
    /// Bytes a second, and at most that many at once. What is counted is what
    /// is printed: a character that is escaped costs its escape.
    rate: u64,
    bucket: Mutex<Bucket>,
}

struct Bucket {
    bytes: u64,
    filled: Instant,
    left_out: u64,
}

impl DriverLog {
    pub(crate) fn new(name: &str, clock: Arc<dyn Clock>, rate: u64) -> Self {
        let filled = clock.now();
        Self {
            name: name.into(),
            clock,
            rate,
            bucket: Mutex::new(Bucket {
                bytes: rate,
                filled,
                left_out: 0,
            }),
        }
    }

    /// A line that the driver wrote.
    pub(crate) fn driver(&self, level: Level, line: &str) {
        let Some(text) = self.admitted(line) else {
            return;
        };
        let name = &self.name;
        match level {
            Level::Trace => tracing::trace!(target: "driver", "{name}: {text}"),
            Level::Debug => tracing::debug!(target: "driver", "{name}: {text}"),
            Level::Info => tracing::info!(target: "driver", "{name}: {text}"),
            Level::Warn => tracing::warn!(target: "driver", "{name}: {text}"),
            Level::Error => tracing::error!(target: "driver", "{name}: {text}"),
        }
    }

    /// What the host has to say of this driver because of something it did:
    /// it pays for it too, since it could do it in a loop.
    pub(crate) fn host(&self, line: &str) {
        if let Some(text) = self.admitted(line) {
            tracing::warn!(target: "loopgate", "{}: {text}", self.name);
        }
    }

    /// An instance has ended: what it left out would otherwise be told at the
    /// next line, which may never come.
    pub(crate) fn instance_ended(&self) {
        let left_out = std::mem::take(&mut self.bucket.lock().left_out);
        self.tell_left_out(left_out);
    }

    fn tell_left_out(&self, left_out: u64) {
        if left_out > 0 {
            let name = &self.name;
            tracing::warn!(target: "driver", "{name}: {left_out} lines left out, over its limit `log`");
        }
    }

    /// The line as it is to be printed, paid for; `None` if it is left out.
    fn admitted(&self, line: &str) -> Option<String> {
        // A full bucket has room for any line, cut.
        let max = self.rate.saturating_sub(LINE_COST).min(LINE_MAX as u64);
        let text = printable_within(line, max as usize);
        let left_out = self.admit((text.len() as u64 + LINE_COST).min(self.rate))?;
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
    fn a_line_over_the_rate_is_printed_cut() {
        let line = "x".repeat(LINE_MAX);
        assert_eq!(printed(1 << 10, &line, 2), (1, 1024 - 64));
        assert_eq!(printed(10, &line, 2), (1, 0));
        assert_eq!(printed(16 << 10, &"x".repeat(99_999), 1), (1, LINE_MAX));
    }
}
