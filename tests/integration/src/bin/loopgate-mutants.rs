//! The mutants, for people: which check is meant for each, and whether it finds it. Run
//! by `cargo xtask mutants`.
#![forbid(unsafe_code)]

use loopgate_integration::mutants::{self, MUTANTS};
use std::io::IsTerminal as _;
use std::process::ExitCode;

const USAGE: &str = "usage: cargo xtask mutants [--json] [WORDS]
looks at the mutants whose name or check has the words in it; example: cargo xtask mutants keeps-its-state";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (options, words): (Vec<_>, Vec<_>) =
        arguments.iter().partition(|word| word.starts_with('-'));
    let json = match options[..] {
        [] => false,
        [option] if option == "--json" => true,
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
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
    let found = mutants::find(&chosen, |mutant| {
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
        print!("{}", mutants::table(&findings));
        let found = findings
            .iter()
            .filter(|finding| finding.found.is_some())
            .count();
        println!(
            "\n{found} of {} found; the driver without a defect conforms: {}",
            findings.len(),
            complaints.is_empty()
        );
    }
    for complaint in &complaints {
        eprintln!("the driver without a defect: {complaint}");
    }
    let all = findings.iter().all(|finding| finding.found.is_some());
    if all && complaints.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
