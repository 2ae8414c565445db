//! `shuttle`: the core under chosen schedules.

mod report;

use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::workspace::Workspace;
use crate::{Outcome, process};
use report::Report;

/// How many schedules `cargo xtask test` runs of each scenario.
pub(crate) const FEW: u32 = 2_000;
const MANY: u32 = 100_000;

pub(crate) fn run(workspace: &Workspace, arguments: &[String]) -> Result<Outcome> {
    let mut command = command(workspace, schedules(arguments)?);
    command.args(["--", "--nocapture"]);
    let mut report = Report::default();
    let passed = process::passes_with_lines(&mut command, |line| report.read(line))?;
    print!("{}", report.table());
    Ok(Outcome::of(passed))
}

/// The shuttle tests of the core, each over `schedules` schedules, as many at a
/// time as there are cores.
pub(crate) fn command(workspace: &Workspace, schedules: u32) -> Command {
    let mut command = process::cargo(&workspace.root);
    command
        .args(["test", "--release", "--package=loopgate-workloop"])
        .args(["--features=shuttle", "--test=shuttle"])
        .env("LOOPGATE_SCHEDULES", schedules.to_string());
    command
}

fn schedules(arguments: &[String]) -> Result<u32> {
    let number = match arguments {
        [] => return Ok(MANY),
        [option, number] if option == "--schedules" => number,
        [option] => option
            .strip_prefix("--schedules=")
            .with_context(|| format!("unexpected argument `{option}`; try `--schedules 5000`"))?,
        _ => bail!("expected `--schedules N` and nothing else"),
    };
    match number.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => bail!("`{number}` is not a number of schedules; try `--schedules 5000`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(words: &[&str]) -> Result<u32> {
        schedules(&words.iter().map(ToString::to_string).collect::<Vec<_>>())
    }

    #[test]
    fn the_number_of_schedules_has_a_default_and_two_spellings() {
        assert_eq!(parsed(&[]).unwrap(), MANY);
        assert_eq!(parsed(&["--schedules", "7"]).unwrap(), 7);
        assert_eq!(parsed(&["--schedules=7"]).unwrap(), 7);
    }

    #[test]
    fn a_wrong_number_of_schedules_is_named() {
        for words in [&["--schedules", "0"][..], &["--schedules=x"], &["7"]] {
            let error = parsed(words).unwrap_err().to_string();
            assert!(error.contains("try `--schedules 5000`"), "{error}");
        }
    }
}
