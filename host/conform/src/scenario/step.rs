//! The steps of a scenario, checked.

use super::bytes::{self, Folder};
use super::expectation::Expectation;
use super::format::{
    CallEntry, CountEntry, Drive, EdgesEntry, ExpectEntry, FeedEntry, LogEntry, Power, PulseEntry,
    QuietEntry, ReplyEntry, SelectorEntry, SentEntry, SetEntry, StepEntry, Which,
};
use loopgate::board_file::Level;
use loopgate::units::Span;
use loopgate::{ErrorCode, PowerState, Reply, Request};
use std::time::Duration;

/// What a call may take unless the scenario says.
const CALL: Duration = Duration::from_secs(1);

/// One thing that is done or expected.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// Nanoseconds from the begin.
    pub(super) at: u64,
    /// Where it stands in the file.
    pub(super) line: usize,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Do(Action),
    Call(Call),
    Expect(Expectation),
}

/// Something that is done from outside.
#[derive(Clone, Debug)]
pub(super) enum Action {
    Set {
        line: String,
        drive: Drive,
    },
    /// The line changes, and again after each of these nanoseconds.
    Edges {
        line: String,
        spans: Vec<u64>,
    },
    Feed {
        port: String,
        bytes: Vec<u8>,
    },
    Power(PowerState),
    /// Of a driver by name, or of the scenario's own.
    Life(Life, Option<String>),
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Life {
    Stop,
    Start,
    Reload,
}

/// A request, and what is to come of it.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) service: String,
    /// As people know it.
    pub(super) name: String,
    pub(super) request: Request,
    pub(super) within: u64,
    pub(super) answer: Answer,
}

#[derive(Clone, Debug)]
pub(super) enum Answer {
    Reply {
        scalar: Option<u64>,
        data: Option<Vec<u8>>,
        contains: Option<String>,
    },
    Error(ErrorCode),
}

impl Step {
    /// Of the entry at this line of the file, whose paths are relative to `folder`.
    pub(super) fn new(entry: StepEntry, line: usize, folder: &Folder<'_>) -> Result<Self, String> {
        let at = nanos(*entry.at.get_ref());
        let StepEntry {
            at: _,
            set,
            edges,
            feed,
            call,
            power,
            stop,
            start,
            reload,
            expect,
            pulse,
            count,
            quiet,
            sent,
            log,
        } = entry;
        let kinds = [
            set.map(|it: SetEntry| Ok(it.into())),
            edges.map(|it: EdgesEntry| Ok(it.into())),
            feed.map(|it| fed(it, folder)),
            call.map(|it| called(it, folder)),
            power.map(|it| Ok(it.into())),
            stop.map(|it| it.does(Life::Stop)),
            start.map(|it| it.does(Life::Start)),
            reload.map(|it| it.does(Life::Reload)),
            expect.map(|it: ExpectEntry| Ok(it.into())),
            pulse.map(|it: PulseEntry| Ok(it.into())),
            count.map(|it: CountEntry| Ok(it.into())),
            quiet.map(quiet_of),
            sent.map(|it| sent_of(it, folder)),
            log.map(|it: LogEntry| Ok(it.into())),
        ];
        let mut kinds = kinds.into_iter().flatten();
        let none = "this step does nothing; write what is done or expected, for example `set = { line = \"GPIO17\", level = \"low\" }`";
        let kind = kinds.next().ok_or(none)??;
        if kinds.next().is_some() {
            let several = "this step does several things; write a `[[step]]` for each";
            return Err(several.to_owned());
        }
        Ok(Self { at, line, kind })
    }

    /// When it is over, in nanoseconds from the begin.
    pub(super) fn end(&self) -> u64 {
        let takes = match &self.kind {
            Kind::Do(Action::Edges { spans, .. }) => spans
                .iter()
                .fold(0, |sum: u64, span| sum.saturating_add(*span)),
            Kind::Do(_) => 0,
            Kind::Call(call) => call.within,
            Kind::Expect(expectation) => expectation.takes(),
        };
        self.at.saturating_add(takes)
    }

