//! One lint table for all.

use anyhow::Result;

use super::Failure;
use crate::workspace::Workspace;

const INHERITED: &str = "[lints]\nworkspace = true";

pub(super) fn are_inherited(workspace: &Workspace) -> Result<Vec<Failure>> {
    let mut failures = Vec::new();
    for package in &workspace.members {
        let manifest = std::fs::read_to_string(package.manifest())?;
        if !manifest.contains(INHERITED) {
            failures.push(Failure::new(
                format!(
                    "`{}` has lints of its own",
                    workspace.relative(package.manifest())
                ),
                "add `[lints] workspace = true`; exceptions stand in the code, with their reason",
            ));
        }
    }
    Ok(failures)
}
