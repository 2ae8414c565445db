//! The programs for the machine, static.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::{Architecture, Options};
use crate::workspace::Workspace;
use crate::{Outcome, guests, process};

/// Those of the machine's board.
const DRIVERS: [&str; 3] = ["blink.wasm", "button_led.wasm", "serial_echo.wasm"];

/// A file of the machine's, and where it is taken from.
pub(super) struct Files {
    /// In a folder of their own: other builds need not wait for these.
    pub(super) target: PathBuf,
    pub(super) files: Vec<(String, PathBuf)>,
}

impl Files {
    pub(super) fn has_program(&self) -> bool {
        self.files.len() > 1
    }
}

/// Nothing where the compiler fails.
pub(super) fn files(
    workspace: &Workspace,
    architecture: Architecture,
    options: &Options,
) -> Result<Option<Files>> {
    let target = workspace.target.join("kernel");
    let built = target.join(architecture.target()).join("release");
    let mut suite = command(workspace, architecture, &target);
    suite.args(["--package=loopgate-device-suite", "--features=init"]);
    if !process::passes(&mut suite)? {
        return Ok(None);
    }
    let mut files = vec![("init".to_owned(), built.join("loopgate-init"))];
    if !options.only_devices {
        // Chosen alone, so that its features are what a user's are.
        let mut program = command(workspace, architecture, &target);
        program.arg("--package=loopgate-cli");
        if !process::passes(&mut program)? || guests::build(workspace)? == Outcome::Failed {
            return Ok(None);
        }
        files.push(("bin/loopgate".to_owned(), built.join("loopgate")));
        files.extend(DRIVERS.map(|name| {
            let driver = workspace.target.join("drivers").join(name);
            (format!("drivers/{name}"), driver)
        }));
    }
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
