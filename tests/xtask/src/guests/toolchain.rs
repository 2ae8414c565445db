//! The compiler's support for the guests' target.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use super::TARGET;
use crate::process;
use crate::workspace::Workspace;

/// Adds the target where the compiler lacks it, and says so.
pub(super) fn provide(workspace: &Workspace) -> Result<()> {
    if is_there(workspace) {
        return Ok(());
    }
    eprintln!("the target `{TARGET}`, which drivers are compiled for, is missing: adding it");
    let mut add = rustup(workspace);
    add.args(["target", "add", TARGET]);
    match process::passes(&mut add) {
        Ok(true) if is_there(workspace) => Ok(()),
        Ok(_) => bail!("cannot add the target `{TARGET}`: rustup says why above"),
        Err(_) => bail!(
            "the compiler has no target `{TARGET}` and there is no `rustup` to add it: install \
             Rust with rustup (https://rustup.rs), or your distribution's package with that target"
        ),
    }
}

/// Asks the compiler, not rustup: a distribution's Rust may have the target.
fn is_there(workspace: &Workspace) -> bool {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut command = Command::new(rustc);
    command
        .args(["--print", "target-libdir", "--target", TARGET])
        .current_dir(&workspace.root);
    process::output_of(&mut command).is_some_and(|folder| Path::new(&folder).is_dir())
}

/// The root's rust-toolchain.toml tells rustup which toolchain is meant.
fn rustup(workspace: &Workspace) -> Command {
    let mut command = Command::new("rustup");
    command.current_dir(&workspace.root);
    command
}
