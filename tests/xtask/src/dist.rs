//! `dist`: what is put on a machine that has no Rust, as one archive for each
//! kind of machine.

mod archive;
mod board;
mod contents;
mod licences;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::architecture::{self, Architecture};
use crate::workspace::Workspace;
use crate::{Misuse, Outcome};

/// An archive that was made.
#[derive(Serialize)]
pub(crate) struct Made {
    target: &'static str,
    pub(crate) path: PathBuf,
    bytes: usize,
    sha256: String,
}

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<Outcome> {
    let options = Options::read(arguments)?;
    architecture::refuse(&missing(&options.targets)?)?;
    let mut all = Vec::new();
    for &target in &options.targets {
        let Some(made) = make(workspace, target)? else {
            return Ok(Outcome::Failed);
        };
        if !options.json {
            let path = workspace.relative(&made.path);
            println!("{path}: {} bytes, sha256 {}", made.bytes, made.sha256);
        }
        all.push(made);
    }
    if options.json {
        println!("{}", serde_json::to_string(&all)?);
    }
    Ok(Outcome::Passed)
}

/// What archives for these need and is not there.
pub(crate) fn missing(targets: &[Architecture]) -> Result<Vec<String>> {
    let needed = needed(targets, Architecture::here()?);
    let missing = needed.iter().flat_map(|target| target.missing(true));
    Ok(missing.collect())
}

/// What is built for: a program for machines like this one compiles the drivers.
fn needed(targets: &[Architecture], here: Architecture) -> Vec<Architecture> {
    let mut needed = targets.to_vec();
    if !needed.contains(&here) {
        needed.push(here);
    }
    needed
}

/// Nothing where the compiler fails.
pub(crate) fn make(workspace: &Workspace, target: Architecture) -> Result<Option<Made>> {
    let Some(contents) = contents::gather(workspace, target)? else {
        return Ok(None);
    };
    let name = format!("loopgate-{}-{}", env!("CARGO_PKG_VERSION"), target.name());
    let path = workspace.target.join(format!("dist/{name}.tar.gz"));
    eprintln!("packing {}", workspace.relative(&path));
    let bytes = archive::packed(&name, &contents).context("cannot pack the archive")?;
    path.parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(&path, &bytes))
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(Some(Made {
        target: target.name(),
        path,
        bytes: bytes.len(),
        sha256: hex(&Sha256::digest(&bytes)),
    }))
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

struct Options {
    targets: Vec<Architecture>,
    json: bool,
}

impl Options {
    fn read(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            targets: Architecture::ALL.to_vec(),
            json: false,
        };
        let mut words = arguments.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--json" => options.json = true,
                "--target" => {
                    let name = words.next();
                    let name = name.ok_or_else(|| Misuse::error("`--target` needs a value"))?;
                    options.targets = vec![Architecture::named(name)?];
                }
                _ => {
                    return Err(Misuse::error(format!(
                        "unexpected argument `{word}`; try `--target aarch64`"
                    )));
                }
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Options> {
        Options::read(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn all_targets_unless_one_is_named() {
        assert_eq!(read(&[]).unwrap().targets, Architecture::ALL);
        let options = read(&["--json", "--target", "aarch64"]).unwrap();
        assert_eq!(options.targets, [Architecture::Arm]);
        assert!(options.json);
    }

    #[test]
    fn this_machines_own_kind_is_needed_besides() {
        let (x86, arm) = (Architecture::X86, Architecture::Arm);
        assert_eq!(needed(&[arm], x86), [arm, x86]);
        assert_eq!(needed(&Architecture::ALL, x86), Architecture::ALL);
    }

    #[test]
    fn mistakes_are_named() {
        for (words, said) in [
            (&["--target", "sparc"][..], "no architecture `sparc`"),
            (&["--target", "armv7"], "a 64-bit system, which is aarch64"),
            (&["--target"], "needs a value"),
            (&["aarch64"], "unexpected argument `aarch64`"),
        ] {
            let error = read(words).err().unwrap();
            assert!(error.is::<Misuse>() && error.to_string().contains(said));
        }
    }
}
