//! The project's own commands: `cargo xtask demo | build | test | check | ...`.
//!
//! One module a command. `workspace` knows what there is, `process` runs it,
//! `guests` turns drivers into components.
#![forbid(unsafe_code)]

mod architecture;
mod bench;
mod board_reference;
mod build;
mod check;
mod check_reference;
mod contract_reference;
mod demo;
mod determinism;
mod dist;
mod fuzz;
mod generated;
mod guests;
mod kernel;
mod miri;
mod process;
mod rules;
mod shuttle;
mod test;
mod workspace;

use std::process::ExitCode;

use anyhow::Result;
use workspace::Workspace;

/// A command, as `help` and the README show it.
struct Task {
    usage: &'static str,
    about: &'static str,
    run: fn(&Workspace, &[String]) -> Result<Outcome>,
}

/// Whether the thing that was asked for came out well.
///
/// An error is for what kept a command from finding out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
}

const TASKS: &[Task] = &[
    Task {
        usage: "demo",
        about: "builds everything and shows what Loopgate does, in about ten seconds",
        run: demo::run,
    },
    Task {
        usage: "build",
        about: "the program, the sample drivers and the test guests, as release builds",
        run: build::run,
    },
    Task {
        usage: "test",
        about: "every test but the long ones: host, samples, a few thousand schedules, integration",
        run: test::run,
    },
    Task {
        usage: "bench [--json]",
        about: "the benchmarks, as ratios; further arguments go to them",
        run: bench::run,
    },
    Task {
        usage: "hostile [--json] [WORDS]",
        about: "what becomes of each hostile driver, and how late its neighbours are",
        run: bench::hostile,
    },
    Task {
        usage: "mutants [--all] [--json] [WORDS]",
        about: "which seeded defects the conformance kit finds, each with the check meant for it",
        run: bench::mutants,
    },
    Task {
        usage: "kernel [--arch NAME] [--json]",
        about: "the device suite and the program on kernels with simulated GPIO, under QEMU",
        run: kernel::run,
    },
    Task {
        usage: "dist [--target NAME] [--json]",
        about: "archives for aarch64 (a Raspberry Pi) and x86_64: static program, drivers, unit file",
        run: dist::run,
    },
    Task {
        usage: "determinism [--runs N] [DRIVER]",
        about: "one seed, one trace: N runs of each sample, here and for arm64 under QEMU (user mode)",
        run: determinism::run,
    },
    Task {
        usage: "rules [--json]",
        about: "which rule is held by which tests; `--results FILE` judges what `test` printed",
        run: rules::run,
    },
    Task {
        usage: "check",
        about: "format, lints, documentation, layering, features, unsafe code, freshness",
        run: check::run,
    },
    Task {
        usage: "generate",
        about: "rewrites the generated parts of the documentation",
        run: generated::run,
    },
    Task {
        usage: "shuttle [--schedules N]",
        about: "the core under chosen thread schedules, 100000 of each scenario unless N says otherwise",
        run: shuttle::run,
    },
    Task {
        usage: "miri",
        about: "the work-loop core's tests under Miri (needs a nightly toolchain)",
        run: miri::run,
    },
    Task {
        usage: "fuzz --minutes N [--target T]",
        about: "bytes that nobody would write, N minutes for each target (needs cargo-fuzz and a nightly)",
        run: fuzz::run,
    },
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some((name, rest)) = arguments.split_first() else {
        eprint!("{}", help());
        return ExitCode::from(2);
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        print!("{}", help());
        return ExitCode::SUCCESS;
    }
    let Some(task) = TASKS.iter().find(|task| task.name() == name) else {
        eprint!("error: there is no command `{name}`\n\n{}", help());
        return ExitCode::from(2);
    };
    match Workspace::load().and_then(|workspace| (task.run)(&workspace, rest)) {
        Ok(Outcome::Passed) => ExitCode::SUCCESS,
        Ok(Outcome::Failed) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            if error.is::<Misuse>() {
                ExitCode::from(2)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

/// An error of whoever asked.
#[derive(Debug)]
struct Misuse(String);

impl Misuse {
    fn error(what: impl Into<String>) -> anyhow::Error {
        Self(what.into()).into()
    }
}

impl std::fmt::Display for Misuse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Misuse {}

impl Task {
    fn name(&self) -> &'static str {
        self.usage.split(' ').next().unwrap_or_default()
    }
}

impl Outcome {
    fn of(passed: bool) -> Self {
        if passed { Self::Passed } else { Self::Failed }
    }
}

/// One line a command; the README shows the same text.
fn help() -> String {
    let width = TASKS.iter().map(|task| task.usage.len()).max().unwrap_or(0);
    let lines = TASKS
        .iter()
        .map(|task| format!("cargo xtask {:width$}  {}\n", task.usage, task.about));
    lines.collect::<Vec<_>>().concat()
}

fn no_arguments(arguments: &[String]) -> Result<()> {
    match arguments.first() {
        None => Ok(()),
        Some(argument) => Err(Misuse::error(format!(
            "unexpected argument `{argument}`: this command takes none"
        ))),
    }
}
