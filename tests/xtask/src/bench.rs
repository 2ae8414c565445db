//! `bench`, `hostile` and `mutants`: programs of the tests that print what they measure.

use std::process::Command;

use anyhow::Result;

use crate::workspace::{Selection, Workspace};
use crate::{Outcome, guests, process};

/// The benchmarks.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<Outcome> {
    program(workspace, "loopgate-bench", arguments)
}

/// The hostile corpus.
pub(crate) fn hostile(workspace: &Workspace, arguments: &[String]) -> Result<Outcome> {
    program(workspace, "loopgate-hostile", arguments)
}

/// The conformance kit, on drivers with a defect each.
pub(crate) fn mutants(workspace: &Workspace, arguments: &[String]) -> Result<Outcome> {
    program(workspace, "loopgate-mutants", arguments)
}

/// Standard output carries what the program prints and nothing else, so that
/// `--json` can be piped.
fn program(workspace: &Workspace, name: &str, arguments: &[String]) -> Result<Outcome> {
    // Built in company and then started, since `cargo run` would choose the
    // package alone.
    let mut compile = workspace.cargo("build", Selection::Host);
    if !process::passes(compile.arg(format!("--bin={name}")))?
        || guests::build(workspace)? == Outcome::Failed
    {
        return Ok(Outcome::Failed);
    }
    let mut program = Command::new(workspace.target.join("release").join(name));
    let passed = process::passes(program.args(arguments).current_dir(&workspace.root))?;
    Ok(Outcome::of(passed))
}
