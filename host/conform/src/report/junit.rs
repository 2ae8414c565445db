//! The report as `JUnit` XML, as far as GitLab, Jenkins and their like agree on it.

use std::fmt::Write as _;

use super::escape::{attribute, text};
use super::{CheckResult, Failure, Outcome, Report, ScenarioResult};

pub(super) fn junit(report: &Report) -> String {
    let checks = report
        .checks
        .iter()
        .map(|check| (&check.outcome, of_check(report, check)));
    let scenarios = report.scenarios.iter();
    let scenarios = scenarios.map(|scenario| (&scenario.outcome, of_scenario(report, scenario)));
    let suites = [
        Suite::new(report, "checks", checks),
        Suite::new(report, "scenarios", scenarios),
    ];
    let mut all = Counts::default();
    let mut body = String::new();
    for suite in suites.iter().filter(|suite| suite.counts.tests > 0) {
        all.add(suite.counts);
        body += &suite.xml;
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"loopgate conform\" {}>\n{body}</testsuites>\n",
        all.attributes(),
    )
}

struct Suite {
    counts: Counts,
    xml: String,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    tests: usize,
    failures: usize,
    skipped: usize,
}

impl Suite {
    fn new<'a>(
        report: &Report,
        kind: &str,
        cases: impl Iterator<Item = (&'a Outcome, String)>,
    ) -> Self {
        let mut counts = Counts::default();
        let mut body = String::new();
        for (outcome, case) in cases {
            counts.add(Counts::of(outcome));
            body += &case;
        }
        let xml = format!(
            "  <testsuite name=\"{}\" {}>\n{}{body}  </testsuite>\n",
            class(report, kind),
            counts.attributes(),
            properties(report),
        );
        Self { counts, xml }
    }
}

impl Counts {
    fn of(outcome: &Outcome) -> Self {
        Self {
            tests: 1,
            failures: usize::from(matches!(outcome, Outcome::Failed(_))),
            skipped: usize::from(matches!(outcome, Outcome::Skipped { .. })),
        }
    }

    fn add(&mut self, other: Self) {
        self.tests += other.tests;
        self.failures += other.failures;
        self.skipped += other.skipped;
    }

    /// With a time, which some readers need: the report knows none.
    fn attributes(self) -> String {
        format!(
            "tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"0\"",
            self.tests, self.failures, self.skipped
        )
    }
}

/// Readers take what stands before the last dot for a package.
fn class(report: &Report, kind: &str) -> String {
    attribute(&format!("{}.{kind}", report.driver))
}

fn properties(report: &Report) -> String {
    let seed = report.seed.to_string();
    let all = [
        ("version", report.version),
        ("component", &report.component),
        ("sha256", &report.sha256),
        ("seed", &seed),
        ("trace", &report.trace),
    ];
    let all = all.map(|(name, value)| {
        let value = attribute(value);
        format!("      <property name=\"{name}\" value=\"{value}\"/>\n")
    });
    format!("    <properties>\n{}    </properties>\n", all.concat())
}

fn of_check(report: &Report, check: &CheckResult) -> String {
    let CheckResult {
        title,
        rule,
        remedy,
        ..
    } = check;
    let about = format!("{title} (rule {rule})\n\nTo mend it: {remedy}");
    let outcome = outcome(&check.outcome, &about);
    let class = class(report, "checks");
    let name = attribute(check.id);
    format!("    <testcase classname=\"{class}\" name=\"{name}\" time=\"0\"{outcome}")
}

fn of_scenario(report: &Report, scenario: &ScenarioResult) -> String {
    let outcome = outcome(&scenario.outcome, &scenario.title);
    let class = class(report, "scenarios");
    let (name, file) = (attribute(&scenario.name), attribute(&scenario.file));
    format!(
        "    <testcase classname=\"{class}\" name=\"{name}\" file=\"{file}\" time=\"0\"{outcome}"
    )
}

/// The rest of a test case.
fn outcome(outcome: &Outcome, about: &str) -> String {
    let inside = match outcome {
        Outcome::Passed => return "/>\n".to_owned(),
        Outcome::Skipped { why } => format!("<skipped message=\"{}\"/>", attribute(why)),
        Outcome::Failed(failure) => format!(
            "<failure message=\"{}\" type=\"failed\">{}</failure>",
            attribute(&failure.message),
            text(&in_full(failure, about))
        ),
    };
    format!(">\n      {inside}\n    </testcase>\n")
}

fn in_full(failure: &Failure, about: &str) -> String {
    let mut all = format!("{}\n\n{about}\n", failure.message);
    for line in &failure.evidence {
        let _ = write!(all, "\n{line}");
    }
    if let Some(scenario) = &failure.scenario {
        let _ = write!(all, "\n\nThis scenario shows it again:\n\n{scenario}");
    }
    all
}
