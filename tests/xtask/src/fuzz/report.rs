//! What a run of a target came to, from what the fuzzer prints.

use std::fmt::Write as _;
use std::path::PathBuf;

pub(super) struct Report {
    passed: bool,
    executions: u64,
    a_second: u64,
    memory: u64,
    findings: Vec<PathBuf>,
    log: PathBuf,
}

impl Report {
    pub(super) const HEAD: &'static str = "target         executions  a second  peak MiB  findings";

    pub(super) fn new(passed: bool, text: &str, findings: Vec<PathBuf>, log: PathBuf) -> Self {
        Self {
            passed,
            executions: stat(text, "number_of_executed_units"),
            a_second: stat(text, "average_exec_per_sec"),
            memory: stat(text, "peak_rss_mb"),
            findings,
            log,
        }
    }

    /// A fuzzer that fails without one has found that it cannot run.
    pub(super) fn has_finding(&self) -> bool {
        !self.passed || !self.findings.is_empty()
    }

    pub(super) fn line(&self, target: &str) -> String {
        let Self {
            executions,
            a_second,
            memory,
            findings,
            ..
        } = self;
        let mut line = format!(
            "{target:<13}{executions:>12}{a_second:>10}{memory:>10}{:>10}",
            findings.len()
        );
        for finding in findings {
            let _ = write!(line, "\n    {}", finding.display());
        }
        if self.has_finding() {
            let _ = write!(line, "\n    how it came about: {}", self.log.display());
        }
        line
    }
}

/// `stat::NAME: VALUE`, on a line of its own.
fn stat(text: &str, name: &str) -> u64 {
    let value = text.lines().find_map(|line| {
        let (found, value) = line.strip_prefix("stat::")?.split_once(':')?;
        (found == name).then_some(value)
    });
    value
        .and_then(|value| value.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "INFO: seed corpus\nDone 12 runs in 3 second(s)\n\
        stat::number_of_executed_units: 12345\nstat::average_exec_per_sec:     411\n\
        stat::peak_rss_mb:              87\n";

    #[test]
    fn the_fuzzer_s_own_counts_are_shown() {
        let report = Report::new(true, TEXT, Vec::new(), PathBuf::from("log"));
        assert!(!report.has_finding());
        let line = report.line("sr");
        let columns: Vec<_> = line.split_whitespace().collect();
        assert_eq!(columns, ["sr", "12345", "411", "87", "0"]);
        assert_eq!(line.len(), Report::HEAD.len());
    }

    #[test]
    fn a_finding_is_named_with_the_log() {
        let report = Report::new(false, TEXT, vec![PathBuf::from("crash-1")], "log".into());
        assert!(report.has_finding());
        assert!(
            report
                .line("sr")
                .ends_with("\n    crash-1\n    how it came about: log")
        );
        assert!(Report::new(false, "", Vec::new(), "log".into()).has_finding());
    }
}
