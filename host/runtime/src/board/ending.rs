//! The end of stacks of drivers: those above before those below.

use super::{Board, Roster};
use crate::driver::{Driver, EndedWith, Version};
use crate::status::State;
use crate::time::Time;
use crate::units::show_span;
use loopgate_workloop::{Clock as _, Context, Instant};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long drivers are waited for, all together.
const LONGEST: Duration = Duration::from_secs(15);

/// Drivers on their way out, with nobody's gate held.
struct Ending<'a> {
    board: &'a Board,
    roster: &'a Roster,
    cx: &'a Context,
    /// Who they are, in start order. Nobody starts or reloads them meanwhile.
    drivers: Vec<(&'a Arc<Driver>, Version<'a>)>,
    /// Until when a driver, by its name, is waited for: others have told it.
    limits: BTreeMap<&'a str, Instant>,
    deadline: Instant,
}

impl Board {
    /// Stops these drivers and those above them that have no other live provider;
    /// without any named, all there are. Their names, in the order of their ends.
    pub(super) fn end(
        &self,
        cx: &Context,
        roster: &Roster,
        roots: Option<&[Arc<Driver>]>,
    ) -> Vec<String> {
        let mut ending = Ending::begin(self, roster, cx, roots);
        let roots_there = roots.into_iter().flatten();
        roots_there
            .filter(|root| !ending.ends(root))
            .for_each(|root| root.stay_stopped());
        ending.tell();
        let ended = ending.stop(roots);
        for (driver, _) in &ending.drivers {
            driver.set_ending(false);
        }
        ended
    }

    /// Waits until it is so, at most until `deadline`; whether it is. In
    /// virtual time the board goes on meanwhile.
    fn wait_until(&self, cx: &Context, deadline: Instant, so: impl Fn() -> bool) -> bool {
        let _watching = self.services.watchers.watch(cx);
        while !so() {
            if self.time.now() >= deadline {
                return false;
            }
            match &self.time {
                Time::Real(clock) => clock.park(cx, Some(deadline)),
                Time::Virtual(clock) => {
                    self.step(clock, Some(deadline));
                }
            }
        }
        true
    }
}

impl Roster {
    /// The drivers that use these, directly or not, and those themselves; in start
    /// order.
    fn stack_on(&self, roots: &[Arc<Driver>]) -> Vec<&Arc<Driver>> {
        let mut stack: Vec<&Arc<Driver>> = Vec::new();
        for driver in &self.drivers {
            if is_among(driver, roots) || uses(driver, &stack) {
                stack.push(driver);
            }
        }
        stack
    }
}

fn is_among(driver: &Arc<Driver>, drivers: &[Arc<Driver>]) -> bool {
    drivers.iter().any(|other| Arc::ptr_eq(other, driver))
}

pub(super) fn uses(driver: &Driver, any_of: &[&Arc<Driver>]) -> bool {
    let providers = driver.providers();
    let mut providers = providers.iter();
    providers.any(|provider| any_of.iter().any(|other| Arc::ptr_eq(provider, other)))
}

impl<'a> Ending<'a> {
    /// Chooses the drivers. From then on nobody can open, start or reload them.
    fn begin(
        board: &'a Board,
        roster: &'a Roster,
        cx: &'a Context,
        roots: Option<&[Arc<Driver>]>,
    ) -> Self {
        let stack = match roots {
            Some(roots) => roster.stack_on(roots),
            None => roster.drivers.iter().collect(),
        };
        let mut drivers = hold_all(stack);
        let mut ends: Vec<&Arc<Driver>> = Vec::new();
        drivers.retain(|&(driver, _)| {
            let chosen = match roots {
                None => true,
                Some(roots) if is_among(driver, roots) => true,
                Some(_) => uses(driver, &ends) && !has_other_provider(driver, &ends),
            };
            let ends_now = chosen && driver.life().state != State::Stopped;
            if ends_now {
                ends.push(driver);
                board.services.end(driver);
            }
            ends_now
        });
        Self {
            board,
            roster,
            cx,
            drivers,
            limits: BTreeMap::new(),
            deadline: board.time.now().saturating_add(LONGEST),
        }
    }

    fn ends(&self, driver: &Driver) -> bool {
        let mut drivers = self.drivers.iter();
        drivers.any(|(other, _)| other.name == driver.name)
    }

    /// Whether the driver that provides a service ends.
    fn ends_provider_of(&self, service: &str) -> bool {
        let provider = self.roster.provider(service);
        provider.is_some_and(|provider| self.ends(provider))
    }

    /// Tells the users of those that end, from the provider to the leaf: the next
    /// one when the last one has answered.
    fn tell(&mut self) {
        for user in &self.roster.drivers {
            let Some(neighbours) = self.board.services.neighbours(&user.name) else {
                continue;
            };
            let uses = user.entry.uses.iter().map(|service| &**service.get_ref());
            let uses: Vec<&str> = uses
                .filter(|service| self.ends_provider_of(service))
                .collect();
            if uses.is_empty() {
                continue;
            }
            for service in &uses {
                neighbours.note_provider(service, false);
            }
            self.board.wait_until(self.cx, self.deadline, || {
                neighbours.with_changes(|changes| {
                    uses.iter().all(|service| changes.has_told_end(service))
                })
            });
            let limit = self.board.time.now().saturating_add(user.limits.closing);
            self.limits.insert(&user.name, limit.min(self.deadline));
        }
    }

