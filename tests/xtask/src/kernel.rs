//! `kernel`: the device suite, and the program, on kernels with simulated GPIO
//! chips under QEMU. `tests/devices/KERNEL.md` says how the kernels are made.

mod archive;
mod build;
mod machine;
mod options;
mod peer;
mod results;
mod tools;

use anyhow::Result;

use crate::workspace::Workspace;
use crate::{Outcome, process};
use options::Options;
use results::Results;

/// A kind of machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Architecture {
    X86,
    Arm,
}

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<Outcome> {
    let options = Options::read(arguments)?;
    let kernels = tools::all_there(&options).and_then(|()| options.kernels(workspace));
    let kernels = match kernels {
        Ok(kernels) => kernels,
        Err(missing) if options.if_possible => {
            println!("SKIPPED: devices on a kernel: {missing}");
            return Ok(Outcome::Passed);
        }
        Err(missing) => return Err(missing),
    };
    let mut all = Vec::new();
    for (architecture, kernel) in kernels {
        let files = build::files(workspace, architecture, &options)?;
        let results = match files {
            Some(files) => machine::run(workspace, architecture, &kernel, &files)?,
            None => Results::not_built(),
        };
        eprint!("{}", results.table(architecture.name()));
        all.push((architecture.name(), results));
    }
    if options.json {
        println!("{}", results::json(&all));
    }
    let passed = all.iter().all(|(_, results)| results.passed());
    Ok(Outcome::of(passed))
}

impl Architecture {
    const ALL: [Self; 2] = [Self::X86, Self::Arm];

    fn name(self) -> &'static str {
        match self {
            Self::X86 => "x86_64",
            Self::Arm => "aarch64",
        }
    }

    fn target(self) -> String {
        format!("{}-unknown-linux-musl", self.name())
    }

    fn emulator(self) -> String {
        format!("qemu-system-{}", self.name())
    }

    /// As `../shared/kernel` names it.
    fn image(self) -> &'static str {
        match self {
            Self::X86 => "bzImage-x86_64",
            Self::Arm => "Image-arm64",
        }
    }

    /// What a C compiler for it is called, for what few lines wasmtime has of it.
    fn c_compiler(self) -> &'static str {
        match self {
            Self::X86 => "musl-gcc",
            Self::Arm => "aarch64-linux-gnu-gcc",
        }
    }
}

/// Whether a program is there.
fn is_installed(program: &str) -> bool {
    let mut command = std::process::Command::new(program);
    process::output_of(command.arg("--version")).is_some()
}
