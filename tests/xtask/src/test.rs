//! `test`: what must pass before a change goes in.

use std::process::Command;
use std::time::Instant;

use anyhow::Result;

use crate::workspace::{Selection, Workspace};
use crate::{Outcome, build, guests, no_arguments, process, rules, shuttle};

/// Recordings of real hardware, beside the repository.
const RECORDINGS: &str = "../shared/data";

/// Decodes what was recorded, to compare with what drivers made of it.
const REFERENCE: &str = "sigrok-cli";

/// Everything runs, also after a failure; the summary names what failed.
pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<Outcome> {
    no_arguments(arguments)?;
    let began = Instant::now();
    // Integration tests run the program and the guests: without them every
    // later failure would only hide the first.
    if !build::program(workspace)? || guests::build(workspace)? == Outcome::Failed {
        println!("\nFAILED: the build, so no test ran");
        return Ok(Outcome::Failed);
    }
    let mut summary = Summary::default();
    summary.run("the host's tests", tests(workspace, Selection::Host))?;
    summary.run(
        "the guests' native tests",
        tests(workspace, Selection::Guests),
    )?;
    summary.run("the tests of xtask", tests(workspace, Selection::Xtask))?;
    let mut schedules = shuttle::command(workspace, shuttle::FEW);
    schedules.arg("--no-fail-fast");
    summary.run("the core under shuttle", schedules)?;
    summary.hold_rules(workspace)?;
    summary.print(workspace, began);
    Ok(Outcome::of(summary.failures.is_empty()))
}

/// Unit, integration and documentation tests.
fn tests(workspace: &Workspace, selection: Selection) -> Command {
    let mut command = workspace.cargo("test", selection);
    command.arg("--no-fail-fast");
    command
}

#[derive(Default)]
struct Summary {
    passed: u64,
    failed: u64,
    ignored: u64,
    failures: Vec<&'static str>,
    results: rules::Results,
}

impl Summary {
    fn run(&mut self, what: &'static str, mut command: Command) -> Result<()> {
        let each = |line: &str| {
            println!("{line}");
            self.read(line);
        };
        if !process::passes_with_lines(&mut command, each)? {
            self.failures.push(what);
        }
        Ok(())
    }

    fn hold_rules(&mut self, workspace: &Workspace) -> Result<()> {
        println!();
        if !rules::hold(workspace, &self.results)? {
            self.failures.push("the rules");
        }
        Ok(())
    }

    fn read(&mut self, line: &str) {
        self.results.read(line);
        let Some((_, counts)) = line.split_once("test result: ") else {
            return;
        };
        self.passed += count(counts, " passed");
        self.failed += count(counts, " failed");
        self.ignored += count(counts, " ignored");
    }

    fn print(&self, workspace: &Workspace, began: Instant) {
        println!("\n{}", self.line(began.elapsed().as_secs()));
        // The test harness hides what a passing test prints, so that a test
        // which skipped itself cannot say so.
        if !workspace.root.join(RECORDINGS).exists() {
            println!("SKIPPED: what reads real recordings, since `{RECORDINGS}` is absent");
        }
        if Command::new(REFERENCE).arg("--version").output().is_err() {
            println!("SKIPPED: what compares with `{REFERENCE}`, since it is not installed");
        }
        for failure in &self.failures {
            println!("FAILED: {failure} (see above)");
        }
    }

    fn line(&self, seconds: u64) -> String {
        let verdict = if self.failures.is_empty() {
            "ok"
        } else {
            "FAILED"
        };
        let Self {
            passed,
            failed,
            ignored,
            ..
        } = self;
        format!(
            "all tests: {verdict}. {passed} passed, {failed} failed, {ignored} ignored, in {seconds} s"
        )
    }
}

/// The number before `word` in `ok. 3 passed; 0 failed; ...`, where the
/// colours of a terminal may surround it.
fn count(counts: &str, word: &str) -> u64 {
    let Some((before, _)) = counts.split_once(word) else {
        return 0;
    };
    let digits = before.rsplit(|c: char| !c.is_ascii_digit()).next();
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_add_up_with_and_without_colours() {
        let mut summary = Summary::default();
        summary.read("test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured");
        summary.read("test result: \u{1b}[31mFAILED\u{1b}[0m. 3 passed; 2 failed; 0 ignored");
        summary.read("test gate::result ... ok");
        assert_eq!(
            (summary.passed, summary.failed, summary.ignored),
            (15, 2, 1)
        );
    }

    #[test]
    fn the_verdict_follows_the_commands_not_the_counts() {
        let mut summary = Summary {
            passed: 1,
            ..Summary::default()
        };
        assert!(summary.line(0).starts_with("all tests: ok. 1 passed"));
        summary.failures.push("the core under shuttle");
        assert!(summary.line(0).starts_with("all tests: FAILED."));
    }
}
