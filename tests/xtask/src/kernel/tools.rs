//! What this needs that a machine with Rust has not got.

use std::process::Command;

use anyhow::{Result, bail};

use super::{Architecture, Options, is_installed};
use crate::process;

/// All that is missing, with the command that brings it.
pub(super) fn all_there(options: &Options) -> Result<()> {
    let mut missing = Vec::new();
    for architecture in &options.architectures {
        let emulator = architecture.emulator();
        if !is_installed(&emulator) {
            let package = match architecture {
                Architecture::X86 => "qemu-system-x86",
                Architecture::Arm => "qemu-system-arm",
            };
            missing.push(format!("`{emulator}`: apt-get install {package}"));
        }
        let compiler = architecture.c_compiler();
        if !options.only_devices && !compiles(compiler) {
            let packages = match architecture {
                Architecture::X86 => "musl-tools",
                Architecture::Arm => "gcc-aarch64-linux-gnu libc6-dev-arm64-cross",
            };
            missing.push(format!("`{compiler}`: apt-get install {packages}"));
        }
        let target = architecture.target();
        if !has_library(&target) {
            missing.push(format!("`{target}`: rustup target add {target}"));
        }
    }
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
