//! Playing a scenario, from event to event.

use super::evidence::{around, bounded, is_missed, sort};
use super::expectation::{Judge, Mark, Verdict};
use super::format::Drive;
use super::step::{Action, Call, Kind, Life, Step};
use super::time::show;
use super::trace::{Trace, Watch};
use super::{Scenario, bytes};
use crate::error::{Error, invalid};
use crate::report::{Failure, Moment, MomentKind, Outcome, ScenarioResult, Wave};
use crate::subject::Subject;
use loopgate::board_file::PlayEntry;
use loopgate::workloop::Instant;
use loopgate::{Board, ErrorCode, PowerState, Reply, RequestError, State, Submitted, VcdFile};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How often logs are taken: within this a driver cannot log more than is kept, unless
/// its limit is raised.
const TAKE_LOGS: Duration = Duration::from_secs(1);

/// How far time goes on where a driver always has more to do.
const GRAIN: Duration = Duration::from_micros(100);

pub(super) fn run(
    scenario: &Scenario,
    subject: &Subject,
    record: Option<VcdFile>,
) -> Result<ScenarioResult, Error> {
    let mut builder = subject.builder();
    if let Some(vcd) = record {
        builder = builder.record(vcd);
    }
    let board = builder.build()?;
    check(scenario, &board)?;
    let mut play = Play::new(scenario, subject, &board);
    play.begin();
    for step in &scenario.steps {
        play.advance(step.at);
        play.step(step);
    }
    play.advance(scenario.length());
    play.end();
    Ok(play.result())
}

/// That there is what the scenario speaks of.
fn check(scenario: &Scenario, board: &Board) -> Result<(), Error> {
    let file = board.file();
    let lines: Vec<_> = board
        .sim()
        .show()
        .into_iter()
        .map(|line| line.name)
        .collect();
    let ports = board.sim_ports().show();
    let ports: Vec<_> = ports.into_iter().map(|port| port.name).collect();
    let drivers = file.drivers.iter();
    let drivers: Vec<_> = drivers
        .map(|driver| driver.name.get_ref().clone())
        .collect();
    let provided = file.drivers.iter().flat_map(|driver| &driver.provides);
    let services: Vec<_> = provided.map(|name| name.get_ref().clone()).collect();
    for step in &scenario.steps {
        let service = match &step.kind {
            Kind::Call(call) => Some(call.service.as_str()),
            _ => None,
        };
        for (what, name, known) in [
            ("line", step.board_line(), &lines),
            ("port", step.port(), &ports),
            ("driver", step.driver(), &drivers),
            ("service", service, &services),
        ] {
            let Some(name) = name.filter(|name| !known.iter().any(|known| known == name)) else {
                continue;
            };
            let has = match known.len() {
                0 => "none".to_owned(),
                _ => format!("`{}`", known.join("`, `")),
            };
            let message = format!(
                "the board `{}` has no {what} `{}`; it has {has}",
                file.path().display(),
                name.escape_debug()
            );
            return Err(invalid(&scenario.path, step.line, message));
        }
    }
    Ok(())
}

struct Play<'a> {
    scenario: &'a Scenario,
    subject: &'a Subject,
    board: &'a Board,
    begin: Instant,
    watch: Watch,
    /// What is expected, and where the scenario was when it came to it.
    expected: Vec<(&'a Step, Mark)>,
    calls: Vec<Asked<'a>>,
    moments: Vec<Moment>,
    /// The step of each that was missed, in the order in which they are found.
    missed: Vec<(u64, Option<usize>, String)>,
}

/// A call that is on its way, or is over.
struct Asked<'a> {
    line: usize,
    at: u64,
    call: &'a Call,
    submitted: Result<Submitted, RequestError>,
    /// When it was over, and how.
    ended: Option<(u64, Result<Reply, ErrorCode>)>,
}

impl Asked<'_> {
    fn look(&mut self, now: u64) {
        if let (None, Ok(submitted)) = (&self.ended, &self.submitted) {
            self.ended = submitted.outcome().map(|outcome| (now, outcome));
        }
    }

    fn is_over(&self) -> bool {
        self.ended.is_some() || self.submitted.is_err()
    }
}

impl<'a> Play<'a> {
    fn new(scenario: &'a Scenario, subject: &'a Subject, board: &'a Board) -> Self {
        Self {
            scenario,
            subject,
            board,
            begin: board.now(),
            watch: Watch::new(board),
            expected: Vec::new(),
            calls: Vec::new(),
            moments: Vec::new(),
            missed: Vec::new(),
        }
    }

