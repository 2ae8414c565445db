//! Kinds of machines, and static programs for them.

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{Misuse, process};

/// A kind of machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Architecture {
    X86,
    Arm,
}

impl Architecture {
    pub(crate) const ALL: [Self; 2] = [Self::X86, Self::Arm];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "aarch64",
        }
    }

    pub(crate) fn named(name: &str) -> Result<Self> {
        let mut all = Self::ALL.into_iter();
        match all.find(|architecture| architecture.name() == name) {
            Some(architecture) => Ok(architecture),
            None if name.starts_with("arm") => Err(Misuse::error(format!(
                "`{name}`, 32-bit ARM, is left out: the host's filter of system calls has no form \
                 for it; a Raspberry Pi from the 3 on runs a 64-bit system, which is aarch64"
            ))),
            None => Err(Misuse::error(format!(
                "there is no architecture `{name}`; there are x86_64 and aarch64"
            ))),
        }
    }

    /// Of this machine.
    pub(crate) fn here() -> Result<Self> {
        Self::named(std::env::consts::ARCH)
            .context("archives are made on a machine of one of their own kinds")
    }

    pub(crate) fn target(self) -> String {
        format!("{}-unknown-linux-musl", self.name())
    }

    /// What a C compiler for it is called, for what few lines wasmtime has of it.
    fn c_compiler(self) -> &'static str {
        match self {
            Self::X86 => "musl-gcc",
            Self::Arm => "aarch64-linux-gnu-gcc",
        }
    }

    /// `cargo SUBCOMMAND --release` for static programs, in a folder of their own:
    /// other builds need not wait for these.
    pub(crate) fn cargo(self, workspace: &Workspace, subcommand: &str) -> Command {
        let triple = self.target();
        let lower = triple.replace('-', "_");
        let mut command = process::cargo(&workspace.root);
        command
            .args([subcommand, "--release", "--target", &triple])
            .env("CARGO_TARGET_DIR", folder(workspace))
            .env(format!("CC_{lower}"), self.c_compiler());
        if self == Self::Arm {
            let linker = format!("CARGO_TARGET_{}_LINKER", lower.to_uppercase());
            command.env(linker, "rust-lld");
        }
        command
    }

    /// Where what was built is.
    pub(crate) fn built(self, workspace: &Workspace, name: &str) -> std::path::PathBuf {
        let folder = folder(workspace).join(self.target());
        folder.join("release").join(name)
    }

    /// What a machine with Rust has not got for it, with the commands that bring it.
    pub(crate) fn missing(self, with_c: bool) -> Vec<String> {
        let mut missing = Vec::new();
        let compiler = self.c_compiler();
        if with_c && !compiles(compiler) {
            let packages = match self {
                Self::X86 => "musl-tools",
                Self::Arm => "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
            };
            missing.push(format!("`{compiler}`: apt-get install {packages}"));
        }
        let target = self.target();
        if !has_library(&target) {
            missing.push(format!("`{target}`: rustup target add {target}"));
        }
        missing
    }
}

pub(crate) fn folder(workspace: &Workspace) -> std::path::PathBuf {
    workspace.target.join("kernel")
}

/// An error that names all of it, where something is missing.
pub(crate) fn refuse(missing: &[String]) -> Result<()> {
    if missing.is_empty() {
        return Ok(());
    }
    bail!("this is missing:\n    {}", missing.join("\n    "));
}

/// With the headers that wasmtime's few lines of C name.
fn compiles(compiler: &str) -> bool {
    let mut command = Command::new(compiler);
    command.args(["-E", "-include", "stdint.h", "-x", "c", "/dev/null"]);
    process::output_of(&mut command).is_some()
}

fn has_library(target: &str) -> bool {
    let mut command = Command::new("rustc");
    command.args(["--print", "target-libdir", "--target", target]);
    let folder = process::output_of(&mut command);
    folder.is_some_and(|folder| std::path::Path::new(&folder).is_dir())
}
