//! Much of everything, and for long.

use super::{Check, Found};
use crate::action::Action;
use crate::error::Error;
use crate::ground::{AFTERWARDS, Ground};
use crate::world::{Made, World};
use loopgate::status::Usage;
use std::time::Duration;

/// Handlers that are called in a long run, and rounds that it takes at most.
const CALLS: u64 = 20_000;
const ROUNDS_MAX: usize = 2_000;

/// Edges at one instant on each line.
const EDGES: usize = 5_000;

/// A year.
const JUMP: Duration = Duration::from_hours(365 * 24);

/// Handlers in the second after a jump that would be catching up.
const CATCH_UP: u64 = 2_000;

/// One of the things that a driver needs.
type Need = fn(&Usage) -> u64;

pub(crate) const BOUNDED: Check = Check {
    id: "bounded",
    rule: 13,
    title: "it needs no more memory, sources and requests the longer it runs",
    explanation: "It was given the same things again and again, up to 20,000 handlers or 2,000 times. In the second half it may need nothing that it did not need in the first, and it had to answer at the end as at the begin.",
    remedy: "Something is kept for each event and never given back: a list that grows, a timer or handle that is created anew, a request that nobody answers.",
    run: bounded,
};

fn bounded(ground: &Ground<'_>) -> Result<Found, Error> {
    let mut world = ground.world_with(Made {
        is_untraced: true,
        ..Made::default()
    })?;
    let mut samples = Vec::new();
    for round in 0..ROUNDS_MAX {
        for action in &ground.workout {
            world.act(action, round);
        }
        world.forget();
        let status = world.status();
        if let Some(death) = world.death() {
            return Found::failed(
                format!("after {} rounds it fails: {death}", round + 1),
                1,
                world,
            );
        }
        samples.push((status.counts.calls, status.usage));
        if status.counts.calls >= CALLS {
            break;
        }
    }
    let Some(&(calls, last)) = samples.last() else {
        return Ok(Found::skipped("it does nothing"));
    };
    let (first, _) = samples.split_at(samples.partition_point(|(at, _)| *at <= calls / 2));
    if first.is_empty() {
        return Ok(Found::skipped("it is called too rarely to tell"));
    }
    let most = |of: Need| first.iter().map(|(_, usage)| of(usage)).max();
    let needs: [(&str, Need); 4] = [
        ("bytes of memory", |usage| usage.memory),
        ("sources", |usage| usage.sources as u64),
        ("requests", |usage| usage.requests as u64),
        ("submissions", |usage| usage.submissions as u64),
    ];
    for (what, of) in needs {
        let (before, after) = (most(of).unwrap_or_default(), of(&last));
        if after > before {
            let message = format!(
                "in the first half of {calls} handlers it has at most {before} {what}, at the end {after}"
            );
            return Found::failed(message, 1, world);
        }
    }
    // One that has used up a limit needs no more, and does no more.
    match ground.changed(&mut world) {
        Some(complaint) => Found::failed(format!("after {calls} handlers {complaint}"), 1, world),
        None => Ok(Found::passed(1)),
    }
}

/// Everything at once.
pub(crate) fn storm(ground: &Ground<'_>, world: &mut World, edges: usize) {
    for line in &ground.profile.inputs {
        for edge in 0..edges {
            let _ = world.board().sim().set(line, edge % 2 == 1);
        }
    }
    for port in &ground.profile.ports {
        let noise: Vec<u8> = (0..edges).map(|at| (at * 37 % 251) as u8).collect();
        let _ = world.board().sim_ports().feed(port, &noise);
    }
    world.act(&Action::Wait(Duration::from_secs(1)), usize::MAX);
}

pub(crate) const SURVIVES_STORMS: Check = Check {
    id: "survives-storms",
    rule: 4,
    title: "bursts, coalesced and lost events do not harm it",
    explanation: "Every line that it reads changed 5,000 times at one instant, and every port received 5,000 bytes of noise at once, three times: more than is kept, so that some are lost. Afterwards it had to answer and to go on as before.",
    remedy: "Take `count` and `lost` as they come, and do not take each interrupt for one edge.",
    run: survives_storms,
};

fn survives_storms(ground: &Ground<'_>) -> Result<Found, Error> {
    if ground.profile.inputs.is_empty() && ground.profile.ports.is_empty() {
        return Ok(Found::skipped("it reads no line and no port"));
    }
    let mut world = ground.world()?;
    for _ in 0..3 {
        storm(ground, &mut world, EDGES);
        if let Some(death) = world.death() {
            return Found::failed(death, 1, world);
        }
    }
    match ground.changed(&mut world) {
        Some(complaint) => Found::failed(complaint, 1, world),
        None => Ok(Found::passed(1)),
    }
}

pub(crate) const LOGS_WITHIN_REASON: Check = Check {
    id: "logs-within-reason",
    rule: 13,
    title: "its log stays within its limit, whatever happens",
    explanation: "Through twenty rounds of work, each with a storm of edges and bytes, no line of its log was left out for its limit `log`.",
    remedy: "Log changes of state and not each event; or at `debug` level and rarely.",
    run: logs,
};

fn logs(ground: &Ground<'_>) -> Result<Found, Error> {
    let mut world = ground.world()?;
    for _ in 0..20 {
        world.play(&ground.workout, 0);
        storm(ground, &mut world, 200);
        // In each round: old lines are forgotten.
        let mut lines = world.log().into_iter();
        if let Some(line) = lines.find(|line| line.text.ends_with("over its limit `log`")) {
            let at = Duration::from_nanos(line.time_ns);
            return Found::failed(format!("{at:?} after the begin: {}", line.text), 1, world);
        }
    }
    Ok(Found::passed(1))
}

pub(crate) const SURVIVES_JUMPS: Check = Check {
    id: "survives-jumps",
    rule: 7,
    title: "a clock that jumps ahead by a year does not keep it busy",
    explanation: "After some work the clock was a year further on, as after a long suspension. In the second after that it had to be called at most 2,000 times, and then to go on as before.",
    remedy: "After a late timeout skip the turns that were missed: arm the next one from `now`, not once for each.",
    run: survives_jumps,
};

fn survives_jumps(ground: &Ground<'_>) -> Result<Found, Error> {
    let mut world = ground.world()?;
    world.play(&ground.workout, 0);
    let before = world.status().counts.calls;
    world.act(&Action::Wait(AFTERWARDS), 0);
    let usual = (world.status().counts.calls - before) / AFTERWARDS.as_secs();
    let before = world.status().counts.calls;
    world.act(&Action::Skip(JUMP), 0);
    world.act(&Action::Wait(Duration::from_secs(1)), 0);
    if let Some(death) = world.death() {
        return Found::failed(death, 1, world);
    }
    let calls = world.status().counts.calls - before;
    if calls > CATCH_UP + 2 * usual {
        let message = format!(
            "in the second after the jump it is called {calls} times, in a usual one {usual} times"
        );
        return Found::failed(message, 1, world);
    }
    match ground.changed(&mut world) {
        Some(complaint) => Found::failed(complaint, 1, world),
        None => Ok(Found::passed(1)),
    }
}
