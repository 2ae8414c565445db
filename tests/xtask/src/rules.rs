//! `rules`: which rule is held by which tests, and how those went.
//!
//! What rules there are say the documents; a test belongs to a rule by its
//! name.

mod catalogue;
mod results;
mod verdict;

use std::process::Command;

use anyhow::{Context, Result, bail};

pub(crate) use results::Results;

use crate::workspace::{Selection, Workspace};
use crate::{Outcome, build, guests, process};

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<Outcome> {
    let options = Options::parse(arguments)?;
    let (rules, decisions) = catalogue::read(workspace)?;
    let (results, passed) = match &options.results {
        Some(path) => (read(path)?, true),
        None => run_tests(workspace)?,
    };
    let mut verdict = verdict::Verdict::of(&rules, &decisions, &results);
    if !passed && verdict.failures.is_empty() {
        let failure = "the tests could not be built or run; see the output above";
        verdict.failures.push(failure.to_owned());
    }
    if options.json {
        println!("{}", serde_json::to_string_pretty(&verdict)?);
    } else {
        print!("{}", verdict.table());
        print_failures(&verdict);
        println!("{}", verdict.summary());
    }
    Ok(Outcome::of(verdict.failures.is_empty()))
}

/// The end of `test`, which has run those tests already: true where each
/// rule is held.
pub(crate) fn hold(workspace: &Workspace, results: &Results) -> Result<bool> {
    let (rules, decisions) = catalogue::read(workspace)?;
    let verdict = verdict::Verdict::of(&rules, &decisions, results);
    print_failures(&verdict);
    println!("{}", verdict.summary());
    Ok(verdict.failures.is_empty())
}

fn print_failures(verdict: &verdict::Verdict) {
    for failure in &verdict.failures {
        println!("FAILED: {failure}");
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Options {
    json: bool,
    /// The output of a run of the tests, to be judged instead of running them.
    results: Option<String>,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--json" => options.json = true,
                "--results" => {
                    let path = arguments.next().context(
                        "`--results` needs the file with the output of `cargo xtask test`",
                    )?;
                    options.results = Some(path.clone());
                }
                _ => bail!("unexpected argument `{argument}`; try `cargo xtask rules --json`"),
            }
        }
        Ok(options)
    }
}

fn read(path: &str) -> Result<Results> {
    let output = std::fs::read(path).with_context(|| format!("cannot read `{path}`"))?;
    let mut results = Results::default();
    for line in String::from_utf8_lossy(&output).lines() {
        results.read(line);
    }
    Ok(results)
}

/// Everything that the tests print goes to the standard error, so that the
/// table is alone on the standard output. False where something failed.
fn run_tests(workspace: &Workspace) -> Result<(Results, bool)> {
    if !build::program(workspace)? || guests::build(workspace)? == Outcome::Failed {
        bail!("the build failed, so no test ran; see above");
    }
    let mut results = Results::default();
    let passed = process::passes_with_lines(&mut command(workspace), |line| {
        eprintln!("{line}");
        results.read(line);
    })?;
    Ok((results, passed))
}

fn command(workspace: &Workspace) -> Command {
    let mut command = workspace.cargo("test", Selection::Host);
    command.args(["--no-fail-fast", "--tests", "--"]);
    command.args(results::PREFIXES);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<Options> {
        Options::parse(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn options_come_in_any_order_and_wrong_ones_are_named() {
        let options = parsed(&["--results", "run.txt", "--json"]).unwrap();
        assert_eq!(
            (options.json, options.results.as_deref()),
            (true, Some("run.txt"))
        );
        assert_eq!(parsed(&[]).unwrap(), Options::default());
        for (words, told) in [
            (&["--jsn"][..], "unexpected argument `--jsn`"),
            (&["--results"], "`--results` needs the file"),
        ] {
            let error = parsed(words).unwrap_err().to_string();
            assert!(error.contains(told), "{error}");
        }
    }
}
