//! What is seen of a board while a scenario is played.

use loopgate::{Board, Cancel};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// So many edges, and bytes, are kept at most.
pub(super) const EDGES_MAX: usize = 1_000_000;
pub(super) const BYTES_MAX: usize = 1 << 24;

/// Everything that was seen. Times are nanoseconds from the begin.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// Each line's level at the begin.
    pub(super) initial: BTreeMap<String, bool>,
    /// In the order in which they came; on one line that is the order of time.
    pub(super) edges: Vec<Edge>,
    /// What came through each port, in the order of time.
    pub(super) sent: BTreeMap<String, Sent>,
    pub(super) logs: Vec<Logged>,
    /// It does not hold all.
    pub(super) is_full: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Edge {
    pub(super) line: Arc<str>,
    pub(super) high: bool,
    pub(super) at: u64,
}

/// Bytes, and from which place on they came when.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) bytes: Vec<u8>,
    pub(super) since: Vec<(usize, u64)>,
}

#[derive(Clone, Debug)]
pub(super) struct Logged {
    pub(super) driver: String,
    pub(super) at: u64,
    pub(super) level: String,
    pub(super) text: String,
}

/// Fills a [`Trace`] as long as its board runs.
pub(super) struct Watch {
    trace: Arc<Mutex<Trace>>,
    /// Of each driver, the latest line that was taken.
    logged: BTreeMap<String, u64>,
    begin: u64,
}

impl Watch {
    /// From now on.
    pub(super) fn new(board: &Board) -> Self {
        let begin = board.now().as_nanos();
        let since = move |at: u64| at.saturating_sub(begin);
        let lines = board.sim().show();
        let names: BTreeMap<String, Arc<str>> = lines
            .iter()
            .map(|line| (line.name.clone(), line.name.as_str().into()))
            .collect();
        let trace = Arc::new(Mutex::new(Trace {
            initial: lines
                .into_iter()
                .map(|line| (line.name, line.high))
                .collect(),
            ..Trace::default()
        }));
        let fill = trace.clone();
        board.sim().observe(move |change| {
            let line = names.get(change.line).cloned();
            locked(&fill).edge(Edge {
                line: line.unwrap_or_else(|| change.line.into()),
                high: change.high,
                at: since(change.timestamp.as_nanos()),
            });
        });
        for port in board.sim_ports().show() {
            let (name, fill) = (port.name.clone(), trace.clone());
            let listened = board.sim_ports().listen(&port.name, move |bytes, at| {
                locked(&fill).sent(&name, bytes, since(at.as_nanos()));
            });
            listened.expect("the port was there just now");
        }
        let drivers = board.file();
        let drivers = drivers.drivers.iter();
        Self {
            trace,
            logged: drivers
                .map(|driver| (driver.name.get_ref().clone(), 0))
                .collect(),
            begin,
        }
    }

    /// Takes what the drivers have logged since it was last called.
    pub(super) fn take_logs(&mut self, board: &Board) {
        for (driver, latest) in &mut self.logged {
            let lines = board.logs(driver, *latest, Duration::ZERO, &Cancel::default());
            for line in lines.unwrap_or_default() {
                *latest = line.sequence;
                locked(&self.trace).logs.push(Logged {
                    driver: driver.clone(),
                    at: line.time_ns.saturating_sub(self.begin),
                    level: line.level,
                    text: line.text,
                });
            }
        }
    }

    pub(super) fn trace(&self) -> MutexGuard<'_, Trace> {
        locked(&self.trace)
    }
}

/// Nothing that panics holds it.
fn locked(trace: &Mutex<Trace>) -> MutexGuard<'_, Trace> {
    trace.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Trace {
    fn edge(&mut self, edge: Edge) {
        if self.edges.len() < EDGES_MAX {
            self.edges.push(edge);
        } else {
            self.is_full = true;
        }
    }

    fn sent(&mut self, port: &str, bytes: &[u8], at: u64) {
        let sent = self.sent.entry(port.to_owned()).or_default();
        if sent.bytes.len() + bytes.len() > BYTES_MAX {
            self.is_full = true;
            return;
        }
        if sent.since.last().is_none_or(|last| last.1 < at) {
            sent.since.push((sent.bytes.len(), at));
        }
        sent.bytes.extend_from_slice(bytes);
    }

    /// The edges of one line, from the one numbered `from` on.
    pub(super) fn edges_of(&self, line: &str, from: usize) -> impl Iterator<Item = &Edge> {
        self.edges[from..]
            .iter()
            .filter(move |edge| *edge.line == *line)
    }

    /// A line's level behind the first `known` edges, and since when.
    pub(super) fn level(&self, line: &str, known: usize) -> (bool, u64) {
        let mut before = self.edges[..known].iter().rev();
        let last = before.find(|edge| *edge.line == *line);
        let initial = || (self.initial.get(line).copied().unwrap_or_default(), 0);
        last.map_or_else(initial, |edge| (edge.high, edge.at))
    }
}

impl Sent {
    /// When the byte of this place came.
    pub(super) fn time_of(&self, place: usize) -> u64 {
        let later = self.since.partition_point(|(first, _)| *first <= place);
        self.since[..later].last().map_or(0, |since| since.1)
    }

    /// The place of the first byte that came at `at` or later.
    pub(super) fn place_at(&self, at: u64) -> usize {
        let before = self.since.partition_point(|(_, time)| *time < at);
        self.since
            .get(before)
            .map_or(self.bytes.len(), |since| since.0)
    }

    /// What came at once, and when.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let ends = self.since.iter().skip(1).map(|next| next.0);
        let ends = ends.chain([self.bytes.len()]);
        let pieces = self.since.iter().zip(ends);
        pieces.map(|(&(from, at), end)| (at, &self.bytes[from..end]))
    }
}
