//! What every check starts from: the driver, what can be done to it, and what it does
//! undisturbed.

use crate::action::{Action, Ask};
use crate::error::Error;
use crate::subject::Subject;
use crate::world::{Made, World};
use loopgate::State;
use loopgate::board_file::PinDirection;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long a driver is watched after something, by the board's clock.
pub(crate) const AFTERWARDS: Duration = Duration::from_secs(10);

pub(crate) struct Ground<'a> {
    pub(crate) subject: &'a Subject,
    pub(crate) seed: u64,
    pub(crate) schedules: u64,
    pub(crate) profile: Profile,
    /// Each kind of thing once or twice, see [`workout`].
    pub(crate) workout: Vec<Action>,
    /// Which requests of the workout are answered by themselves: service and selector.
    pub(crate) answered: BTreeSet<(String, u32)>,
    /// Whether it does something by itself, afterwards.
    pub(crate) is_busy: bool,
}

/// What there is around a driver.
#[derive(Clone, Debug, Default)]
pub(crate) struct Profile {
    /// Lines that are driven from outside.
    pub(crate) inputs: Vec<String>,
    /// Ports at which bytes arrive.
    pub(crate) ports: Vec<String>,
    /// What it publishes.
    pub(crate) own: Vec<Offered>,
    /// What others on its board publish.
    pub(crate) others: Vec<Offered>,
    /// Drivers whose services it uses.
    pub(crate) providers: Vec<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct Offered {
    pub(crate) service: String,
    pub(crate) selectors: Vec<u32>,
    pub(crate) input_max: u32,
}

impl<'a> Ground<'a> {
    /// `Err` with the cause where it does not even start.
    pub(crate) fn new(
        subject: &'a Subject,
        seed: u64,
        schedules: u64,
    ) -> Result<Result<Self, String>, Error> {
        let world = World::new(subject, Made::default())?;
        if let Some(death) = world.death() {
            return Ok(Err(death));
        }
        let profile = Profile::of(subject, &world);
        let workout = workout(&profile);
        let mut ground = Self {
            subject,
            seed,
            schedules,
            profile,
            workout,
            answered: BTreeSet::new(),
            is_busy: false,
        };
        let mut world = World::new(subject, Made::default())?;
        world.play(&ground.workout, 0);
        ground.answered = ground.answered(&world);
        ground.is_busy = goes_on(&mut world);
        Ok(Ok(ground))
    }

    /// A new board.
    pub(crate) fn world(&self) -> Result<World, Error> {
        World::new(self.subject, Made::default())
    }

    pub(crate) fn world_with(&self, made: Made) -> Result<World, Error> {
        World::new(self.subject, made)
    }

    /// What the driver itself has answered well.
    pub(crate) fn answered(&self, world: &World) -> BTreeSet<(String, u32)> {
        let asked = world.requests().iter();
        let good = asked.filter(|asked| matches!(asked.outcome, Some(Ok(_))));
        let good = good.map(|asked| (asked.service.clone(), asked.selector));
        good.filter(|(service, _)| self.profile.is_own(service))
            .collect()
    }

    /// What it does not do any more that it does undisturbed, in words.
    pub(crate) fn changed(&self, world: &mut World) -> Option<String> {
        let before = world.requests().len();
        world.play(&self.workout, 10_000);
        let asked = &world.requests()[before..];
        for (service, selector) in &self.answered {
            let mut same = asked
                .iter()
                .filter(|asked| asked.service == *service && asked.selector == *selector);
            let good = same
                .clone()
                .any(|asked| matches!(asked.outcome, Some(Ok(_))));
            if !good && let Some(last) = same.next_back() {
                let now = match &last.outcome {
                    Some(Err(code)) => format!("is answered {code}"),
                    _ => "is not answered".to_owned(),
                };
                return Some(format!(
                    "request {selector} of `{service}`, which it answers undisturbed, {now} afterwards"
                ));
            }
        }
        if self.is_busy && !goes_on(world) {
            return Some(
                "it has fallen silent: undisturbed it does something by itself, afterwards nothing"
                    .to_owned(),
            );
        }
        None
    }
}

/// Whether something of it happens by itself.
pub(crate) fn goes_on(world: &mut World) -> bool {
    let before = world.status().counts.calls;
    world.act(&Action::Wait(AFTERWARDS), usize::MAX);
    world.status().counts.calls > before
}

impl Profile {
    fn of(subject: &Subject, world: &World) -> Self {
        let entry = subject.entry();
        let file = subject.board();
        let inputs = entry.gpio.values();
        let inputs = inputs.filter(|pin| pin.direction == PinDirection::Input);
        let inputs = inputs.map(|pin| pin.line.get_ref().clone());
        // Pins of other drivers are reached through those.
        let inputs: BTreeSet<_> = inputs.filter(|line| !line.contains(':')).collect();
        let ports = entry.serial.values().filter_map(|port| port.sim.as_ref());
        let ports = ports.map(|port| port.get_ref().clone()).collect();
        let uses = entry.uses.iter();
        let providers: BTreeSet<_> = uses
            .filter_map(|service| file.provider_of(service.get_ref()))
            .map(|provider| provider.name.get_ref().clone())
            .collect();
        let mut offered = BTreeMap::new();
        for driver in world.board().status().drivers {
            let services = driver.services.into_iter().map(|service| Offered {
                service: service.name,
                selectors: service.selectors.iter().map(|one| one.number).collect(),
                input_max: service.input_max,
            });
            offered.insert(driver.name, services.collect::<Vec<_>>());
        }
        Self {
            inputs: inputs.into_iter().collect(),
            ports,
            own: offered.remove(subject.driver()).unwrap_or_default(),
            others: offered.into_values().flatten().collect(),
            providers: providers.into_iter().collect(),
        }
    }

    pub(crate) fn is_own(&self, service: &str) -> bool {
        self.own.iter().any(|one| one.service == service)
    }

    /// Everything that can be asked of anybody.
    pub(crate) fn offers(&self) -> impl Iterator<Item = &Offered> {
        self.own.iter().chain(&self.others)
    }
}

/// Each kind of thing once or twice, so that what it knows of the driver is used.
fn workout(profile: &Profile) -> Vec<Action> {
    let mut actions = vec![Action::Next];
    for round in 0..2_u64 {
        for line in &profile.inputs {
            for high in [false, true] {
                let line = line.clone();
                actions.push(Action::Set { line, high });
                actions.push(Action::Wait(Duration::from_millis(20)));
            }
        }
        for port in &profile.ports {
            let (port, bytes) = (port.clone(), b"1,2*\r\n\x80\x00$".to_vec());
            actions.push(Action::Feed { port, bytes });
            actions.push(Action::Next);
        }
        for offered in profile.offers() {
            for &selector in &offered.selectors {
                let data = vec![b'0'; (round as usize * 4).min(offered.input_max as usize)];
                actions.push(Action::Ask(Ask {
                    service: offered.service.clone(),
                    selector,
                    scalars: [round, round, 0, 0],
                    data,
                    timeout: Some(Duration::from_secs(5)),
                }));
                actions.push(Action::Next);
            }
        }
        actions.push(Action::Next);
        actions.push(Action::Wait(Duration::from_secs(1)));
    }
    actions
}

/// Whether it was refused in its `start`, which is its right.
pub(crate) fn refused(world: &World) -> Option<String> {
    let status = world.status();
    let cause = status.cause.filter(|_| {
        matches!(
            status.state,
            State::Failed | State::Quarantined | State::Stopped
        )
    })?;
    let begin = "`start` refused: ";
    cause
        .find(begin)
        .map(|at| cause[at + begin.len()..].to_owned())
}
