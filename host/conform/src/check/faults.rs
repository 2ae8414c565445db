//! Devices that fail.

use super::{Check, Found};
use crate::error::Error;
use crate::ground::{Ground, refused};
use crate::world::Made;

/// More calls than these are not failed one by one, but every so many of them.
const RUNS_MAX: u64 = 400;

pub(crate) const SURVIVES_FAULTS: Check = Check {
    id: "survives-faults",
    rule: 13,
    title: "whichever call fails, it goes on, or says why it cannot start",
    explanation: "Each call of the host that a device, a full table or a late provider can fail was failed once, the n-th for every n (of more than 400, every so many of them). In `start` the driver may refuse; afterwards it has to live, to answer what it answers undisturbed, and not to fall silent.",
    remedy: "Return errors with `?` instead of unwrapping them; and arm the next timer before what can fail, so that one error does not end the driver's own work.",
    run,
};

fn run(ground: &Ground<'_>) -> Result<Found, Error> {
    let mut world = ground.world()?;
    world.play(&ground.workout, 0);
    let all = world.faults().made();
    drop(world);
    if all == 0 {
        return Ok(Found::skipped("it calls nothing that can fail"));
    }
    let step = all.div_ceil(RUNS_MAX);
    let mut runs = 0;
    for fault in (1..=all).step_by(step as usize) {
        let mut world = ground.world_with(Made {
            fault,
            ..Made::default()
        })?;
        runs += 1;
        let in_start = world.faults().has_failed();
        if in_start && refused(&world).is_some_and(|text| !text.is_empty()) {
            continue;
        }
        if world.death().is_none() {
            world.play(&ground.workout, 0);
        }
        let complaint = world.death().or_else(|| ground.changed(&mut world));
        if let Some(complaint) = complaint.or_else(|| world.death()) {
            let crossed = world.end()?;
            let which = failed(&crossed, fault);
            let message = format!(
                "call {fault} of the {all} that can fail was failed ({which}): {complaint}"
            );
            return Ok(Found::failed_over(
                message,
                runs,
                crossed.last(super::EVIDENCE),
            ));
        }
    }
    Ok(Found::passed(runs))
}

/// The call that was failed, in words: the one with this number of those that can fail.
fn failed(crossed: &crate::world::Crossed, fault: u64) -> String {
    let mut count = 0;
    for entry in crossed.entries() {
        for call in entry.calls() {
            count += u64::from(call.can_fail());
            if count == fault && call.can_fail() {
                return format!("{call}, in {}", entry.handler());
            }
        }
    }
    "it is not on record".to_owned()
}
