//! What is in an archive.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use super::archive::{File, Files};
use super::{board, licences};
use crate::architecture::Architecture;
use crate::workspace::Workspace;
use crate::{Outcome, guests, process};

/// Beside program, board and drivers: what it is called there, and in the repository.
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

/// Nothing where the compiler fails.
pub(super) fn gather(workspace: &Workspace, target: Architecture) -> Result<Option<Files>> {
    let here = Architecture::here()?;
    // First, since it takes a moment to see that one is missing.
    let licences = [
        (
            "LICENSES-OF-OTHERS",
            licences::text(workspace, target)?.into(),
        ),
        ("LICENSES-OF-RUST.html", licences::of_rust()?),
    ];
    let built = program(workspace, target, here)? && program(workspace, here, here)?;
    if !built || guests::build(workspace)? == Outcome::Failed {
        return Ok(None);
    }
    let mut files = Files::new();
    let program = read(&target.built(workspace, "loopgate"))?;
    files.insert("loopgate".to_owned(), File::program(program));
    for (name, from) in FILES {
        let bytes = read(&workspace.root.join(from))?;
        files.insert(name.to_owned(), File::new(bytes));
    }
    for (name, text) in licences {
        files.insert(name.to_owned(), File::new(text));
    }
    for (name, bytes) in components(workspace)? {
        files.insert(format!("drivers/{name}"), File::new(bytes));
    }
    let compiler = here.built(workspace, "loopgate");
    add_board(workspace, &compiler, target, &mut files)?;
    Ok(Some(files))
}

/// Its own symbols are left out, so that nothing else is built anew for that. The one
/// for machines like this compiles drivers for the others.
fn program(workspace: &Workspace, target: Architecture, here: Architecture) -> Result<bool> {
    // Chosen alone, so that its features are what a user's are.
    let mut command = target.cargo(workspace, "rustc");
    command.args(["--package=loopgate-cli", "--bin=loopgate"]);
    if target == here {
        command.arg("--features=all-targets");
    }
    process::passes(command.args(["--", "-C", "strip=symbols"]))
}

/// The samples, by their files' names.
fn components(workspace: &Workspace) -> Result<Vec<(String, Vec<u8>)>> {
    let folder = drivers(workspace);
    let entries = folder
        .read_dir()
        .with_context(|| format!("cannot read `{}`", folder.display()))?;
    let mut components = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let (Some(name), Some("wasm")) = (name, path.extension().and_then(|end| end.to_str())) {
            components.push((name.to_owned(), read(&path)?));
        }
    }
    Ok(components)
}

fn drivers(workspace: &Workspace) -> PathBuf {
    workspace.target.join("drivers")
}

/// The board, and its drivers compiled.
fn add_board(
    workspace: &Workspace,
    compiler: &Path,
    target: Architecture,
    files: &mut Files,
) -> Result<()> {
    let text = read(&workspace.root.join(BOARD))?;
    let text = String::from_utf8(text).with_context(|| format!("cannot read `{BOARD}`"))?;
    let folder = tempfile::tempdir().context("no folder for compiled drivers")?;
    let mut digests = BTreeMap::new();
    for name in board::drivers(&text) {
        let component = drivers(workspace).join(format!("{name}.wasm"));
        let code = folder.path().join(name);
        let mut command = Command::new(compiler);
        command.arg("compile").arg(component);
        command.args(["--json", "--target", &target.target(), "-o"]);
        digests.insert(name, digest(command.arg(&code))?);
        files.insert(format!("drivers/{name}.cwasm"), File::new(read(&code)?));
    }
    let text = board::with_digests(&text, &digests)?;
    files.insert("board.toml".to_owned(), File::new(text.into()));
    Ok(())
}

/// What a compilation says.
#[derive(Deserialize)]
struct Compiled {
    sha256: String,
}

fn digest(command: &mut Command) -> Result<String> {
    process::announce(command);
    let output = command.output().context("cannot run the program")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr).trim());
    }
    let compiled: Compiled = serde_json::from_slice(&output.stdout)
        .context("cannot read what `loopgate compile` says")?;
    Ok(compiled.sha256)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}
