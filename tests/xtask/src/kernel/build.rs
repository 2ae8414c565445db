//! The programs for the machine, static.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::{Architecture, Options};
use crate::process;
use crate::workspace::Workspace;

/// A file of the machine's, and where it is taken from.
pub(super) struct Files {
    /// In a folder of their own: other builds need not wait for these.
    pub(super) target: PathBuf,
    pub(super) files: Vec<(String, PathBuf)>,
}

/// Nothing where the compiler fails.
pub(super) fn files(
    workspace: &Workspace,
    architecture: Architecture,
    _options: &Options,
) -> Result<Option<Files>> {
    let target = workspace.target.join("kernel");
    let built = target.join(architecture.target()).join("release");
    let mut suite = command(workspace, architecture, &target);
    suite.args(["--package=loopgate-device-suite", "--features=init"]);
    if !process::passes(&mut suite)? {
        return Ok(None);
    }
    let files = vec![("init".to_owned(), built.join("loopgate-init"))];
    Ok(Some(Files { target, files }))
}

fn command(workspace: &Workspace, architecture: Architecture, target: &PathBuf) -> Command {
    let triple = architecture.target();
    let (lower, upper) = (
        triple.replace('-', "_"),
        triple.replace('-', "_").to_uppercase(),
    );
    let mut command = process::cargo(&workspace.root);
    command
        .args(["build", "--release", "--target", &triple])
        .env("CARGO_TARGET_DIR", target)
        .env(format!("CC_{lower}"), architecture.c_compiler());
    if architecture == Architecture::Arm {
        command.env(format!("CARGO_TARGET_{upper}_LINKER"), "rust-lld");
    }
    command
}
