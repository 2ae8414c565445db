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

use crate::Outcome;
use crate::architecture::Architecture;
use crate::workspace::Workspace;
use options::Options;
use results::Results;

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
}
