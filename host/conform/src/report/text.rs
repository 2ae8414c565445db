//! The report for people at a terminal: 80 columns, the verdict last, where it stays in view.

use std::borrow::Cow;

use loopgate::printable;

use super::focus::{self, Focus};
use super::{CheckResult, Failure, MomentKind, Outcome, Report, ScenarioResult, span, verdict};

mod waves;

/// How text is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// As it is, for files and pipes.
    Plain,
    /// With a terminal's colours.
    Ansi,
}

const COLUMNS: usize = 80;
const ID_COLUMNS: usize = 24;
/// How many moments stand before the one that failed, and how many after it.
const MOMENTS: (usize, usize) = (14, 6);

pub(super) fn text(report: &Report, style: Style) -> String {
    let mut page = Page {
        style,
        text: String::new(),
    };
    page.head(report);
    page.list(report);
    for check in &report.checks {
        if let Outcome::Failed(failure) = &check.outcome {
            page.failed_check(check, failure);
        }
    }
    for scenario in &report.scenarios {
        if let Outcome::Failed(failure) = &scenario.outcome {
            page.failed_scenario(scenario, failure);
        }
    }
    page.verdict(report);
    page.text
}

struct Page {
    style: Style,
    text: String,
}

#[derive(Clone, Copy)]
enum Colour {
    Bold = 1,
    Dim = 2,
    Red = 31,
    Green = 32,
    Yellow = 33,
}

impl Page {
    fn head(&mut self, report: &Report) {
        let seed = report.seed.to_string();
        let rows = [
            ("driver", &report.driver),
            ("component", &report.component),
            ("sha256", &report.sha256),
            ("seed", &seed),
            ("trace", &report.trace),
        ];
        for (name, value) in rows {
            let name = self.paint(Colour::Dim, &format!("{name:9}"));
            self.line(&format!("{name}  {}", one_line(value)));
        }
    }

    fn list(&mut self, report: &Report) {
        let checks = report.checks.iter().map(|check| Row {
            outcome: &check.outcome,
            name: check.id,
            title: check.title,
            effort: count(check.runs, "run"),
        });
        self.table("checks", &checks.collect::<Vec<_>>());
        let scenarios = report.scenarios.iter().map(|scenario| Row {
            outcome: &scenario.outcome,
            name: &scenario.name,
            title: &scenario.title,
            effort: span::rough(scenario.length_ns),
        });
        self.table("scenarios", &scenarios.collect::<Vec<_>>());
    }

