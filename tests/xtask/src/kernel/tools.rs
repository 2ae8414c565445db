//! What this needs that a machine with Rust has not got.

use std::process::Command;

use anyhow::Result;

use super::Options;
use crate::architecture::{self, Architecture};
use crate::{dist, process};

/// An error that names all that is missing, with the command that brings it.
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
        if options.only_devices {
            missing.extend(architecture.missing(false));
        }
    }
    if !options.only_devices {
        missing.extend(dist::missing(&options.architectures)?);
    }
    architecture::refuse(&missing)
}

/// Whether a program is there.
fn is_installed(program: &str) -> bool {
    let mut command = Command::new(program);
    process::output_of(command.arg("--version")).is_some()
}
