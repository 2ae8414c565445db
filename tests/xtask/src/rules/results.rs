//! What the tests that are named after rules said, from the output of a run.

use std::collections::BTreeMap;

use serde::Serialize;

/// What the names of such tests begin with; `cargo test` takes it as filters.
pub(super) const PREFIXES: [&str; 2] = ["rule_", "race_"];

/// The tests by the rule that they are named after.
#[derive(Debug, Default)]
pub(crate) struct Results(BTreeMap<String, Vec<Test>>);

#[derive(Debug, Serialize)]
pub(super) struct Test {
    pub(super) name: String,
    pub(super) result: Result,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Result {
    Ok,
    Failed,
    Ignored,
}

impl Results {
    /// Takes note of a line `test module::rule_061_... ... ok`; others, and
    /// other tests, are passed over.
    pub(crate) fn read(&mut self, line: &str) {
        let line = plain(line);
        let Some((path, result)) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.split_once(" ... "))
        else {
            return;
        };
        let name = path.rsplit("::").next().unwrap_or(path);
        let (Some(rule), Some(result)) = (rule(name), Result::parse(result)) else {
            return;
        };
        self.0.entry(rule.to_owned()).or_default().push(Test {
            name: name.to_owned(),
            result,
        });
    }

    pub(super) fn of(&self, rule: &str) -> &[Test] {
        self.0.get(rule).map_or(&[], Vec::as_slice)
    }

    /// The rules that tests are named after.
    pub(super) fn rules(&self) -> impl Iterator<Item = (&str, &[Test])> {
        let rules = self.0.iter();
        rules.map(|(rule, tests)| (rule.as_str(), tests.as_slice()))
    }
}

impl Result {
    fn parse(word: &str) -> Option<Self> {
        match word.trim() {
            "ok" => Some(Self::Ok),
            "FAILED" => Some(Self::Failed),
            word if word.starts_with("ignored") => Some(Self::Ignored),
            _ => None,
        }
    }
}

/// `061` of `rule_061_all_that_is_pending_is_one_call`.
fn rule(name: &str) -> Option<&str> {
    let rest = PREFIXES
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix))?;
    rest.split('_').next()
}

/// Without the colours of a terminal.
fn plain(line: &str) -> String {
    let mut pieces = line.split('\u{1b}');
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| {
        text + piece.split_once('m').map_or(piece, |(_, rest)| rest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_belongs_to_the_rule_that_its_name_has() {
        let mut results = Results::default();
        for line in [
            "test timer::rule_105b_enable_does_not_fire_again ... ok",
            "test rule_06_in_order ... \u{1b}[31mFAILED\u{1b}[0m",
            "test races::race_x04_one_aborted ... ignored, slow",
            "test gate::a_rule_07_of_thumb ... ok",
            "test result: ok. 3 passed; 0 failed",
        ] {
            results.read(line);
        }
        let seen: Vec<_> = results
            .rules()
            .map(|(rule, tests)| (rule, tests[0].result))
            .collect();
        let expected = [
            ("06", Result::Failed),
            ("105b", Result::Ok),
            ("x04", Result::Ignored),
        ];
        assert_eq!(seen, expected);
        assert_eq!(
            results.of("105b")[0].name,
            "rule_105b_enable_does_not_fire_again"
        );
    }
}
