//! What a run of the kit has found, for people and for programs.
//!
//! Nothing in it depends on the machine or on the hour: the same run gives the same
//! report, to the byte.

use serde::Serialize;
use std::collections::BTreeMap;

mod axis;
mod escape;
mod focus;
mod html;
mod json;
mod junit;
mod span;
mod text;
mod verdict;

pub use text::Style;

/// The name and the version of the report as JSON, which `report.schema.json` beside this
/// crate's manifest describes. A field that changes its meaning changes it; one more does not.
pub const SCHEMA: &str = "https://loopgate.dev/schema/conform-report-1.json";

/// All that was found about one driver.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// The kit's version.
    pub version: &'static str,
    /// The driver, as its board calls it.
    pub driver: String,
    /// The component's file, as it was given.
    pub component: String,
    /// The file's SHA-256, in hexadecimal digits.
    pub sha256: String,
    /// What the schedules were drawn from.
    pub seed: u64,
    /// The SHA-256 of all that crossed the driver's boundary, in hexadecimal digits.
    pub trace: String,
    /// Every check of the kit, in its order.
    pub checks: Vec<CheckResult>,
    /// The scenarios that were given, in their order.
    pub scenarios: Vec<ScenarioResult>,
}

/// A check and what became of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CheckResult {
    /// For scripts, for example `stops-again`.
    pub id: &'static str,
    /// The rule of the contract that it holds the driver to, as `wit/README.md` numbers them.
    pub rule: u32,
    /// What holds where it passes, in one sentence.
    pub title: &'static str,
    /// What was done to find out.
    pub explanation: &'static str,
    /// What a driver's author does where it fails.
    pub remedy: &'static str,
    /// What became of it.
    pub outcome: Outcome,
    /// How often the driver was run for it.
    pub runs: u64,
}

/// What became of a check or a scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not.
    Failed(Failure),
    /// There was nothing to find out; says why.
    Skipped {
        /// For example `it publishes no service`.
        why: String,
    },
}

/// Why something does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Failure {
    /// What should have been, and what was, in one sentence.
    pub message: String,
    /// What led there, a line each: of the board's time, the driver's calls and its log.
    pub evidence: Vec<String>,
    /// The shortest schedule that was found to lead there, a line for each thing that
    /// happens; where the check draws schedules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub schedule: Vec<String>,
    /// A scenario (TOML) that shows it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
}

/// A scenario and what became of it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct ScenarioResult {
    /// The file without its ending.
    pub name: String,
    /// What it shows, in its own words.
    pub title: String,
    /// Its file.
    pub file: String,
    /// What became of it.
    pub outcome: Outcome,
    /// What happened, in the order of time.
    pub timeline: Vec<Moment>,
    /// The lines of the board that changed, or that it speaks of, by name.
    pub waves: BTreeMap<String, Wave>,
    /// How long it took, in nanoseconds of the board's time.
    pub length_ns: u64,
}

/// Something that happened, or should have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Moment {
    /// The board's time, in nanoseconds from the scenario's begin.
    pub at_ns: u64,
    /// Of which kind it is.
    pub kind: MomentKind,
    /// In words, for example `GPIO27 rises`.
    pub text: String,
}

/// Kinds of moments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MomentKind {
    /// The scenario did something.
    Done,
    /// The driver did something.
    Seen,
    /// What was expected, and came.
    Met,
    /// What was expected, and did not.
    Missed,
}

/// The levels of a line.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Wave {
    /// The level at the begin: high or not.
    pub initial: bool,
    /// When it changed, in nanoseconds from the scenario's begin, in order: each is the
    /// other level than the one before.
    pub changes_ns: Vec<u64>,
}

impl Report {
    /// Whether nothing has failed.
    pub fn conforms(&self) -> bool {
        let checks = self.checks.iter().map(|check| &check.outcome);
        let scenarios = self.scenarios.iter().map(|scenario| &scenario.outcome);
        let mut all = checks.chain(scenarios);
        all.all(|outcome| !matches!(outcome, Outcome::Failed(_)))
    }

    /// For people at a terminal: 80 columns, the verdict in the last line. Whatever a driver
    /// wrote is made printable.
    pub fn to_text(&self, style: Style) -> String {
        text::text(self, style)
    }

    /// For programs: JSON with the schema [`SCHEMA`].
    pub fn to_json(&self) -> String {
        json::json(self)
    }

    /// For other people's CI: `JUnit` XML.
    pub fn to_junit(&self) -> String {
        junit::junit(self)
    }

    /// For a browser: one page that needs no other file, no network and no script.
    pub fn to_html(&self) -> String {
        html::html(self)
    }
}
