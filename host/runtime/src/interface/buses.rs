//! What `i2c` and `spi` have in common.

use crate::bindings::WitErrorCode;
use crate::buses::{Caller, Fault};
use crate::error::ErrorCode;
use crate::guest::Guest;
use loopgate_devices::bus::Refused;
use std::fmt::Display;
use wasmtime::component::Resource;

/// As many messages as the kernel takes at a time.
const OPERATIONS_MAX: usize = 42;

impl Guest {
    /// Whether a device can be opened, of which `granted` says whether it is granted.
    pub(super) fn begin_open<E>(
        &mut self,
        kind: &'static str,
        name: &str,
        granted: Result<E, String>,
    ) -> Result<E, ErrorCode> {
        let log = &self.driver.log;
        let entry = granted.map_err(|reason| {
            log.host(&reason);
            ErrorCode::NotGranted
        })?;
        self.may_open()?;
        if self.on_buses.contains(&(kind, name.to_owned())) {
            log.host(&format!("{kind} device `{name}` is open already"));
            return Err(ErrorCode::Busy);
        }
        Ok(entry)
    }

    /// What became of opening a device; of an expected failure the log says why.
    pub(super) fn opened<D, E: Display>(
        &self,
        name: &str,
        opened: Result<Result<D, E>, Fault>,
        code: impl FnOnce(&E) -> WitErrorCode,
    ) -> wasmtime::Result<Result<D, WitErrorCode>> {
        match opened {
            Ok(Ok(device)) => Ok(Ok(device)),
            Ok(Err(error)) => {
                self.driver.log.host(&format!("device `{name}`: {error}"));
                Ok(Err(code(&error)))
            }
            Err(fault) => {
                let place = format!("the bus of device `{name}`");
                self.no_result(&place, fault).map(Err)
            }
        }
    }

    /// Enters an open device.
    pub(super) fn enter<T: Send + 'static>(
        &mut self,
        kind: &'static str,
        name: String,
        device: T,
    ) -> Result<Resource<T>, WitErrorCode> {
        let handle = self.push(device).ok_or(ErrorCode::NoResources)?;
        self.on_buses.insert((kind, name));
        Ok(handle)
    }

    /// Whether a transaction can begin: of so many operations, and bytes in all.
    pub(super) fn may_transact(
        &self,
        operations: usize,
        bytes: impl Iterator<Item = u64>,
    ) -> Result<(), WitErrorCode> {
        self.may_act()?;
        let payload = self.driver.limits.payload;
        if operations <= OPERATIONS_MAX && bytes.sum::<u64>() <= payload {
            return Ok(());
        }
        self.driver.log.host(&format!(
            "a transaction is at most {OPERATIONS_MAX} operations, and {payload} bytes in all; make several of it"
        ));
        Err(WitErrorCode::BadArgument)
    }

    /// Who makes a transaction.
    pub(super) fn caller(&mut self) -> Caller<'_> {
        Caller {
            name: &self.driver.name,
            clock: &mut self.clock,
            time: &self.driver.time,
        }
    }

    /// Why there is no result of a transaction: an expected failure, or the end of
    /// the driver.
    pub(super) fn no_result(&self, place: &str, fault: Fault) -> wasmtime::Result<WitErrorCode> {
        let (why, code) = match fault {
            Fault::Refused(Refused::Stuck) => (
                "is stuck: a transaction has not come back",
                WitErrorCode::Io,
            ),
            Fault::Refused(Refused::Late) => (
                "was others' for all of the time that was left",
                WitErrorCode::TimedOut,
            ),
            Fault::Panicked => (
                "has panicked; mend the program's `I2cBus`",
                WitErrorCode::Io,
            ),
            Fault::Over(limit) => return Err(limit.into()),
        };
        self.driver.log.host(&format!("{place} {why}"));
        Ok(code)
    }
}
