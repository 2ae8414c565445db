//! How long handlers take.

use super::{Check, Found};
use crate::error::Error;
use crate::ground::Ground;
use loopgate::trace::Called;
use std::time::Duration;

/// What a data sheet asks for, and more.
const DELAY_MAX: Duration = Duration::from_millis(1);

pub(crate) const UP_CALLS_RETURN: Check = Check {
    id: "up-calls-do-not-sleep",
    rule: 9,
    title: "it does not wait in interrupts, timeouts and other up calls",
    explanation: "All that it delays in one up call had to be at most 1 ms: every driver of its loop waits along.",
    remedy: "Arm a timer and go on in `timeout`; `delay` is for the few microseconds that data sheets ask for.",
    run: up_calls_return,
};

fn up_calls_return(ground: &Ground<'_>) -> Result<Found, Error> {
    const DOWN: [&str; 11] = [
        "instantiate",
        "connect",
        "start",
        "stop",
        "save-state",
        "restore-state",
        "command",
        "pin-read",
        "pin-write",
        "pin-configure",
        "lost",
    ];
    let mut world = ground.world()?;
    world.play(&ground.workout, 0);
    world.board().run_for(crate::ground::AFTERWARDS);
    let crossed = world.end()?;
    if !crossed.is_whole() {
        return Ok(Found::too_much(1));
    }
    for entry in crossed.entries() {
        if DOWN.contains(&entry.handler()) {
            continue;
        }
        let nanos = entry.calls().iter().map(delay).fold(0, u64::saturating_add);
        let delayed = Duration::from_nanos(nanos);
        if delayed > DELAY_MAX {
            let message = format!("in {entry} it delays for {delayed:?}");
            return Ok(Found::failed_over(
                message,
                1,
                crossed.last(super::EVIDENCE),
            ));
        }
    }
    Ok(Found::passed(1))
}

/// Nanoseconds that a call waited.
fn delay(call: &Called<'_>) -> u64 {
    let arguments = call.arguments();
    let span = match call.name() {
        "work-loop.delay" if !call.has_failed() => Some(arguments.as_str()),
        "wasi:i2c.delay.delay-ns" => arguments.split(", ").nth(1),
        _ => None,
    };
    span.and_then(|span| span.parse().ok()).unwrap_or(0)
}

pub(crate) const IN_TIME: Check = Check {
    id: "handlers-in-time",
    rule: 13,
    title: "no handler takes more than half of its limit",
    explanation: "Instructions were counted, four a nanosecond, and the longest handler compared with the limit `handler-cpu` of the board entry.",
    remedy: "Do a part of the work in each handler and go on with a software interrupt; or raise the limit in the board file.",
    run: in_time,
};

fn in_time(ground: &Ground<'_>) -> Result<Found, Error> {
    let mut world = ground.world()?;
    world.play(&ground.workout, 0);
    super::endurance::storm(ground, &mut world, 500);
    let status = world.status();
    let limit = status.limits.handler_cpu;
    let longest = Duration::from_nanos(status.handler_time.longest_ns);
    // `start` has a limit of its own.
    if longest > limit / 2 {
        let message = format!(
            "the longest handler takes {longest:?}, more than half of the limit `handler-cpu`, {limit:?}"
        );
        return Found::failed(message, 1, world);
    }
    Ok(Found::passed(1))
}
