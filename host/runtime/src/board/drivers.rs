//! Starting, stopping and reloading the drivers of a running board.

use super::{Board, Cancel};
use crate::bindings::exports::loopgate::driver::handlers::Cause;
use crate::driver::{Driver, Reloaded, Started};
use crate::error::{ErrorCode, RequestError};
use crate::log::LogLine;
use crate::status::State;
use loopgate_workloop::Context;
use std::path::Path;
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
        let driver = self.driver(name)?;
        let cause = match driver.life().state {
            State::Failed | State::Quarantined => Cause::Restart,
            _ => Cause::Boot,
        };
        match Context::with_current(|cx| driver.start(cx, cause)) {
            Started::Begun => {}
            Started::Already => return alive(driver).map(|()| Vec::new()),
            Started::Without(provider) => return Err(without(driver, provider)),
        }
        let started = self.start_waiting(driver);
        started.iter().try_for_each(|driver| alive(driver))?;
        Ok(started.iter().map(|driver| driver.name.clone()).collect())
    }

    /// Starts those that were stopped with a provider and have all of theirs
    /// again, now that this one runs. All that were started, this one first.
    fn start_waiting<'a>(&'a self, first: &'a Arc<Driver>) -> Vec<&'a Arc<Driver>> {
        let mut started = vec![first];
        for driver in self.start_order() {
            let new = |provider: &Arc<Driver>| {
                let mut started = started.iter();
                started.any(|other| Arc::ptr_eq(other, provider))
            };
            if driver.life().ended_with.is_some()
                && driver.providers.iter().any(new)
                && driver.providers.iter().all(|provider| provider.is_live())
                && let Started::Begun = Context::with_current(|cx| driver.start(cx, Cause::Boot))
            {
                started.push(driver);
            }
        }
        started
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
        let driver = self.driver(name)?;
        Ok(Context::with_current(|cx| self.end(cx, Some(driver))))
    }

    /// Loads a driver's component anew, and has it take the place of the
    /// running version, or of one that failed: the old version's `stop`, then
    /// the new one's `start` with the cause `reload`, in one closing of the
    /// gate. Requests in flight end as `driver-died`. What lines and ports
    /// that both open have counted or received meanwhile goes to the new one.
    ///
    /// # Errors
    ///
    /// `no-device` where there is no such driver, `not-ready` where it is
    /// stopped, `bad-argument` where the new version cannot be loaded: the old
    /// one goes on then. `driver-died` where the start of the new one failed.
    pub fn reload(&self, name: &str) -> Result<(), RequestError> {
        let driver = self.driver(name)?;
        match Context::with_current(|cx| driver.reload(cx)) {
            Reloaded::Stopped => Err(RequestError::new(
                ErrorCode::NotReady,
                format!(
                    "driver `{name}` is stopped; `loopgate start {name}` starts its new version"
                ),
            )),
            Reloaded::NotLoaded(cause) => {
                let still = match driver.life().state {
                    State::Failed | State::Quarantined => "it stays as it was, failed",
                    _ => "the old version goes on",
                };
                Err(RequestError::new(
                    ErrorCode::BadArgument,
                    format!("driver `{name}` was not reloaded, {still}: {cause}"),
                ))
            }
            Reloaded::Begun => alive(driver),
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
        let drivers = self.drivers.iter();
        drivers
            .filter(|driver| driver.life().state != State::Stopped && driver.has_new_version())
            .map(|driver| driver.name.clone())
            .collect()
    }

    /// The files of the drivers' components.
    pub(crate) fn components(&self) -> impl Iterator<Item = &Path> {
        self.drivers.iter().map(|driver| &*driver.component)
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
        let log = &self.driver(name)?.log;
        Ok(log.after(after, wait, || cancel.is_cancelled()))
    }

    fn driver(&self, name: &str) -> Result<&Arc<Driver>, RequestError> {
        let found = self.drivers.iter().find(|driver| driver.name == name);
        found.ok_or_else(|| {
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
