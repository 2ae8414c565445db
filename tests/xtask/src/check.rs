//! `check`: style and structure, executable.
//!
//! Every check runs; every failure is listed at the end, with its mending.

mod contract;
mod features;
mod layering;
mod lints;
mod named_guests;
mod named_paths;
mod registry;
mod tools;
mod unsafe_code;

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{Outcome, generated, no_arguments};

/// Something that is not as it should be.
pub(crate) struct Failure {
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) mending: String,
}

type Check = fn(&Workspace) -> Result<Vec<Failure>>;

/// Cheap ones first.
const CHECKS: &[(&str, Check)] = &[
    ("format", tools::format),
    ("contract parses", |workspace| {
        Ok(contract::parses(workspace))
    }),
    ("layering", |workspace| Ok(layering::holds(workspace))),
    ("wasmtime's features", |workspace| {
        Ok(features::are_lean(workspace))
    }),
    ("dependencies as published", |workspace| {
        Ok(registry::is_the_source(workspace))
    }),
    ("unsafe code", unsafe_code::is_where_it_may_be),
    ("lint table", lints::are_inherited),
    ("guests have tests", named_guests::all_have_tests),
    ("generated documentation", generated::stale),
    ("paths in documents", named_paths::exist),
    ("lints", tools::lints),
    ("lints of the components", tools::guest_lints),
    ("lints of the emulated machine", tools::machine_lints),
    ("lints without a compiler", tools::lints_without_compiler),
    ("documentation", tools::documentation),
];

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<Outcome> {
    no_arguments(arguments)?;
    let mut failures = Vec::new();
    for (name, check) in CHECKS {
        let found = match check(workspace) {
            Ok(found) => found,
            Err(error) => vec![Failure::new(
                format!("{error:#}"),
                "mend what kept the check from running",
            )],
        };
        println!("{name}: {}", if found.is_empty() { "ok" } else { "FAILED" });
        failures.extend(found.into_iter().map(|failure| (name, failure)));
    }
    println!("\n{} checks, {} failures", CHECKS.len(), failures.len());
    for (name, failure) in &failures {
        println!(
            "\n{name}: {}\n    mending: {}",
            failure.what, failure.mending
        );
    }
    Ok(Outcome::of(failures.is_empty()))
}

impl Failure {
    pub(crate) fn new(what: impl Into<String>, mending: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            mending: mending.into(),
        }
    }
}

/// Every Rust file below `folder`.
pub(crate) fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}
