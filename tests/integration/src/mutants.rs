//! Drivers with a defect each, and what the conformance kit finds of them.

mod table;

pub use table::{MUTANTS, Meant, Mutant, WELL_MADE};

use crate::{root, target};
use loopgate_conform::report::{Failure, Outcome};
use loopgate_conform::{Error, Kit, Scenario, Subject, scenario};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// Schedules that are drawn at most: a race of three events is found within them.
pub const SCHEDULES: u64 = 10_000;

/// What became of a mutant.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Finding {
    /// The mutant.
    pub mutant: &'static Mutant,
    /// What the check that is meant for it says of it; nothing where it finds nothing.
    pub found: Option<Failure>,
    /// The other checks and scenarios that find it, where they were asked.
    pub also: Vec<String>,
    /// How often the driver was run for the check that is meant.
    pub runs: u64,
    /// How long all of it took.
    pub millis: u64,
}

/// Which checks look at a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum With {
    /// The one that is meant for it.
    Meant,
    /// All of them, and all scenarios.
    All,
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

/// Looks at these mutants on all processors; in their order.
///
/// # Errors
/// What keeps the kit from finding out.
pub fn find(
    mutants: &[&'static Mutant],
    with: With,
    progress: impl Fn(&Mutant) + Sync,
) -> Result<Vec<Finding>, Error> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut findings = Vec::new();
        while let Some(mutant) = mutants.get(next.fetch_add(1, Relaxed)) {
            progress(mutant);
            findings.push(one(mutant, with)?);
        }
        Ok(findings)
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let parts: Result<Vec<_>, Error> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let parts = threads.into_iter();
        parts
            .map(|thread| thread.join().expect("it does not panic"))
            .collect()
    });
    let mut findings = parts?.concat();
    findings.sort_by_key(|finding| {
        let name = finding.mutant.name;
        mutants.iter().position(|one| one.name == name)
    });
    Ok(findings)
}

fn one(mutant: &'static Mutant, with: With) -> Result<Finding, Error> {
    let begun = Instant::now();
    let subject = subject(mutant.name)?;
    let said = match mutant.meant {
        Meant::Check(id) => checked(&Kit::new(subject.clone()).schedules(SCHEDULES).only([id]))?,
        Meant::Scenario(name) => vec![played(
            &folder().join(name).with_extension("toml"),
            &subject,
        )?],
    };
    let meant = mutant.meant.to_string();
    // Whether it starts is told of each.
    let said = said.into_iter().find(|said| said.by == meant);
    let mut also = Vec::new();
    if with == With::All {
        let others = everything(&subject)?.into_iter();
        let others = others.filter(|other| other.failure.is_some() && other.by != meant);
        also.extend(others.map(|other| other.by));
    }
    Ok(Finding {
        mutant,
        runs: said.as_ref().map_or(0, |said| said.runs),
        found: said.and_then(|said| said.failure),
        also,
        millis: begun.elapsed().as_millis() as u64,
    })
}

/// What a check or a scenario says.
struct Said {
    by: String,
    failure: Option<Failure>,
    skipped: Option<String>,
    runs: u64,
}

impl Said {
    fn new(by: impl Into<String>, outcome: Outcome, runs: u64) -> Self {
        let (failure, skipped) = match outcome {
            Outcome::Failed(failure) => (Some(failure), None),
            Outcome::Skipped { why } => (None, Some(why)),
            Outcome::Passed => (None, None),
        };
        let by = by.into();
        Self {
            by,
            failure,
            skipped,
            runs,
        }
    }
}

fn checked(kit: &Kit) -> Result<Vec<Said>, Error> {
    let checks = kit.run()?.checks.into_iter();
    let said = checks.map(|check| Said::new(check.id, check.outcome, check.runs));
    Ok(said.collect())
}

fn played(path: &Path, subject: &Subject) -> Result<Said, Error> {
    let scenario = Scenario::read(path)?;
    let outcome = scenario.run(subject, None)?.outcome;
    Ok(Said::new(
        format!("scenario {}", scenario.name()),
        outcome,
        1,
    ))
}

fn everything(subject: &Subject) -> Result<Vec<Said>, Error> {
    let mut all = checked(&Kit::new(subject.clone()))?;
    for path in scenario::find(folder())? {
        all.push(played(&path, subject)?);
    }
    Ok(all)
}

/// What is found in the driver without a defect, or not even looked at: nothing, that is.
///
/// # Errors
/// What keeps the kit from finding out.
pub fn complaints() -> Result<Vec<String>, Error> {
    let said = everything(&subject(WELL_MADE)?)?.into_iter();
    let complaints = said.filter_map(
        |Said {
             by,
             failure,
             skipped,
             ..
         }| {
            let what = failure.map(|failure| failure.message);
            let what = what.or_else(|| skipped.map(|why| format!("skipped, {why}")))?;
            Some(format!("{by}: {what}"))
        },
    );
    Ok(complaints.collect())
}

/// The table, for people.
pub fn table(findings: &[Finding]) -> String {
    let mut text = format!(
        "{:<24}{:<26}{:<8}{:>5}{:>9}  what is wrong\n",
        "mutant", "meant for", "", "runs", "time"
    );
    for Finding {
        mutant,
        found,
        also,
        runs,
        millis,
    } in findings
    {
        let verdict = if found.is_some() { "found" } else { "MISSED" };
        let (name, is, meant) = (mutant.name, mutant.is, mutant.meant.to_string());
        let seconds = Duration::from_millis(*millis).as_secs_f64();
        let _ = writeln!(
            text,
            "{name:<24}{meant:<26}{verdict:<8}{runs:>5}{seconds:>7.2} s  {is}"
        );
        if !also.is_empty() {
            let _ = writeln!(text, "{:<24}also by {}", "", also.join(", "));
        }
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
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            names.extend(stem.map(str::to_owned));
        }
    }
    names.sort();
    Ok(names)
}