    fn now(&self) -> u64 {
        let since = self.board.now().saturating_since(self.begin);
        since.as_nanos() as u64
    }

    fn tell(&mut self, at_ns: u64, kind: MomentKind, text: impl Into<String>) {
        let text = text.into();
        self.moments.push(Moment { at_ns, kind, text });
    }

    fn judge(&mut self, line: Option<usize>, Verdict { at, outcome }: Verdict) {
        match outcome {
            Ok(text) => self.tell(at, MomentKind::Met, text),
            Err(text) => {
                self.tell(at, MomentKind::Missed, text.clone());
                self.missed.push((at, line, text));
            }
        }
    }

    fn miss(&mut self, line: Option<usize>, text: String) {
        let at = self.now();
        let outcome = Err(text);
        self.judge(line, Verdict { at, outcome });
    }

    /// Handles everything up to a time, that included.
    fn advance(&mut self, to: u64) {
        let to = self.begin.saturating_add(Duration::from_nanos(to));
        loop {
            let chunk = self.board.now().saturating_add(TAKE_LOGS);
            let next = self.board.next_event().unwrap_or(to);
            // Where nothing happens for long, in one go; but event after event as long as
            // a call waits: so its end has its time.
            let is_waiting = self.calls.iter().any(|asked| !asked.is_over());
            let next = match next {
                // A driver that always has more to do keeps time where it is.
                next if is_waiting && next <= self.board.now() => {
                    self.board.now().saturating_add(GRAIN)
                }
                next if is_waiting => next,
                next => next.max(chunk),
            };
            self.board.run_until(next.min(to));
            self.look_at_calls();
            self.watch.take_logs(self.board);
            if next >= to || self.watch.trace().is_full {
                return;
            }
        }
    }

    fn look_at_calls(&mut self) {
        let now = self.now();
        self.calls.iter_mut().for_each(|asked| asked.look(now));
    }

    fn begin(&mut self) {
        let name = self.subject.driver();
        if let Ok((state, _)) = self.board.driver_state(name)
            && state != State::Running
            && self.scenario.restarts == 0
        {
            let cause = self.cause(name);
            self.miss(
                None,
                format!("`{name}` should start, and is {}{cause}", state.name()),
            );
        }
    }

    fn cause(&self, driver: &str) -> String {
        let status = self.board.status();
        let mut drivers = status.drivers.into_iter();
        let cause = drivers
            .find(|known| known.name == driver)
            .and_then(|found| found.cause);
        cause.map_or_else(String::new, |cause| format!(": {cause}"))
    }

    fn step(&mut self, step: &'a Step) {
        match &step.kind {
            Kind::Do(action) => {
                self.act(step, action);
                self.look_at_calls();
            }
            Kind::Call(call) => {
                let data = match &call.request.data[..] {
                    [] => String::new(),
                    data => format!(" with {}", bytes::show(data)),
                };
                self.tell(
                    self.now(),
                    MomentKind::Done,
                    format!("call {}{data}", call.title()),
                );
                let within = Some(Duration::from_nanos(call.within));
                let request = call.request.clone();
                self.calls.push(Asked {
                    line: step.line,
                    at: self.now(),
                    call,
                    submitted: self.board.submit(&call.service, request, within),
                    ended: None,
                });
            }
            Kind::Expect(_) => {
                let edges = self.watch.trace().edges.len();
                self.expected.push((step, Mark { at: step.at, edges }));
            }
        }
    }

    fn act(&mut self, step: &Step, action: &Action) {
        let at = self.now();
        let (text, done) = match action {
            Action::Set { line, drive } => (set_text(line, *drive), self.set(line, *drive)),
            Action::Edges { line, spans } => {
                let text = format!("{line} begins {} changes", spans.len() + 1);
                (text, self.play_edges(line, spans))
            }
            Action::Feed { port, bytes } => {
                let fed = self.board.sim_ports().feed(port, bytes);
                let text = format!("`{port}` sends {}", bytes::show(bytes));
                (text, fed.map_err(|error| error.to_string()))
            }
            Action::Power(state) => {
                let done = self.board.power(*state);
                let text = match state {
                    PowerState::Sleep => "the board goes to sleep",
                    PowerState::On => "the board wakes up",
                };
                (text.to_owned(), done.map_err(|error| error.to_string()))
            }
            Action::Life(life, driver) => {
                let driver = driver.as_deref().unwrap_or(self.subject.driver());
                let done = self.live(*life, driver);
                let word = match life {
                    Life::Stop => "stopped",
                    Life::Start => "started",
                    Life::Reload => "reloaded",
                };
                (
                    format!("`{driver}` is {word}"),
                    done.map_err(|error| error.to_string()),
                )
            }
        };
        let text = match at.saturating_sub(step.at) {
            0 => text,
            late => format!("{text}, {} late: a handler took the time", show(late)),
        };
        self.tell(at, MomentKind::Done, text.clone());
        if let Err(error) = done {
            self.miss(Some(step.line), format!("{text}: {error}"));
        }
    }

