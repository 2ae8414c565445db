//! What a driver may use, and the words in which it is told that it used more.

use crate::units::{Bytes, Rate, Span, show_bytes, show_span};
use std::ops::RangeInclusive;
use std::time::Duration;

/// The limits of one driver instance, as effective.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Limits {
    /// All linear memories of the instance together, in bytes.
    pub memory: u64,
    /// All tables of the instance together, in elements.
    pub table_elements: u64,
    /// Guest code in one handler: processor time of the thread that runs it.
    #[serde(serialize_with = "as_shown")]
    pub handler_cpu: Duration,
    /// One handler from entry to return, devices and delays included, calls
    /// to other drivers not.
    #[serde(serialize_with = "as_shown")]
    pub handler_wall: Duration,
    /// `start`, in place of the two above.
    #[serde(serialize_with = "as_shown")]
    pub start: Duration,
    /// Stack of guest code in one call, in bytes: the engine's, the same for
    /// every driver.
    pub stack: u64,
    /// Down calls on one stack: the same for every driver.
    pub nesting: u32,
    /// How long a provider that is stopped waits for this driver to close what
    /// it has open of it.
    #[serde(serialize_with = "as_shown")]
    pub closing: Duration,
    /// What one host call may carry, in bytes, either way.
    pub payload: u64,
    /// How long it may mask a shared line for the others.
    #[serde(serialize_with = "as_shown")]
    pub line_hold: Duration,
    /// Sources, pins, lines, gates and clients that exist at a time.
    pub handles: u32,
    /// Occurrences that one interrupt source holds until they are delivered.
    pub occurrences: u32,
    /// Instructions of one call of a filter.
    pub filter_fuel: u64,
    /// Instructions of one filter in a second.
    pub filter_budget: u64,
    /// Filters at a time.
    pub filters: u32,
    /// Requests pending at a time, and as many of the driver's own.
    pub requests: u32,
    /// Calls of the host in a second, of every kind.
    pub host_calls: u64,
    /// Percent of the time of its loop, in any second.
    pub loop_share: u32,
    /// Bytes of log a second.
    pub log: u64,
    /// What a version may leave to the next one, in bytes.
    pub state: u64,
    /// How long a reload waits for requests that have begun.
    #[serde(serialize_with = "as_shown")]
    pub drain: Duration,
}

fn as_shown<S: serde::Serializer>(span: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&show_span(*span))
}

/// Guest stack of one call. A host call nests at most [`NESTING`] of these.
pub(crate) const STACK: usize = 128 << 10;
/// Down calls on one stack.
pub(crate) const NESTING: u32 = 8;
/// Host frames between two guests on a stack; measured at under 16 KiB.
pub(crate) const HOST_FRAMES: usize = 64 << 10;
/// Address space that one linear memory reserves, and the most that `memory` can be.
pub(crate) const MEMORY_RESERVATION: u64 = 16 << 20;

/// The most that `handles` can be.
pub(crate) const HANDLES_MAX: u32 = 65_536;

/// The most that a board file may allow for one list.
pub(crate) const PAYLOAD_MAX: u64 = 4 << 20;

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory: 4 << 20,
            table_elements: 20_000,
            handler_cpu: Duration::from_millis(10),
            handler_wall: Duration::from_millis(250),
            start: Duration::from_secs(5),
            closing: Duration::from_secs(1),
            stack: STACK as u64,
            nesting: NESTING,
            payload: 64 << 10,
            line_hold: Duration::from_secs(1),
            handles: 256,
            occurrences: 1024,
            filter_fuel: 10_000,
            filter_budget: 100_000_000,
            filters: 16,
            requests: 256,
            host_calls: 1_000_000,
            loop_share: 100,
            log: 16 << 10,
            state: 128 << 10,
            drain: Duration::from_secs(1),
        }
    }
}

/// `[driver.limits]` of a board file: what is absent keeps its default.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LimitsEntry {
    /// All linear memories together: 64 KiB to 16 MiB.
    memory: Option<Bytes>,
    /// Processor time of one handler: 1 ms to 10 s.
    handler_cpu: Option<Span>,
    /// One handler from entry to return, devices and delays included, calls to
    /// other drivers not: 1 ms to 60 s.
    handler_wall: Option<Span>,
    /// `start`, in place of the two above: 1 ms to 600 s.
    start: Option<Span>,
    /// What a provider that is stopped waits for this driver to close what it
    /// has open of it: 1 ms to 10 s.
    closing: Option<Span>,
    /// What one call may carry, either way: 256 B to 4 MiB.
    payload: Option<Bytes>,
    /// How long a shared line may be off for the others because of an interrupt
    /// of this driver's that waits for its handler, or is in it: 1 ms to 60 s.
    line_hold: Option<Span>,
    /// Sources, pins, lines, gates and clients at a time: 1 to 65536.
    handles: Option<u32>,
    /// Interrupts that wait in one source until they are delivered: 1 to
    /// 1048576. The oldest make room, and are counted as lost.
    occurrences: Option<u32>,
    /// Instructions of one call of `filter`: 1000 to 10000000.
    filter_fuel: Option<u64>,
    /// Instructions that the filter of one source may use in a second: 1000 to
    /// 10000000000.
    filter_budget: Option<u64>,
    /// Sources with a filter at a time: 1 to 256. Each has an instance of the
    /// component, whose memories are bounded by `memory` each.
    filters: Option<u32>,
    /// Requests pending at a time, and as many of the driver's own: 1 to 65536.
    requests: Option<u32>,
    /// Calls of the host in a second, of every kind: 100 to 1000000000. As many
    /// more can come at once after a rest.
    host_calls: Option<u64>,
    /// Percent of the time of its loop that its handlers may take in any second,
    /// those that they call included: 1 to 100, which is no limit.
    loop_share: Option<u32>,
    /// Log that is kept: up to 64 MiB a second.
    log: Option<Rate>,
    /// State that a version leaves to the next one in a reload: up to 16 MiB.
    state: Option<Bytes>,
    /// How long a reload waits until requests that have begun are over: 1 ms to
    /// 60 s.
    drain: Option<Span>,
}

