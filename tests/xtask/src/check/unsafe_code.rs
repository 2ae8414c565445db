//! Unsafe code stays in the few leaves that need it.
//!
//! The compiler looks for it; this looks that the compiler was told to.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Failure, sources};
use crate::workspace::Workspace;

/// Files that may hold unsafe code, and why.
const ALLOWED: &[(&str, &str)] = &[
    (
        "guest-sdk/src/bindings.rs",
        "wit-bindgen's output calls the host through its raw interface",
    ),
    (
        "host/runtime/src/precompiled.rs",
        "compiled code can only be taken back on trust",
    ),
    (
        "tests/guests/examples/hostile_aliased_strings.rs",
        "safe Rust has no string that is in two places",
    ),
    (
        "tests/guests/examples/hostile_initialiser.rs",
        "safe Rust has no initialisers",
    ),
    (
        "tests/guests/examples/hostile_handles.rs",
        "it misuses handles, which the SDK exists to prevent",
    ),
    (
        "tests/guests/examples/hostile_raw.rs",
        "it says to the host what safe code cannot",
    ),
    (
        "tests/guests/examples/probe_wasi_i2c.rs",
        "it is built without the SDK, so wit-bindgen's output is in it",
    ),
    (
        "tests/guests/examples/probe_program.rs",
        "its programs make handles up",
    ),
];

const FORBID: &str = "#![forbid(unsafe_code)]";
/// For the root of a crate with an allowed file, which could not lift a
/// `forbid`.
const DENY: &str = "#![deny(unsafe_code)]";

/// The lint table denies unsafe code everywhere; whoever lifts that must be on
/// the list. Libraries and programs of the host, and samples, cannot even.
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

/// A sample shows that a driver needs none; the host's crates hold what
/// drivers attack.
fn roots(workspace: &Workspace) -> Result<Vec<Failure>> {
    let mut failures = Vec::new();
    let packages = ["host", "sample-drivers"].map(|folder| workspace.members_in(folder));
    let targets = packages
        .into_iter()
        .flatten()
        .flat_map(|package| &package.targets);
    for target in targets.filter(|target| target.is_product()) {
        let root = &target.src_path;
        let text = std::fs::read_to_string(root)?;
        let denies = text.contains(DENY) && has_allowed_leaf(workspace, root);
        if !text.contains(FORBID) && !denies {
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
    let attributes = text.split("#[").chain(text.split("#![")).skip(1);
    attributes
        .filter_map(|rest| rest.split_once(']'))
        .any(|(attribute, _)| {
            let lifts = ["allow", "expect", "warn"]
                .iter()
                .any(|level| attribute.starts_with(level));
            lifts && attribute.contains("unsafe_code")
        })
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Written with `@` for `#`: this file lifts nothing itself.
    #[test]
    fn lifting_is_found_in_every_form_of_the_attribute() {
        for text in [
            "@![allow(unsafe_code)]",
            "//! Doc.\n@[expect(\n    unsafe_code,\n    reason = \"why\"\n)]\nfn f() {}",
            "@![allow(missing_docs, unsafe_code)]",
        ] {
            assert!(lifts_the_lint(&text.replace('@', "#")), "{text}");
        }
        for text in [
            FORBID,
            DENY,
            "fn f() {}",
            "#![allow(missing_docs)] // unsafe_code",
        ] {
            assert!(!lifts_the_lint(text), "{text}");
        }
    }
}
