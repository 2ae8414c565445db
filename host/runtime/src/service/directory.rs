//! The services of a board by name, and who is to hear of them.

use super::Service;
use crate::board_file::BoardFile;
use crate::driver::Driver;
use crate::error::ErrorCode;
use crate::structural::{Neighbours, Open, Subject, Watchers};
use loopgate_workloop::Context;
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// The services of a board, and the drivers that may open them.
pub(crate) struct Services {
    directory: RwLock<Directory>,
    pub(crate) watchers: Arc<Watchers>,
}

#[derive(Default)]
struct Directory {
    /// Who may open a service: names of drivers, in start order.
    users: BTreeMap<String, Vec<String>>,
    published: BTreeMap<String, Arc<Service>>,
    /// Who publishes pins that others may open, by service.
    pins: BTreeMap<String, Arc<Driver>>,
    /// Of the instances that there are, by driver.
    neighbours: BTreeMap<String, Arc<Neighbours>>,
}

impl Services {
    pub(crate) fn new(file: &BoardFile) -> Self {
        Self {
            directory: RwLock::new(Directory {
                users: users(file),
                ..Directory::default()
            }),
            watchers: Arc::default(),
        }
    }

    /// From now on these may be opened. One that is published already, and
    /// could not, gets where to queue what is submitted to it.
    pub(crate) fn used_by(&self, cx: &Context, file: &BoardFile) {
        let mut directory = self.directory.write();
        directory.users = users(file);
        let published: Vec<_> = directory.published.values().cloned().collect();
        drop(directory);
        for service in published
            .iter()
            .filter(|service| self.is_used(&service.name))
        {
            service.open_queue(cx);
        }
    }

    /// Whether some driver may open it.
    pub(crate) fn is_used(&self, name: &str) -> bool {
        self.directory.read().users.contains_key(name)
    }