    /// Lines that it speaks of.
    pub(super) fn board_line(&self) -> Option<&str> {
        match &self.kind {
            Kind::Do(Action::Set { line, .. } | Action::Edges { line, .. }) => Some(line),
            Kind::Expect(expectation) => expectation.board_line(),
            _ => None,
        }
    }

    pub(super) fn port(&self) -> Option<&str> {
        match &self.kind {
            Kind::Do(Action::Feed { port, .. }) => Some(port),
            Kind::Expect(expectation) => expectation.port(),
            _ => None,
        }
    }

    pub(super) fn driver(&self) -> Option<&str> {
        match &self.kind {
            Kind::Do(Action::Life(_, driver)) | Kind::Expect(Expectation::Log { driver, .. }) => {
                driver.as_deref()
            }
            _ => None,
        }
    }

    /// Whether it changes this line from outside.
    pub(super) fn drives(&self, name: &str) -> bool {
        matches!(&self.kind, Kind::Do(Action::Set { line, .. } | Action::Edges { line, .. }) if line == name)
    }
}

fn nanos(span: Span) -> u64 {
    u64::try_from(span.0.as_nanos()).unwrap_or(u64::MAX)
}

fn within(span: Option<Span>) -> u64 {
    span.map_or(0, nanos)
}

impl Which {
    fn does(self, life: Life) -> Result<Kind, String> {
        let driver = match self {
            Self::Own(true) => None,
            Self::Named(name) => Some(name),
            Self::Own(false) => {
                let remedy = "`false` is nothing to do; write `true`, or leave the step out";
                return Err(remedy.to_owned());
            }
        };
        Ok(Kind::Do(Action::Life(life, driver)))
    }
}

impl From<SetEntry> for Kind {
    fn from(SetEntry { line, level }: SetEntry) -> Self {
        Self::Do(Action::Set { line, drive: level })
    }
}

impl From<EdgesEntry> for Kind {
    fn from(EdgesEntry { line, spans }: EdgesEntry) -> Self {
        let spans = spans.into_iter().map(nanos).collect();
        Self::Do(Action::Edges { line, spans })
    }
}

impl From<Power> for Kind {
    fn from(power: Power) -> Self {
        Self::Do(Action::Power(match power {
            Power::Sleep => PowerState::Sleep,
            Power::On => PowerState::On,
        }))
    }
}

impl From<ExpectEntry> for Kind {
    fn from(entry: ExpectEntry) -> Self {
        Self::Expect(Expectation::Level {
            line: entry.line,
            high: entry.level == Level::High,
            within: within(entry.within),
        })
    }
}

impl From<PulseEntry> for Kind {
    fn from(entry: PulseEntry) -> Self {
        Self::Expect(Expectation::Pulse {
            line: entry.line,
            high: entry.level == Level::High,
            width: nanos(entry.width),
            tolerance: within(entry.tolerance),
            within: within(entry.within),
        })
    }
}

impl From<CountEntry> for Kind {
    fn from(entry: CountEntry) -> Self {
        Self::Expect(Expectation::Count {
            line: entry.line,
            edges: entry.edges,
            tolerance: entry.tolerance,
            span: nanos(entry.span),
        })
    }
}

impl From<LogEntry> for Kind {
    fn from(entry: LogEntry) -> Self {
        Self::Expect(Expectation::Log {
            contains: entry.contains,
            driver: entry.driver,
            within: within(entry.within),
        })
    }
}

fn quiet_of(entry: QuietEntry) -> Result<Kind, String> {
    let span = nanos(entry.span);
    match (entry.line, entry.port) {
        (Some(line), None) => Ok(Kind::Expect(Expectation::QuietLine { line, span })),
        (None, Some(port)) => Ok(Kind::Expect(Expectation::QuietPort { port, span })),
        _ => Err("`quiet` is of one `line` or of one `port`; write one of them".to_owned()),
    }
}

