//! What is in an archive.

use std::path::Path;

use anyhow::{Context, Result};

use super::archive::{File, Files};
use super::licences;
use crate::architecture::Architecture;
use crate::workspace::Workspace;
use crate::{Outcome, guests, process};

/// Beside program and drivers: what it is called there, and in the repository.
const FILES: [(&str, &str); 7] = [
    ("60-loopgate.rules", "host/cli/60-loopgate.rules"),
    ("BOARD.md", "sample-drivers/BOARD.md"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("README.md", "sample-drivers/RASPBERRY-PI.md"),
    ("loopgate.service", "host/cli/loopgate.service"),
    ("loopgate.sysusers", "host/cli/loopgate.sysusers"),
];

const BOARD: &str = "sample-drivers/raspberry-pi.toml";
/// Where a board of the repository's finds drivers.
const BUILT: &str = "\"../target/drivers/";

/// Nothing where the compiler fails.
pub(super) fn gather(workspace: &Workspace, target: Architecture) -> Result<Option<Files>> {
    if !program(workspace, target)? || guests::build(workspace)? == Outcome::Failed {
        return Ok(None);
    }
    let mut files = Files::new();
    let program = read(&target.built(workspace, "loopgate"))?;
    files.insert("loopgate".to_owned(), File::program(program));
    for (name, from) in FILES {
        let bytes = read(&workspace.root.join(from))?;
        files.insert(name.to_owned(), File::new(bytes));
    }
    let board = read(&workspace.root.join(BOARD))?;
    let board = String::from_utf8(board).with_context(|| format!("cannot read `{BOARD}`"))?;
    let board = board.replace(BUILT, "\"drivers/");
    files.insert("board.toml".to_owned(), File::new(board.into()));
    let licences = licences::text(workspace, target)?;
    files.insert("LICENSES-OF-OTHERS".to_owned(), File::new(licences.into()));
    for (name, bytes) in drivers(workspace)? {
        files.insert(format!("drivers/{name}"), File::new(bytes));
    }
    Ok(Some(files))
}

/// Its own symbols left out, so that nothing else is built anew for that.
fn program(workspace: &Workspace, target: Architecture) -> Result<bool> {
    // Chosen alone, so that its features are what a user's are.
    let mut command = target.cargo(workspace, "rustc");
    command.args(["--package=loopgate-cli", "--bin=loopgate"]);
    process::passes(command.args(["--", "-C", "strip=symbols"]))
}

/// The samples, by their files' names.
fn drivers(workspace: &Workspace) -> Result<Vec<(String, Vec<u8>)>> {
    let folder = workspace.target.join("drivers");
    let entries = folder
        .read_dir()
        .with_context(|| format!("cannot read `{}`", folder.display()))?;
    let mut drivers = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let (Some(name), Some("wasm")) = (name, path.extension().and_then(|end| end.to_str())) {
            drivers.push((name.to_owned(), read(&path)?));
        }
    }
    Ok(drivers)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}
