//! Providers that go, and come back.

use super::{Check, Found};
use crate::action::Action;
use crate::error::Error;
use crate::ground::Ground;
use std::time::Duration;

pub(crate) const SURVIVES_PROVIDERS: Check = Check {
    id: "survives-its-providers",
    rule: 15,
    title: "with its provider back, it goes on",
    explanation: "Each driver whose services it uses was stopped for a second and started, at rest and at each moment of its work.",
    remedy: "Close what is open in `structural(provider-terminated)`, and open it again in `start` or `structural(provider-published)`.",
    run,
};

fn run(ground: &Ground<'_>) -> Result<Found, Error> {
    if ground.profile.providers.is_empty() {
        return Ok(Found::skipped("it uses no other driver's service"));
    }
    let mut runs = 0;
    for provider in &ground.profile.providers {
        for at in 0..=ground.workout.len() {
            let mut world = ground.world()?;
            let (before, after) = ground.workout.split_at(at);
            world.play(before, 0);
            let driver = provider.clone();
            world.act(
                &Action::Stop {
                    driver: driver.clone(),
                },
                at,
            );
            world.act(&Action::Wait(Duration::from_secs(1)), at);
            world.act(&Action::Start { driver }, at);
            world.play(after, at);
            runs += 1;
            let complaint = world.death().or_else(|| ground.changed(&mut world));
            if let Some(complaint) = complaint.or_else(|| world.death()) {
                let message =
                    format!("with `{provider}` stopped for a second and started, {complaint}");
                return Found::failed(message, runs, world);
            }
        }
    }
    Ok(Found::passed(runs))
}