    fn set(&self, line: &str, drive: Drive) -> Result<(), String> {
        let sim = self.board.sim();
        let set = match drive {
            Drive::Low => sim.set(line, false),
            Drive::High => sim.set(line, true),
            Drive::Released => sim.release(line),
        };
        set.map_err(|error| error.to_string())
    }

    fn play_edges(&self, line: &str, spans: &[u64]) -> Result<(), String> {
        let shown = self.board.sim().show();
        let mut high = shown.iter().any(|known| known.name == line && known.high);
        let mut at = self.board.now();
        let spans = [0].into_iter().chain(spans.iter().copied());
        let edges: Vec<_> = spans
            .map(|span| {
                at = at.saturating_add(Duration::from_nanos(span));
                high = !high;
                (at, high)
            })
            .collect();
        let played = self.board.sim().play(line, edges);
        played.map_err(|error| error.to_string())
    }

    fn live(&self, life: Life, driver: &str) -> Result<(), RequestError> {
        match life {
            Life::Stop => self.board.stop_driver(driver).map(drop),
            Life::Start => self.board.start_driver(driver).map(drop),
            Life::Reload => self.board.reload(driver).map(drop),
        }
    }

    /// Looks at everything that was expected.
    fn end(&mut self) {
        for asked in std::mem::take(&mut self.calls) {
            let verdict = self.answered(&asked);
            self.judge(Some(asked.line), verdict);
        }
        let verdicts: Vec<_> = {
            let trace = self.watch.trace();
            let mut judge = Judge::new(&trace, self.subject.driver());
            let expected = self.expected.iter();
            expected
                .filter_map(|(step, mark)| match &step.kind {
                    Kind::Expect(expected) => Some((step.line, judge.judge(expected, *mark))),
                    _ => None,
                })
                .collect()
        };
        for (line, verdict) in verdicts {
            self.judge(Some(line), verdict);
        }
        if self.watch.trace().is_full {
            self.miss(
                None,
                "the scenario should be shorter: more happens than is kept".to_owned(),
            );
        }
        self.look_at_deaths();
    }

    fn answered(&self, asked: &Asked<'_>) -> Verdict {
        let (call, title) = (asked.call, asked.call.title());
        let (at, outcome, got) = match (&asked.ended, &asked.submitted) {
            (Some((at, Ok(reply))), _) => {
                let got = format!("{} and {}", reply.scalar, bytes::show(&reply.data));
                (*at, Ok(reply), got)
            }
            (Some((at, Err(code))), _) => (*at, Err(*code), code.to_string()),
            (None, Err(error)) => (asked.at, Err(error.code), error.to_string()),
            (None, Ok(_)) => {
                let outcome = Err(format!("{title} should be over, and is not"));
                let at = self.now();
                return Verdict { at, outcome };
            }
        };
        let outcome = if call.answer.is(outcome) {
            Ok(format!("{title} answers {got}"))
        } else {
            let wanted = call.answer.show();
            Err(format!("{title} should answer {wanted}, and answers {got}"))
        };
        Verdict { at, outcome }
    }

    /// A failure that a restart follows is one, too, unless the scenario allows it.
    fn look_at_deaths(&mut self) {
        let allowed = self.scenario.restarts;
        for driver in self.board.status().drivers {
            let has_failed = matches!(driver.state, State::Failed | State::Quarantined);
            let failures = driver.counts.deaths;
            if failures <= allowed && !has_failed {
                continue;
            }
            let (name, state) = (&driver.name, driver.state.name());
            let cause = driver.cause.or_else(|| self.last_error(name));
            let cause = cause.map_or_else(String::new, |cause| format!(": {cause}"));
            let text = match allowed {
                0 => format!(
                    "`{name}` should not fail, and is {state} after {failures} failures{cause}"
                ),
                _ => format!(
                    "`{name}` should not fail more than {allowed} times, and is {state} after {failures} failures{cause}"
                ),
            };
            self.miss(None, text);
        }
    }

