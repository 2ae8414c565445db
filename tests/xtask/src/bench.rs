//! `bench`: the benchmarks.

use std::process::Command;

use anyhow::Result;

use crate::workspace::{Selection, Workspace};
use crate::{Outcome, guests, process};

const PROGRAM: &str = "loopgate-bench";

/// Standard output carries what the benchmarks print and nothing else, so
/// that `--json` can be piped.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<Outcome> {
    // Built in company and then started, since `cargo run` would choose the
    // package alone.
    let mut compile = workspace.cargo("build", Selection::Host);
    if !process::passes(compile.arg(format!("--bin={PROGRAM}")))?
        || guests::build(workspace)? == Outcome::Failed
    {
        return Ok(Outcome::Failed);
    }
    let mut program = Command::new(workspace.target.join("release").join(PROGRAM));
    let passed = process::passes(program.args(arguments).current_dir(&workspace.root))?;
    Ok(Outcome::of(passed))
}
