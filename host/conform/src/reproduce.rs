//! A schedule as a scenario, which shows again what was found.

use crate::action::Action;
use crate::error::Error;
use crate::ground::Ground;

pub(crate) fn scenario(_: &Ground<'_>, actions: &[Action], seed: u64) -> Result<String, Error> {
    let lines: Vec<_> = actions.iter().map(Action::words).collect();
    Ok(format!("# schedule {seed}\n# {}", lines.join("\n# ")))
}
