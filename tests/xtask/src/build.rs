//! `build`: what a user runs.

use anyhow::Result;

use crate::workspace::{Selection, Workspace};
use crate::{Outcome, guests, no_arguments, process};

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<Outcome> {
    no_arguments(arguments)?;
    if !program(workspace)? {
        return Ok(Outcome::Failed);
    }
    guests::build(workspace)
}

/// Leaves the program at `target/release/loopgate`.
pub(crate) fn program(workspace: &Workspace) -> Result<bool> {
    process::passes(
        workspace
            .cargo("build", Selection::Host)
            .arg("--bin=loopgate"),
    )
}
