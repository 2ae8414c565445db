//! What is expected of a driver, and whether it came.
//!
//! Windows include both of their ends.

use super::bytes;
use super::time::show;
use super::trace::{Sent, Trace};
use std::collections::BTreeMap;

/// Something that is to be seen. Times are nanoseconds.
#[derive(Clone, Debug)]
pub(super) enum Expectation {
    Level {
        line: String,
        high: bool,
        within: u64,
    },
    Pulse {
        line: String,
        high: bool,
        width: u64,
        tolerance: u64,
        within: u64,
    },
    Count {
        line: String,
        edges: u64,
        tolerance: u64,
        span: u64,
    },
    QuietLine {
        line: String,
        span: u64,
    },
    QuietPort {
        port: String,
        span: u64,
    },
    Sent {
        port: String,
        bytes: Vec<u8>,
        within: u64,
    },
    Log {
        contains: String,
        driver: Option<String>,
        within: u64,
    },
}

/// Where a scenario was when it came to an expectation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark {
    pub(super) at: u64,
    /// How many edges there were.
    pub(super) edges: usize,
}

/// What became of it, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) at: u64,
    /// What was met, or what should have been and what was.
    pub(super) outcome: Result<String, String>,
}

/// Looks at what is expected, in the order of time.
pub(super) struct Judge<'a> {
    pub(super) trace: &'a Trace,
    /// The scenario's driver.
    pub(super) driver: &'a str,
    /// Of each port, how many bytes were expected and came.
    claimed: BTreeMap<&'a str, usize>,
}

fn met(at: u64, text: impl Into<String>) -> Verdict {
    let outcome = Ok(text.into());
    Verdict { at, outcome }
}

fn missed(at: u64, text: impl Into<String>) -> Verdict {
    let outcome = Err(text.into());
    Verdict { at, outcome }
}

fn word(high: bool) -> &'static str {
    if high { "high" } else { "low" }
}

/// ` by 20 ms`, where there is time.
fn by(within: u64, end: u64) -> String {
    match within {
        0 => String::new(),
        _ => format!(" by {}", show(end)),
    }
}

impl Expectation {
    /// How long it can take until it is decided.
    pub(super) fn takes(&self) -> u64 {
        match self {
            Self::Level { within, .. } | Self::Sent { within, .. } | Self::Log { within, .. } => {
                *within
            }
            Self::Pulse {
                width,
                tolerance,
                within,
                ..
            } => within.saturating_add(*width).saturating_add(*tolerance),
            Self::Count { span, .. }
            | Self::QuietLine { span, .. }
            | Self::QuietPort { span, .. } => *span,
        }
    }

    pub(super) fn board_line(&self) -> Option<&str> {
        match self {
            Self::Level { line, .. }
            | Self::Pulse { line, .. }
            | Self::Count { line, .. }
            | Self::QuietLine { line, .. } => Some(line),
            Self::QuietPort { .. } | Self::Sent { .. } | Self::Log { .. } => None,
        }
    }

    pub(super) fn port(&self) -> Option<&str> {
        match self {
            Self::QuietPort { port, .. } | Self::Sent { port, .. } => Some(port),
            _ => None,
        }
    }
}

impl<'a> Judge<'a> {
    pub(super) fn new(trace: &'a Trace, driver: &'a str) -> Self {
        Self {
            trace,
            driver,
            claimed: BTreeMap::new(),
        }
    }

    pub(super) fn judge(&mut self, expected: &'a Expectation, mark: Mark) -> Verdict {
        match expected {
            Expectation::Level { line, high, within } => self.level(line, *high, *within, mark),
            Expectation::Pulse {
                line,
                high,
                width,
                tolerance,
                within,
            } => self.pulse(line, *high, (*width, *tolerance), *within, mark.at),
            Expectation::Count {
                line,
                edges,
                tolerance,
                span,
            } => self.count(line, (*edges, *tolerance), *span, mark.at),
            Expectation::QuietLine { line, span } => self.quiet_line(line, *span, mark.at),
            Expectation::QuietPort { port, span } => self.quiet_port(port, *span, mark.at),
            Expectation::Sent {
                port,
                bytes,
                within,
            } => self.sent(port, bytes, *within, mark.at),
            Expectation::Log {
                contains,
                driver,
                within,
            } => {
                let driver = driver.as_deref().unwrap_or(self.driver);
                self.log(contains, driver, *within, mark.at)
            }
        }
    }

    fn level(&self, line: &str, high: bool, within: u64, mark: Mark) -> Verdict {
        let end = mark.at + within;
        let (is, mut since) = self.trace.level(line, mark.edges);
        let wanted = word(high);
        if is == high {
            return met(mark.at, format!("{line} is {wanted}"));
        }
        let edges = self.trace.edges_of(line, mark.edges);
        for edge in edges.take_while(|edge| edge.at <= end) {
            if edge.high == high && within > 0 {
                return met(edge.at, format!("{line} is {wanted}"));
            }
            since = edge.at;
        }
        let (by, is) = (by(within, end), word(!high));
        let since = show(since);
        missed(
            end,
            format!("{line} should be {wanted}{by}, and is {is} since {since}"),
        )
    }

