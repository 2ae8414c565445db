//! One life of a driver on its board, with all that can be seen of it.

use crate::action::Action;
use crate::error::Error;
use crate::subject::Subject;
use loopgate::trace::{Entry, Faults, Recorder, Trace};
use loopgate::workloop::Instant;
use loopgate::{
    Board, Cancel, DriverStatus, ErrorCode, LogLine, PowerState, Reply, Request, State, Submitted,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What a trace may take; a driver that does more is not traced further.
const TRACE_MAX: usize = 256 << 20;

/// As much of what comes out is kept.
const SEEN_MAX: usize = 1_000_000;

/// How a world is made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Made {
    /// Which of the driver's calls fails; 0 for none.
    pub(crate) fault: u64,
    /// What the order of loops is drawn from.
    pub(crate) schedule: Option<u64>,
    /// Nothing is recorded, for long runs.
    pub(crate) is_untraced: bool,
}

pub(crate) struct World {
    board: Board,
    driver: String,
    recorder: Arc<Recorder>,
    faults: Arc<Faults>,
    changes: Arc<Mutex<Vec<Seen>>>,
    requests: Vec<Asked>,
    begun: Instant,
    is_stopped: bool,
}

/// What can be seen from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// A line has changed, at this time from the begin.
    Line(Duration, String, bool),
    /// Bytes were sent on a port.
    Sent(String, Vec<u8>),
    /// A request was answered: the number of its action.
    Answered(usize, Result<Reply, ErrorCode>),
}

/// A request that was submitted.
pub(crate) struct Asked {
    /// The number of the action that did.
    pub(crate) action: usize,
    pub(crate) service: String,
    pub(crate) selector: u32,
    submitted: Result<Submitted, ErrorCode>,
    pub(crate) outcome: Option<Result<Reply, ErrorCode>>,
}

impl World {
    /// The board, with its drivers started.
    pub(crate) fn new(subject: &Subject, made: Made) -> Result<Self, Error> {
        let recorder = Recorder::in_memory(if made.is_untraced { 0 } else { TRACE_MAX });
        let faults = Arc::new(Faults::nth(made.fault));
        let mut builder = subject.builder().faults(subject.driver(), faults.clone());
        if !made.is_untraced {
            builder = builder.trace(recorder.clone());
        }
        if let Some(seed) = made.schedule {
            builder = builder.schedule(seed);
        }
        let board = builder.build()?;
        let begun = board.now();
        let changes = Arc::<Mutex<Vec<Seen>>>::default();
        let seen = changes.clone();
        board.sim().observe(move |change| {
            let at = change.timestamp.saturating_since(begun);
            let change = Seen::Line(at, change.line.to_owned(), change.high);
            if let Ok(mut seen) = seen.lock()
                && seen.len() < SEEN_MAX
            {
                seen.push(change);
            }
        });
        Ok(Self {
            board,
            driver: subject.driver().to_owned(),
            recorder,
            faults,
            changes,
            requests: Vec::new(),
            begun,
            is_stopped: false,
        })
    }

    pub(crate) fn board(&self) -> &Board {
        &self.board
    }

    fn is_overfull(&self) -> bool {
        self.changes.lock().is_ok_and(|seen| seen.len() >= SEEN_MAX)
    }

    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// Since the begin.
    pub(crate) fn time(&self) -> Duration {
        self.board.now().saturating_since(self.begun)
    }

    pub(crate) fn status(&self) -> DriverStatus {
        let drivers = self.board.status().drivers.into_iter();
        let mut found = drivers.filter(|driver| driver.name == self.driver);
        found.next().expect("the driver stays on its board")
    }

    /// Why it is not what it should be: running, as the same instance that was started.
    pub(crate) fn death(&self) -> Option<String> {
        if self.is_overfull() {
            return Some(format!(
                "it changes its outputs so often that more than {SEEN_MAX} changes came out"
            ));
        }
        let status = self.status();
        match status.state {
            State::Stopped if self.is_stopped && status.counts.deaths == 0 => None,
            State::Running if status.counts.deaths == 0 => None,
            State::Running => {
                let lines = self.log().into_iter().rev();
                let mut failures = lines.filter(|line| line.text.starts_with("failed"));
                // `failed, started again in 100 ms: trap: ...`: the cause alone, as of one
                // that was not started again yet.
                let cause = failures
                    .next()
                    .map(|line| match line.text.split_once(": ") {
                        Some((_, cause)) => cause.to_owned(),
                        None => line.text,
                    });
                Some(cause.unwrap_or_else(|| "it failed, and was started again".to_owned()))
            }
            state => Some(
                status
                    .cause
                    .unwrap_or_else(|| format!("it is {}", state.name())),
            ),
        }
    }

    pub(crate) fn log(&self) -> Vec<LogLine> {
        let lines = self
            .board
            .logs(&self.driver, 0, Duration::ZERO, &Cancel::default());
        lines.unwrap_or_default()
    }

    /// Does them one after another; `number` is that of the first.
    pub(crate) fn play(&mut self, actions: &[Action], number: usize) {
        for (index, action) in actions.iter().enumerate() {
            self.act(action, number + index);
        }
    }

