//! Changing a running board to another state of its file.

use super::{Board, NamedLoop, Roster};
use crate::bindings::exports::loopgate::driver::handlers::Cause;
use crate::board_file::BoardFile;
use crate::driver::Driver;
use crate::error::BoardError;
use crate::shared_lines as shared;
use loopgate_workloop::Context;
use parking_lot::MutexGuard;
use rustix::fd::OwnedFd;
use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

/// What a change of the board came to, by the names of the drivers. How those
/// fare that were started says the status.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Changes {
    /// Started for the first time.
    pub added: Vec<String>,
    /// Stopped, and started with another entry or on another loop.
    pub changed: Vec<String>,
    /// Stopped for good.
    pub removed: Vec<String>,
    /// Not touched.
    pub unchanged: Vec<String>,
}

impl Board {
    /// Reads the board file again, and changes the board to what it says now:
    /// [`Board::change_to`].
    ///
    /// # Errors
    ///
    /// What is wrong with the file; the board is as it was then.
    pub fn reread(&self) -> Result<Changes, BoardError> {
        let mut changing = self.changing.lock();
        let path = self.file().path().to_owned();
        let other = match &*changing {
            // An editor may have put another file in its place.
            Some(lock) => lock.renew(&path)?,
            None => None,
        };
        let changes = self.change(&mut changing, BoardFile::read(path)?)?;
        if other.is_some() {
            *changing = other;
        }
        Ok(changes)
    }

    /// Changes the board to another board file: drivers that it does not have
    /// are stopped, the last started first, then those that are new are started
    /// in order. A driver whose entry or loop is another one is stopped and
    /// started, with new counts and a new log; the others are not touched. From
    /// any thread, but not from within a handler.
    ///
    /// # Errors
    ///
    /// [`BoardError::Invalid`] where more than the drivers is another: the
    /// hardware cannot change under them. The board is as it was then.
    pub fn change_to(&self, file: BoardFile) -> Result<Changes, BoardError> {
        self.change(&mut self.changing.lock(), file)
    }

    fn change<T>(
        &self,
        _changing: &mut MutexGuard<'_, T>,
        file: BoardFile,
    ) -> Result<Changes, BoardError> {
        let before = self.roster();
        if file.board != before.file.board {
            return Err(BoardError::Invalid {
                place: file.path().display().to_string(),
                message: "what stands under `[board]` is not what the board runs with, and only \
                          drivers can change meanwhile; end the board and run it again, or take \
                          that change back"
                    .to_owned(),
            });
        }
        let sharers = |file| -> BTreeSet<_> { shared::sharers(file).into_iter().collect() };
        if sharers(&file) != sharers(&before.file) {
            return Err(BoardError::Invalid {
                place: file.path().display().to_string(),
                message: "other lines are shared, or by others, than those that the board runs \
                          with, which cannot change meanwhile; end the board and run it again, \
                          or take that change back"
                    .to_owned(),
            });
        }
        // A change of power goes from driver to driver.
        let _power = self.power.changing.lock();
        let after = Arc::new(self.place_drivers(&Arc::new(file), &before)?);
        self.simulation.add_lines(&after.file);
        self.ports.add(&after.file);
        self.become_roster(&before, &after);
        Ok(Changes::between(&before, &after))
    }

    /// Puts `after` in the place of `before`, which is the board's.
    pub(super) fn become_roster(&self, before: &Roster, after: &Arc<Roster>) {
        Context::with_current(|cx| {
            let stop_those_gone = || {
                let gone = before.drivers.iter().rev();
                gone.filter(|driver| !after.has(driver))
                    .for_each(|driver| driver.dismiss(cx));
            };
            stop_those_gone();
            *self.roster.write() = after.clone();
            // Somebody who found one in the old roster may have started it.
            stop_those_gone();
            self.services.used_by(cx, &after.file);
            let new = after.drivers.iter();
            new.filter(|driver| !before.has(driver))
                .for_each(|driver| driver.start(cx, Cause::Boot));
        });
        let ended = |known: &&Arc<NamedLoop>| {
            let mut left = after.loops.iter();
            !left.any(|other| Arc::ptr_eq(other, known))
        };
        for known in before.loops.iter().filter(ended) {
            known.terminate();
            known.join();
        }
        self.tell_watches();
    }

    /// Counts an event in `counter` whenever the roster was replaced, as long as
    /// it is kept.
    pub(crate) fn tell_of_changes(&self, counter: &Arc<OwnedFd>) {
        self.watches.lock().push(Arc::downgrade(counter));
    }

    fn tell_watches(&self) {
        let told = |counter: &Weak<OwnedFd>| {
            let Some(counter) = counter.upgrade() else {
                return false;
            };
            // Only refused where it was told so often already that it is full.
            let _ = rustix::io::write(&*counter, &1_u64.to_ne_bytes());
            true
        };
        self.watches.lock().retain(told);
    }
}

impl Roster {
    pub(super) fn has(&self, driver: &Arc<Driver>) -> bool {
        self.drivers.iter().any(|other| Arc::ptr_eq(other, driver))
    }
}

impl Changes {
    fn between(before: &Roster, after: &Roster) -> Self {
        let named = |roster: &Roster, name: &str| {
            let mut drivers = roster.drivers.iter();
            drivers.any(|driver| driver.name == name)
        };
        let mut changes = Self::default();
        for driver in &after.drivers {
            let kind = if before.has(driver) {
                &mut changes.unchanged
            } else if named(before, &driver.name) {
                &mut changes.changed
            } else {
                &mut changes.added
            };
            kind.push(driver.name.clone());
        }
        let gone = before.drivers.iter();
        let gone = gone.filter(|driver| !named(after, &driver.name));
        changes.removed = gone.map(|driver| driver.name.clone()).collect();
        changes
    }

    /// Whether nothing was touched.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.changed.is_empty() && self.removed.is_empty()
    }
}

impl std::fmt::Display for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds = [
            ("added", &self.added),
            ("changed", &self.changed),
            ("removed", &self.removed),
        ];
        for (kind, drivers) in kinds.iter().filter(|(_, drivers)| !drivers.is_empty()) {
            write!(f, "{kind} {}; ", drivers.join(", "))?;
        }
        write!(f, "{} unchanged", self.unchanged.len())
    }
}
