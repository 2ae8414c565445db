//! What rustfmt, clippy and rustdoc say.

use std::process::Command;

use anyhow::Result;

use super::Failure;
use crate::workspace::{Selection, Workspace};
use crate::{guests, process};

pub(super) fn format(workspace: &Workspace) -> Result<Vec<Failure>> {
    let mut failures = Vec::new();
    // The second is a workspace of its own.
    for (folder, mending) in [("", "cargo fmt --all"), ("fuzz", "cd fuzz && cargo fmt")] {
        let mut command = process::cargo(&workspace.root.join(folder));
        command.args(["fmt", "--all", "--check"]);
        failures.extend(judge(&mut command, "the code is not formatted", mending)?);
    }
    Ok(failures)
}

/// In the release profile, whose build scripts and macros the tests share.
pub(super) fn lints(workspace: &Workspace) -> Result<Vec<Failure>> {
    let mut failures = Vec::new();
    for selection in ALL {
        let mut command = workspace.cargo("clippy", selection);
        command.args(["--all-targets", "--", "--deny=warnings"]);
        failures.extend(judge(&mut command, "clippy has warnings", MEND_WARNINGS)?);
    }
    Ok(failures)
}

/// The guests once more, for what only exists in a component.
pub(super) fn guest_lints(workspace: &Workspace) -> Result<Vec<Failure>> {
    let mut failures = Vec::new();
    for mut command in [
        guests::command(workspace, "clippy"),
        guests::mutants(workspace, "clippy"),
    ] {
        command.args(["--", "--deny=warnings"]);
        let what = "clippy has warnings about guests";
        failures.extend(judge(&mut command, what, MEND_WARNINGS)?);
    }
    Ok(failures)
}

/// What boots in an emulated machine, which no test links.
pub(super) fn machine_lints(workspace: &Workspace) -> Result<Vec<Failure>> {
    let mut command = process::cargo(&workspace.root);
    command
        .args(["clippy", "--release", "--package=loopgate-device-suite"])
        .args(["--features=init", "--bins", "--", "--deny=warnings"]);
    judge(
        &mut command,
        "clippy has warnings about the emulated machine",
        MEND_WARNINGS,
    )
}

/// A host without a compiler, which no test builds.
pub(super) fn lints_without_compiler(workspace: &Workspace) -> Result<Vec<Failure>> {
    let mut command = process::cargo(&workspace.root);
    command
        .args([
            "clippy",
            "--release",
            "--package=loopgate",
            "--package=loopgate-cli",
        ])
        .args(["--no-default-features", "--", "--deny=warnings"]);
    judge(
        &mut command,
        "clippy has warnings about a host without a compiler",
        MEND_WARNINGS,
    )
}

pub(super) fn documentation(workspace: &Workspace) -> Result<Vec<Failure>> {
    let mut failures = Vec::new();
    for selection in ALL {
        let mut command = workspace.cargo("doc", selection);
        command
            .arg("--no-deps")
            .env("RUSTDOCFLAGS", "--deny=warnings");
        failures.extend(judge(&mut command, "rustdoc has warnings", MEND_WARNINGS)?);
    }
    Ok(failures)
}

const ALL: [Selection; 3] = [Selection::Host, Selection::Guests, Selection::Xtask];

const MEND_WARNINGS: &str = "change the code as the warnings above say; an exception is \
     `#[expect(LINT, reason = \"...\")]` on the smallest item";

fn judge(command: &mut Command, what: &str, mending: &str) -> Result<Vec<Failure>> {
    let passed = process::passes(command)?;
    let failure = (!passed).then(|| Failure::new(what, mending));
    Ok(failure.into_iter().collect())
}
