//! Pins.

use loopgate::devices::linux::survey::Survey;

use super::denied;
use crate::doctor::chips::{self, Found};
use crate::doctor::finding::Finding;
use crate::doctor::remedy::{self, Kind};

pub(super) fn find(what: &str, line: &str, survey: &Survey) -> Finding {
    let found = chips::find(survey, line);
    match &found[..] {
        [] => absent(what, survey),
        [one] => match &one.line.holder {
            None => Finding::ok(format!("{what}, is {}", one.place())),
            Some(holder) => held(&format!("{what}, is {}", one.place()), holder),
        },
        several => {
            let places: Vec<_> = several.iter().map(Found::place).collect();
            Finding::missing(
                format!("{what}, is the name of several: {}", places.join(", ")),
                vec![format!("write its place: line = \"{}\"", places[0])],
            )
        }
    }
}

fn held(what: &str, holder: &str) -> Finding {
    let remedy =
        "end what has it, or name another line; `loopgate status` shows whether a board runs here";
    Finding::missing(
        format!("{what}, which `{holder}` has"),
        vec![remedy.to_owned()],
    )
}

fn absent(what: &str, survey: &Survey) -> Finding {
    let mut unknown = survey.chips.iter().filter(|chip| !chip.is_known());
    let closed = unknown.find_map(|chip| denied(what, &chip.node, Kind::Gpio, survey));
    if let Some(finding) = closed {
        return finding;
    }
    if survey.chips.is_empty() {
        return Finding::missing(
            format!("{what}: this machine has no GPIO chip"),
            remedy::lines(),
        );
    }
    Finding::missing(
        format!("{what}, is on no chip of this machine"),
        vec!["correct `line`; `loopgate doctor` without a board lists all".to_owned()],
    )
}
