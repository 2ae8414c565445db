//! From `start` to `stop`.

use super::{Check, Found};
use crate::action::Action;
use crate::error::Error;
use crate::ground::Ground;
use crate::world::Made;
use loopgate::State;

/// Starts and stops.
const CYCLES: u64 = 1_000;

/// It was found out when the ground was laid: see [`crate::Kit`].
pub(crate) const STARTS: Check = Check {
    id: "starts",
    rule: 12,
    title: "it loads in the world that it claims, and starts",
    explanation: "The component was compiled, linked against the interfaces of its world and started on the board.",
    remedy: "The message names what is missing: a grant in the board file (`--board`), a setting, or an interface that drivers do not have.",
    run: |_| Ok(Found::passed(1)),
};

pub(crate) const STARTS_AGAIN: Check = Check {
    id: "starts-again",
    rule: 15,
    title: "it starts after each stop as it did at first, 1,000 times",
    explanation: "The driver was stopped and started, at rest and in the midst of its work; each start had to succeed, with as many sources and as much memory as the first.",
    remedy: "Let `start` depend on nothing but the board: not on `cause`, not on what the last instance left behind.",
    run: starts_again,
};

fn starts_again(ground: &Ground<'_>) -> Result<Found, Error> {
    let mut world = ground.world_with(Made {
        is_untraced: true,
        ..Made::default()
    })?;
    let first = world.status().usage;
    let driver = ground.subject.driver().to_owned();
    for cycle in 1..=CYCLES {
        let action = &ground.workout[cycle as usize % ground.workout.len()];
        world.act(action, 0);
        for action in [
            Action::Stop {
                driver: driver.clone(),
            },
            Action::Start {
                driver: driver.clone(),
            },
        ] {
            world.act(&action, 0);
        }
        let status = world.status();
        if status.state != State::Running {
            let cause = world.death().unwrap_or_default();
            return Found::failed(format!("start {} fails: {cause}", cycle + 1), cycle, world);
        }
        let usage = status.usage;
        if (usage.sources, usage.memory) != (first.sources, first.memory) {
            return Found::failed(
                format!(
                    "after start {} it has {} sources and {} bytes of memory, at first {} and {}",
                    cycle + 1,
                    usage.sources,
                    usage.memory,
                    first.sources,
                    first.memory
                ),
                cycle,
                world,
            );
        }
    }
    Ok(Found::passed(CYCLES))
}

pub(crate) const QUIET_STOP: Check = Check {
    id: "quiet-stop",
    rule: 15,
    title: "it begins nothing in `stop`",
    explanation: "The driver was stopped after its work, and in the midst of it. What it armed, opened, created or submitted in `stop` could never come to anything.",
    remedy: "In `stop` only finish: set outputs, answer requests, write the last line of the log.",
    run: quiet_stop,
};

fn quiet_stop(ground: &Ground<'_>) -> Result<Found, Error> {
    const BEGIN: [&str; 19] = [
        "timer-event-source.set-timeout",
        "timer-event-source.wake-at",
        "work-loop.add-event-source",
        "interrupt-event-source.create",
        "interrupt-event-source.create-filtered",
        "timer-event-source.create",
        "command-gate.create",
        "gpio.pin.open",
        "gpio.pin.interrupt",
        "serial.port.readable",
        "serial.port.writable",
        "published-pins.publish-pins",
        "request.client.run-command",
        "serial.port.open",
        "i2c.device.open",
        "spi.device.open",
        "request.client.open",
        "request.client.submit",
        "request.publish",
    ];
    let mut runs = 0;
    for end in (0..=ground.workout.len()).rev() {
        let mut world = ground.world()?;
        world.play(&ground.workout[..end], 0);
        let driver = ground.subject.driver().to_owned();
        world.act(&Action::Stop { driver }, end);
        runs += 1;
        let crossed = world.end()?;
        if !crossed.is_whole() {
            return Ok(Found::too_much(runs));
        }
        let entries = crossed.entries();
        let stops = entries.filter(|entry| entry.handler() == "stop");
        for entry in stops {
            let mut calls = entry.calls().iter();
            if let Some(call) = calls.find(|call| BEGIN.contains(&call.name())) {
                let message = format!("in `stop` it calls {call}");
                return Ok(Found::failed_over(
                    message,
                    runs,
                    crossed.last(super::EVIDENCE),
                ));
            }
            if entry.answer().is_none() {
                let message = "it fails in `stop`";
                return Ok(Found::failed_over(
                    message,
                    runs,
                    crossed.last(super::EVIDENCE),
                ));
            }
        }
    }
    Ok(Found::passed(runs))
}
