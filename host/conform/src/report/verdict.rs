//! The report in one sentence.

use super::{Outcome, Report};

/// How many of those that failed are named.
const NAMED: usize = 4;

pub(super) fn sentence(report: &Report) -> String {
    let verb = if report.conforms() {
        "conforms"
    } else {
        "does not conform"
    };
    match found(report) {
        found if found.is_empty() => format!("{} {verb}: nothing was checked", report.driver),
        found => format!("{} {verb}: {found}", report.driver),
    }
}

/// How many checks and scenarios came out how; empty where there are none.
pub(super) fn found(report: &Report) -> String {
    let checks = report.checks.iter();
    let checks = checks.map(|check| (check.id, &check.outcome));
    let scenarios = report.scenarios.iter();
    let scenarios = scenarios.map(|scenario| (scenario.name.as_str(), &scenario.outcome));
    let kinds = [
        tally("check", &checks.collect::<Vec<_>>()),
        tally("scenario", &scenarios.collect::<Vec<_>>()),
    ];
    kinds.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn tally(noun: &str, outcomes: &[(&str, &Outcome)]) -> Option<String> {
    let failed = outcomes
        .iter()
        .filter(|(_, outcome)| matches!(outcome, Outcome::Failed(_)));
    let failed: Vec<&str> = failed.map(|(name, _)| *name).collect();
    let passed = outcomes
        .iter()
        .filter(|(_, outcome)| **outcome == Outcome::Passed);
    let (passed, all) = (passed.count(), outcomes.len());
    let mut words = if failed.is_empty() {
        format!("{passed} {noun}{} passed", plural(passed))
    } else {
        let named = failed
            .iter()
            .take(NAMED)
            .copied()
            .collect::<Vec<_>>()
            .join(", ");
        let more = if failed.len() > NAMED { ", ..." } else { "" };
        let noun = format!("{noun}{}", plural(all));
        format!("{} of {all} {noun} failed ({named}{more})", failed.len())
    };
    let skipped = all - failed.len() - passed;
    if skipped > 0 {
        words = format!("{words}, {skipped} skipped");
    }
    (all > 0).then_some(words)
}

pub(super) fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
