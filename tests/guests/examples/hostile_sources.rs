//! Creates and keeps without end what `how` names, and tells what stopped it:
//! `timers`, `interrupts`, `gates`, `lines` or `pins` (these two: of the input
//! `in`), `feeds` (interrupt sources, all from one line of `in`), `clients` (of
//! the service `echo`), `services` (which it is not granted).

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::{Trigger, misbehaves};

fn create(trigger: &Trigger) -> Reply {
    let how = trigger.how.as_str();
    let mut count: u64 = 0;
    let result = match how {
        "interrupts" => hoard(&mut count, || Interrupt::create(None)),
        "gates" => hoard(&mut count, CommandGate::create),
        "pins" => hoard(&mut count, || InputPin::open("in")),
        "lines" => {
            InputPin::open("in").and_then(|pin| hoard(&mut count, || pin.edges(Edges::Both)))
        }
        "feeds" => feed(&mut count),
        "clients" => hoard(&mut count, || Client::open("echo")),
        "services" => hoard(&mut count, || ServiceBuilder::new("flood").publish()),
        _ => hoard(&mut count, Timer::create),
    };
    let stopped = result.map_or_else(|error| error.code().name(), |()| "nothing");
    format!("created {count} {how}, stopped by `{stopped}`").into()
}

/// The pin is kept, for the first source is to go on.
fn feed(count: &mut u64) -> Result<()> {
    let pin = InputPin::open("in")?;
    let line = pin.edges(Edges::Both)?;
    std::mem::forget(pin);
    hoard(count, || Interrupt::create(Some(&line)))
}

/// Forgotten rather than dropped: the host's handles stay.
fn hoard<T>(count: &mut u64, create: impl Fn() -> Result<T>) -> Result<()> {
    for _ in 0..1_000_000 {
        std::mem::forget(create()?);
        *count += 1;
    }
    Ok(())
}

misbehaves!(create);
