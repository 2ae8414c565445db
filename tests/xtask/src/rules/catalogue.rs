//! The rules that there are, from the documents that list them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::workspace::Workspace;

/// The contract's rules, and what was decided about quirks.
const CONTRACT: &str = "wit/README.md";

/// The catalogue's rules, and exceptions among the contract's.
pub(super) const CATALOGUE: &str = "host/workloop/tests/RULES.md";

/// The races, below this heading.
const RACES: (&str, &str) = ("host/workloop/tests/README.md", "\n## Races\n");

/// Every rule by its key, which is what its tests' names have: `06`, `061`,
/// `105b`, `x04`.
pub(super) type Rules = BTreeMap<String, Rule>;

#[derive(Debug)]
pub(super) struct Rule {
    pub(super) about: String,
    pub(super) status: Status,
    /// The originals do it by accident: `wit/README.md` says what is done here.
    pub(super) quirk: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "status", content = "why")]
pub(super) enum Status {
    /// Required.
    Core,
    /// Where it is cheap.
    Nice,
    /// Why it does not concern us.
    NotApplicable(String),
    /// The part that it comes with.
    Later(String),
}

/// What was decided about a quirk, by the rule's key.
pub(super) type Decisions = BTreeMap<String, String>;

pub(super) fn read(workspace: &Workspace) -> Result<(Rules, Decisions)> {
    let text = |document: &str| {
        std::fs::read_to_string(workspace.root.join(document))
            .with_context(|| format!("cannot read `{document}`"))
    };
    let contract = text(CONTRACT)?;
    let mut rules = of_the_contract(&contract);
    rules.extend(listed(&text(CATALOGUE)?).with_context(|| format!("in `{CATALOGUE}`"))?);
    let (document, heading) = RACES;
    let races = text(document)?;
    let (_, races) = races
        .split_once(heading)
        .with_context(|| format!("`{document}` has no heading `{}`", heading.trim()))?;
    rules.extend(listed(races).with_context(|| format!("in `{document}`"))?);
    Ok((rules, decisions(&contract)))
}

/// `6. **Sources are served ...** Holds.`: the rules of the contract, of which
/// each is required.
fn of_the_contract(document: &str) -> Rules {
    let paragraphs = document.split("\n\n").flat_map(|paragraph| {
        let starts = paragraph.match_indices('\n').map(|(at, _)| at + 1);
        let starts = std::iter::once(0).chain(starts);
        starts.map(move |start| &paragraph[start..])
    });
    let numbered = paragraphs.filter_map(|text| {
        let (number, rest) = text.split_once(". **")?;
        let number: u8 = number.parse().ok()?;
        let (about, _) = rest.split_once("**")?;
        let about = about.split_whitespace().collect::<Vec<_>>().join(" ");
        Some((format!("{number:02}"), Rule::core(about)))
    });
    numbered.collect()
}

/// The rows `| KEY | what it says | STATUS |` of a document's tables.
fn listed(document: &str) -> Result<Rules> {
    let mut rules = Rules::new();
    for line in document.lines() {
        let [key, about, status] = cells(line)[..] else {
            continue;
        };
        if !is_key(key) {
            continue;
        }
        let (status, quirk) = match status.strip_suffix("; quirk") {
            Some(status) => (status, true),
            None => (status, false),
        };
        let rule = Rule {
            about: about.to_owned(),
            status: Status::parse(status).with_context(|| format!("rule {key}"))?,
            quirk,
        };
        if rules.insert(key.to_ascii_lowercase(), rule).is_some() {
            bail!("rule {key} is listed twice; keep one of the rows");
        }
    }
    Ok(rules)
}

/// The rows `| [64], [65] | what the original does | what is done here |`.
fn decisions(document: &str) -> Decisions {
    let rows = document.lines().filter_map(|line| match cells(line)[..] {
        [numbers, _, here] => Some((numbers, here)),
        _ => None,
    });
    let decided = rows.flat_map(|(numbers, here)| {
        let numbers = numbers.split('[').skip(1);
        let numbers = numbers.filter_map(|rest| Some(rest.split_once(']')?.0));
        numbers.map(|number| (padded(number), here.to_owned()))
    });
    decided.collect()
}

