//! Starting, stopping and reloading the drivers of a running board.

use super::{Board, Cancel};
use crate::bindings::exports::loopgate::driver::handlers::Cause;
use crate::driver::{Driver, Reloaded};
use crate::error::{ErrorCode, RequestError};
use crate::log::LogLine;
use crate::status::State;
use loopgate_workloop::Context;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

impl Board {
    /// Loads a driver's component and starts it, with the cause `boot`, or
    /// `restart` where it had failed. Nothing happens to one that runs. From any
    /// thread, but not from within a handler, as everything here.
    ///
    /// # Errors
    ///
    /// `no-device` where there is no such driver, `driver-died` where it cannot
    /// be loaded or its start fails.
    pub fn start_driver(&self, name: &str) -> Result<(), RequestError> {
        let driver = self.driver(name)?;
        let cause = match driver.life().state {
            State::Failed => Cause::Restart,
            _ => Cause::Boot,
        };
        Context::with_current(|cx| {
            driver.start(cx, cause);
            // The board may have been changed before it began.
            if !self.roster().has(&driver) {
                driver.dismiss(cx);
            }
        });
        alive(&driver)
    }

    /// Stops a driver: its `stop` is called, its requests end as `driver-died`,
    /// its lines are released. One that has failed stays away as well then,
    /// until it is started; the cause can still be seen.
    ///
    /// # Errors
    ///
    /// `no-device` where there is no such driver.
    pub fn stop_driver(&self, name: &str) -> Result<(), RequestError> {
        let driver = self.driver(name)?;
        Context::with_current(|cx| driver.dismiss(cx));
        Ok(())
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
                    State::Failed => "it stays as it was, failed",
                    _ => "the old version goes on",
                };
                Err(RequestError::new(
                    ErrorCode::BadArgument,
                    format!("driver `{name}` was not reloaded, {still}: {cause}"),
                ))
            }
            Reloaded::Begun => alive(&driver),
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
        drivers.map(|driver| driver.component.clone()).collect()
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
        let roster = self.roster();
        let found = roster.drivers.iter().find(|driver| driver.name == name);
        found.cloned().ok_or_else(|| {
            let known = roster.drivers.iter();
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

fn alive(driver: &Driver) -> Result<(), RequestError> {
    let life = driver.life();
    match life.cause.filter(|_| life.state == State::Failed) {
        None => Ok(()),
        Some(cause) => Err(RequestError::new(
            ErrorCode::DriverDied,
            format!(
                "driver `{0}` failed: {cause}; mend it, and `loopgate start {0}`",
                driver.name
            ),
        )),
    }
}
