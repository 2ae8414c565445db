//! The end of stacks of drivers: those above before those below.

use super::Board;
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
    cx: &'a Context,
    /// Who they are, in start order. Nobody starts or reloads them meanwhile.
    drivers: Vec<(&'a Arc<Driver>, Version<'a>)>,
    /// Until when a driver, by its name, is waited for: others have told it.
    limits: BTreeMap<&'a str, Instant>,
    deadline: Instant,
}

impl Board {
    /// Stops this driver and those above it that have no other live provider;
    /// without one, all there are. Their names, in the order of their ends.
    pub(super) fn end(&self, cx: &Context, root: Option<&Arc<Driver>>) -> Vec<String> {
        let mut ending = Ending::begin(self, cx, root);
        if let (Some(root), []) = (root, &*ending.drivers) {
            root.stay_stopped();
        }
        ending.tell();
        let ended = ending.stop(root);
        for (driver, _) in &ending.drivers {
            driver.set_ending(false);
        }
        ended
    }

    /// The drivers that use this one, directly or not, and itself; in start
    /// order.
    fn stack_on<'a>(&'a self, root: &'a Arc<Driver>) -> Vec<&'a Arc<Driver>> {
        let mut stack: Vec<&Arc<Driver>> = Vec::new();
        for driver in self.start_order() {
            if Arc::ptr_eq(driver, root) || uses(driver, &stack) {
                stack.push(driver);
            }
        }
        stack
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

fn uses(driver: &Driver, any_of: &[&Arc<Driver>]) -> bool {
    let mut providers = driver.providers.iter();
    providers.any(|provider| any_of.iter().any(|other| Arc::ptr_eq(provider, other)))
}

impl<'a> Ending<'a> {
    /// Chooses the drivers. From then on nobody can open, start or reload them.
    fn begin(board: &'a Board, cx: &'a Context, root: Option<&'a Arc<Driver>>) -> Self {
        let stack = match root {
            Some(root) => board.stack_on(root),
            None => board.start_order().iter().collect(),
        };
        // Waits for starts that run. Endings that overlap take these in one order.
        let mut drivers: Vec<_> = stack
            .into_iter()
            .map(|driver| (driver, driver.hold()))
            .collect();
        let mut ends: Vec<&Arc<Driver>> = Vec::new();
        drivers.retain(|&(driver, _)| {
            let chosen = match root {
                None => true,
                Some(root) if Arc::ptr_eq(driver, root) => true,
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
            cx,
            drivers,
            limits: BTreeMap::new(),
            deadline: board.time.now().saturating_add(LONGEST),
        }
    }

    fn ends(&self, driver: &Driver) -> bool {
        let mut drivers = self.drivers.iter();
        drivers.any(|(other, _)| std::ptr::eq(Arc::as_ptr(other), driver))
    }

    /// Whether the driver that provides a service ends.
    fn ends_provider_of(&self, service: &str) -> bool {
        let provider = self.board.provider(service);
        provider.is_some_and(|provider| self.ends(provider))
    }

    /// Tells the users of those that end, from the provider to the leaf: the next
    /// one when the last one has answered.
    fn tell(&mut self) {
        for user in self.board.start_order() {
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
    fn stop(&self, root: Option<&Arc<Driver>>) -> Vec<String> {
        let mut ended = Vec::new();
        for (driver, version) in self.drivers.iter().rev() {
            self.wait_for(driver);
            match root {
                None => driver.stop(self.cx, version),
                Some(root) if Arc::ptr_eq(root, driver) => driver.dismiss(self.cx, version, None),
                Some(root) => {
                    let with = ended_with(driver, root);
                    driver.dismiss(self.cx, version, Some(with));
                }
            }
            ended.push(driver.name.clone());
        }
        ended
    }

    fn wait_for(&self, driver: &Arc<Driver>) {
        if self.is_closing(driver) {
            for provider in driver.providers.iter().filter(|other| self.ends(other)) {
                self.wait_until_closed(provider, driver);
            }
        }
        // Those that end have ended by now.
        for client in self.board.start_order() {
            if client
                .providers
                .iter()
                .any(|other| Arc::ptr_eq(other, driver))
            {
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
    let others = driver.providers.iter();
    let mut others = others.filter(|provider| !ends.iter().any(|end| Arc::ptr_eq(end, provider)));
    others.any(|provider| provider.is_live())
}

fn ended_with(driver: &Driver, root: &Arc<Driver>) -> EndedWith {
    let direct = driver
        .providers
        .iter()
        .any(|other| Arc::ptr_eq(other, root));
    let through = driver.providers.iter().find(|other| other.is_ending());
    let which = match through.filter(|_| !direct) {
        None => "which it uses".to_owned(),
        Some(other) => format!("which it uses through `{}`", other.name),
    };
    EndedWith {
        driver: root.name.clone(),
        cause: format!("`{}`, {which}, was stopped", root.name),
    }
}