    /// For a client outside.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Service>> {
        self.directory.read().openable(name).cloned()
    }

    /// For another driver, which has it open until it drops what it gets. No
    /// ending comes in between: see [`end`](Self::end). But where it is `staged`,
    /// it counts as open from the commit on.
    pub(crate) fn open(
        &self,
        name: &str,
        client: &str,
        staged: bool,
    ) -> Option<(Arc<Service>, Open)> {
        let directory = self.directory.read();
        let service = directory.openable(name)?;
        let open = directory.hold_open(&service.driver, name, client)?;
        if !staged {
            open.counts();
        }
        Some((service.clone(), open))
    }

    /// As that, for a pin.
    pub(crate) fn open_pin(&self, service: &str, client: &str) -> Option<Open> {
        let directory = self.directory.read();
        let provider = directory.pins.get(service)?;
        let open = directory.hold_open(provider, service, client)?;
        open.counts();
        Some(open)
    }

    /// An instance has pins of a service that others can open from now on.
    pub(crate) fn publish_pins(&self, driver: &Arc<Driver>, service: &str) {
        let mut directory = self.directory.write();
        directory.pins.insert(service.to_owned(), driver.clone());
        // Else they are part of what was told.
        if !directory.published.contains_key(service) {
            directory.tell(service, driver.is_in_service());
        }
    }

    /// And has ended.
    pub(crate) fn unpublish_pins(&self, service: &str) {
        let mut directory = self.directory.write();
        let provider = directory.pins.remove(service);
        if !directory.published.contains_key(service) {
            directory.tell(service, false);
        }
        drop(directory);
        drop(provider);
    }

    /// Fails where the name is taken.
    pub(crate) fn publish(&self, service: Arc<Service>) -> Result<(), ErrorCode> {
        let mut directory = self.directory.write();
        let name = service.name.clone();
        let service = match directory.published.entry(name.clone()) {
            Entry::Occupied(_) => return Err(ErrorCode::BadArgument),
            Entry::Vacant(place) => place.insert(service).clone(),
        };
        if service.driver.is_in_service() {
            directory.tell(&name, true);
        }
        Ok(())
    }

    /// Takes back what an instance published: through one gate, or all of it.
    /// Clients that wait there find out.
    pub(crate) fn unpublish(
        &self,
        driver: &Arc<Driver>,
        generation: u64,
        token: Option<u32>,
        code: ErrorCode,
    ) {
        let of = |service: &Service| {
            Arc::ptr_eq(&service.driver, driver)
                && service.generation.load(Relaxed) == generation
                && token.is_none_or(|token| token == service.token)
        };
        let mut directory = self.directory.write();
        let withdrawn = directory
            .published
            .extract_if(.., |_, service| of(service))
            .collect::<Vec<_>>();
        for (name, service) in withdrawn {
            service.withdraw(code);
            directory.tell(&name, false);
        }
    }

    /// What a driver publishes now.
    pub(crate) fn of(&self, driver: &Arc<Driver>) -> Vec<Arc<Service>> {
        self.directory
            .read()
            .published
            .values()
            .filter(|service| Arc::ptr_eq(&service.driver, driver))
            .cloned()
            .collect()
    }

    /// A driver may not open this any more, and is told so where it could.
    pub(crate) fn withdraw(&self, driver: &Driver, service: &str) {
        let mut directory = self.directory.write();
        if let Some(users) = directory.users.get_mut(service) {
            users.retain(|user| *user != driver.name);
        }
        if let Some(neighbours) = directory.neighbours.get(&driver.name) {
            neighbours.note_provider(service, false);
        }
    }

    /// A driver's `start` has returned: those who may use what it published
    /// meanwhile hear of it now.
    pub(crate) fn announce(&self, driver: &Arc<Driver>) {
        let directory = self.directory.read();
        let services = directory.published.iter();
        let services = services.map(|(name, service)| (name, &service.driver));
        for (name, provider) in services.chain(&directory.pins) {
            if Arc::ptr_eq(provider, driver) {
                directory.tell(name, true);
            }
        }
    }

    /// A driver is ending: from now on nobody opens anything of it. Who has
    /// something open keeps it.
    pub(crate) fn end(&self, driver: &Driver) {
        let _nobody_opens = self.directory.write();
        driver.set_ending(true);
    }

    /// An instance that can be told: it hears from now on what can be opened.
    pub(crate) fn enrol(&self, driver: &Driver, neighbours: &Arc<Neighbours>) {
        let mut directory = self.directory.write();
        let revoked = driver.grants.revoked();
        let uses = driver.entry.uses.iter().map(toml::Spanned::get_ref);
        for service in uses.filter(|service| !revoked.contains(*service)) {
            let provider = directory.published.get(service);
            let provider = provider.map(|service| &service.driver);
            let provider = provider.or_else(|| directory.pins.get(service));
            if provider.is_some_and(|provider| provider.is_in_service()) {
                let service = service.clone();
                neighbours.with_changes(|changes| changes.begin(Subject::Provider { service }));
            }
        }
        let (name, neighbours) = (driver.name.clone(), neighbours.clone());
        directory.neighbours.insert(name, neighbours);
    }

    /// The instance that a driver had has ended.
    pub(crate) fn strike(&self, driver: &Driver) {
        let neighbours = self.directory.write().neighbours.remove(&driver.name);
        // Dropped outside the lock: it points back here.
        drop(neighbours);
    }

    /// What the instance that a driver has, if any, is to be told.
    pub(crate) fn neighbours(&self, driver: &str) -> Option<Arc<Neighbours>> {
        self.directory.read().neighbours.get(driver).cloned()
    }
}

fn users(file: &BoardFile) -> BTreeMap<String, Vec<String>> {
    let mut users: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for driver in &file.drivers {
        for service in &driver.uses {
            let users = users.entry(service.get_ref().clone()).or_default();
            users.push(driver.name.get_ref().clone());
        }
    }
    users
}

impl Directory {
    /// For whatever a client opens of a service: its driver hears of the first
    /// thing and of the last, and is not stopped in between, unless by force.
    fn hold_open(&self, provider: &Driver, service: &str, client: &str) -> Option<Open> {
        let neighbours = self.neighbours.get(&provider.name)?;
        (!provider.is_ending()).then(|| neighbours.open(service, client))
    }

    fn tell(&self, service: &str, openable: bool) {
        let users = self.users.get(service).into_iter().flatten();
        for neighbours in users.filter_map(|user| self.neighbours.get(user)) {
            neighbours.note_provider(service, openable);
        }
    }

    fn openable(&self, name: &str) -> Option<&Arc<Service>> {
        let service = self.published.get(name)?;
        (!service.driver.is_ending()).then_some(service)
    }
}