    /// A row each, under a head.
    fn table(&mut self, head: &str, rows: &[Row<'_>]) {
        if rows.is_empty() {
            return;
        }
        let widest = |of: fn(&Row<'_>) -> usize| rows.iter().map(of).max().unwrap_or(0);
        let name = widest(|row| row.name.chars().count()).min(ID_COLUMNS);
        let effort = widest(|row| row.effort.chars().count());
        let title = COLUMNS.saturating_sub(2 + name + 2 + 2 + effort);
        self.head_line(head);
        for row in rows {
            let about = match row.outcome {
                Outcome::Skipped { why } => format!("skipped: {why}"),
                _ => row.title.to_owned(),
            };
            let mark = self.mark(row.outcome);
            let effort = self.paint(Colour::Dim, &format!("{:>effort$}", row.effort));
            let (id, about) = (cut(row.name, name), cut(&about, title));
            self.line(&format!("{mark} {id:name$}  {about:title$}  {effort}"));
        }
    }

    fn failed_check(&mut self, check: &CheckResult, failure: &Failure) {
        self.failed(check.id, check.title, failure);
        let done = format!("{} (rule {})", check.explanation, check.rule);
        self.paragraph("What was done", &done);
        self.evidence(failure);
        self.paragraph("To mend it", check.remedy);
        self.reproduction(failure);
    }

    fn failed_scenario(&mut self, scenario: &ScenarioResult, failure: &Failure) {
        self.failed(&scenario.name, &scenario.title, failure);
        let focus = Focus::of(scenario);
        self.evidence(failure);
        self.timeline(scenario, focus);
        if let Some(focus) = focus {
            self.waves(scenario, focus);
        }
        self.paragraph("File", &scenario.file);
        self.reproduction(failure);
    }

    fn failed(&mut self, name: &str, title: &str, failure: &Failure) {
        let head = format!("✗ {}: {}", one_line(name), one_line(title));
        self.line("");
        for line in wrap(&head, COLUMNS) {
            let line = self.paint(Colour::Red, &line);
            self.line(&line);
        }
        for line in wrap(&one_line(&failure.message), COLUMNS - 2) {
            let line = self.paint(Colour::Bold, &line);
            self.line(&format!("  {line}"));
        }
    }

    fn evidence(&mut self, failure: &Failure) {
        if !failure.evidence.is_empty() {
            self.line("");
        }
        for line in &failure.evidence {
            self.indented("    ", &one_line(line));
        }
    }

    fn paragraph(&mut self, head: &str, text: &str) {
        self.line("");
        for (nth, line) in wrap(&format!("{head}: {}", one_line(text)), COLUMNS - 2)
            .iter()
            .enumerate()
        {
            let line = match line.strip_prefix(head) {
                Some(rest) if nth == 0 => self.paint(Colour::Dim, head) + rest,
                _ => line.clone(),
            };
            self.line(&format!("  {line}"));
        }
    }

    fn reproduction(&mut self, failure: &Failure) {
        let Some(scenario) = &failure.scenario else {
            return;
        };
        self.paragraph("To see it again", "save this as a scenario.");
        self.line("");
        // Neither wrapped nor cut: it is to be copied.
        for line in scenario.lines() {
            self.line(&format!("    {}", printable(line)));
        }
    }

    fn timeline(&mut self, scenario: &ScenarioResult, focus: Option<Focus>) {
        let shown = focus::around(&scenario.timeline, focus, MOMENTS);
        let moments = &scenario.timeline[shown.clone()];
        let time = |at_ns| span::exact(at_ns);
        let width = moments.iter().map(|moment| time(moment.at_ns).len()).max();
        let Some(width) = width else {
            return;
        };
        self.line("");
        self.left_out(shown.start, "earlier");
        for moment in moments {
            let (mark, colour) = match moment.kind {
                MomentKind::Done => ("→", None),
                MomentKind::Seen => (" ", None),
                MomentKind::Met => ("✓", Some(Colour::Green)),
                MomentKind::Missed => ("✗", Some(Colour::Red)),
            };
            let mark = colour.map_or(mark.to_owned(), |colour| self.paint(colour, mark));
            let at = self.paint(Colour::Dim, &format!("{:>width$}", time(moment.at_ns)));
            let room = COLUMNS.saturating_sub(width + 6).max(20);
            for (nth, line) in wrap(&one_line(&moment.text), room).iter().enumerate() {
                if nth == 0 {
                    self.line(&format!("  {at} {mark} {line}"));
                } else {
                    self.line(&format!("  {:width$}   {line}", ""));
                }
            }
        }
        self.left_out(scenario.timeline.len() - shown.end, "later");
    }

    fn waves(&mut self, scenario: &ScenarioResult, focus: Focus) {
        let drawn = waves::around(scenario, focus.at_ns);
        if !drawn.is_empty() {
            self.line("");
        }
        for line in drawn {
            self.line(&format!("  {line}"));
        }
    }

    fn left_out(&mut self, moments: usize, which: &str) {
        if moments > 0 {
            let words = format!("({moments} {which} moments are in the JSON and HTML reports)");
            let words = self.paint(Colour::Dim, &words);
            self.line(&format!("  {words}"));
        }
    }

    fn verdict(&mut self, report: &Report) {
        let verdict = verdict::sentence(report);
        let colour = if report.conforms() {
            Colour::Green
        } else {
            Colour::Red
        };
        self.line("");
        for line in wrap(&one_line(&verdict), COLUMNS) {
            let line = self.paint(colour, &line);
            self.line(&line);
        }
    }

    fn head_line(&mut self, head: &str) {
        let head = self.paint(Colour::Bold, head);
        self.line("");
        self.line(&head);
    }

    fn indented(&mut self, indent: &str, text: &str) {
        for line in wrap(text, COLUMNS - indent.len()) {
            self.line(&format!("{indent}{line}"));
        }
    }

    fn mark(&self, outcome: &Outcome) -> String {
        match outcome {
            Outcome::Passed => self.paint(Colour::Green, "✓"),
            Outcome::Failed(_) => self.paint(Colour::Red, "✗"),
            Outcome::Skipped { .. } => self.paint(Colour::Yellow, "-"),
        }
    }

    fn paint(&self, colour: Colour, text: &str) -> String {
        match self.style {
            Style::Plain => text.to_owned(),
            Style::Ansi => format!("\u{1b}[{}m{text}\u{1b}[0m", colour as u8),
        }
    }

    fn line(&mut self, line: &str) {
        self.text += line.trim_end();
        self.text.push('\n');
    }
}

/// A line of a table.
struct Row<'a> {
    outcome: &'a Outcome,
    name: &'a str,
    title: &'a str,
    effort: String,
}

fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// Fit for a terminal, in columns that can be counted.
fn one_line(text: &str) -> String {
    printable(text).replace('\t', "    ")
}

/// At most so many columns.
fn cut(text: &str, columns: usize) -> String {
    let text = one_line(text);
    if text.chars().count() <= columns {
        return text;
    }
    let kept = text.chars().take(columns.saturating_sub(1));
    kept.chain(['…']).collect()
}

/// In lines of so many columns, broken at spaces; where it begins with spaces, all do.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let indent: String = text.chars().take_while(|&c| c == ' ').collect();
    let fits = |line: &str| line.chars().count() <= columns;
    if fits(text) {
        return vec![text.to_owned()];
    }
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let longer = if line.is_empty() {
            Cow::from(format!("{indent}{word}"))
        } else {
            Cow::from(format!("{line} {word}"))
        };
        if line.is_empty() || fits(&longer) {
            line = longer.into_owned();
        } else {
            lines.push(std::mem::replace(&mut line, format!("{indent}{word}")));
        }
    }
    lines.push(line);
    lines
}
