//! Sleep.

use super::{Check, Found};
use crate::action::{Action, Ask};
use crate::error::Error;
use crate::ground::{AFTERWARDS, Ground};
use loopgate::PowerState;
use std::time::Duration;

pub(crate) const SLEEPS_AND_WAKES: Check = Check {
    id: "sleeps-and-wakes",
    rule: 10,
    title: "after a sleep it goes on, and answers who asked before it",
    explanation: "The board slept for a minute and woke: at rest, at every fourth moment of the driver's work, and whenever a request was waiting. Afterwards it had to answer and to go on as before; and what it answers undisturbed it had to answer as well where it was asked right before the sleep, by clients who wait for it.",
    remedy: "Arm in `set-power-state(on)` what was disarmed in `set-power-state(sleep)`; return an error from it rather than unwrap.",
    run,
};

fn run(ground: &Ground<'_>) -> Result<Found, Error> {
    let mut runs = 0;
    let whole = ground.workout.len();
    for at in 0..=whole {
        let mut world = ground.world()?;
        let (before, after) = ground.workout.split_at(at);
        world.play(before, 0);
        let waiting = world
            .requests()
            .iter()
            .filter(|asked| asked.outcome.is_none())
            .count();
        if at > 0 && at < whole && waiting == 0 && at % 4 != 0 {
            continue;
        }
        runs += 1;
        let allowed = world.board().power(PowerState::Sleep).is_ok();
        world.act(&Action::Wait(Duration::from_mins(1)), at);
        world.act(&Action::Wake, at);
        world.play(after, at);
        let complaint = world.death().or_else(|| ground.changed(&mut world));
        if let Some(complaint) = complaint.or_else(|| world.death()) {
            let how = if allowed { "slept" } else { "asked to sleep" };
            let message = format!("when the board has {how} for a minute, {complaint}");
            return Found::failed(message, runs, world);
        }
    }
    stalled(ground, runs + 1)
}

/// Clients without a deadline, whom the sleep comes upon.
fn stalled(ground: &Ground<'_>, runs: u64) -> Result<Found, Error> {
    let mut world = ground.world()?;
    world.play(&ground.workout, 0);
    let before = world.requests().len();
    for action in &ground.workout {
        if let Action::Ask(ask) = action
            && ground
                .answered
                .contains(&(ask.service.clone(), ask.selector))
        {
            let timeout = None;
            let ask = Ask {
                timeout,
                ..ask.clone()
            };
            world.act(&Action::Ask(ask), usize::MAX);
        }
    }
    // What does not allow it goes on.
    world.act(&Action::Sleep, usize::MAX);
    world.act(&Action::Wait(Duration::from_mins(1)), usize::MAX);
    world.act(&Action::Wake, usize::MAX);
    world.act(&Action::Wait(AFTERWARDS), usize::MAX);
    let mut asked = world.requests()[before..].iter();
    let complaint = match asked.find(|asked| asked.outcome.is_none()) {
        Some(asked) => Some(format!(
            "request {} of `{}`, which it answers undisturbed, is not answered after a sleep",
            asked.selector, asked.service
        )),
        None => world.death(),
    };
    match complaint {
        Some(complaint) => Found::failed(complaint, runs, world),
        None => Ok(Found::passed(runs)),
    }
}