fn fed(entry: FeedEntry, folder: &Folder<'_>) -> Result<Kind, String> {
    let bytes = bytes::needed(entry.text, entry.hex, entry.file, folder)?;
    let port = entry.port;
    Ok(Kind::Do(Action::Feed { port, bytes }))
}

fn sent_of(entry: SentEntry, folder: &Folder<'_>) -> Result<Kind, String> {
    let bytes = bytes::needed(entry.text, entry.hex, entry.file, folder)?;
    if bytes.is_empty() {
        return Err(
            "`sent` has no bytes; write what is sent, or `quiet = { port = .., for = .. }`"
                .to_owned(),
        );
    }
    Ok(Kind::Expect(Expectation::Sent {
        port: entry.port,
        bytes,
        within: within(entry.within),
    }))
}

fn called(entry: CallEntry, folder: &Folder<'_>) -> Result<Kind, String> {
    let limit = entry.within.map_or(CALL, |span| span.0);
    let (name, mut request) = match entry.selector {
        SelectorEntry::Number(number) => (number.to_string(), Request::numbered(number)),
        SelectorEntry::Name(name) => (name.clone(), Request::named(name)),
    };
    let scalars = &entry.scalars;
    let Some(places) = request.scalars.get_mut(..scalars.len()) else {
        return Err(format!(
            "a request has at most 4 scalars, this has {}",
            scalars.len()
        ));
    };
    places.copy_from_slice(scalars);
    let data = bytes::given(entry.text, entry.hex, entry.file, folder)?;
    let request = request.data(data.unwrap_or_default());
    let answer = match (entry.reply, entry.error) {
        (Some(_), Some(_)) => {
            return Err(
                "a call ends with a `reply` or with an `error`; write one of them".to_owned(),
            );
        }
        (_, Some(code)) => Answer::Error(code),
        (reply, None) => reply_of(reply, folder)?,
    };
    Ok(Kind::Call(Call {
        service: entry.service,
        name,
        request,
        within: nanos(Span(limit)),
        answer,
    }))
}

fn reply_of(entry: Option<ReplyEntry>, folder: &Folder<'_>) -> Result<Answer, String> {
    let Some(entry) = entry else {
        return Ok(Answer::Reply {
            scalar: None,
            data: None,
            contains: None,
        });
    };
    Ok(Answer::Reply {
        scalar: entry.scalar,
        data: bytes::given(entry.text, entry.hex, entry.file, folder)?,
        contains: entry.contains,
    })
}

impl Call {
    /// For people, for example `` `gps` `position` ``.
    pub(super) fn title(&self) -> String {
        format!("`{}` `{}`", self.service, self.name)
    }
}

impl Answer {
    pub(super) fn is(&self, outcome: Result<&Reply, ErrorCode>) -> bool {
        match (self, outcome) {
            (Self::Error(code), Err(got)) => *code == got,
            (
                Self::Reply {
                    scalar,
                    data,
                    contains,
                },
                Ok(reply),
            ) => {
                scalar.is_none_or(|scalar| scalar == reply.scalar)
                    && data.as_ref().is_none_or(|data| *data == reply.data)
                    && contains.as_ref().is_none_or(|part| {
                        String::from_utf8_lossy(&reply.data).contains(part.as_str())
                    })
            }
            _ => false,
        }
    }

    /// For people.
    pub(super) fn show(&self) -> String {
        match self {
            Self::Error(code) => format!("`{code}`"),
            Self::Reply {
                scalar,
                data,
                contains,
            } => {
                let scalar = scalar.map(|scalar| scalar.to_string());
                let data = data.as_deref().map(bytes::show);
                let part = contains.as_ref();
                let part =
                    part.map(|part| format!("something with {}", bytes::show(part.as_bytes())));
                let all: Vec<_> = [scalar, data, part].into_iter().flatten().collect();
                if all.is_empty() {
                    return "a reply".to_owned();
                }
                all.join(" and ")
            }
        }
    }
}
