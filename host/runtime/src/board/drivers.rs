//! Starting, stopping and reloading the drivers of a running board.

use super::ending::uses;
use super::{Board, Cancel, Roster};
use crate::bindings::exports::loopgate::driver::handlers::Cause;
use crate::driver::{Driver, Manner, Reloaded, Started};
use crate::error::{ErrorCode, RequestError};
use crate::log::LogLine;
use crate::status::{Reload, Revoked, State};
use crate::time::Time;
use loopgate_workloop::{Clock as _, Context};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

impl Board {
    /// Loads a driver's component and starts it, with the cause `boot`, or
    /// `restart` where it had failed; then those that were stopped with a provider
    /// and have all of theirs again. Their names, in that order. Nothing happens to
    /// those that run. From any thread, but not from within a handler, as
    /// everything here.
    ///
    /// # Errors
    ///
    /// `no-device` where there is no such driver, `not-ready` where all its
    /// providers are stopped, `driver-died` where one cannot be loaded or its
    /// start fails.
    pub fn start_driver(&self, name: &str) -> Result<Vec<String>, RequestError> {
        let roster = self.roster();
        let driver = roster.named(name)?;
        let cause = match driver.life().state {
            State::Failed | State::Quarantined => Cause::Restart,
            _ => Cause::Boot,
        };
        let started = Context::with_current(|cx| {
            match driver.start(cx, cause) {
                Started::Begun => {}
                Started::Already => return Ok(Vec::new()),
                Started::Without(provider) => return Err(without(driver, &provider)),
            }
            let started = start_waiting(cx, &roster, vec![driver], |_| false);
            // The board may have been changed before they began.
            let now = self.roster();
            for driver in started.iter().rev().filter(|driver| !now.has(driver)) {
                driver.dismiss(cx, &driver.hold(), None);
            }
            Ok(started)
        })?;
        alive(driver)?;
        started.iter().try_for_each(|driver| alive(driver))?;
        Ok(started.iter().map(|driver| driver.name.clone()).collect())
    }

    /// Stops a driver, and before it those above it that have no other provider:
    /// nothing of them can be opened any more, each is told, and then their
    /// `stop` is called, that of users before that of their providers. An answer
    /// `closing` delays it, and so does a driver that lives on and has something
    /// open: for its limit `closing`, and all of them together for 15 s. Their
    /// requests end as `driver-died`, their lines are released. One that has failed
    /// stays away as well then, until it is started; the cause can still be seen.
    /// Their names, in the order in which they were stopped.
    ///
    /// In virtual time, time goes on while one is waited for.
    ///
    /// # Errors
    ///
    /// `no-device` where there is no such driver.
    pub fn stop_driver(&self, name: &str) -> Result<Vec<String>, RequestError> {
        let roster = self.roster();
        let roots = std::slice::from_ref(roster.named(name)?);
        Ok(Context::with_current(|cx| {
            self.end(cx, &roster, Some(roots))
        }))
    }

    /// Loads a driver's component anew, and has it take the place of the
    /// running version, or of one that failed.
    ///
    /// A version with state is asked for it, once the requests that it has begun
    /// are over; new ones wait. Within one closing of the gate the new version
    /// starts and is given the state. What it opens and creates again goes on
    /// without its being released, and so do interrupts, timers and requests
    /// that wait.
    ///
    /// A version without state is stopped before the new one starts. Requests in
    /// flight end as `driver-died`. What lines and ports that both open have
    /// counted or received meanwhile goes to the new one.
    ///
    /// # Errors
    ///
    /// `no-device` where there is no such driver, `not-ready` where it is
    /// stopped, `bad-argument` where the new version cannot be loaded: the old
    /// one goes on then. `busy` where requests are not over within the limit
    /// `drain`, `aborted` where the new version does not start or does not take
    /// the state, and what `save-state` says: the old one goes on then as if
    /// nothing had been tried. `driver-died` where the old version had no state
    /// and the start of the new one failed.
    pub fn reload(&self, name: &str) -> Result<Reload, RequestError> {
        self.reload_as(name, false)
    }

    /// As [`Board::reload`], but requests that have begun end as `driver-died`.
    ///
    /// # Errors
    ///
    /// As there, but for those.
    pub fn force_reload(&self, name: &str) -> Result<Reload, RequestError> {
        self.reload_as(name, true)
    }

    fn reload_as(&self, name: &str, force: bool) -> Result<Reload, RequestError> {
        let driver = self.driver(name)?;
        let pause = |cx: &Context, until| match &self.time {
            Time::Real(clock) => clock.park(cx, Some(until)),
            Time::Virtual(clock) => {
                self.step(clock, Some(until));
            }
        };
        let manner = Manner {
            force,
            pause: &pause,
        };
        let refused = |code, cause| {
            let still = match driver.life().state {
                State::Failed | State::Quarantined => "it stays as it was, failed",
                _ => "the old version goes on",
            };
            Err(RequestError::new(
                code,
                format!("driver `{name}` was not reloaded, {still}: {cause}"),
            ))
        };
        match Context::with_current(|cx| driver.reload(cx, manner)) {
            Reloaded::Stopped => Err(RequestError::new(
                ErrorCode::NotReady,
                format!(
                    "driver `{name}` is stopped; `loopgate start {name}` starts its new version"
                ),
            )),
            Reloaded::NotLoaded(cause) => refused(ErrorCode::BadArgument, cause),
            Reloaded::Refused(code, cause) => refused(code, cause),
            Reloaded::Begun(reload) => {
                driver.code_was_refused(false);
                alive(&driver).map(|()| reload)
            }
        }
    }