    pub(crate) fn act(&mut self, action: &Action, number: usize) {
        let board = &self.board;
        match action {
            Action::Set { line, high } => {
                // The line is one of the board's.
                let _ = board.sim().set(line, *high);
                board.run_for(Duration::ZERO);
            }
            Action::Feed { port, bytes } => {
                let _ = board.sim_ports().feed(port, bytes);
                board.run_for(Duration::ZERO);
            }
            Action::Ask(ask) => {
                let mut request = Request::numbered(ask.selector).data(ask.data.clone());
                request.scalars = ask.scalars;
                let submitted = board.submit(&ask.service, request, ask.timeout);
                self.requests.push(Asked {
                    action: number,
                    service: ask.service.clone(),
                    selector: ask.selector,
                    submitted: submitted.map_err(|error| error.code),
                    outcome: None,
                });
                board.run_for(Duration::ZERO);
            }
            Action::Cancel { request } => {
                if let Some(Ok(submitted)) =
                    self.requests.get(*request).map(|asked| &asked.submitted)
                {
                    submitted.cancel();
                }
                board.run_for(Duration::ZERO);
            }
            Action::Wait(span) => board.run_for(*span),
            Action::Next => {
                if let Some(next) = board.next_event() {
                    board.run_until(next);
                }
            }
            Action::Skip(span) => board.skip(*span),
            Action::Reload => {
                let _ = board.reload(&self.driver);
            }
            Action::Sleep => {
                let _ = board.power(PowerState::Sleep);
            }
            Action::Wake => {
                let _ = board.power(PowerState::On);
            }
            Action::Stop { driver } => {
                self.is_stopped |= *driver == self.driver;
                let _ = board.stop_driver(driver);
            }
            Action::Start { driver } => {
                self.is_stopped &= *driver != self.driver;
                let _ = board.start_driver(driver);
            }
        }
        self.look();
    }

    /// Takes what has come out.
    fn look(&mut self) {
        let mut seen = Vec::new();
        for asked in &mut self.requests {
            let outcome = match &asked.submitted {
                Ok(submitted) => submitted.outcome(),
                Err(code) if asked.outcome.is_none() => Some(Err(*code)),
                Err(_) => None,
            };
            if let Some(outcome) = outcome {
                seen.push(Seen::Answered(asked.action, outcome.clone()));
                asked.outcome = Some(outcome);
            }
        }
        for port in self.board.sim_ports().show() {
            let sent = self.board.sim_ports().take(&port.name).unwrap_or_default();
            if !sent.is_empty() {
                seen.push(Seen::Sent(port.name, sent));
            }
        }
        if let Ok(mut changes) = self.changes.lock() {
            changes.extend(seen);
        }
    }

    /// All that came out so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.changes
            .lock()
            .map(|seen| seen.clone())
            .unwrap_or_default()
    }

    /// What came out and who asked so far: long runs need not keep it.
    pub(crate) fn forget(&mut self) {
        self.requests.clear();
        if let Ok(mut changes) = self.changes.lock() {
            changes.clear();
        }
    }

    pub(crate) fn requests(&self) -> &[Asked] {
        &self.requests
    }

    /// Ends the board; what crossed the boundary of its drivers.
    pub(crate) fn end(self) -> Result<Crossed, Error> {
        let driver = self.driver;
        drop(self.requests);
        self.board.shutdown();
        self.recorder.finish();
        let trace = Trace::parse(self.recorder.take()).map_err(|error| Error::Invalid {
            place: driver.clone(),
            message: error.to_string(),
        })?;
        Ok(Crossed { trace, driver })
    }
}

/// What crossed the boundary of one driver.
pub(crate) struct Crossed {
    trace: Trace,
    driver: String,
}

impl Crossed {
    /// Whether all of it was recorded: else what is not there says nothing.
    pub(crate) fn is_whole(&self) -> bool {
        let mut entries = self.trace.entries();
        let whole = entries.by_ref().all(|entry| {
            entry.is_ok_and(|entry| entry.driver() != self.driver || entry.handler() != "lost")
        });
        whole && entries.is_whole()
    }

    /// Its handlers, in order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let entries = self.trace.entries().map_while(Result::ok);
        entries.filter(|entry| entry.driver() == self.driver)
    }

    /// The latest of it, for people.
    pub(crate) fn last(&self, count: usize) -> Vec<String> {
        let mut lines = std::collections::VecDeque::new();
        for entry in self.entries() {
            let at = seconds(entry.time().saturating_since(Instant::ZERO));
            lines.push_back(format!("{at}  {entry}"));
            for call in entry.calls() {
                lines.push_back(format!("{:>14}  {call}", ""));
            }
            while lines.len() > count {
                lines.pop_front();
            }
        }
        lines.into()
    }

    /// All of it, to tell it from another.
    pub(crate) fn hash(&self, hash: &mut sha2::Sha256) {
        use sha2::Digest as _;
        for entry in self.entries() {
            hash.update((entry.bytes().len() as u64).to_le_bytes());
            hash.update(entry.bytes());
        }
    }
}

/// For people, to the microsecond.
pub(crate) fn seconds(span: Duration) -> String {
    format!("{:5}.{:06} s", span.as_secs(), span.subsec_micros())
}
