//! State that goes over to the next version.

use super::{Check, Found};
use crate::action::Action;
use crate::error::Error;
use crate::ground::Ground;
use crate::world::{Seen, World, seconds};

/// More moments than these are not tried one by one, but every so many of them.
const RUNS_MAX: usize = 100;

pub(crate) const KEEPS_STATE: Check = Check {
    id: "keeps-its-state",
    rule: 16,
    title: "reloaded at any moment, it does what it would have done",
    explanation: "The driver was put in its own place at each moment of its work. All that came out of it afterwards (levels and their times, bytes, answers) had to be as without that.",
    remedy: "`save` everything that what comes out depends on, and `restore` just that; timers stay armed and outputs keep their levels by themselves.",
    run,
};

fn run(ground: &Ground<'_>) -> Result<Found, Error> {
    let mut world = ground.world()?;
    world.act(&Action::Reload, 0);
    let reload = world.status().last_reload;
    if let Some(death) = world.death() {
        return Found::failed(format!("it cannot be reloaded: {death}"), 1, world);
    }
    match reload {
        None => {
            let reason = world.board().reload(ground.subject.driver()).err();
            let reason = reason.map(|error| error.to_string()).unwrap_or_default();
            return Found::failed(format!("it cannot be reloaded: {reason}"), 1, world);
        }
        Some(reload) if reload.state_bytes.is_none() => {
            return Ok(Found::skipped(
                "it saves no state: its next version starts afresh",
            ));
        }
        Some(_) => {}
    }
    let mut world = ground.world()?;
    world.play(&ground.workout, 0);
    let undisturbed = world.seen();
    let step = (ground.workout.len() + 1).div_ceil(RUNS_MAX);
    let mut runs = 0;
    for at in (0..=ground.workout.len()).step_by(step) {
        let mut world = ground.world()?;
        let (before, after) = ground.workout.split_at(at);
        world.play(before, 0);
        let generation = world.status().generation;
        let begun = world.time();
        world.act(&Action::Reload, usize::MAX);
        let moment = seconds(world.time());
        let has_waited = world.time() > begun;
        if world.status().generation == generation {
            // It was refused, as one is while a request is with the driver.
            if let Some(complaint) = refusal(ground, &world) {
                return Found::failed(
                    format!("at {moment} it cannot be reloaded: {complaint}"),
                    runs,
                    world,
                );
            }
            continue;
        }
        runs += 1;
        world.play(after, at);
        if let Some(death) = world.death() {
            return Found::failed(
                format!("reloaded at {moment}, it fails: {death}"),
                runs,
                world,
            );
        }
        // It was put off until a request was over: that is another moment, and what came
        // after it came later.
        let complaint = if has_waited {
            ground.changed(&mut world)
        } else {
            difference(&undisturbed, &world.seen())
        };
        if let Some(difference) = complaint {
            let message = format!("reloaded at {moment}, {difference}");
            return Found::failed(message, runs, world);
        }
    }
    if runs == 0 {
        return Ok(Found::skipped(
            "it is busy at every moment, and cannot be reloaded then",
        ));
    }
    Ok(Found::passed(runs))
}

/// Why it was refused, unless that is since it is busy.
fn refusal(ground: &Ground<'_>, world: &World) -> Option<String> {
    let again = world.board().reload(ground.subject.driver());
    let error = again.err()?;
    (error.code != loopgate::ErrorCode::Busy).then(|| error.to_string())
}

/// What first came out otherwise.
fn difference(undisturbed: &[Seen], seen: &[Seen]) -> Option<String> {
    let at =
        (0..undisturbed.len().max(seen.len())).find(|&at| undisturbed.get(at) != seen.get(at))?;
    Some(match (undisturbed.get(at), seen.get(at)) {
        (Some(before), Some(now)) => {
            format!(
                "{} comes where undisturbed {} comes",
                words(now),
                words(before)
            )
        }
        (Some(before), None) => format!("{} does not come", words(before)),
        (None, Some(now)) => format!("{} comes, and undisturbed does not", words(now)),
        (None, None) => return None,
    })
}

fn words(seen: &Seen) -> String {
    match seen {
        Seen::Line(at, line, high) => {
            let way = if *high { "rises" } else { "falls" };
            format!("`{line} {way} at {}`", seconds(*at).trim_start())
        }
        Seen::Sent(port, bytes) => format!(
            "`{} bytes on {port}: {:?}`",
            bytes.len(),
            bytes.escape_ascii().to_string()
        ),
        Seen::Answered(action, Ok(reply)) => {
            format!("`answer {} to request {action}`", reply.scalar)
        }
        Seen::Answered(action, Err(code)) => format!("`answer {code} to request {action}`"),
    }
}