    /// Leaf first: each when it has closed what it wants to close, and nobody
    /// has anything of it open.
    fn stop(&self, roots: Option<&[Arc<Driver>]>) -> Vec<String> {
        let mut ended = Vec::new();
        for (driver, version) in self.drivers.iter().rev() {
            self.wait_for(driver);
            match roots {
                None => driver.stop(self.cx, version),
                Some(roots) => {
                    let with = self.ended_with(driver, roots);
                    driver.dismiss(self.cx, version, with);
                }
            }
            ended.push(driver.name.clone());
        }
        ended
    }

    /// Whose end one is that is none of the roots.
    fn ended_with(&self, driver: &Arc<Driver>, roots: &[Arc<Driver>]) -> Option<EndedWith> {
        let root = self.root_below(driver, roots)?;
        let providers = driver.providers();
        let direct = is_among(&root, &providers);
        let through = providers.iter().find(|other| self.ends(other));
        let which = match through.filter(|_| !direct) {
            None => "which it uses".to_owned(),
            Some(other) => format!("which it uses through `{}`", other.name),
        };
        Some(EndedWith {
            driver: root.name.clone(),
            cause: format!("`{}`, {which}, was stopped", root.name),
        })
    }

    /// The nearest of the roots that this driver uses; none for one of those.
    fn root_below(&self, driver: &Arc<Driver>, roots: &[Arc<Driver>]) -> Option<Arc<Driver>> {
        if is_among(driver, roots) {
            return None;
        }
        let providers = driver.providers();
        let direct = providers
            .iter()
            .find(|other| is_among(other, roots) && self.ends(other));
        direct.cloned().or_else(|| {
            let through = providers.iter().find(|other| self.ends(other))?;
            self.root_below(through, roots)
        })
    }

    fn wait_for(&self, driver: &Arc<Driver>) {
        if self.is_closing(driver) {
            let providers = driver.providers();
            for provider in providers.iter().filter(|other| self.ends(other)) {
                self.wait_until_closed(provider, driver);
            }
        }
        // Those that end have ended by now.
        for client in &self.roster.drivers {
            if uses(client, &[driver]) {
                self.wait_until_closed(driver, client);
            }
        }
    }

    /// Whether it has asked for time.
    fn is_closing(&self, driver: &Driver) -> bool {
        let Some(neighbours) = self.board.services.neighbours(&driver.name) else {
            return false;
        };
        let mut uses = driver.entry.uses.iter().map(toml::Spanned::get_ref);
        uses.any(|service| {
            self.ends_provider_of(service)
                && neighbours.with_changes(|changes| changes.is_closing(service))
        })
    }

    /// Until a client has nothing of this provider open, or its limit is over.
    fn wait_until_closed(&self, provider: &Driver, client: &Driver) {
        let Some(neighbours) = self.board.services.neighbours(&provider.name) else {
            return;
        };
        let Some(&limit) = self.limits.get(&*client.name) else {
            return;
        };
        let closed = || !neighbours.with_changes(|changes| changes.is_open(&client.name));
        if !self.board.wait_until(self.cx, limit, closed) {
            let why = if limit == self.deadline {
                format!("drivers are waited for {} in all", show_span(LONGEST))
            } else {
                format!(
                    "its limit `closing` is {}",
                    show_span(client.limits.closing)
                )
            };
            let provider = &provider.name;
            client.log.host(&format!(
                "still has something of `{provider}` open, which is stopped; it is closed by force: {why}"
            ));
        }
    }
}

/// Whether a driver can go on without these.
fn has_other_provider(driver: &Driver, ends: &[&Arc<Driver>]) -> bool {
    let providers = driver.providers();
    let others = providers.iter();
    let mut others = others.filter(|provider| !ends.iter().any(|end| Arc::ptr_eq(end, provider)));
    others.any(|provider| provider.is_live())
}

/// Waits for starts that run, and lets none begin. Endings that overlap take these
/// in one order; start order is none, since a change of the board can change it.
fn hold_all(stack: Vec<&Arc<Driver>>) -> Vec<(&Arc<Driver>, Version<'_>)> {
    let mut placed: Vec<_> = stack.into_iter().enumerate().collect();
    placed.sort_by_key(|(_, driver)| Arc::as_ptr(driver));
    let held = placed.into_iter();
    let mut held: Vec<_> = held
        .map(|(place, driver)| (place, driver, driver.hold()))
        .collect();
    held.sort_by_key(|&(place, ..)| place);
    held.into_iter()
        .map(|(_, driver, version)| (driver, version))
        .collect()
}
