//! What a machine said of its cases.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::{Value, json};

#[derive(Default)]
pub(super) struct Results {
    reports: Vec<Value>,
    /// Said beside the cases.
    measured: Vec<Value>,
    done: bool,
    /// What kept it from its end.
    pub(super) end: Option<String>,
    pub(super) took: Duration,
    /// Where all is that it printed.
    pub(super) console: Option<String>,
}

impl Results {
    pub(super) fn not_built() -> Self {
        Self {
            end: Some("its programs cannot be built".to_owned()),
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, said: Value) {
        if said["done"] == true {
            self.done = true;
        } else if let Some(error) = said["error"].as_str() {
            self.end = Some(error.to_owned());
        } else if said["measured"].is_string() {
            self.measured.push(said);
        } else {
            self.reports.push(said);
        }
    }

    pub(super) fn passed(&self) -> bool {
        let failed = |report: &Value| report["result"] == "failed";
        self.done && self.end.is_none() && !self.reports.iter().any(failed)
    }

    /// Which cases ran where, a table for each kind of device.
    pub(super) fn table(&self, machine: &str) -> String {
        let mut text = String::new();
        let mut kinds = Vec::new();
        for report in &self.reports {
            let kind = split(report).0;
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        for kind in kinds {
            self.add_table(&mut text, kind);
        }
        for report in &self.reports {
            if let ("failed", Some(cause)) = (string(report, "result"), report["cause"].as_str()) {
                let (bench, case) = (string(report, "bench"), string(report, "case"));
                let _ = writeln!(text, "\nFAILED: {bench}: {case}: {cause}");
            }
        }
        for measured in &self.measured {
            let (number, unit) = match &measured["kib"] {
                Value::Null => (&measured["milliseconds"], "ms"),
                kib => (kib, "KiB"),
            };
            let _ = writeln!(text, "\n{}: {number} {unit}", string(measured, "measured"));
        }
        let cause = match (&self.end, self.done) {
            (Some(cause), _) => format!(": {cause}"),
            (None, false) => ": the machine ended before its last case".to_owned(),
            (None, true) => String::new(),
        };
        let verdict = if self.passed() { "ok" } else { "FAILED" };
        let seconds = self.took.as_secs();
        let count = |result: &str| {
            let same = |report: &&Value| report["result"] == result;
            self.reports.iter().filter(same).count()
        };
        let _ = writeln!(
            text,
            "\n{machine}: {verdict}{cause}. {} passed, {} failed, {} skipped, in {seconds} s",
            count("passed"),
            count("failed"),
            count("skipped"),
        );
        if let (false, Some(console)) = (self.passed(), &self.console) {
            let _ = writeln!(text, "    its console: {console}");
        }
        text
    }

    fn add_table(&self, text: &mut String, kind: &str) {
        let of_kind = || self.reports.iter().filter(|report| split(report).0 == kind);
        let (mut benches, mut cases) = (Vec::new(), Vec::new());
        let mut known = BTreeSet::new();
        for report in of_kind() {
            let (bench, case) = (split(report).1, string(report, "case"));
            if known.insert((0, bench)) {
                benches.push(bench);
            }
            if known.insert((1, case)) {
                cases.push(case);
            }
        }
        let width = cases.iter().map(|case| case.len()).max().unwrap_or(0);
        let _ = write!(text, "\n{:width$}", kind.to_uppercase());
        for bench in &benches {
            let _ = write!(text, "  {bench:>7}");
        }
        text.push('\n');
        for case in cases {
            let _ = write!(text, "{case:width$}");
            for bench in &benches {
                let same =
                    |report: &&Value| split(report).1 == *bench && string(report, "case") == case;
                let result = of_kind().find(same).map(|report| string(report, "result"));
                let shown = match result {
                    Some("passed") => "ok",
                    Some("failed") => "FAILED",
                    _ => "-",
                };
                let _ = write!(text, "  {shown:>7}");
            }
            text.push('\n');
        }
    }
}

/// Of every machine.
pub(super) fn json(all: &[(&str, Results)]) -> Value {
    let machine = |(name, results): &(&str, Results)| {
        json!({
            "architecture": name,
            "passed": results.passed(),
            "cause": results.end,
            "seconds": results.took.as_secs_f64(),
            "cases": results.reports,
            "measured": results.measured,
        })
    };
    all.iter().map(machine).collect()
}

/// The kind of device, and the backend.
fn split(report: &Value) -> (&str, &str) {
    let bench = string(report, "bench");
    bench.split_once(", ").unwrap_or((bench, ""))
}

fn string<'a>(report: &'a Value, field: &str) -> &'a str {
    report[field].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(bench: &str, case: &str, result: &str) -> Value {
        json!({ "bench": bench, "case": case, "result": result, "cause": "why" })
    }

    #[test]
    fn the_table_says_which_case_ran_where() {
        let mut results = Results::default();
        results.add(report("gpio, sim", "an edge", "passed"));
        results.add(report("gpio, sim", "a queue", "skipped"));
        results.add(report("gpio, kernel", "an edge", "passed"));
        results.add(report("gpio, kernel", "a queue", "passed"));
        assert!(!results.passed(), "it has not ended");
        results.add(json!({ "done": true }));
        assert!(results.passed());
        let expected = "\nGPIO         sim   kernel\n\
                        an edge       ok       ok\n\
                        a queue        -       ok\n\
                        \nm: ok. 3 passed, 0 failed, 1 skipped, in 0 s\n";
        assert_eq!(results.table("m"), expected);
    }

    #[test]
    fn a_failure_is_told_with_its_cause() {
        let mut results = Results::default();
        results.add(report("gpio, kernel", "an edge", "failed"));
        results.add(json!({ "done": true }));
        assert!(!results.passed());
        let table = results.table("m");
        assert!(
            table.contains("FAILED: gpio, kernel: an edge: why"),
            "{table}"
        );
    }
}
