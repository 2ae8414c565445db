//! The checks that every driver gets.

mod endurance;
mod faults;
mod grants;
mod handlers;
mod life;
mod power;
mod providers;
mod requests;
mod schedules;
mod state;

use crate::error::Error;
use crate::ground::Ground;
use crate::report::{CheckResult, Failure, Outcome};
use crate::world::{World, seconds};
use loopgate::LogLine;
use std::time::Duration;

/// Lines of what led to a failure.
const EVIDENCE: usize = 24;

/// A check: what it is about, and how it finds out.
pub(crate) struct Check {
    pub(crate) id: &'static str,
    pub(crate) rule: u32,
    pub(crate) title: &'static str,
    pub(crate) explanation: &'static str,
    pub(crate) remedy: &'static str,
    pub(crate) run: fn(&Ground<'_>) -> Result<Found, Error>,
}

/// What a check has found.
pub(crate) struct Found {
    pub(crate) outcome: Outcome,
    /// How often the driver was run.
    pub(crate) runs: u64,
}

pub(crate) use life::STARTS;

/// In the order in which a driver's author would mend them.
pub(crate) const CHECKS: [&Check; 17] = [
    &life::STARTS_AGAIN,
    &life::QUIET_STOP,
    &grants::REFUSES_GRACEFULLY,
    &requests::SURVIVES_REQUESTS,
    &requests::ANSWERS_ONCE,
    &requests::SURVIVES_ORDERS,
    &handlers::UP_CALLS_RETURN,
    &handlers::IN_TIME,
    &faults::SURVIVES_FAULTS,
    &endurance::BOUNDED,
    &endurance::SURVIVES_STORMS,
    &endurance::LOGS_WITHIN_REASON,
    &endurance::SURVIVES_JUMPS,
    &state::KEEPS_STATE,
    &power::SLEEPS_AND_WAKES,
    &providers::SURVIVES_PROVIDERS,
    &schedules::SURVIVES_SCHEDULES,
];

impl Check {
    pub(crate) fn result(&self, found: Found) -> CheckResult {
        CheckResult {
            id: self.id,
            rule: self.rule,
            title: self.title,
            explanation: self.explanation,
            remedy: self.remedy,
            outcome: found.outcome,
            runs: found.runs,
        }
    }
}

impl Found {
    pub(crate) fn passed(runs: u64) -> Self {
        Self {
            outcome: Outcome::Passed,
            runs,
        }
    }

    pub(crate) fn skipped(why: &str) -> Self {
        Self {
            outcome: Outcome::Skipped {
                why: why.to_owned(),
            },
            runs: 0,
        }
    }

    /// That too much crosses the boundary to be looked at.
    pub(crate) fn too_much(runs: u64) -> Self {
        Self::failed_over(
            "it makes so many calls in one handler, or in all, that they cannot be recorded",
            runs,
            Vec::new(),
        )
    }

    /// With the latest of what the driver did.
    pub(crate) fn failed(
        message: impl Into<String>,
        runs: u64,
        world: World,
    ) -> Result<Self, Error> {
        let log = world.log();
        let mut evidence = world.end()?.last(EVIDENCE);
        if evidence.is_empty() {
            let last = log.iter().skip(log.len().saturating_sub(EVIDENCE));
            let line = |line: &LogLine| {
                let at = seconds(Duration::from_nanos(line.time_ns));
                format!("{at}  log {}: {}", line.level, line.text)
            };
            evidence = last.map(line).collect();
        }
        for line in &mut evidence {
            *line = loopgate::printable(line).into_owned();
        }
        Ok(Self::failed_over(message, runs, evidence))
    }

    pub(crate) fn failed_over(
        message: impl Into<String>,
        runs: u64,
        evidence: Vec<String>,
    ) -> Self {
        let message = loopgate::printable(&message.into()).into_owned();
        Self {
            outcome: Outcome::Failed(Failure {
                message,
                evidence,
                schedule: Vec::new(),
                scenario: None,
            }),
            runs,
        }
    }
}
