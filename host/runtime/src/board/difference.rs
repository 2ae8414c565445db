//! Changing a running board to another state of its file.

use super::drivers::start_waiting;
use super::{Board, NamedLoop, Roster};
use crate::board_file::BoardFile;
use crate::driver::Driver;
use crate::error::BoardError;
use crate::shared_lines as shared;
use crate::status::State;
use loopgate_workloop::Context;
use parking_lot::MutexGuard;
use rustix::fd::OwnedFd;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Weak};

/// What a change of the board came to, by the names of the drivers. How those
/// fare that were started says the status.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Changes {
    /// Started for the first time.
    pub added: Vec<String>,
    /// Stopped, and started with another entry, on another loop, or because other
    /// pins of theirs are granted.
    pub changed: Vec<String>,
    /// The same but for their component: it has taken the place of the running version,
    /// as by [`Board::reload`].
    #[serde(default)]
    pub reloaded: Vec<String>,
    /// As those, but the new version does not run: why, by driver. The old one goes on,
    /// unless it had no state and the new one could be loaded. The next change tries
    /// again.
    #[serde(default)]
    pub refused: BTreeMap<String, String>,
    /// Stopped for good.
    pub removed: Vec<String>,
    /// The same as before, but stopped with one that they use, and started again.
    pub restarted: Vec<String>,
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
    /// are stopped, and those above them as by [`stop_driver`](Self::stop_driver),
    /// then those that are new are started in order, and those above with them. A
    /// driver whose entry or loop is another one, or whose published pins are granted
    /// otherwise, is stopped and started, with new counts and a new log; one whose
    /// component alone is another is reloaded ([`reload`](Self::reload)); the others are
    /// not touched. From any thread, but not from within a handler.
    ///
    /// # Errors
    ///
    /// [`BoardError::Invalid`] where more than the drivers is another: the
    /// hardware cannot change under them; [`BoardError::Stopped`]. The board is as
    /// it was then.
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
        if self.stopped.load(SeqCst) {
            return Err(BoardError::Stopped);
        }
        let after = Arc::new(self.place_drivers(&Arc::new(file), &before)?);
        self.simulation.add_lines(&after.file);
        self.ports.add(&after.file);
        let others = Self::with_other_code(&before, &after);
        let restarted = self.become_roster(&before, &after);
        let mut changes = Changes::between(&before, &after, &restarted);
        self.replace_code(&others, &mut changes);
        Ok(changes)
    }

    /// Those that stay, and have other code in the file; whatever they start from now on
    /// is of that code.
    fn with_other_code(before: &Roster, after: &Roster) -> Vec<Arc<Driver>> {
        let is_to_load = |driver: &&Arc<Driver>| {
            let mut entries = after.file.drivers.iter();
            let entry = entries.find(|entry| *entry.name.get_ref() == driver.name);
            let code = entry.map(|entry| after.file.code(entry));
            before.has(driver) && code.is_some_and(|code| driver.is_to_load(code))
        };
        after.drivers.iter().filter(is_to_load).cloned().collect()
    }

    /// Reloads those of these that still run what they did.
    fn replace_code(&self, others: &[Arc<Driver>], changes: &mut Changes) {
        for driver in others {
            let name = &driver.name;
            let is_stopped = driver.life().state == State::Stopped;
            if is_stopped || changes.restarted.contains(name) {
                driver.code_was_refused(false);
                continue;
            }
            let reloaded = self.reload(name);
            driver.code_was_refused(reloaded.is_err());
            match reloaded {
                Ok(_) => changes.reloaded.push(name.clone()),
                Err(error) => {
                    changes.refused.insert(name.clone(), error.message);
                }
            }
            changes.unchanged.retain(|unchanged| unchanged != name);
        }
    }

    /// Puts `after` in the place of `before`, which is the board's. The names of
    /// those that were stopped or started, though they are in both.
    pub(super) fn become_roster(&self, before: &Roster, after: &Arc<Roster>) -> Vec<String> {
        let gone = before.drivers.iter().filter(|driver| !after.has(driver));
        let gone: Vec<_> = gone.cloned().collect();
        let stayed = |driver: &&Arc<Driver>| before.has(driver);
        let touched = Context::with_current(|cx| {
            let mut touched = self.end(cx, before, Some(&gone));
            for driver in after.drivers.iter().filter(stayed) {
                driver.set_providers(after.providers_of(&driver.entry));
            }
            *self.roster.write() = after.clone();
            // Somebody who found one in the old roster may have started it.
            self.end(cx, before, Some(&gone));
            for driver in &gone {
                driver.leave_at_rest(after.driver(&driver.name));
            }
            self.services.used_by(cx, &after.file);
            self.published_pins.grant(&after.file);
            let started = start_waiting(cx, after, Vec::new(), |driver| !before.has(driver));
            touched.extend(started.iter().map(|driver| driver.name.clone()));
            touched
        });
        Self::end_loops(before, after);
        self.tell_watches();
        let both = after.drivers.iter().filter(stayed);
        both.map(|driver| driver.name.clone())
            .filter(|name| touched.contains(name))
            .collect()
    }

    /// Of drivers that are gone.
    fn end_loops(before: &Roster, after: &Roster) {
        let ended = |known: &&Arc<NamedLoop>| {
            let mut left = after.loops.iter();
            !left.any(|other| Arc::ptr_eq(other, known))
        };
        for known in before.loops.iter().filter(ended) {
            known.terminate();
            known.join();
        }
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
    fn between(before: &Roster, after: &Roster, restarted: &[String]) -> Self {
        let named = |roster: &Roster, name: &str| {
            let mut drivers = roster.drivers.iter();
            drivers.any(|driver| driver.name == name)
        };
        let mut changes = Self::default();
        for driver in &after.drivers {
            let kind = if restarted.contains(&driver.name) {
                &mut changes.restarted
            } else if before.has(driver) {
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
        let Self {
            added,
            changed,
            reloaded,
            removed,
            restarted,
            ..
        } = self;
        let touched = [added, changed, reloaded, removed, restarted];
        touched.iter().all(|drivers| drivers.is_empty()) && self.refused.is_empty()
    }
}

impl std::fmt::Display for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds = [
            ("added", &self.added),
            ("changed", &self.changed),
            ("reloaded", &self.reloaded),
            ("removed", &self.removed),
            ("restarted", &self.restarted),
        ];
        for (kind, drivers) in kinds.iter().filter(|(_, drivers)| !drivers.is_empty()) {
            write!(f, "{kind} {}; ", drivers.join(", "))?;
        }
        write!(f, "{} unchanged", self.unchanged.len())?;
        let mut refused = self.refused.values();
        refused.try_for_each(|cause| write!(f, "; {cause}"))
    }
}
