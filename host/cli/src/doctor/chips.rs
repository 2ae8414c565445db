//! Where a line of the board file is, as the kernel's backend finds it.

use loopgate::devices::linux::survey::{Chip, ChipLine, Survey};

/// A line and its chip.
#[derive(Clone, Copy)]
pub(super) struct Found<'a> {
    pub(super) chip: &'a Chip,
    pub(super) line: &'a ChipLine,
}

impl Found<'_> {
    pub(super) fn place(&self) -> String {
        format!("{}:{}", self.chip.name, self.line.offset)
    }
}

/// Every line that goes by this name; else the one at this place, `CHIP:OFFSET`, where
/// the chip goes by its name or its label.
pub(super) fn find<'a>(survey: &'a Survey, wanted: &str) -> Vec<Found<'a>> {
    let named: Vec<_> = all(survey)
        .filter(|found| found.line.name == wanted)
        .collect();
    if !named.is_empty() {
        return named;
    }
    let Some((chip, offset)) = wanted.rsplit_once(':') else {
        return Vec::new();
    };
    let at = |called: fn(&Chip) -> Option<&str>| -> Vec<Found<'a>> {
        let is_meant = |found: &Found<'_>| {
            called(found.chip) == Some(chip) && offset.parse() == Ok(found.line.offset)
        };
        all(survey).filter(is_meant).collect()
    };
    let by_name = at(|chip| Some(&chip.name));
    if by_name.is_empty() {
        at(|chip| chip.label.as_deref())
    } else {
        by_name
    }
}

fn all(survey: &Survey) -> impl Iterator<Item = Found<'_>> {
    let chips = survey.chips.iter();
    chips.flat_map(|chip| chip.lines.iter().map(move |line| Found { chip, line }))
}
