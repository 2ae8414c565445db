//! The parts of a status that people are shown.
//!
//! Not the host's own type: a host of another version may say more, and is
//! still understood.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Overview {
    pub(super) board: String,
    /// Absent where the host is older.
    pub(super) backend: Option<String>,
    pub(super) clock: String,
    /// Absent where the host is older.
    pub(super) power: Option<String>,
    pub(super) uptime_ns: u64,
    /// Absent where the host is older, and has one.
    pub(super) compiler: Option<bool>,
    /// Absent where the host is of an earlier version.
    #[serde(default)]
    pub(super) sandbox: BTreeMap<String, String>,
    /// By kind and name; empty where the host is older.
    #[serde(default)]
    pub(super) buses: BTreeMap<String, BTreeMap<String, Bus>>,
    pub(super) drivers: Vec<Driver>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Bus {
    pub(super) stuck_by: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Driver {
    pub(super) name: String,
    pub(super) component: String,
    pub(super) work_loop: String,
    pub(super) state: String,
    pub(super) cause: Option<String>,
    pub(super) generation: u64,
    /// Empty where the host is older.
    #[serde(default)]
    pub(super) restarts: Restarts,
    pub(super) services: Vec<Service>,
    pub(super) pins: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) left_lines: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) revoked: Vec<String>,
    pub(super) limits: BTreeMap<String, Value>,
    pub(super) usage: BTreeMap<String, Value>,
    pub(super) counts: BTreeMap<String, Value>,
    pub(super) handler_time: HandlerTime,
    pub(super) last_reload: Option<loopgate::Reload>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "kebab-case")]
pub(super) struct Restarts {
    pub(super) made: u64,
    pub(super) left: Option<u32>,
    pub(super) next_ns: Option<u64>,
    pub(super) set_aside: u64,
    pub(super) crash_report: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Service {
    pub(super) name: String,
    pub(super) enabled: bool,
    pub(super) input_max: u64,
    pub(super) selectors: Vec<loopgate::Selector>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct HandlerTime {
    pub(super) measured: u64,
    pub(super) mean_ns: u64,
    pub(super) longest_ns: u64,
}

impl Driver {
    /// One of `counts`; zero where the host does not count that.
    pub(super) fn count(&self, name: &str) -> u64 {
        self.counts.get(name).and_then(Value::as_u64).unwrap_or(0)
    }
}

/// Nanoseconds with three digits at least and a unit.
pub(crate) fn time(nanos: u64) -> String {
    match nanos {
        0..10_000 => format!("{nanos} ns"),
        10_000..10_000_000 => format!("{} us", nanos / 1_000),
        10_000_000..10_000_000_000 => format!("{} ms", nanos / 1_000_000),
        _ => format!("{} s", nanos / 1_000_000_000),
    }
}
