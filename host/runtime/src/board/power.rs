//! The board sleeps and wakes: the drivers one after another, as they use one
//! another.
//!
//! Whoever asks for a change makes it, on the calling thread, and holds no gate
//! meanwhile: each driver is called by its loop's thread, so that one which
//! cannot be called delays those of its stack alone \[144\].

use super::{Board, Roster};
use crate::driver::{Driver, PowerCall, Progress, Target};
use crate::error::{ErrorCode, RequestError};
use crate::status::{PowerState, State};
use crate::time::Time;
use loopgate_workloop::{Clock as _, Context, Instant};
use parking_lot::Mutex;
use std::sync::Arc;

/// The power of a board.
#[derive(Default)]
pub(super) struct Power {
    /// Held by who makes a change.
    pub(super) changing: Mutex<()>,
    /// What is wanted last. Changes that were overtaken are not made.
    wish: Mutex<PowerState>,
    published: Mutex<PowerState>,
    pub(super) target: Arc<Target>,
}

impl Power {
    pub(super) fn state(&self) -> PowerState {
        *self.published.lock()
    }
}

impl Board {
    /// Takes the board to sleep, or wakes it, and returns when every driver has
    /// made the change; nothing happens where the state is that already. A
    /// driver that cannot be called, or takes longer than it may, counts as
    /// done. From any thread, but not from within a handler.
    ///
    /// Changes are made one after another. One that another thread has asked
    /// for the opposite of, before its turn came, is not made.
    ///
    /// # Errors
    ///
    /// `not-permitted` where a driver does not allow it, `aborted` where the
    /// opposite was asked for meanwhile.
    pub fn power(&self, state: PowerState) -> Result<(), RequestError> {
        *self.power.wish.lock() = state;
        let _changing = self.power.changing.lock();
        if *self.power.wish.lock() != state {
            return Err(overtaken(state));
        }
        if self.power.state() == state {
            return Ok(());
        }
        Context::with_current(|cx| self.change_power(cx, state))
    }

    fn change_power(&self, cx: &Context, state: PowerState) -> Result<(), RequestError> {
        let roster = &*self.roster();
        let providers = roster.providers();
        let before = match state {
            PowerState::On => providers,
            PowerState::Sleep => users(&providers),
        };
        if state == PowerState::Sleep {
            let mut asking = Round::new(self, roster, cx, PowerCall::Allow, before.clone());
            if let Some(refuser) = asking.run() {
                let told = asking.withdraw();
                let nobody = vec![Vec::new(); told.len()];
                let mut telling = Round::new(self, roster, cx, PowerCall::DidChange, nobody);
                telling.only(&told);
                telling.run();
                return Err(refused(&refuser.name));
            }
        }
        self.power.target.set(state);
        let nobody = vec![Vec::new(); before.len()];
        Round::new(self, roster, cx, PowerCall::Set, before).run();
        Round::new(self, roster, cx, PowerCall::DidChange, nobody).run();
        *self.power.published.lock() = state;
        Ok(())
    }
}

impl Roster {
    /// Whom each driver uses, by their places; those come before it.
    fn providers(&self) -> Vec<Vec<usize>> {
        let place = |service: &str| {
            let provider = self.file.provider_of(service)?.name.get_ref();
            let mut drivers = self.drivers.iter();
            drivers.position(|known| known.name == *provider)
        };
        let used = |driver: &Arc<Driver>| {
            let uses = driver.entry.uses.iter();
            uses.filter_map(|service| place(service.get_ref()))
                .collect()
        };
        self.drivers.iter().map(used).collect()
    }
}

/// The other way round.
fn users(providers: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut users = vec![Vec::new(); providers.len()];
    for (user, providers) in providers.iter().enumerate() {
        for &provider in providers {
            users[provider].push(user);
        }
    }
    users
}

/// One call of every driver, each once those before it are done.
struct Round<'a> {
    board: &'a Board,
    roster: &'a Roster,
    cx: &'a Context,
    call: PowerCall,
    before: Vec<Vec<usize>>,
    places: Vec<Place>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    Called,
    Done,
    /// Without having been called.
    Skipped,
}

impl Place {
    fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Skipped)
    }
}

impl<'a> Round<'a> {
    fn new(
        board: &'a Board,
        roster: &'a Roster,
        cx: &'a Context,
        call: PowerCall,
        before: Vec<Vec<usize>>,
    ) -> Self {
        Self {
            places: vec![Place::Before; before.len()],
            board,
            roster,
            cx,
            call,
            before,
        }
    }

    /// Leaves out the others.
    fn only(&mut self, called: &[bool]) {
        for (place, called) in self.places.iter_mut().zip(called) {
            if !called {
                *place = Place::Skipped;
            }
        }
    }

    /// Until all are done, or one refuses: which.
    fn run(&mut self) -> Option<&'a Driver> {
        loop {
            self.begin();
            let mut earliest: Option<Instant> = None;
            let now = self.board.time.now();
            let mut went_on = false;
            for (place, driver) in self.places.iter_mut().zip(&self.roster.drivers) {
                if *place != Place::Called {
                    continue;
                }
                match driver.power.progress(now) {
                    Progress::Until(until) => {
                        earliest = Some(earliest.map_or(until, |earliest| earliest.min(until)));
                        continue;
                    }
                    Progress::Over { allowed: true } => *place = Place::Done,
                    Progress::Over { allowed: false } => return Some(driver),
                    Progress::Late { begun } => {
                        driver.power_is_late(self.call);
                        *place = if begun { Place::Done } else { Place::Skipped };
                    }
                }
                went_on = true;
            }
            match earliest {
                Some(until) if !went_on => self.wait(until),
                None if !went_on => return None,
                _ => {}
            }
        }
    }

    /// Calls those that have nobody to wait for, the last started first where
    /// users go before.
    fn begin(&mut self) {
        let drivers = self.roster.drivers.iter().enumerate();
        let mut order: Vec<_> = drivers.collect();
        if self.board.power.target.get() == PowerState::Sleep || self.call == PowerCall::Allow {
            order.reverse();
        }
        for (index, driver) in order {
            let ready = self.before[index]
                .iter()
                .all(|&other| self.places[other].is_over());
            if self.places[index] != Place::Before || !ready {
                continue;
            }
            self.places[index] = match driver.life().state {
                State::Stopped | State::Failed | State::Quarantined => Place::Skipped,
                State::Starting | State::Running => {
                    driver.post_power(self.cx, self.call);
                    Place::Called
                }
            };
        }
    }

    /// Takes back what has not begun; who was called.
    fn withdraw(&self) -> Vec<bool> {
        let places = self.places.iter().zip(&self.roster.drivers);
        places
            .map(|(place, driver)| match place {
                Place::Called => driver.power.withdraw(),
                Place::Done => true,
                Place::Before | Place::Skipped => false,
            })
            .collect()
    }

    /// Until something may have happened.
    fn wait(&self, until: Instant) {
        match &self.board.time {
            Time::Real(clock) => clock.park(self.cx, Some(until)),
            Time::Virtual(clock) => {
                self.board.step(clock, Some(until));
            }
        }
    }
}

fn refused(driver: &str) -> RequestError {
    RequestError::new(
        ErrorCode::NotPermitted,
        format!(
            "driver `{driver}` does not allow the board to sleep; end what keeps it busy, or `loopgate stop {driver}`"
        ),
    )
}

fn overtaken(state: PowerState) -> RequestError {
    RequestError::new(
        ErrorCode::Aborted,
        format!(
            "the change to `{}` was not made: another client asked for the opposite after it; ask again",
            state.name()
        ),
    )
}
