//! The mutants, for people: which check is meant for each, and whether it finds it. Run
//! by `cargo xtask mutants`.
#![forbid(unsafe_code)]

use loopgate_integration::mutants::{self, Finding, MUTANTS, With};
use std::io::IsTerminal as _;
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask mutants [--all] [--json] [WORDS]
looks at the mutants whose name or check has the words in it, each with the check that is meant for it;
with --all also with every other one. Example: cargo xtask mutants keeps-its-state";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (options, words): (Vec<_>, Vec<_>) =
        arguments.iter().partition(|word| word.starts_with('-'));
    let (mut with, mut json) = (With::Meant, false);
    for option in options {
        match option.as_str() {
            "--all" => with = With::All,
            "--json" => json = true,
            _ => {
                eprintln!("{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    let wanted = |line: &str| words.iter().all(|word| line.contains(*word));
    let chosen: Vec<_> = MUTANTS
        .iter()
        .filter(|mutant| wanted(&format!("{} {}", mutant.name, mutant.meant)))
        .collect();
    if chosen.is_empty() {
        eprintln!("error: no mutant has these words in its name or its check's\n{USAGE}");
        return ExitCode::from(2);
    }
    let terminal = std::io::stderr().is_terminal();
    let found = mutants::find(&chosen, with, |mutant| {
        if terminal {
            eprint!("\r\x1b[K{}", mutant.name);
        }
    });
    if terminal {
        eprint!("\r\x1b[K");
    }
    let complaints = mutants::complaints();
    let (findings, complaints) = match (found, complaints) {
        (Ok(findings), Ok(complaints)) => (findings, complaints),
        (Err(error), _) | (_, Err(error)) => {
            eprintln!("error: {error}");
            return ExitCode::FAILURE;
        }
    };
    if json {
        let text = serde_json::to_string_pretty(&findings);
        println!("{}", text.expect("it is plain"));
    } else {
        print(&findings);
    }
    for complaint in &complaints {
        eprintln!("error: in the driver without a defect something is found: {complaint}");
    }
    let all = findings.iter().all(|finding| finding.found.is_some());
    if all && complaints.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn print(findings: &[Finding]) {
    let found = findings.iter().filter(|finding| finding.found.is_some());
    print!("{}", mutants::table(findings));
    println!("\n{} of {} found", found.count(), findings.len());
}