impl LimitsEntry {
    /// The effective limits, or which entry is out of range.
    pub fn effective(&self) -> Result<Limits, String> {
        let default = Limits::default();
        let second = Duration::from_secs(1);
        Ok(Limits {
            memory: bytes(
                "memory",
                self.memory,
                default.memory,
                64 << 10,
                MEMORY_RESERVATION,
            )?,
            handler_cpu: span(
                "handler-cpu",
                self.handler_cpu,
                default.handler_cpu,
                10 * second,
            )?,
            handler_wall: span(
                "handler-wall",
                self.handler_wall,
                default.handler_wall,
                60 * second,
            )?,
            start: span("start", self.start, default.start, 600 * second)?,
            closing: span("closing", self.closing, default.closing, 10 * second)?,
            payload: bytes("payload", self.payload, default.payload, 256, PAYLOAD_MAX)?,
            line_hold: span("line-hold", self.line_hold, default.line_hold, 60 * second)?,
            handles: count("handles", self.handles, default.handles, HANDLES_MAX)?,
            occurrences: count(
                "occurrences",
                self.occurrences,
                default.occurrences,
                1 << 20,
            )?,
            filter_fuel: instructions(
                "filter-fuel",
                self.filter_fuel,
                default.filter_fuel,
                10_000_000,
            )?,
            filter_budget: instructions(
                "filter-budget",
                self.filter_budget,
                default.filter_budget,
                10_000_000_000,
            )?,
            filters: count("filters", self.filters, default.filters, 256)?,
            requests: count("requests", self.requests, default.requests, 65_536)?,
            host_calls: number(
                "host-calls",
                self.host_calls,
                default.host_calls,
                100..=1_000_000_000,
                "",
            )?,
            loop_share: count("loop-share", self.loop_share, default.loop_share, 100)?,
            log: bytes(
                "log",
                self.log.map(|rate| Bytes(rate.0)),
                default.log,
                0,
                64 << 20,
            )?,
            state: bytes("state", self.state, default.state, 0, MEMORY_RESERVATION)?,
            drain: span("drain", self.drain, default.drain, 60 * second)?,
            ..default
        })
    }
}

fn bytes(
    name: &str,
    given: Option<Bytes>,
    default: u64,
    least: u64,
    most: u64,
) -> Result<u64, String> {
    let value = given.map_or(default, |bytes| bytes.0);
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(format!(
        "limit `{name}` is {}, but must be between {} and {}",
        show_bytes(value),
        show_bytes(least),
        show_bytes(most)
    ))
}

fn span(
    name: &str,
    given: Option<Span>,
    default: Duration,
    most: Duration,
) -> Result<Duration, String> {
    let value = given.map_or(default, |span| span.0);
    let least = Duration::from_millis(1);
    if (least..=most).contains(&value) {
        return Ok(value);
    }
    Err(format!(
        "limit `{name}` is {}, but must be between {} and {}",
        show_span(value),
        show_span(least),
        show_span(most)
    ))
}

fn instructions(name: &str, given: Option<u64>, default: u64, most: u64) -> Result<u64, String> {
    number(name, given, default, 1_000..=most, " instructions")
}

fn number(
    name: &str,
    given: Option<u64>,
    default: u64,
    range: RangeInclusive<u64>,
    of: &str,
) -> Result<u64, String> {
    let value = given.unwrap_or(default);
    if range.contains(&value) {
        return Ok(value);
    }
    let (least, most) = range.into_inner();
    Err(format!(
        "limit `{name}` is {value}{of}, but must be between {least} and {most}"
    ))
}

fn count(name: &str, given: Option<u32>, default: u32, most: u32) -> Result<u32, String> {
    let value = given.unwrap_or(default);
    if (1..=most).contains(&value) {
        return Ok(value);
    }
    Err(format!(
        "limit `{name}` is {value}, but must be between 1 and {most}"
    ))
}

