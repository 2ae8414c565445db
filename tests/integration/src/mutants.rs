//! Drivers with a defect each, and what the conformance kit finds of them.

mod table;

pub use table::{MUTANTS, Meant, Mutant, WELL_MADE};

use crate::{root, target};
use loopgate_conform::report::{CheckResult, Failure, Outcome, Report};
use loopgate_conform::{Error, Kit, Scenario, Subject, scenario};
use serde::Serialize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;

/// Schedules that are drawn at most: a race of three events is found within them.
pub const SCHEDULES: u64 = 10_000;

/// What became of a mutant.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The mutant.
    pub mutant: &'static Mutant,
    /// What the check that is meant for it says of it; nothing where it finds nothing.
    pub found: Option<Failure>,
    /// How often the driver was run.
    pub runs: u64,
    /// How long it took.
    pub millis: u64,
}

/// A mutant's component.
pub fn component(name: &str) -> PathBuf {
    target().join("mutants").join(name).with_extension("wasm")
}

/// Where the mutants' board and their scenarios are.
pub fn folder() -> PathBuf {
    root().join("tests/guests/mutants/conform")
}

/// A mutant on that board.
///
/// # Errors
/// There is no such component, or the board cannot be read.
pub fn subject(name: &str) -> Result<Subject, Error> {
    Subject::new(
        &component(name),
        Some(&folder().join("board.toml")),
        Some("porch"),
    )
}

/// Looks at these mutants on all processors, each with the check that is meant for it
/// alone; in their order.
///
/// # Errors
/// What keeps the kit from finding out.
pub fn find(
    mutants: &[&'static Mutant],
    progress: impl Fn(&Mutant) + Sync,
) -> Result<Vec<Finding>, Error> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut findings = Vec::new();
        while let Some(mutant) = mutants.get(next.fetch_add(1, Relaxed)) {
            progress(mutant);
            findings.push(one(mutant)?);
        }
        Ok(findings)
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let parts: Result<Vec<_>, Error> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let joined = threads
            .into_iter()
            .map(|thread| thread.join().expect("it does not panic"));
        joined.collect()
    });
    let mut findings = parts?.concat();
    let place = |finding: &Finding| {
        mutants
            .iter()
            .position(|one| one.name == finding.mutant.name)
    };
    findings.sort_by_key(place);
    Ok(findings)
}

fn one(mutant: &'static Mutant) -> Result<Finding, Error> {
    let begun = Instant::now();
    let subject = subject(mutant.name)?;
    let (outcome, runs) = match mutant.meant {
        Meant::Check(id) => {
            let report = Kit::new(subject).schedules(SCHEDULES).only([id]).run()?;
            let check = checked(report, id);
            (check.outcome, check.runs)
        }
        Meant::Scenario(name) => {
            let path = folder().join(name).with_extension("toml");
            let result = Scenario::read(path)?.run(&subject, None)?;
            (result.outcome, 1)
        }
    };
    Ok(Finding {
        mutant,
        found: match outcome {
            Outcome::Failed(failure) => Some(failure),
            Outcome::Passed | Outcome::Skipped { .. } => None,
        },
        runs,
        millis: begun.elapsed().as_millis() as u64,
    })
}

/// One check's result.
///
/// # Panics
///
/// When it was not run.
pub fn checked(report: Report, id: &str) -> CheckResult {
    let mut checks = report.checks.into_iter();
    let check = checks.find(|check| check.id == id);
    check.unwrap_or_else(|| panic!("there is no check `{id}`"))
}

/// All that the driver as it should be does not hold: nothing, that is.
///
/// # Errors
/// What keeps the kit from finding out.
pub fn complaints() -> Result<Vec<String>, Error> {
    let subject = subject(WELL_MADE)?;
    let report = Kit::new(subject.clone()).run()?;
    let mut complaints = Vec::new();
    for check in &report.checks {
        match &check.outcome {
            Outcome::Passed => {}
            Outcome::Failed(failure) => {
                complaints.push(format!("{}: {}", check.id, failure.message))
            }
            Outcome::Skipped { why } => complaints.push(format!("{}: skipped, {why}", check.id)),
        }
    }
    for path in scenario::find(folder())? {
        let result = Scenario::read(&path)?.run(&subject, None)?;
        if let Outcome::Failed(failure) = result.outcome {
            complaints.push(format!("{}: {}", result.name, failure.message));
        }
    }
    Ok(complaints)
}

/// The table, for people.
pub fn table(findings: &[Finding]) -> String {
    let mut text = format!(
        "{:<24}{:<28}{:<9}{:>6}{:>9}  what is wrong\n",
        "mutant", "meant for", "", "runs", "time"
    );
    for finding in findings {
        let Mutant { name, is, .. } = finding.mutant;
        let verdict = if finding.found.is_some() {
            "found"
        } else {
            "MISSED"
        };
        let meant = finding.mutant.meant.to_string();
        let seconds = finding.millis as f64 / 1e3;
        text += &format!(
            "{name:<24}{meant:<28}{verdict:<9}{:>6}{seconds:>7.2} s  {is}\n",
            finding.runs
        );
    }
    text
}

/// The names of the components that `cargo xtask build` left.
///
/// # Errors
/// The folder cannot be read.
pub fn built() -> std::io::Result<Vec<String>> {
    let files = std::fs::read_dir(target().join("mutants"))?;
    let mut names = Vec::new();
    for file in files {
        let path = file?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "wasm")
        {
            names.extend(
                path.file_stem()
                    .and_then(|stem| stem.to_str())
                    .map(str::to_owned),
            );
        }
    }
    names.sort();
    Ok(names)
}
