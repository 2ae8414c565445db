//! The report for programs: `host/conform/report.schema.json` describes it.

use loopgate::printable_json;

use super::Report;

pub(super) fn json(report: &Report) -> String {
    let text = serde_json::to_string_pretty(report).expect("text, numbers and lists are JSON");
    printable_json(&text) + "\n"
}
