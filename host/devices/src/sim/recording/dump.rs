//! The file, and what waits to be written to it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::fs::File;
use std::io::{self, Write as _};

use loopgate_workloop::Instant;
use vcd::{IdCode, SimulationCommand, TimescaleUnit, Value, Writer};

use super::{WAITING_MAX, WINDOW, names};

/// What is written at a time, or a little more. Whole lines always: a host
/// that is killed between two of them leaves a file that can be read.
const CHUNK_BYTES: usize = 64 << 10;

pub(super) type OnFault = Box<dyn FnOnce(io::Error) + Send>;

pub(super) struct Dump {
    /// `None` once it is complete, or could not be written.
    file: Option<File>,
    on_fault: Option<OnFault>,
    text: Writer<Vec<u8>>,
    resolution: u64,
    start: Instant,
    lines: HashMap<String, usize>,
    /// As the text has them.
    variables: Vec<Variable>,
    /// The last time in the text.
    tick: u64,
    waiting: BinaryHeap<Reverse<Change>>,
    /// Numbers the changes, so that those of one time keep their order.
    changes: u64,
    newest: Instant,
    /// What was the newest when it was last settled.
    settled: Instant,
}

struct Variable {
    id: IdCode,
    high: bool,
}

/// In the order of time.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Change {
    at: Instant,
    number: u64,
    variable: usize,
    high: bool,
}

impl Dump {
    pub(super) fn new(file: File, resolution: u64, start: Instant, on_fault: OnFault) -> Self {
        Self {
            file: Some(file),
            on_fault: Some(on_fault),
            text: Writer::new(Vec::with_capacity(2 * CHUNK_BYTES)),
            resolution,
            start,
            lines: HashMap::new(),
            variables: Vec::new(),
            tick: 0,
            waiting: BinaryHeap::new(),
            changes: 0,
            newest: start,
            settled: start,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.file.is_none()
    }

    /// Whether there is nothing to write.
    pub(super) fn is_idle(&mut self) -> bool {
        self.waiting.is_empty() && self.text.writer().is_empty()
    }

    /// Writes the header, and these levels for time 0.
    pub(super) fn begin(&mut self, levels: Vec<(String, bool)>) {
        self.attempt(|dump| dump.write_header(levels));
    }

    pub(super) fn change(&mut self, line: &str, high: bool, at: Instant) {
        let Some(&variable) = self.lines.get(line).filter(|_| self.file.is_some()) else {
            return;
        };
        self.changes += 1;
        self.waiting.push(Reverse(Change {
            at,
            number: self.changes,
            variable,
            high,
        }));
        self.newest = self.newest.max(at);
        let newest = self.newest;
        self.attempt(|dump| {
            dump.write_while(|dump, next| {
                dump.waiting.len() > WAITING_MAX || next.saturating_add(WINDOW) <= newest
            })
        });
    }

    /// Writes what was known already when this was called last.
    pub(super) fn settle(&mut self) {
        let settled = std::mem::replace(&mut self.settled, self.newest);
        self.attempt(|dump| {
            dump.write_while(|_, next| next <= settled)?;
            dump.flush()
        });
    }

    /// Writes all there is, and the time `now`, to which the recording lasts.
    pub(super) fn finish(&mut self, now: Instant) {
        self.attempt(|dump| {
            dump.write_while(|_, _| true)?;
            dump.write_time(now)?;
            dump.flush()
        });
        self.file = None;
    }

    /// A file that cannot be written ends the recording.
    fn attempt(&mut self, f: impl FnOnce(&mut Self) -> io::Result<()>) {
        if self.file.is_none() {
            return;
        }
        let Err(error) = f(self) else { return };
        self.file = None;
        self.waiting = BinaryHeap::new();
        self.text.writer().clear();
        if let Some(on_fault) = self.on_fault.take() {
            on_fault(error);
        }
    }

    fn write_header(&mut self, levels: Vec<(String, bool)>) -> io::Result<()> {
        let references = names::references(levels.iter().map(|(line, _)| line.as_str()));
        let (number, unit) = time_scale(self.resolution);
        let text = &mut self.text;
        text.version(concat!("loopgate ", env!("CARGO_PKG_VERSION")))?;
        text.timescale(number, unit)?;
        text.add_module("board")?;
        for ((line, high), reference) in levels.into_iter().zip(references) {
            let id = text.add_wire(1, &reference)?;
            self.lines.insert(line, self.variables.len());
            self.variables.push(Variable { id, high });
        }
        text.upscope()?;
        text.enddefinitions()?;
        text.timestamp(0)?;
        text.begin(SimulationCommand::Dumpvars)?;
        for variable in &self.variables {
            text.change_scalar(variable.id, Value::from(variable.high))?;
        }
        text.end()
    }

    /// Writes the first of what waits as long as `may` says so of its time.
    fn write_while(&mut self, may: impl Fn(&Self, Instant) -> bool) -> io::Result<()> {
        while let Some(Reverse(next)) = self.waiting.peek()
            && may(self, next.at)
            && let Some(Reverse(next)) = self.waiting.pop()
        {
            self.write_change(&next)?;
        }
        if self.text.writer().len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn write_change(&mut self, change: &Change) -> io::Result<()> {
        // The levels that the file begins with may have it already.
        if self.variables[change.variable].high == change.high {
            return Ok(());
        }
        self.write_time(change.at)?;
        let variable = &mut self.variables[change.variable];
        variable.high = change.high;
        self.text
            .change_scalar(variable.id, Value::from(change.high))
    }

    /// Rounded, and never back.
    fn write_time(&mut self, at: Instant) -> io::Result<()> {
        let nanos = at.as_nanos().saturating_sub(self.start.as_nanos());
        let tick = nanos.saturating_add(self.resolution / 2) / self.resolution;
        if tick > self.tick {
            self.tick = tick;
            self.text.timestamp(tick)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        let text = self.text.writer();
        if let Some(file) = &mut self.file {
            file.write_all(text)?;
        }
        text.clear();
        Ok(())
    }
}

fn time_scale(nanos: u64) -> (u32, TimescaleUnit) {
    match nanos {
        1_000_000.. => ((nanos / 1_000_000) as u32, TimescaleUnit::MS),
        1_000.. => ((nanos / 1_000) as u32, TimescaleUnit::US),
        _ => (nanos as u32, TimescaleUnit::NS),
    }
}
