//! `fuzz`: what comes from outside, in bytes that nobody would write.

mod arguments;
mod report;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{Misuse, Outcome, guests, process};
use arguments::Arguments;
use report::Report;

const FOLDER: &str = "fuzz";

/// How long one input may take, in seconds, and with how much memory, in MiB.
const TIMEOUT: u32 = 60;
const MEMORY: u32 = 2048;

const NIGHTLY: &str = "rustup toolchain install nightly --profile minimal";
const CARGO_FUZZ: &str = "cargo install cargo-fuzz";

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<Outcome> {
    let Arguments { minutes, target } = Arguments::parse(arguments)?;
    let mut targets = targets(workspace)?;
    if let Some(wanted) = target {
        let known = targets.join("`, `");
        targets.retain(|target| *target == wanted);
        if targets.is_empty() {
            return Err(Misuse::error(format!(
                "there is no target `{wanted}`; there are `{known}`"
            )));
        }
    }
    look_for_tools(workspace)?;
    // The drivers of its boards are those of the tests.
    if guests::build(workspace)? == Outcome::Failed || !build(workspace, &targets)? {
        return Ok(Outcome::Failed);
    }
    println!("{}", Report::HEAD);
    let mut found = false;
    for target in &targets {
        let report = fuzz(workspace, target, minutes)?;
        println!("{}", report.line(target));
        found |= report.has_finding();
    }
    Ok(Outcome::of(!found))
}

/// By their files.
fn targets(workspace: &Workspace) -> Result<Vec<String>> {
    let folder = workspace.root.join(FOLDER).join("fuzz_targets");
    let listed = fs::read_dir(&folder);
    let listed = listed.with_context(|| format!("cannot read `{}`", folder.display()))?;
    let mut targets = Vec::new();
    for entry in listed {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default();
        targets.push(name.to_string_lossy().into_owned());
    }
    targets.sort();
    Ok(targets)
}

fn look_for_tools(workspace: &Workspace) -> Result<()> {
    let mut rustc = Command::new("rustup");
    if process::output_of(rustc.args(["run", "nightly", "rustc", "--version"])).is_none() {
        bail!("a nightly toolchain is missing, which fuzzing needs; `{NIGHTLY}` installs it");
    }
    if process::output_of(cargo_fuzz(workspace).arg("--version")).is_none() {
        bail!("cargo-fuzz is missing; `{CARGO_FUZZ}` installs it");
    }
    Ok(())
}

/// The nightly's own cargo: what cargo told us about the toolchain that we run
/// under must not reach it.
fn cargo_fuzz(workspace: &Workspace) -> Command {
    let mut command = Command::new("rustup");
    command
        .args(["run", "nightly", "cargo", "fuzz"])
        .current_dir(&workspace.root)
        .env_remove("CARGO")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("LD_LIBRARY_PATH");
    command
}

/// Without a sanitizer: the host is safe Rust, and the compiled drivers are
/// none of what a sanitizer sees. As it is shipped otherwise, `cfg(fuzzing)` off.
fn build(workspace: &Workspace, targets: &[String]) -> Result<bool> {
    let mut command = cargo_fuzz(workspace);
    command
        .args(["build", "--fuzz-dir", FOLDER, "--release"])
        .args(["--sanitizer=none", "--no-cfg-fuzzing", "--codegen-units=16"])
        .arg("--target-dir")
        .arg(output(workspace));
    if let [only] = targets {
        command.arg(only);
    }
    process::passes(&mut command)
}

fn output(workspace: &Workspace) -> PathBuf {
    workspace.target.join(FOLDER)
}

/// Runs one target; what is new in its corpus stays in the target directory.
fn fuzz(workspace: &Workspace, target: &str, minutes: u64) -> Result<Report> {
    let folder = output(workspace).join("run").join(target);
    let (corpus, findings) = (folder.join("corpus"), folder.join("findings"));
    for folder in [&corpus, &findings] {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create `{}`", folder.display()))?;
    }
    let before = files(&findings)?;
    let log = folder.join("log");
    let mut command = Command::new(program(workspace, target)?);
    command
        .arg(&corpus)
        .arg(workspace.root.join(FOLDER).join("corpus").join(target))
        .arg(format!("-max_total_time={}", minutes * 60))
        .arg(format!("-timeout={TIMEOUT}"))
        .arg(format!("-rss_limit_mb={MEMORY}"))
        .arg(format!("-artifact_prefix={}/", findings.display()))
        // Slow targets would stay with inputs of a few bytes for hours.
        .arg("-len_control=0")
        .arg("-print_final_stats=1")
        .current_dir(&workspace.root)
        // Not a folder: what is only looked at is not kept.
        .env("XDG_CACHE_HOME", "/dev/null")
        .env("RUST_BACKTRACE", "1")
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).context("cannot write the fuzzer's log")?);
    let status = command.status();
    let status = status.with_context(|| format!("cannot run the target `{target}`"))?;
    let text = fs::read(&log).context("cannot read the fuzzer's log")?;
    let mut found = files(&findings)?;
    found.retain(|file| !before.contains(file));
    Ok(Report::new(
        status.success(),
        &String::from_utf8_lossy(&text),
        found,
        log,
    ))
}

/// cargo-fuzz names the machine.
fn program(workspace: &Workspace, target: &str) -> Result<PathBuf> {
    let machine = process::output_of(Command::new("rustc").args(["--print", "host-tuple"]));
    let machine = machine.context("cannot run `rustc --print host-tuple`")?;
    let folder = output(workspace).join(machine).join("release");
    Ok(folder.join(target))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let listed = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    listed.collect()
}
