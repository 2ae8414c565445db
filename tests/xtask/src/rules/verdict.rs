//! Rules and results, side by side, and what is wrong between them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::catalogue::{CATALOGUE, Decisions, Rule, Rules, Status};
use super::results::{Result, Results, Test};

/// The table of rules, tests and results.
#[derive(Serialize)]
pub(super) struct Verdict<'a> {
    rules: Vec<Row<'a>>,
    /// What is wrong, a line each.
    pub(super) failures: Vec<String>,
}

/// A rule in that table.
#[derive(Serialize)]
struct Row<'a> {
    rule: &'a str,
    about: &'a str,
    #[serde(flatten)]
    status: &'a Status,
    quirk: Option<&'a str>,
    result: &'static str,
    tests: &'a [Test],
}

impl<'a> Verdict<'a> {
    pub(super) fn of(rules: &'a Rules, decisions: &'a Decisions, results: &'a Results) -> Self {
        let rows = rules.iter().map(|(key, rule)| Row {
            rule: key,
            about: &rule.about,
            status: &rule.status,
            quirk: rule
                .quirk
                .then(|| decisions.get(key).map_or("undecided", String::as_str)),
            result: result(results.of(key)),
            tests: results.of(key),
        });
        let mut rows: Vec<_> = rows.collect();
        // The contract's, the catalogue's, the races.
        rows.sort_by_key(|row| (row.rule.starts_with('x'), row.rule.len() > 2));
        let mut failures = Vec::new();
        for (key, rule) in rules {
            failures.extend(test_failure(key, rule, results.of(key)));
            failures.extend(quirk_failure(key, rule, decisions));
        }
        failures.extend(strangers(rules, decisions, results));
        Self {
            rules: rows,
            failures,
        }
    }

    /// A line for each rule.
    pub(super) fn table(&self) -> String {
        let mut text = format!(
            "{:5} {:5}  {:7}  what it says, and its tests\n",
            "rule", "is", "result"
        );
        for row in &self.rules {
            let status = row.status.word();
            let _ = write!(
                text,
                "{:5} {status:5}  {:7}  {}",
                row.rule, row.result, row.about
            );
            if !row.status.why().is_empty() {
                let _ = write!(text, " ({status}: {})", row.status.why());
            }
            text.push('\n');
            if let Some(decision) = row.quirk {
                let _ = writeln!(text, "{:22}quirk: {decision}", "");
            }
            for test in row.tests {
                let _ = writeln!(text, "{:22}{}", "", test.name);
            }
        }
        text
    }

    /// How many rules are how, and what comes later with which part.
    pub(super) fn summary(&self) -> String {
        let are = |word| move |row: &&Row<'_>| row.status.word() == word;
        let count = |word| self.rules.iter().filter(are(word)).count();
        let later = self.rules.iter().filter(are("later"));
        let early = later.filter(|row| row.result == "ok").count();
        let mut parts: BTreeMap<&str, usize> = BTreeMap::new();
        for row in &self.rules {
            if let Status::Later(part) = row.status {
                *parts.entry(part).or_default() += 1;
            }
        }
        let parts = parts
            .iter()
            .map(|(part, count)| format!("{count} with {part}"));
        format!(
            "{} rules: {} required, {} nice to have, {} not applicable, {} later ({}), of which {early} have tests already; {} failures",
            self.rules.len(),
            count("core"),
            count("nice"),
            count("n/a"),
            count("later"),
            parts.collect::<Vec<_>>().join(", "),
            self.failures.len(),
        )
    }
}

fn result(tests: &[Test]) -> &'static str {
    let any = |result| tests.iter().any(|test| test.result == result);
    match (any(Result::Failed), any(Result::Ok), tests.is_empty()) {
        (true, ..) => "FAILED",
        (_, true, _) => "ok",
        (.., false) => "ignored",
        (.., true) => "-",
    }
}

fn test_failure(key: &str, rule: &Rule, tests: &[Test]) -> Option<String> {
    match result(tests) {
        "FAILED" => Some(format!("rule {key}: a test failed; see its output above")),
        "ok" => None,
        _ => (rule.status == Status::Core).then(|| {
            format!(
                "rule {key}, `{}`, has no test that ran; write `{}`",
                rule.about,
                example(key)
            )
        }),
    }
}

