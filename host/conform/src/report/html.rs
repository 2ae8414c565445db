//! The report as one page: no other file, no network, no script.

use super::escape::{attribute, text};
use super::focus::{self, Focus};
use super::{
    CheckResult, Failure, Moment, MomentKind, Outcome, Report, ScenarioResult, axis, span, verdict,
};

mod overview;
mod wave;

const STYLE: &str = include_str!("html/style.css");
/// How many moments stand before the one that failed, and how many after it.
const MOMENTS: (usize, usize) = (600, 200);

pub(super) fn html(report: &Report) -> String {
    let verdict = text(&verdict::sentence(report));
    format!(
        "<!DOCTYPE html>\n\
         <html lang=\"en\"><head><meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <title>{verdict}</title>\n<style>\n{STYLE}</style></head>\n\
         <body><main>\n{}{}{}</main></body></html>\n",
        head(report),
        checks(&report.checks),
        scenarios(&report.scenarios),
    )
}

fn head(report: &Report) -> String {
    let (class, mark, words) = if report.conforms() {
        ("passed", "✓", "conforms")
    } else {
        ("failed", "✗", "does not conform")
    };
    let seed = report.seed.to_string();
    let rows = [
        ("component", &report.component),
        ("SHA-256", &report.sha256),
        ("seed", &seed),
        ("trace", &report.trace),
    ];
    let rows = rows.map(|(name, value)| format!("<dt>{name}</dt><dd>{}</dd>\n", text(value)));
    format!(
        "<header class=\"{class}\"><h1>{} <span class=\"verdict\">{mark} {words}</span></h1>\n\
         <p>{}</p></header>\n\
         <dl>{}<dt>kit</dt><dd>loopgate-conform {}</dd></dl>\n",
        text(&report.driver),
        text(&verdict::found(report)),
        rows.concat(),
        text(report.version),
    )
}

fn checks(checks: &[CheckResult]) -> String {
    if checks.is_empty() {
        return String::new();
    }
    let all: String = checks.iter().map(check).collect();
    format!("<section><h2>Checks</h2>\n{all}</section>\n")
}

fn check(check: &CheckResult) -> String {
    let (open, remedy) = match check.outcome {
        Outcome::Failed(_) => (" open=\"\"", "To mend it"),
        _ => ("", "Where it fails"),
    };
    let plural = if check.runs == 1 { "" } else { "s" };
    format!(
        "<details id=\"check-{}\" class=\"{}\"{open}><summary>{}<code>{}</code> \
         <span class=\"title\">{}</span> <span class=\"effort\">{} run{plural}</span></summary>\n\
         {}<p><b>What is done</b> {} (rule {})</p>\n<p><b>{remedy}</b> {}</p>\n{}</details>\n",
        attribute(check.id),
        class(&check.outcome),
        mark(&check.outcome),
        text(check.id),
        text(check.title),
        check.runs,
        found(&check.outcome),
        text(check.explanation),
        check.rule,
        text(check.remedy),
        reproduction(&check.outcome),
    )
}

fn scenarios(scenarios: &[ScenarioResult]) -> String {
    if scenarios.is_empty() {
        return String::new();
    }
    let all = scenarios.iter().enumerate();
    let all: String = all.map(|(nth, result)| scenario(nth, result)).collect();
    format!("<section><h2>Scenarios</h2>\n{all}</section>\n")
}

fn scenario(nth: usize, scenario: &ScenarioResult) -> String {
    let focus = Focus::of(scenario);
    format!(
        "<article id=\"scenario-{nth}\" class=\"{}\"><h3>{}<code>{}</code> \
         <span class=\"title\">{}</span> <span class=\"effort\">{}</span></h3>\n\
         {}{}<p class=\"file\">{}</p>\n{}{}</article>\n",
        class(&scenario.outcome),
        mark(&scenario.outcome),
        text(&scenario.name),
        text(&scenario.title),
        span::rough(scenario.length_ns),
        found(&scenario.outcome),
        wave::figures(nth, scenario, focus),
        text(&scenario.file),
        timeline(scenario, focus),
        reproduction(&scenario.outcome),
    )
}

/// What became of it, in words, where it did not pass.
fn found(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Passed => String::new(),
        Outcome::Skipped { why } => format!("<p class=\"why\">Skipped: {}</p>\n", text(why)),
        Outcome::Failed(failure) => {
            let message = format!("<p class=\"message\">{}</p>\n", text(&failure.message));
            if failure.evidence.is_empty() {
                return message;
            }
            let evidence = failure.evidence.iter().map(|line| text(line));
            let evidence = evidence.collect::<Vec<_>>().join("\n");
            format!("{message}<pre>{evidence}</pre>\n")
        }
    }
}

fn reproduction(outcome: &Outcome) -> String {
    let scenario = failure(outcome).and_then(|failure| failure.scenario.as_deref());
    let Some(scenario) = scenario else {
        return String::new();
    };
    let scenario = text(scenario);
    format!("<p><b>To see it again</b> save this as a scenario:</p>\n<pre>{scenario}</pre>\n")
}

fn timeline(scenario: &ScenarioResult, focus: Option<Focus>) -> String {
    let all = &scenario.timeline;
    if all.is_empty() {
        return String::new();
    }
    let shown = focus::around(all, focus, MOMENTS);
    let mut step = all[..shown.start]
        .iter()
        .filter(|moment| axis::is_step(moment))
        .count();
    let mut rows = left_out(shown.start, "earlier");
    for moment in &all[shown.clone()] {
        step += usize::from(axis::is_step(moment));
        rows += &row(moment, step);
    }
    rows += &left_out(all.len() - shown.end, "later");
    let open = if focus.is_some() { " open=\"\"" } else { "" };
    let count = all.len();
    let plural = verdict::plural(count);
    format!(
        "<details class=\"timeline\"{open}><summary>Timeline, {count} moment{plural}</summary>\
         <div class=\"scroll\"><table>\n{rows}</table></div></details>\n"
    )
}

/// Steps have the number that the drawing has.
fn row(moment: &Moment, step: usize) -> String {
    let (class, word) = kind(moment.kind);
    let number = if axis::is_step(moment) {
        step.to_string()
    } else {
        String::new()
    };
    format!(
        "<tr class=\"{class}\"><td>{number}</td><td>{}</td><td>{word}</td><td>{}</td></tr>\n",
        span::exact(moment.at_ns),
        text(&moment.text),
    )
}

fn left_out(moments: usize, which: &str) -> String {
    if moments == 0 {
        return String::new();
    }
    let words = format!("{moments} {which} moments are in the JSON report");
    format!("<tr><td></td><td></td><td></td><td class=\"why\">{words}</td></tr>\n")
}

fn kind(kind: MomentKind) -> (&'static str, &'static str) {
    match kind {
        MomentKind::Done => ("done", "done"),
        MomentKind::Seen => ("seen", "seen"),
        MomentKind::Met => ("met", "✓ met"),
        MomentKind::Missed => ("missed", "✗ missed"),
    }
}

fn class(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "passed",
        Outcome::Failed(_) => "failed",
        Outcome::Skipped { .. } => "skipped",
    }
}

fn mark(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "<span class=\"mark\" title=\"passed\">✓</span> ",
        Outcome::Failed(_) => "<span class=\"mark\" title=\"failed\">✗</span> ",
        Outcome::Skipped { .. } => "<span class=\"mark\" title=\"skipped\">–</span> ",
    }
}

fn failure(outcome: &Outcome) -> Option<&Failure> {
    match outcome {
        Outcome::Failed(failure) => Some(failure),
        _ => None,
    }
}