    /// Withdraws a grant of a driver's entry, by name: a pin, a serial port or a
    /// service that it uses with the pins of that service; all of them where the
    /// name is that of several. Once this has returned nothing that the driver has
    /// open of it works any more: outputs have taken their safe state, interrupts
    /// that wait are lost, its requests of that service are cancelled, and what it
    /// calls is `not-granted`, in later instances as well. A handler that runs is
    /// waited for. Where the board becomes what its file says ([`Board::reread`],
    /// [`Board::change_to`]) the driver is stopped and started with all of its
    /// grants. From any thread, but not from within a handler.
    ///
    /// # Errors
    ///
    /// `no-device` where there is no such driver, `bad-argument` where its entry
    /// grants nothing of this name.
    pub fn revoke(&self, name: &str, grant: &str) -> Result<Revoked, RequestError> {
        loop {
            let driver = self.driver(name)?;
            let revoked = Context::with_current(|cx| driver.revoke(cx, grant))
                .map_err(|reason| RequestError::new(ErrorCode::BadArgument, reason))?;
            // A change of the board may have put another in its place meanwhile.
            if self.roster().has(&driver) {
                return Ok(revoked);
            }
        }
    }

    /// A driver's state and generation.
    ///
    /// # Errors
    ///
    /// `no-device` where there is no such driver.
    pub fn driver_state(&self, name: &str) -> Result<(State, u64), RequestError> {
        let driver = self.driver(name)?;
        Ok((driver.life().state, driver.generation()))
    }

    /// The drivers whose component's file has changed since it was last
    /// loaded, or tried; not those that are stopped.
    pub(crate) fn changed_drivers(&self) -> Vec<String> {
        let roster = self.roster();
        let drivers = roster.drivers.iter();
        drivers
            .filter(|driver| driver.life().state != State::Stopped && driver.has_new_version())
            .map(|driver| driver.name.clone())
            .collect()
    }

    /// The files of the drivers' components.
    pub(crate) fn components(&self) -> Vec<PathBuf> {
        let roster = self.roster();
        let drivers = roster.drivers.iter();
        drivers.map(|driver| driver.code().file.clone()).collect()
    }

    /// The latest lines of a driver's log that came after the one numbered
    /// `after`; where there are none, waits for one, in real time and at most
    /// `wait`.
    ///
    /// # Errors
    ///
    /// `no-device` where there is no such driver.
    pub fn logs(
        &self,
        name: &str,
        after: u64,
        wait: Duration,
        cancel: &Cancel,
    ) -> Result<Vec<LogLine>, RequestError> {
        let driver = self.driver(name)?;
        Ok(driver.log.after(after, wait, || cancel.is_cancelled()))
    }

    fn driver(&self, name: &str) -> Result<Arc<Driver>, RequestError> {
        self.roster().named(name).cloned()
    }
}

impl Roster {
    fn named(&self, name: &str) -> Result<&Arc<Driver>, RequestError> {
        self.driver(name).ok_or_else(|| {
            let known = self.drivers.iter();
            let known: Vec<_> = known.map(|driver| format!("`{}`", driver.name)).collect();
            RequestError::new(
                ErrorCode::NoDevice,
                format!(
                    "the board has no driver `{name}`; its drivers are {}",
                    known.join(", ")
                ),
            )
        })
    }
}

/// Starts those that are `wanted`, and those that were stopped with a provider and
/// have all of theirs again, now that this one runs. All that were `started`, those
/// from before first.
pub(super) fn start_waiting<'a>(
    cx: &Context,
    roster: &'a Roster,
    mut started: Vec<&'a Arc<Driver>>,
    wanted: impl Fn(&Arc<Driver>) -> bool,
) -> Vec<&'a Arc<Driver>> {
    for driver in &roster.drivers {
        let is_new = wanted(driver);
        if !is_new && !waits_for(driver, &started) {
            continue;
        }
        match driver.start(cx, Cause::Boot) {
            Started::Begun => started.push(driver),
            Started::Without(provider) if is_new => driver.wait_for(&provider),
            Started::Already | Started::Without(_) => {}
        }
    }
    started
}

/// Whether one waits for some of these, and for nobody else.
fn waits_for(driver: &Driver, started: &[&Arc<Driver>]) -> bool {
    let providers = driver.providers();
    driver.life().ended_with.is_some()
        && uses(driver, started)
        && providers.iter().all(|provider| provider.is_live())
}

fn without(driver: &Driver, provider: &Driver) -> RequestError {
    let is = if provider.is_ending() {
        "is being stopped"
    } else {
        "is stopped"
    };
    RequestError::new(
        ErrorCode::NotReady,
        format!(
            "driver `{0}` cannot start: `{1}`, which it uses, {is}; `loopgate start {1}` first",
            driver.name, provider.name
        ),
    )
}

fn alive(driver: &Driver) -> Result<(), RequestError> {
    let life = driver.life();
    let failed = matches!(life.state, State::Failed | State::Quarantined);
    match life.cause.filter(|_| failed) {
        None => Ok(()),
        Some(cause) => Err(RequestError::new(
            ErrorCode::DriverDied,
            format!(
                "driver `{}` failed: {cause}; mend it; {}",
                driver.name,
                driver.remedy()
            ),
        )),
    }
}