/// A limit that an instance ran into: the cause of its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LimitHit {
    /// Guest code ran for too long.
    #[error("limit `handler-cpu`: more than {} of processor time in one handler", show_span(*.0))]
    HandlerCpu(Duration),
    /// A handler took too long.
    #[error("limit `handler-wall`: one handler took more than {}", show_span(*.0))]
    HandlerWall(Duration),
    /// `start` took too long.
    #[error("limit `start`: `start` took more than {}", show_span(*.0))]
    Start(Duration),
    /// Memory could not grow.
    #[error("limit `memory`: asked for {} where {} is allowed", show_bytes(*.asked), show_bytes(*.limit))]
    Memory {
        /// What the memories would have had together, in bytes.
        asked: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// Tables could not grow.
    #[error("limit `table-elements`: asked for {asked} where {limit} are allowed")]
    Tables {
        /// What the tables would have had together.
        asked: u64,
        /// The limit.
        limit: u64,
    },
    /// The guest's stack is used up.
    #[error("limit `stack`: more than {} of stack in one call", show_bytes(STACK as u64))]
    Stack,
    /// A call carried too much.
    #[error("limit `payload`: one call carried more than {}", show_bytes(*.0))]
    Payload(u64),
    /// A shared line was off for too long.
    #[error("limit `line-hold`: its shared line was off for the others for more than {}", show_span(*.0))]
    LineHold(Duration),
    /// A filter ran for too long.
    #[error("limit `filter-fuel`: more than {0} instructions in one call")]
    FilterFuel(u64),
    /// A filter ran for too long, too often.
    #[error("limit `filter-budget`: more than {0} instructions in one second")]
    FilterBudget(u64),
    /// The stack of a filter is used up.
    #[error("limit `stack`: more than {} of stack in one call of a filter", show_bytes(crate::filter::STACK as u64))]
    FilterStack,
    /// Too many filters.
    #[error("limit `filters`: more than {0} sources with a filter at a time")]
    Filters(u32),
    /// Too many handles.
    #[error("limit `handles`: more than {0} sources, pins, lines, gates and clients at a time")]
    Handles(u32),
    /// Too much to be done at the commit of a reload.
    #[error("limit `handles`: more than {0} changes of sources before the state was restored")]
    Changes(u32),
    /// Too much to leave to the next version.
    #[error("limit `state`: the state has {}, and {} is allowed", show_bytes(*.size), show_bytes(*.limit))]
    State {
        /// What was saved, in bytes.
        size: u64,
        /// The limit, in bytes.
        limit: u64,
    },
    /// Too many calls of the host.
    #[error("limit `host-calls`: more than {0} calls of the host in a second")]
    HostCalls(u64),
    /// Its handlers took too much of its loop's time.
    #[error("limit `loop-share`: its handlers took more than {0} % of its loop's time in a second")]
    LoopShare(u32),
    /// Too many guests on one stack.
    #[error("limit `nesting`: more than {NESTING} drivers that call one another on one stack")]
    Nesting,
    /// An interrupt source was full.
    #[error(
        "limit `occurrences`: more than {0} waited in one interrupt source; the oldest are lost"
    )]
    Occurrences(u32),
    /// Too many requests that it has received.
    #[error("limit `requests`: more than {0} pending at a time")]
    Pending(u32),
    /// Too many requests of its own.
    #[error("limit `requests`: more than {0} submitted and not completed")]
    Requests(u32),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Result<Limits, String> {
        toml::from_str::<LimitsEntry>(text)
            .map_err(|error| error.message().to_owned())?
            .effective()
    }

    #[test]
    fn what_is_absent_keeps_its_default() {
        let limits = entry("memory = \"2 MiB\"\nlog = \"1 KiB/s\"").unwrap();
        assert_eq!((limits.memory, limits.log), (2 << 20, 1 << 10));
        assert_eq!(limits.handler_cpu, Limits::default().handler_cpu);
    }

    #[test]
    fn what_is_out_of_range_names_the_limit() {
        for (text, name) in [
            ("host-calls = 99", "`host-calls`"),
            ("loop-share = 0", "`loop-share`"),
            ("loop-share = 101", "`loop-share`"),
            ("memory = \"1 GiB\"", "`memory`"),
            ("handler-cpu = \"0 ms\"", "`handler-cpu`"),
            ("handles = 0", "`handles`"),
            ("memroy = \"1 MiB\"", "`memroy`"),
        ] {
            let error = entry(text).unwrap_err();
            assert!(error.contains(name), "{text}: {error}");
        }
    }

    #[test]
    fn a_hit_names_its_limit() {
        assert_eq!(
            LimitHit::HandlerCpu(Duration::from_millis(10)).to_string(),
            "limit `handler-cpu`: more than 10 ms of processor time in one handler"
        );
        let hit = LimitHit::Memory {
            asked: 5 << 20,
            limit: 4 << 20,
        };
        assert_eq!(
            hit.to_string(),
            "limit `memory`: asked for 5 MiB where 4 MiB is allowed"
        );
    }
}
