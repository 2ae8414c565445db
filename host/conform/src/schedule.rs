//! Schedules: what happens to a driver in which order, drawn from a seed, and made as
//! short as it can be where a driver fails.

use crate::action::{Action, Ask};
use crate::error::Error;
use crate::ground::{Ground, Profile};
use crate::world::{Made, World};
use loopgate::Random;
use std::time::Duration;

/// The most things in one schedule.
const LENGTH_MAX: u64 = 24;

/// How often a schedule is tried to be made shorter.
const SHRINK_MAX: usize = 400;

/// `None` where there is none.
fn one_of<'a, T>(all: &'a [T], random: &mut Random) -> Option<&'a T> {
    all.get(random.below(all.len() as u64) as usize)
}

/// Draws a schedule.
pub(crate) fn draw(profile: &Profile, random: &mut Random) -> Vec<Action> {
    let length = 1 + random.below(LENGTH_MAX);
    let mut requests = 0;
    let mut actions = Vec::new();
    for _ in 0..length {
        let action = loop {
            if let Some(action) = one(profile, random, requests) {
                break action;
            }
        };
        requests += usize::from(matches!(action, Action::Ask(_)));
        actions.push(action);
    }
    actions
}

/// `None` where there is nothing of that kind.
fn one(profile: &Profile, random: &mut Random, requests: usize) -> Option<Action> {
    Some(match random.below(16) {
        0..=3 => {
            let line = one_of(&profile.inputs, random)?.clone();
            let high = random.below(2) == 1;
            Action::Set { line, high }
        }
        4..=6 => Action::Ask(ask(profile, random)?),
        7 | 8 => {
            let port = one_of(&profile.ports, random)?.clone();
            let length = 1 + random.below(40);
            let bytes = (0..length).map(|_| text(random)).collect();
            Action::Feed { port, bytes }
        }
        9 if requests > 0 => Action::Cancel {
            request: random.below(requests as u64) as usize,
        },
        10 | 11 => Action::Wait(span(random)),
        12..=14 => Action::Next,
        _ => match random.below(6) {
            0 => Action::Reload,
            1 => Action::Sleep,
            2 => Action::Wake,
            _ => return None,
        },
    })
}

fn ask(profile: &Profile, random: &mut Random) -> Option<Ask> {
    let offered: Vec<_> = profile.offers().collect();
    let offered = one_of(&offered, random)?;
    let scalars = [(); 4].map(|()| match random.below(4) {
        0 => 0,
        1 => random.below(4),
        2 => random.below(1000),
        _ => random.number(),
    });
    let length = match random.below(3) {
        0 => 0,
        1 => random.below(9),
        _ => random.below(u64::from(offered.input_max) + 1),
    };
    let length = length.min(u64::from(offered.input_max));
    Some(Ask {
        service: offered.service.clone(),
        selector: *one_of(&offered.selectors, random)?,
        scalars,
        data: (0..length).map(|_| text(random)).collect(),
        timeout: (random.below(2) == 0).then(|| span(random)),
    })
}

/// Mostly what people write.
fn text(random: &mut Random) -> u8 {
    match random.below(8) {
        0 => random.number() as u8,
        1 => b'\n',
        _ => b' ' + random.below(95) as u8,
    }
}

/// Microseconds as often as seconds.
fn span(random: &mut Random) -> Duration {
    let digits = random.below(7) as u32;
    Duration::from_micros((1 + random.below(9)) * 10_u64.pow(digits))
}

/// Plays it on a new board: what is wrong with the driver then, if anything.
pub(crate) fn play(
    ground: &Ground<'_>,
    actions: &[Action],
    seed: u64,
) -> Result<Option<(String, World)>, Error> {
    let made = Made {
        schedule: Some(seed),
        ..Made::default()
    };
    let mut world = ground.world_with(made)?;
    world.play(actions, 0);
    world.act(&Action::Wake, usize::MAX);
    let complaint = complaint(ground, &mut world);
    Ok(complaint.map(|complaint| (complaint, world)))
}

fn complaint(ground: &Ground<'_>, world: &mut World) -> Option<String> {
    if let Some(death) = world.death() {
        return Some(death);
    }
    let asked = world.requests().len();
    let changed = ground.changed(world);
    if let Some(death) = world.death() {
        return Some(death);
    }
    if changed.is_some() {
        return changed;
    }
    // One with a deadline may have been too early.
    let mut asked = world.requests()[..asked].iter();
    let lost = asked.find(|asked| {
        let same = (asked.service.clone(), asked.selector);
        asked.outcome.is_none() && ground.answered.contains(&same)
    })?;
    Some(format!(
        "request {} of `{}`, which it answers undisturbed, is never answered",
        lost.selector, lost.service
    ))
}

/// The shortest of its parts, in the same order, over which the driver fails as well.
pub(crate) fn shrink(
    actions: Vec<Action>,
    mut fails: impl FnMut(&[Action]) -> Result<bool, Error>,
) -> Result<Vec<Action>, Error> {
    let mut best = actions;
    let mut tries = 0;
    let mut piece = best.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        let mut shorter = false;
        while at < best.len() && tries < SHRINK_MAX {
            let end = (at + piece).min(best.len());
            let without = without(&best, at..end);
            tries += 1;
            if fails(&without)? {
                best = without;
                shorter = true;
            } else {
                at = end;
            }
        }
        if tries >= SHRINK_MAX || (piece == 1 && !shorter) {
            return Ok(best);
        }
        if !shorter {
            piece = piece.div_ceil(2);
        }
    }
}

/// The others, where what is cancelled is the same still.
fn without(actions: &[Action], range: std::ops::Range<usize>) -> Vec<Action> {
    let is_ask = |action: &&Action| matches!(action, Action::Ask(_));
    let before = actions[..range.start].iter().filter(is_ask).count();
    let gone = actions[range.clone()].iter().filter(is_ask).count();
    let rest = actions[range.end..]
        .iter()
        .filter_map(|action| match action {
            Action::Cancel { request } if *request >= before + gone => Some(Action::Cancel {
                request: request - gone,
            }),
            Action::Cancel { request } if *request >= before => None,
            other => Some(other.clone()),
        });
    actions[..range.start].iter().cloned().chain(rest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(line: usize) -> Action {
        Action::Set {
            line: line.to_string(),
            high: true,
        }
    }

    #[test]
    fn three_of_many_are_found() {
        let actions: Vec<_> = (0..24).map(set).collect();
        let needed = [set(3), set(11), set(23)];
        let shrunk = shrink(actions, |some| {
            let mut rest = some.iter();
            Ok(needed.iter().all(|one| rest.any(|other| other == one)))
        });
        assert_eq!(shrunk.unwrap(), needed);
    }

    #[test]
    fn what_is_cancelled_stays_the_same() {
        let ask = |selector| {
            Action::Ask(Ask {
                service: "s".into(),
                selector,
                scalars: [0; 4],
                data: Vec::new(),
                timeout: None,
            })
        };
        let cancel = |request| Action::Cancel { request };
        let actions = [ask(1), ask(2), cancel(1), cancel(0)];
        assert_eq!(without(&actions, 0..1), [ask(2), cancel(0)]);
        assert_eq!(without(&actions, 1..2), [ask(1), cancel(0)]);
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let profile = Profile {
            inputs: vec!["A".into()],
            ports: vec!["P".into()],
            ..Profile::default()
        };
        let drawn = |seed| draw(&profile, &mut Random::new(seed));
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }
}
