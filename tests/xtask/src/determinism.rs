//! `determinism`: the same component, board and seed give the same trace, on another kind of
//! processor as well (rule 17).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::architecture::{self, Architecture};
use crate::workspace::{Selection, Workspace};
use crate::{Misuse, Outcome, guests, process};

/// Runs of each driver unless it is said how many.
const RUNS: u32 = 100;

/// What runs programs for the other one, by Debian's name.
const EMULATOR: &str = "qemu-aarch64-static";

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<Outcome> {
    let (runs, drivers) = options(arguments)?;
    if Architecture::here()? != Architecture::X86 {
        bail!("this compares an x86-64 machine with an emulated arm64");
    }
    let mut missing = Architecture::Arm.missing(true);
    if process::output_of(Command::new(EMULATOR).arg("--version")).is_none() {
        missing.push(format!("`{EMULATOR}`: apt-get install qemu-user-static"));
    }
    architecture::refuse(&missing)?;
    let mut here = workspace.cargo("build", Selection::Host);
    let mut there = Architecture::Arm.cargo(workspace, "rustc");
    there.args([
        "--package=loopgate-cli",
        "--bin=loopgate",
        "--",
        "-C",
        "strip=symbols",
    ]);
    if !process::passes(&mut here)?
        || guests::build(workspace)? == Outcome::Failed
        || !process::passes(&mut there)?
    {
        return Ok(Outcome::Failed);
    }
    let programs = [
        ("x86-64", vec![workspace.target.join("release/loopgate")]),
        (
            "arm64",
            vec![
                PathBuf::from(EMULATOR),
                Architecture::Arm.built(workspace, "loopgate"),
            ],
        ),
    ];
    let mut outcome = Outcome::Passed;
    for folder in folders(workspace, &drivers)? {
        if !compare(workspace, &folder, &programs, runs)? {
            outcome = Outcome::Failed;
        }
    }
    Ok(outcome)
}

fn options(arguments: &[String]) -> Result<(u32, Vec<String>)> {
    let mut runs = RUNS;
    let mut drivers = Vec::new();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--runs" {
            let count = arguments.next().and_then(|count| count.parse().ok());
            runs = count.ok_or_else(|| Misuse::error("`--runs` is followed by a number"))?;
        } else {
            drivers.push(argument.clone());
        }
    }
    Ok((runs, drivers))
}

/// Of the samples, those that are named, or all.
fn folders(workspace: &Workspace, drivers: &[String]) -> Result<Vec<PathBuf>> {
    let samples = workspace.root.join("sample-drivers");
    let mut folders = Vec::new();
    for entry in samples
        .read_dir()
        .context("cannot read the sample drivers")?
    {
        let folder = entry?.path();
        let name = name(&folder);
        if folder.join("conform").is_dir() && (drivers.is_empty() || drivers.contains(&name)) {
            folders.push(folder);
        }
    }
    if folders.is_empty() {
        return Err(Misuse::error("no sample driver has that name"));
    }
    folders.sort();
    Ok(folders)
}

fn name(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Whether all runs of one driver are the same.
fn compare(
    workspace: &Workspace,
    folder: &Path,
    programs: &[(&str, Vec<PathBuf>)],
    runs: u32,
) -> Result<bool> {
    let name = name(folder);
    let component = format!("{}.wasm", name.replace('-', "_"));
    let component = workspace.target.join("drivers").join(component);
    let mut traces = BTreeMap::<String, BTreeMap<&str, u32>>::new();
    for (machine, program) in programs {
        for _ in 0..runs {
            let mut command = Command::new(&program[0]);
            command.args(&program[1..]).arg("conform").arg(&component);
            command.arg("--scenario").arg(folder.join("conform"));
            // The trace is of all that the checks begin with; they need not be run.
            command.args(["--check=starts", "--seed=7", "--json"]);
            let output = process::output_of(&mut command);
            let output = output.with_context(|| format!("`{name}` does not run on {machine}"))?;
            let report: serde_json::Value = serde_json::from_str(&output)?;
            let trace = report["trace"].as_str().context("a report has a trace")?;
            *traces
                .entry(trace.to_owned())
                .or_default()
                .entry(machine)
                .or_default() += 1;
        }
    }
    for (trace, runs) in &traces {
        let runs: Vec<_> = runs
            .iter()
            .map(|(machine, runs)| format!("{runs} on {machine}"))
            .collect();
        println!(
            "{name:<18} {}  {}",
            &trace[..16.min(trace.len())],
            runs.join(", ")
        );
    }
    Ok(traces.len() == 1)
}
