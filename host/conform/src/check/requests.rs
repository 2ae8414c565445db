//! Requests and their answers.

use super::{Check, Found};
use crate::action::{Action, Ask};
use crate::error::Error;
use crate::ground::Ground;
use crate::world::{Crossed, World};
use std::collections::BTreeSet;
use std::time::Duration;

pub(crate) const SURVIVES_REQUESTS: Check = Check {
    id: "survives-any-request",
    rule: 13,
    title: "no number and no length in a request harms it",
    explanation: "Every selector that it lists was asked with the largest numbers, with no data and with as much as it takes. (Selectors that it does not list, and longer data, the host refuses.)",
    remedy: "Check lengths and numbers before they are used: `get` in place of an index, `checked_add`, and a bound for what is allocated.",
    run: survives_requests,
};

fn survives_requests(ground: &Ground<'_>) -> Result<Found, Error> {
    if ground.profile.own.is_empty() {
        return Ok(Found::skipped("it publishes no service"));
    }
    let mut runs = 0;
    for offered in &ground.profile.own {
        for &selector in &offered.selectors {
            for (scalar, length) in [
                (0, 0),
                (u64::MAX, 0),
                (u64::MAX, offered.input_max),
                (1 << 32, offered.input_max),
                (i64::MAX as u64, offered.input_max.min(1)),
            ] {
                let mut world = ground.world()?;
                runs += 1;
                ask(
                    &mut world,
                    &offered.service,
                    selector,
                    [scalar; 4],
                    length as usize,
                );
                if let Some(death) = world.death() {
                    let message = format!(
                        "asked for selector {selector} of `{}` with numbers of {scalar} and {length} bytes, it fails: {death}",
                        offered.service
                    );
                    return Found::failed(message, runs, world);
                }
            }
        }
    }
    Ok(Found::passed(runs))
}

fn ask(world: &mut World, service: &str, selector: u32, scalars: [u64; 4], length: usize) {
    let ask = Ask {
        service: service.to_owned(),
        selector,
        scalars,
        data: vec![0xff; length],
        timeout: Some(Duration::from_secs(5)),
    };
    world.act(&Action::Ask(ask), 0);
    world.act(&Action::Wait(Duration::from_secs(6)), 1);
}

pub(crate) const ANSWERS_ONCE: Check = Check {
    id: "answers-once",
    rule: 10,
    title: "it answers each request once, and none that is over",
    explanation: "Requests were completed, cancelled and left to their deadlines, while others waited. Each `io-command-is-complete` had to be for a request that was still open.",
    remedy: "Forget a request when it is answered and in `cancelled`; the SDK's `Pending` can be completed once only.",
    run: answers_once,
};

fn answers_once(ground: &Ground<'_>) -> Result<Found, Error> {
    if ground.profile.own.is_empty() {
        return Ok(Found::skipped("it publishes no service"));
    }
    let mut runs = 0;
    for actions in orders(ground) {
        let mut world = ground.world()?;
        world.play(&actions, 0);
        runs += 1;
        if let Some(said) = twice(&world) {
            return Found::failed(said, runs, world);
        }
        let crossed = world.end()?;
        if !crossed.is_whole() {
            return Ok(Found::too_much(runs));
        }
        if let Some(message) = of_none(&crossed) {
            return Ok(Found::failed_over(
                message,
                runs,
                crossed.last(super::EVIDENCE),
            ));
        }
    }
    Ok(Found::passed(runs))
}

/// By the log: the host says so of an answer by both ways.
fn twice(world: &World) -> Option<String> {
    let mut lines = world.log().into_iter();
    let line = lines.find(|line| line.text.contains(" twice, by `io-command-is-complete`"))?;
    Some(line.text)
}

