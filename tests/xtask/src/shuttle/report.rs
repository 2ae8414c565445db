//! Progress and the table, made of what the scenarios print.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

/// What was explored so far.
pub(super) struct Report {
    begun: Instant,
    /// As the test program announces it.
    scenarios: usize,
    rows: BTreeMap<String, Vec<Explored>>,
    failed: Vec<String>,
}

/// One scenario under one scheduler.
struct Explored {
    scheduler: String,
    number: u64,
    millis: u64,
}

/// A half for each scheduler.
const HALVES: usize = 2;

impl Default for Report {
    fn default() -> Self {
        Self {
            begun: Instant::now(),
            scenarios: 0,
            rows: BTreeMap::new(),
            failed: Vec::new(),
        }
    }
}

impl Report {
    /// Takes in a line of the tests' output, and prints what a reader wants of
    /// it: progress, and what is not understood.
    pub(super) fn read(&mut self, line: &str) {
        if let Some((name, explored)) = parse(line) {
            let done = self.rows.values().map(Vec::len).sum::<usize>() + 1;
            println!(
                "[{done}/{}] {name} {} in {}",
                self.scenarios * HALVES,
                explored.scheduler,
                seconds(explored.millis)
            );
            self.rows.entry(name).or_default().push(explored);
        } else if let Some(number) = announced(line) {
            self.scenarios = number;
        } else if let Some(name) = failed(line) {
            println!("FAILED: {name}");
            self.failed.push(name.to_owned());
        } else if !line.trim().is_empty() && !line.ends_with(" ... ok") {
            println!("{line}");
        }
    }

    /// A line for each scenario, and the sums.
    pub(super) fn table(&self) -> String {
        let names = self.rows.keys().chain(&self.failed);
        let width = names.map(String::len).max().unwrap_or(0);
        let mut table = String::from("\n");
        for (name, row) in &self.rows {
            let _ = write!(table, "{name:width$}");
            for half in row {
                let took = seconds(half.millis);
                let (number, scheduler) = (half.number, &half.scheduler);
                let _ = write!(table, "  {number:>8} {scheduler:<6} {took:>9}");
            }
            table.push('\n');
        }
        for name in &self.failed {
            let _ = writeln!(table, "{name:width$}  FAILED; its schedule is above");
        }
        let schedules: u64 = self.rows.values().flatten().map(|half| half.number).sum();
        let took = seconds(self.begun.elapsed().as_millis() as u64);
        let (scenarios, failed) = (self.scenarios, self.failed.len());
        let _ = writeln!(
            table,
            "\n{scenarios} scenarios, {failed} failed, {schedules} schedules in {took}"
        );
        table
    }
}

/// `explored gate::a_close pct 500 schedules in 12 ms`, which a test's name may
/// precede.
fn parse(line: &str) -> Option<(String, Explored)> {
    let (_, rest) = line.split_once("explored ")?;
    let [name, scheduler, number, "schedules", "in", millis, "ms"] =
        rest.split(' ').collect::<Vec<_>>()[..]
    else {
        return None;
    };
    let explored = Explored {
        scheduler: scheduler.to_owned(),
        number: number.parse().ok()?,
        millis: millis.parse().ok()?,
    };
    Some((name.to_owned(), explored))
}

/// `running 20 tests`.
fn announced(line: &str) -> Option<usize> {
    let (number, _) = line.strip_prefix("running ")?.split_once(" test")?;
    number.parse().ok()
}

/// `test gate::a_close ... FAILED`, in the colours of a terminal or not.
fn failed(line: &str) -> Option<&str> {
    let (name, result) = line.strip_prefix("test ")?.split_once(" ... ")?;
    result.contains("FAILED").then_some(name)
}

fn seconds(millis: u64) -> String {
    format!("{}.{} s", millis / 1000, millis % 1000 / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_a_line_for_each_scenario_and_the_sums() {
        let mut report = Report::default();
        for line in [
            "running 2 tests",
            "explored gate::a_close pct 500 schedules in 1234 ms",
            "test gate::a_close ... explored gate::a_close random 500 schedules in 99 ms",
            "test gate::a_close ... ok",
            "test sleep::a_wake ... FAILED",
        ] {
            report.read(line);
        }
        let table = report.table();
        let lines: Vec<&str> = table.trim().lines().collect();
        assert_eq!(
            lines[0],
            "gate::a_close       500 pct        1.2 s       500 random     0.0 s"
        );
        assert!(lines[1].starts_with("sleep::a_wake  FAILED"), "{table}");
        assert!(
            lines[3].starts_with("2 scenarios, 1 failed, 1000 schedules in "),
            "{table}"
        );
    }
}
