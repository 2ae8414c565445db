//! Whatever happens, in whichever order.

use super::{Check, Found};
use crate::action::Action;
use crate::error::Error;
use crate::ground::Ground;
use crate::report::Outcome;
use crate::schedule;
use loopgate::Random;

pub(crate) const SURVIVES_SCHEDULES: Check = Check {
    id: "survives-schedules",
    rule: 17,
    title: "no order of interrupts, timers and clients harms it",
    explanation: "Schedules were drawn from the seed: up to 24 things that happen to the driver, in any order. After each it had to live, to answer, and to go on. One that it fails over was made as short as it could be.",
    remedy: "The scenario shows the shortest order that was found. Look for what one handler takes for granted and another one changes.",
    run,
};

fn run(ground: &Ground<'_>) -> Result<Found, Error> {
    for number in 0..ground.schedules {
        let seed = ground.seed.wrapping_add(number);
        let actions = schedule::draw(&ground.profile, &mut Random::new(seed));
        let Some((first, _)) = schedule::play(ground, &actions, seed)? else {
            continue;
        };
        let kind = kind(&first);
        let shortest = schedule::shrink(actions, |some| {
            let played = schedule::play(ground, some, seed)?;
            Ok(played.is_some_and(|(now, _)| self::kind(&now) == kind))
        })?;
        let Some((complaint, world)) = schedule::play(ground, &shortest, seed)? else {
            // Nothing is left to chance: what was found is found again.
            return Ok(Found::failed_over(first, number + 1, Vec::new()));
        };
        let order: Vec<_> = shortest.iter().map(Action::words).collect();
        let message = format!(
            "{complaint}; in schedule {seed}, of which these are left: {}",
            order.join("; ")
        );
        let mut found = Found::failed(message, number + 1, world)?;
        if let Outcome::Failed(failure) = &mut found.outcome {
            failure.schedule = order;
            failure.scenario = Some(crate::reproduce::scenario(ground, &shortest, seed)?);
        }
        return Ok(found);
    }
    Ok(Found::passed(ground.schedules))
}

/// What a failure is like, whatever its numbers are.
fn kind(complaint: &str) -> String {
    complaint
        .chars()
        .filter(|letter| !letter.is_ascii_digit())
        .take(60)
        .collect()
}
