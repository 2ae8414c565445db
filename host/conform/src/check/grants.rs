//! What it is not granted.

use super::{Check, Found};
use crate::error::Error;
use crate::ground::{Ground, refused};
use crate::subject::Subject;
use crate::world::{Made, World};
use loopgate::board_file::DriverEntry;

pub(crate) const REFUSES_GRACEFULLY: Check = Check {
    id: "refuses-gracefully",
    rule: 12,
    title: "without a grant it says which, or does without it",
    explanation: "Each pin, port, device and service of its own that its board entry grants was withheld in turn. The driver may refuse to start, with a text that names what is missing, or run without it; it must not trap.",
    remedy: "Hand the error of `open` and `publish` out of `start` (`?`); the SDK's text has the name in it.",
    run,
};

fn run(ground: &Ground<'_>) -> Result<Found, Error> {
    let mut runs = 0;
    let names = granted(ground.subject.entry());
    if names.is_empty() {
        return Ok(Found::skipped("nothing is granted to it"));
    }
    for (kind, name) in names {
        let mut subject: Subject = ground.subject.clone();
        withhold(subject.entry_mut(), kind, &name);
        let mut world = World::new(&subject, Made::default())?;
        runs += 1;
        if world.death().is_none() {
            world.play(&ground.workout, 0);
        }
        let Some(death) = world.death() else { continue };
        let complaint = match refused(&world) {
            Some(text)
                if text.contains(&format!("`{name}`")) || text.contains(&format!("\"{name}\"")) =>
            {
                continue;
            }
            Some(text) => format!(
                "without the {kind} `{name}` its `start` refuses with `{text}`, which does not name it"
            ),
            None => format!("without the {kind} `{name}` it fails: {death}"),
        };
        return Found::failed(complaint, runs, world);
    }
    Ok(Found::passed(runs))
}

/// Of which kind, and the driver's name for it.
fn granted(entry: &DriverEntry) -> Vec<(&'static str, String)> {
    let mut names = Vec::new();
    names.extend(entry.gpio.keys().map(|name| ("pin", name.clone())));
    names.extend(entry.serial.keys().map(|name| ("port", name.clone())));
    names.extend(entry.i2c.keys().map(|name| ("I2C device", name.clone())));
    names.extend(entry.spi.keys().map(|name| ("SPI device", name.clone())));
    let services = entry.provides.iter();
    names.extend(services.map(|name| ("service", name.get_ref().clone())));
    names
}

fn withhold(entry: &mut DriverEntry, kind: &str, name: &str) {
    match kind {
        "pin" => drop(entry.gpio.remove(name)),
        "port" => drop(entry.serial.remove(name)),
        "I2C device" => drop(entry.i2c.remove(name)),
        "SPI device" => drop(entry.spi.remove(name)),
        _ => entry.provides.retain(|service| service.get_ref() != name),
    }
}