    fn pulse(
        &self,
        line: &str,
        high: bool,
        (width, tolerance): (u64, u64),
        within: u64,
        at: u64,
    ) -> Verdict {
        let end = at + within;
        let mut edges = self.trace.edges_of(line, 0).peekable();
        let mut seen = Vec::new();
        while let Some(edge) = edges.next() {
            if edge.high != high || edge.at < at {
                continue;
            }
            if edge.at > end {
                break;
            }
            let Some(next) = edges.peek() else {
                seen.push(format!("from {} on", show(edge.at)));
                break;
            };
            let was = next.at - edge.at;
            if was.abs_diff(width) <= tolerance {
                let text = format!("{line} was {} for {}", word(high), show(was));
                return met(next.at, text);
            }
            seen.push(format!("for {} from {} on", show(was), show(edge.at)));
        }
        let more = seen.len().saturating_sub(SHOWN_MAX);
        seen.truncate(SHOWN_MAX);
        let was = match (seen.len(), more) {
            (0, _) => "did not begin to be".to_owned(),
            (_, 0) => format!("was {}", seen.join(", ")),
            _ => format!("was {}, and {more} times more", seen.join(", ")),
        };
        let tolerance = match tolerance {
            0 => String::new(),
            _ => format!(" +- {}", show(tolerance)),
        };
        let from = match within {
            0 => show(at),
            _ => format!("{} to {}", show(at), show(end)),
        };
        let (wanted, width) = (word(high), show(width));
        missed(
            end,
            format!("{line} should be {wanted} for {width}{tolerance}, from {from} on, and {was}"),
        )
    }

    fn count(&self, line: &str, (edges, tolerance): (u64, u64), span: u64, at: u64) -> Verdict {
        let end = at + span;
        let window = at..=end;
        let all = self.trace.edges_of(line, 0);
        let seen = all.filter(|edge| window.contains(&edge.at)).count() as u64;
        let from = show(at);
        if seen.abs_diff(edges) <= tolerance {
            return met(end, format!("{line} has changed {seen} times since {from}"));
        }
        let tolerance = match tolerance {
            0 => String::new(),
            _ => format!(" +- {tolerance}"),
        };
        missed(
            end,
            format!(
                "{line} should have changed {edges}{tolerance} times since {from}, and did {seen} times"
            ),
        )
    }

    fn quiet_line(&self, line: &str, span: u64, at: u64) -> Verdict {
        let end = at + span;
        let mut edges = self.trace.edges_of(line, 0);
        let edge = edges
            .find(|edge| edge.at >= at)
            .filter(|edge| edge.at <= end);
        match edge {
            None => met(end, format!("{line} has not changed since {}", show(at))),
            Some(edge) => missed(
                edge.at,
                format!(
                    "{line} should not change before {}, and becomes {}",
                    show(end),
                    word(edge.high)
                ),
            ),
        }
    }

    fn quiet_port(&self, port: &str, span: u64, at: u64) -> Verdict {
        let end = at + span;
        let sent = self.trace.sent.get(port);
        let mut pieces = sent.into_iter().flat_map(Sent::pieces);
        let piece = pieces
            .find(|piece| piece.0 >= at)
            .filter(|piece| piece.0 <= end);
        match piece {
            None => met(
                end,
                format!("nothing was sent to `{port}` since {}", show(at)),
            ),
            Some((when, bytes)) => {
                let (end, bytes) = (show(end), bytes::show(bytes));
                let text =
                    format!("nothing should be sent to `{port}` before {end}, and {bytes} is");
                missed(when, text)
            }
        }
    }

    /// The bytes that come next, after those that were expected before. What was
    /// written before `at`, and nobody expected, is passed over.
    fn sent(&mut self, port: &'a str, wanted: &[u8], within: u64, at: u64) -> Verdict {
        let end = at + within;
        let claimed = self.claimed.entry(port).or_default();
        let shown = bytes::show(wanted);
        let by = by(within, end);
        let Some(sent) = self.trace.sent.get(port) else {
            return missed(
                end,
                format!("`{port}` should get {shown}{by}, and gets nothing"),
            );
        };
        let from = sent.place_at(at).max(*claimed);
        let in_time = sent.place_at(end.saturating_add(1)).max(from);
        let got = &sent.bytes[from..in_time];
        let same = got
            .iter()
            .zip(wanted)
            .take_while(|(got, wanted)| got == wanted)
            .count();
        if same == wanted.len() {
            *claimed = from + same;
            return met(
                sent.time_of(*claimed - 1).max(at),
                format!("`{port}` gets {shown}"),
            );
        }
        let but = match got.len() {
            0 => "nothing".to_owned(),
            _ => bytes::show(&got[..got.len().min(wanted.len())]),
        };
        let when = if same < got.len() {
            sent.time_of(from + same).max(at)
        } else {
            end
        };
        *claimed = in_time;
        missed(
            when,
            format!("`{port}` should get {shown}{by}, and gets {but}"),
        )
    }

    fn log(&self, contains: &str, driver: &str, within: u64, at: u64) -> Verdict {
        let end = at + within;
        let mut lines = self.trace.logs.iter();
        let found = lines.find(|line| {
            line.driver == driver && (at..=end).contains(&line.at) && line.text.contains(contains)
        });
        let part = bytes::cut(contains);
        if let Some(line) = found {
            return met(line.at, format!("`{driver}` logs \"{part}\""));
        }
        let by = by(within, end);
        let text = format!("`{driver}` should log \"{part}\"{by}, and does not");
        missed(end, text)
    }
}

/// How many pulses a message shows.
const SHOWN_MAX: usize = 3;