fn example(key: &str) -> String {
    let prefix = if key.starts_with('x') { "race" } else { "rule" };
    format!("{prefix}_{key}_...")
}

/// What a part will bring may be left to it.
fn quirk_failure(key: &str, rule: &Rule, decisions: &Decisions) -> Option<String> {
    let later = matches!(rule.status, Status::Later(_));
    let decision = decisions.get(key).map_or("", String::as_str);
    let decided = ["matched", "deviates"]
        .iter()
        .any(|word| decision.starts_with(word));
    let open = rule.quirk && !decided && (decision.is_empty() || !later);
    open.then(|| {
        format!(
            "rule {key}, `{}`, is a quirk without a decision; add it to the quirks of wit/README.md, as `matched` or `deviates`",
            rule.about
        )
    })
}

/// Tests and decisions on rules that there are not.
fn strangers(rules: &Rules, decisions: &Decisions, results: &Results) -> Vec<String> {
    let tests = results.rules().filter(|(key, _)| !rules.contains_key(*key));
    let tests = tests.map(|(_, tests)| {
        format!(
            "`{}` is named after a rule that does not exist; name it after one of wit/README.md or {CATALOGUE}",
            tests[0].name
        )
    });
    let decisions = decisions.keys().filter(|key| !rules.contains_key(*key));
    let decisions = decisions.map(|key| {
        format!("wit/README.md decides a quirk of rule {key}, which does not exist; list it in {CATALOGUE}")
    });
    tests.chain(decisions).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(status: Status, quirk: bool) -> Rule {
        Rule {
            about: "it holds".into(),
            status,
            quirk,
        }
    }

    fn failures(rule: Rule, decision: &str, line: &str) -> Vec<String> {
        let rules = Rules::from([("061".to_owned(), rule)]);
        let mut decisions = Decisions::new();
        if !decision.is_empty() {
            decisions.insert("061".into(), decision.into());
        }
        let mut results = Results::default();
        results.read(line);
        Verdict::of(&rules, &decisions, &results).failures
    }

    #[test]
    fn a_required_rule_needs_a_test_that_passed() {
        let core = || rule(Status::Core, false);
        assert!(failures(core(), "", "test rule_061_a ... ok").is_empty());
        for (line, words) in [
            ("", "has no test that ran; write `rule_061_...`"),
            ("test rule_061_a ... ignored", "has no test that ran"),
            ("test rule_061_a ... FAILED", "a test failed"),
            ("test rule_062_a ... ok", "has no test that ran"),
        ] {
            let failures = failures(core(), "", line);
            assert!(failures[0].contains(words), "{failures:?}");
        }
    }

    #[test]
    fn others_need_none_but_theirs_must_pass() {
        for status in [
            Status::Nice,
            Status::Later("filters".into()),
            Status::NotApplicable("disks".into()),
        ] {
            assert!(failures(rule(status.clone(), false), "", "").is_empty());
            let failed = failures(rule(status, false), "", "test rule_061_a ... FAILED");
            assert_eq!(failed.len(), 1, "{failed:?}");
        }
    }

    #[test]
    fn a_quirk_needs_a_decision_unless_its_part_comes_later() {
        let told = |status, decision| failures(rule(status, true), decision, "");
        for (decision, count) in [
            ("matched", 0),
            ("deviates: so", 0),
            ("with filters", 1),
            ("", 1),
        ] {
            assert_eq!(told(Status::Nice, decision).len(), count, "{decision}");
        }
        let later = || Status::Later("filters".into());
        assert!(told(later(), "with filters").is_empty());
        assert_eq!(told(later(), "").len(), 1);
    }

    #[test]
    fn a_test_of_no_rule_is_named() {
        let failures = failures(rule(Status::Nice, false), "", "test rule_999_a ... ok");
        assert!(failures[0].starts_with("`rule_999_a` is named after a rule that does not exist"));
    }
}
