//! Unsafe code stays in the few leaves that need it.
//!
//! The compiler looks for it; this looks that the compiler was told to.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Failure, sources};
use crate::workspace::Workspace;

/// Files that may hold unsafe code, and why.
const ALLOWED: &[(&str, &str)] = &[];

const FORBID: &str = "#![forbid(unsafe_code)]";
/// For the root of a crate with an allowed file, which could not lift a
/// `forbid`.
const DENY: &str = "#![deny(unsafe_code)]";

pub(super) fn is_where_it_may_be(workspace: &Workspace) -> Result<Vec<Failure>> {
    let mut failures = roots(workspace)?;
    for package in &workspace.members {
        for file in sources(package.folder())? {
            let text = std::fs::read_to_string(&file)?;
            if lifts_the_lint(&text) && !is_allowed(workspace, &file) {
                failures.push(Failure::new(
                    format!("`{}` allows unsafe code", workspace.relative(&file)),
                    "write it without, or list the file with its reason in \
                     tests/xtask/src/check/unsafe_code.rs",
                ));
            }
        }
    }
    failures.extend(gone(workspace));
    Ok(failures)
}

/// Every library, program, test and example must forbid it.
fn roots(workspace: &Workspace) -> Result<Vec<Failure>> {
    let mut failures = Vec::new();
    let targets = workspace
        .members
        .iter()
        .flat_map(|package| &package.targets);
    for root in targets.map(|target| &target.src_path) {
        let text = std::fs::read_to_string(root)?;
        let denies = text.contains(DENY) && has_allowed_leaf(workspace, root);
        if !text.contains(FORBID) && !denies && !is_allowed(workspace, root) {
            failures.push(Failure::new(
                format!("`{}` does not forbid unsafe code", workspace.relative(root)),
                format!("put `{FORBID}` at its head"),
            ));
        }
    }
    Ok(failures)
}

/// A stale exception is an open door.
fn gone(workspace: &Workspace) -> impl Iterator<Item = Failure> {
    allowed(workspace)
        .filter(|path| !path.exists())
        .map(|path| {
            Failure::new(
                format!(
                    "`{}` may hold unsafe code, but does not exist",
                    path.display()
                ),
                "remove it from tests/xtask/src/check/unsafe_code.rs",
            )
        })
}

fn lifts_the_lint(text: &str) -> bool {
    ["allow", "expect", "warn"]
        .iter()
        .any(|level| text.contains(&format!("{level}(unsafe_code")))
}

fn allowed(workspace: &Workspace) -> impl Iterator<Item = PathBuf> {
    ALLOWED.iter().map(|(path, _)| workspace.root.join(path))
}

fn is_allowed(workspace: &Workspace, file: &Path) -> bool {
    allowed(workspace).any(|path| path == file)
}

fn has_allowed_leaf(workspace: &Workspace, root: &Path) -> bool {
    let folder = root.parent();
    allowed(workspace).any(|path| folder.is_some_and(|folder| path.starts_with(folder)))
}