/// An answer to a request that the driver knows to be over: it has answered it, or was
/// told that its client gave up. One that it could not know of is its right.
fn of_none(crossed: &Crossed) -> Option<String> {
    let mut open = BTreeSet::new();
    for entry in crossed.entries() {
        let arguments = entry.arguments();
        match entry.handler() {
            "command" => open.extend(number(&arguments, 1)),
            "cancelled" => {
                if let Some(id) = number(&arguments, 0) {
                    open.remove(&id);
                }
            }
            _ => {}
        }
        for call in entry.calls() {
            let arguments = call.arguments();
            // `aborted` lets go of it, which the SDK does with what is dropped.
            if call.name() != "request.io-command-is-complete"
                || arguments.ends_with("error aborted")
            {
                continue;
            }
            let known = number(&arguments, 0).is_some_and(|id| open.remove(&id));
            if !known && call.has_failed() {
                return Some(format!("in {entry} it calls {call}: that request is over"));
            }
        }
        if entry.handler() == "command" && entry.answer().is_some_and(|answer| answer != "pending")
        {
            open.remove(&number(&arguments, 1).unwrap_or_default());
        }
    }
    None
}

/// One of a call's arguments.
fn number(arguments: &str, place: usize) -> Option<u64> {
    arguments.split(", ").nth(place)?.parse().ok()
}

pub(crate) const SURVIVES_ORDERS: Check = Check {
    id: "survives-every-order",
    rule: 10,
    title: "completion, cancel, deadline and end may come in any order",
    explanation: "Every selector was asked, alone and beside others, and given up by its client, late or taken away at each moment up to its answer. Afterwards the driver had to answer as before.",
    remedy: "Let `cancelled` undo what the request has begun: timers that it armed, a device that it keeps busy.",
    run: survives_orders,
};

fn survives_orders(ground: &Ground<'_>) -> Result<Found, Error> {
    if ground.profile.own.is_empty() {
        return Ok(Found::skipped("it publishes no service"));
    }
    let mut runs = 0;
    for actions in orders(ground) {
        let mut world = ground.world()?;
        world.play(&actions, 0);
        runs += 1;
        let complaint = world.death().or_else(|| ground.changed(&mut world));
        if let Some(complaint) = complaint.or_else(|| world.death()) {
            let order: Vec<_> = actions.iter().map(Action::words).collect();
            let message = format!("{complaint}; before that: {}", order.join(", "));
            return Found::failed(message, runs, world);
        }
    }
    Ok(Found::passed(runs))
}

/// Two requests at once, and one of them ends in each way and at each moment.
fn orders(ground: &Ground<'_>) -> Vec<Vec<Action>> {
    const MOMENTS: [Duration; 7] = [
        Duration::ZERO,
        Duration::from_micros(1),
        Duration::from_micros(999),
        Duration::from_millis(1),
        Duration::from_millis(10),
        Duration::from_millis(100),
        Duration::from_secs(1),
    ];
    let mut all = Vec::new();
    for offered in &ground.profile.own {
        for &selector in &offered.selectors {
            let ask = |timeout| {
                Action::Ask(Ask {
                    service: offered.service.clone(),
                    selector,
                    scalars: [0; 4],
                    data: Vec::new(),
                    timeout,
                })
            };
            for moment in MOMENTS {
                for cancelled in [0, 1] {
                    all.push(vec![
                        Action::Next,
                        ask(None),
                        ask(None),
                        Action::Wait(moment),
                        Action::Cancel { request: cancelled },
                        Action::Wait(Duration::from_secs(2)),
                        Action::Cancel {
                            request: 1 - cancelled,
                        },
                    ]);
                }
                all.push(vec![
                    ask(Some(moment)),
                    ask(Some(moment)),
                    Action::Wait(Duration::from_secs(2)),
                ]);
            }
            all.push(vec![
                ask(None),
                Action::Next,
                Action::Cancel { request: 0 },
                ask(None),
                Action::Next,
                Action::Next,
                Action::Cancel { request: 1 },
            ]);
        }
    }
    all
}
