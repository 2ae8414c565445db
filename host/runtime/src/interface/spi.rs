//! `spi`: devices by the names that the board file gives them.

use crate::bindings::WitErrorCode;
use crate::bindings::loopgate::driver::spi::{BusError, Host, HostDevice, Operation};
use crate::buses::SpiDevice;
use crate::grants::Named;
use crate::guest::Guest;
use loopgate_devices::spi::{self, Error};
use std::time::Duration;
use wasmtime::component::Resource;

const KIND: &str = "SPI";

/// An open device.
pub struct Device {
    name: String,
    /// None once the grant was withdrawn.
    device: Option<SpiDevice>,
}

impl Device {
    /// Closes it, where it has this name.
    pub(crate) fn withdraw(&mut self, grant: &Named) -> Option<()> {
        let device = self.device.take_if(|_| grant.is_device(&self.name));
        device.map(drop)
    }
}

/// A transaction's result.
type Made = Result<Vec<Vec<u8>>, BusError>;

impl Host for Guest {}

impl HostDevice for Guest {
    fn open(&mut self, name: String) -> wasmtime::Result<Result<Resource<Device>, WitErrorCode>> {
        let driver = self.driver.clone();
        let entry = match self.begin_open(KIND, &name, driver.grants.spi(&name)) {
            Ok(entry) => entry,
            Err(code) => return Ok(Err(code.into())),
        };
        let buses = &driver.devices.buses;
        let opened = buses.open_spi(entry, &mut self.caller());
        Ok(match self.opened(&name, opened, code)? {
            Ok(device) => {
                let device = Device {
                    name: name.clone(),
                    device: Some(device),
                };
                self.enter(KIND, name, device)
            }
            Err(code) => Err(code),
        })
    }

    fn transaction(
        &mut self,
        this: Resource<Device>,
        operations: Vec<Operation>,
    ) -> wasmtime::Result<Made> {
        let Device { name, device } = self.table.get(&this)?;
        let device = device.clone();
        let granted = self.driver.grants.spi(name);
        let log = |reason: &String| self.driver.log.host(reason);
        let (Some(device), Ok(_)) = (device, granted.inspect_err(log)) else {
            return Ok(Err(BusError::Other(WitErrorCode::NotGranted)));
        };
        self.spi_transaction(&device, operations)
    }

    fn drop(&mut self, this: Resource<Device>) -> wasmtime::Result<()> {
        let Device { name, .. } = self.table.delete(this)?;
        self.on_buses.remove(&(KIND, name));
        Ok(())
    }
}

impl Guest {
    fn spi_transaction(
        &mut self,
        device: &SpiDevice,
        operations: Vec<Operation>,
    ) -> wasmtime::Result<Made> {
        let words = operations.iter().map(|operation| match operation {
            Operation::Read(count) => u64::from(*count),
            Operation::Write(words) | Operation::Transfer(words) => words.len() as u64,
            Operation::DelayNs(_) => 0,
        });
        let fits = self.may_transact(operations.len(), words);
        if let Err(code) = fits.and_then(|()| self.delays_fit(&operations)) {
            return Ok(Err(BusError::Other(code)));
        }
        let operations = operations.into_iter().map(Into::into).collect();
        match device.transaction(self.caller(), operations) {
            Ok(Ok(operations)) => Ok(Ok(read(operations))),
            Ok(Err(error)) => Ok(Err(self.spi_error(device, &error))),
            Err(fault) => {
                let code = self.no_result(&device.place(), fault)?;
                Ok(Err(BusError::Other(code)))
            }
        }
    }

    /// As with `delay`, nothing is begun that would end the driver for sure.
    fn delays_fit(&mut self, operations: &[Operation]) -> Result<(), WitErrorCode> {
        let delays = operations.iter().map(|operation| match operation {
            Operation::DelayNs(nanos) => u64::from(*nanos),
            _ => 0,
        });
        let delay: u64 = delays.sum();
        if delay == 0 || Duration::from_nanos(delay) < self.clock.left_in(&self.driver.time) {
            return Ok(());
        }
        Err(WitErrorCode::TimedOut)
    }

    /// What the protocol has is for the driver to judge; of the rest the log says why.
    fn spi_error(&self, device: &SpiDevice, error: &Error) -> BusError {
        match error {
            Error::Overrun => BusError::Overrun,
            Error::ModeFault => BusError::ModeFault,
            Error::FrameFormat => BusError::FrameFormat,
            Error::ChipSelectFault => BusError::ChipSelectFault,
            error => {
                let log = &self.driver.log;
                log.host(&format!("{}: {error}", device.place()));
                BusError::Other(code(error))
            }
        }
    }
}

impl From<Operation> for spi::Operation {
    fn from(operation: Operation) -> Self {
        match operation {
            Operation::Read(count) => Self::Read(vec![0; count as usize]),
            Operation::Write(words) => Self::Write(words),
            Operation::Transfer(words) => Self::Transfer(words),
            Operation::DelayNs(nanos) => Self::Delay(Duration::from_nanos(nanos.into())),
        }
    }
}

fn read(operations: Vec<spi::Operation>) -> Vec<Vec<u8>> {
    let read = |operation| match operation {
        spi::Operation::Read(words) | spi::Operation::Transfer(words) => Some(words),
        spi::Operation::Write(_) | spi::Operation::Delay(_) => None,
    };
    operations.into_iter().filter_map(read).collect()
}

fn code(error: &Error) -> WitErrorCode {
    match error {
        Error::NoDevice { .. } | Error::Denied { .. } => WitErrorCode::NoDevice,
        Error::Unsupported { .. } => WitErrorCode::Unsupported,
        _ => WitErrorCode::Io,
    }
}
