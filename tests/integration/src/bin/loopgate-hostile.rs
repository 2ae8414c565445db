//! The hostile corpus, for people: each attempt, its verdict, and how late the
//! neighbours were. Run by `cargo xtask hostile`.
#![forbid(unsafe_code)]

use loopgate_integration::hostile::corpus::corpus;
use loopgate_integration::hostile::run::{Neighbour, Report, run};
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::Duration;

const USAGE: &str = "usage: cargo xtask hostile [--json] [WORDS]
runs the attempts whose name has the words in it; example: cargo xtask hostile hostile_raw";

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
    let reports = all(&words);
    if reports.is_empty() {
        eprintln!("error: no attempt has these words in its name\n{USAGE}");
        return ExitCode::from(2);
    }
    if json {
        println!(
            "{}",
            serde_json::to_string_pretty(&reports).expect("it is plain")
        );
    } else {
        print(&reports);
    }
    if reports.iter().all(is_well) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn all(words: &[&String]) -> Vec<Report> {
    let mut attempts = corpus();
    attempts.retain(|attempt| words.iter().all(|word| attempt.name().contains(*word)));
    let progress = std::io::stderr().is_terminal();
    let mut reports = Vec::new();
    for attempt in &attempts {
        if progress {
            eprint!(
                "\r\x1b[K{} of {}: {}",
                reports.len() + 1,
                attempts.len(),
                attempt.name()
            );
        }
        reports.push(run(attempt));
    }
    if progress {
        eprint!("\r\x1b[K");
    }
    reports
}

/// Verdict and neighbours, and nobody was later than rule 13 allows.
fn is_well(report: &Report) -> bool {
    report.is_well() && report.is_in_time()
}

fn print(reports: &[Report]) {
    println!(
        "{:<44} {:>10} {:>10} {:>6}  {:<6}  verdict",
        "attempt", "same loop", "other loop", "missed", ""
    );
    for report in reports {
        println!(
            "{:<44} {:>10} {:>10} {:>6}  {:<6}  {}",
            report.attempt,
            worst(&report.same),
            worst(&report.apart),
            report.same.missed + report.apart.missed,
            if is_well(report) { "ok" } else { "FAILED" },
            cut(&report.verdict),
        );
    }
    let edges: u64 = reports.iter().map(|report| report.edges).sum();
    let missed: u64 = reports
        .iter()
        .map(|report| report.same.missed + report.apart.missed)
        .sum();
    let failed = reports.iter().filter(|report| !is_well(report)).count();
    let late = |which: fn(&Report) -> &Neighbour| {
        let latest = reports
            .iter()
            .map(which)
            .max_by_key(|neighbour| neighbour.worst_ns);
        latest.map(worst).unwrap_or_default()
    };
    println!(
        "\n{} attempts, {failed} failed; {} edges for the neighbours, {missed} missed; \
         worst delay on the same loop {}, where rule 13 allows {} ms; on another {}",
        reports.len(),
        2 * edges,
        late(|report| &report.same),
        reports
            .iter()
            .map(|report| report.bound_ns)
            .max()
            .unwrap_or(0)
            / 1_000_000,
        late(|report| &report.apart),
    );
}

fn worst(neighbour: &Neighbour) -> String {
    let worst = Duration::from_nanos(neighbour.worst_ns);
    format!("{:.2} ms", worst.as_secs_f64() * 1e3)
}

fn cut(text: &str) -> String {
    text.chars().take(100).collect()
}
