//! The file, as it is written.

use loopgate::board_file::Level;
use loopgate::units::Span;
use serde::Deserialize;
use std::path::PathBuf;
use toml::Spanned;

/// A scenario.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct File {
    pub(super) title: String,
    pub(super) board: Option<PathBuf>,
    pub(super) driver: Option<String>,
    #[serde(default)]
    pub(super) restarts: u64,
    #[serde(default, rename = "step")]
    pub(super) steps: Vec<StepEntry>,
}

/// `[[step]]`: its time, and one of the others.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct StepEntry {
    pub(super) at: Spanned<Span>,
    pub(super) set: Option<SetEntry>,
    pub(super) edges: Option<EdgesEntry>,
    pub(super) feed: Option<FeedEntry>,
    pub(super) call: Option<CallEntry>,
    pub(super) power: Option<Power>,
    pub(super) stop: Option<Which>,
    pub(super) start: Option<Which>,
    pub(super) reload: Option<Which>,
    pub(super) expect: Option<ExpectEntry>,
    pub(super) pulse: Option<PulseEntry>,
    pub(super) count: Option<CountEntry>,
    pub(super) quiet: Option<QuietEntry>,
    pub(super) sent: Option<SentEntry>,
    pub(super) log: Option<LogEntry>,
}

/// What drives a line from outside.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Drive {
    Low,
    High,
    Released,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Power {
    Sleep,
    On,
}

/// `true`: the scenario's driver.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "write `true`, or the name of a driver")]
pub(super) enum Which {
    Own(bool),
    Named(String),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct SetEntry {
    pub(super) line: String,
    pub(super) level: Drive,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct EdgesEntry {
    pub(super) line: String,
    pub(super) spans: Vec<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct FeedEntry {
    pub(super) port: String,
    pub(super) text: Option<String>,
    pub(super) hex: Option<String>,
    pub(super) file: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct SentEntry {
    pub(super) port: String,
    pub(super) text: Option<String>,
    pub(super) hex: Option<String>,
    pub(super) file: Option<PathBuf>,
    pub(super) within: Option<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct CallEntry {
    pub(super) service: String,
    pub(super) selector: SelectorEntry,
    #[serde(default)]
    pub(super) scalars: Vec<u64>,
    pub(super) text: Option<String>,
    pub(super) hex: Option<String>,
    pub(super) file: Option<PathBuf>,
    pub(super) reply: Option<ReplyEntry>,
    pub(super) error: Option<loopgate::ErrorCode>,
    pub(super) within: Option<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "write the selector's name, or its number")]
pub(super) enum SelectorEntry {
    Number(u32),
    Name(String),
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ReplyEntry {
    pub(super) scalar: Option<u64>,
    pub(super) text: Option<String>,
    pub(super) hex: Option<String>,
    pub(super) file: Option<PathBuf>,
    pub(super) contains: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ExpectEntry {
    pub(super) line: String,
    pub(super) level: Level,
    pub(super) within: Option<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct PulseEntry {
    pub(super) line: String,
    pub(super) level: Level,
    pub(super) width: Span,
    pub(super) tolerance: Option<Span>,
    pub(super) within: Option<Span>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct CountEntry {
    pub(super) line: String,
    pub(super) edges: u64,
    #[serde(default)]
    pub(super) tolerance: u64,
    #[serde(rename = "for")]
    pub(super) span: Span,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct QuietEntry {
    pub(super) line: Option<String>,
    pub(super) port: Option<String>,
    #[serde(rename = "for")]
    pub(super) span: Span,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct LogEntry {
    pub(super) contains: String,
    pub(super) driver: Option<String>,
    pub(super) within: Option<Span>,
}
