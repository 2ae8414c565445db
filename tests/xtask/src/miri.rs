//! `miri`: the core's tests in an interpreter that sees undefined behaviour
//! and data races.

use std::process::Command;

use anyhow::{Result, bail};

use crate::workspace::Workspace;
use crate::{Outcome, no_arguments, process};

const INSTALL: &str =
    "rustup toolchain install nightly --profile minimal --component miri,rust-src";

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<Outcome> {
    no_arguments(arguments)?;
    if process::output_of(miri(workspace).arg("--version")).is_none() {
        bail!("Miri is missing: it comes with a nightly toolchain only; `{INSTALL}` installs it");
    }
    let passed = process::passes(miri(workspace).args(["test", "--package=loopgate-workloop"]))?;
    Ok(Outcome::of(passed))
}

/// The nightly's own cargo: what cargo told us about the toolchain that we
/// run under must not reach it.
fn miri(workspace: &Workspace) -> Command {
    let mut command = Command::new("rustup");
    command
        .args(["run", "nightly", "cargo", "miri"])
        .current_dir(&workspace.root)
        .env_remove("CARGO")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("LD_LIBRARY_PATH");
    command
}