    fn last_error(&self, driver: &str) -> Option<String> {
        let trace = self.watch.trace();
        let mut lines = trace.logs.iter().rev();
        let last = lines.find(|line| line.driver == driver && line.level == "error");
        last.map(|line| line.text.clone())
    }

    fn result(mut self) -> ScenarioResult {
        let trace = std::mem::take(&mut *self.watch.trace());
        let waves = waves(self.scenario, &trace);
        let mut moments = std::mem::take(&mut self.moments);
        moments.extend(self.seen(&trace));
        sort(&mut moments);
        let timeline = bounded(moments);
        let first = self.missed.iter().min_by_key(|(at, line, _)| (*at, *line));
        let file = self.scenario.path.display().to_string();
        let outcome = match first {
            None => Outcome::Passed,
            Some((at, line, text)) => {
                let place = line.map_or_else(String::new, |line| format!(" ({file}:{line})"));
                let more = match self.missed.len() - 1 {
                    0 => String::new(),
                    more => format!("; {more} more were missed"),
                };
                Outcome::Failed(Failure {
                    message: format!("at {}, {text}{place}{more}", show(*at)),
                    evidence: around(&timeline),
                    schedule: Vec::new(),
                    scenario: None,
                })
            }
        };
        debug_assert_eq!(timeline.iter().any(is_missed), outcome != Outcome::Passed);
        ScenarioResult {
            name: self.scenario.name(),
            title: self.scenario.title.clone(),
            file,
            outcome,
            timeline,
            waves,
            length_ns: self.scenario.length(),
        }
    }

    /// What drivers did: lines that nobody outside drives, bytes and logs.
    fn seen(&self, trace: &Trace) -> Vec<Moment> {
        let file = self.board.file();
        let stimuli = file
            .board
            .stimuli
            .iter()
            .map(|it| it.line.get_ref().as_str());
        let plays = file.board.plays.iter().flat_map(PlayEntry::channels);
        let outside: BTreeSet<&str> = stimuli
            .chain(plays.map(|(_, line)| line.get_ref().as_str()))
            .collect();
        let steps = &self.scenario.steps;
        let is_drivers =
            |line: &str| !outside.contains(line) && !steps.iter().any(|step| step.drives(line));
        let lines: BTreeMap<&str, bool> = trace
            .initial
            .keys()
            .map(|line| (line.as_str(), is_drivers(line)))
            .collect();
        let seen = |at_ns, text| Moment {
            at_ns,
            kind: MomentKind::Seen,
            text,
        };
        let edges = trace
            .edges
            .iter()
            .filter(|edge| lines.get(&*edge.line) == Some(&true));
        let edges = edges.map(|edge| {
            let moves = if edge.high { "rises" } else { "falls" };
            seen(edge.at, format!("{} {moves}", edge.line))
        });
        let sent = trace.sent.iter().flat_map(|(port, sent)| {
            let pieces = sent.pieces();
            pieces.map(move |(at, bytes)| seen(at, format!("`{port}` gets {}", bytes::show(bytes))))
        });
        let logs = trace.logs.iter().map(|line| {
            let text = bytes::cut(&line.text);
            seen(
                line.at,
                format!("`{}` logs {}: {text}", line.driver, line.level),
            )
        });
        edges.chain(sent).chain(logs).collect()
    }
}

fn set_text(line: &str, drive: Drive) -> String {
    let text = match drive {
        Drive::Low => "is set low",
        Drive::High => "is set high",
        Drive::Released => "is let go",
    };
    format!("{line} {text}")
}

/// Those that changed, and those that the scenario speaks of.
fn waves(scenario: &Scenario, trace: &Trace) -> BTreeMap<String, Wave> {
    let mut waves = BTreeMap::new();
    let wave = |line: &str| Wave {
        initial: trace.initial.get(line).copied().unwrap_or_default(),
        changes_ns: Vec::new(),
    };
    for line in scenario.steps.iter().filter_map(Step::board_line) {
        waves.entry(line.to_owned()).or_insert_with(|| wave(line));
    }
    for edge in &trace.edges {
        let line = waves.entry(edge.line.to_string());
        let line: &mut Wave = line.or_insert_with(|| wave(&edge.line));
        line.changes_ns.push(edge.at);
    }
    waves
}