/// Nothing for a line that is no row of a table.
fn cells(line: &str) -> Vec<&str> {
    let row = line.strip_prefix('|').and_then(|row| row.strip_suffix('|'));
    row.map(|row| row.split('|').map(str::trim).collect())
        .unwrap_or_default()
}

/// `06`, `061`, `105b` or `X4`, but not a heading and not a line below one.
fn is_key(cell: &str) -> bool {
    cell.bytes().any(|byte| byte.is_ascii_digit())
        && cell.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// `64` as its tests' names have it: `064`.
fn padded(number: &str) -> String {
    let digits = number.trim_end_matches(|c: char| c.is_ascii_lowercase());
    format!("{digits:0>3}{}", &number[digits.len()..])
}

impl Rule {
    fn core(about: String) -> Self {
        Self {
            about,
            status: Status::Core,
            quirk: false,
        }
    }
}

impl Status {
    fn parse(text: &str) -> Result<Self> {
        match (text, text.split_once(": ")) {
            ("core", _) => Ok(Self::Core),
            ("nice", _) => Ok(Self::Nice),
            (_, Some(("n/a", why))) => Ok(Self::NotApplicable(why.to_owned())),
            (_, Some(("later", part))) => Ok(Self::Later(part.to_owned())),
            _ => bail!("`{text}` is no status; write `core`, `nice`, `n/a: WHY` or `later: PART`"),
        }
    }

    /// As the table has it.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Core => "core",
            Self::Nice => "nice",
            Self::NotApplicable(_) => "n/a",
            Self::Later(_) => "later",
        }
    }

    /// The reason or the part that stands behind the word.
    pub(super) fn why(&self) -> &str {
        match self {
            Self::Core | Self::Nice => "",
            Self::NotApplicable(why) | Self::Later(why) => why,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_rules_and_their_status() {
        let document = "| rule | what | status |\n|---|---|---|\n| 061 | all | core |\n\
            | 064 | nested | nice; quirk |\n| X4 | two | n/a: no |\n| 05 | level | later: filters; quirk |\n";
        let rules = listed(document).unwrap();
        let row = |key: &str| (rules[key].status.clone(), rules[key].quirk);
        assert_eq!(rules.len(), 4);
        assert_eq!(row("061"), (Status::Core, false));
        assert_eq!(row("064"), (Status::Nice, true));
        assert_eq!(row("x4"), (Status::NotApplicable("no".into()), false));
        assert_eq!(row("05"), (Status::Later("filters".into()), true));
    }

    #[test]
    fn what_is_wrong_with_a_row_is_named() {
        let told = |document| format!("{:#}", listed(document).unwrap_err());
        let unknown = told("| 061 | all | soon |");
        assert!(
            unknown.contains("rule 061: `soon` is no status"),
            "{unknown}"
        );
        let twice = told("| 061 | a | core |\n| 061 | b | core |");
        assert!(twice.contains("rule 061 is listed twice"), "{twice}");
    }

    #[test]
    fn the_contracts_rules_are_what_is_numbered_and_bold() {
        let document = "## The rules\n\n1. **One\n   loop.** Holds.\n2. **Two.**\n\n3. a step\n";
        let rules = of_the_contract(document);
        let abouts: Vec<_> = rules
            .iter()
            .map(|(key, rule)| (&**key, &*rule.about))
            .collect();
        assert_eq!(abouts, [("01", "One loop."), ("02", "Two.")]);
    }

    #[test]
    fn a_decision_may_be_on_several_quirks() {
        let decided =
            decisions("| [50], [105b] | it does | deviates |\n| H3 | panics | deviates |");
        let keys: Vec<_> = decided.keys().map(String::as_str).collect();
        assert_eq!(keys, ["050", "105b"]);
    }
}
