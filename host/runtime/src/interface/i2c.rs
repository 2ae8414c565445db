//! `i2c`: devices by the names that the board file gives them.

use crate::bindings::WitErrorCode;
use crate::bindings::loopgate::driver::i2c::{
    BusError, Host, HostDevice, NoAcknowledgeSource, Operation,
};
use crate::buses::I2cDevice;
use crate::grants::Named;
use crate::guest::Guest;
use loopgate_devices::i2c::{self, Error, Message};
use wasmtime::component::Resource;

const KIND: &str = "I2C";

/// An open device.
pub struct Device {
    name: String,
    /// None once the grant was withdrawn.
    device: Option<I2cDevice>,
}

impl Device {
    /// Closes it, where it has this name.
    pub(crate) fn withdraw(&mut self, grant: &Named) -> Option<()> {
        let device = self.device.take_if(|_| grant.is_device(&self.name));
        device.map(drop)
    }
}

/// A transaction's result.
pub(super) type Made = Result<Vec<Vec<u8>>, BusError>;

impl Host for Guest {}

impl HostDevice for Guest {
    fn open(&mut self, name: String) -> wasmtime::Result<Result<Resource<Device>, WitErrorCode>> {
        let driver = self.driver.clone();
        let entry = match self.begin_open(KIND, &name, driver.grants.i2c(&name)) {
            Ok(entry) => entry,
            Err(code) => return Ok(Err(code.into())),
        };
        let buses = &driver.devices.buses;
        let opened = buses.open_i2c(entry, &mut self.caller());
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
        let granted = self.driver.grants.i2c(name);
        let log = |reason: &String| self.driver.log.host(reason);
        let (Some(device), Ok(_)) = (device, granted.inspect_err(log)) else {
            return Ok(Err(BusError::Other(WitErrorCode::NotGranted)));
        };
        self.i2c_transaction(&device, operations)
    }

    fn drop(&mut self, this: Resource<Device>) -> wasmtime::Result<()> {
        let Device { name, .. } = self.table.delete(this)?;
        self.on_buses.remove(&(KIND, name));
        Ok(())
    }
}

impl Guest {
    pub(super) fn i2c_transaction(
        &mut self,
        device: &I2cDevice,
        operations: Vec<Operation>,
    ) -> wasmtime::Result<Made> {
        let bytes = operations.iter().map(|operation| match operation {
            Operation::Read(count) => u64::from(*count),
            Operation::Write(bytes) => bytes.len() as u64,
        });
        if let Err(code) = self.may_transact(operations.len(), bytes) {
            return Ok(Err(BusError::Other(code)));
        }
        let reads = reads(&operations);
        match device.transaction(self.caller(), messages(operations)) {
            Ok(Ok(messages)) => Ok(Ok(split(&messages, &reads))),
            Ok(Err(error)) => Ok(Err(self.bus_error(device, &error))),
            Err(fault) => {
                let code = self.no_result(&device.place(), fault)?;
                Ok(Err(BusError::Other(code)))
            }
        }
    }

    /// What the protocol has is for the driver to judge; of the rest the log says why.
    fn bus_error(&self, device: &I2cDevice, error: &Error) -> BusError {
        match error {
            Error::Bus => BusError::Bus,
            Error::ArbitrationLoss => BusError::ArbitrationLoss,
            Error::NoAcknowledge(source) => BusError::NoAcknowledge(match source {
                i2c::NoAcknowledgeSource::Address => NoAcknowledgeSource::Address,
                i2c::NoAcknowledgeSource::Data => NoAcknowledgeSource::Data,
                i2c::NoAcknowledgeSource::Unknown => NoAcknowledgeSource::Unknown,
            }),
            Error::Overrun => BusError::Overrun,
            error => {
                let log = &self.driver.log;
                log.host(&format!("{}: {error}", device.place()));
                BusError::Other(code(error))
            }
        }
    }
}

pub(super) fn code(error: &Error) -> WitErrorCode {
    match error {
        Error::NoDevice { .. } | Error::Denied { .. } => WitErrorCode::NoDevice,
        Error::Unsupported { .. } => WitErrorCode::Unsupported,
        _ => WitErrorCode::Io,
    }
}

/// How long each read is.
fn reads(operations: &[Operation]) -> Vec<usize> {
    let read = |operation: &Operation| match operation {
        Operation::Read(count) => Some(*count as usize),
        Operation::Write(_) => None,
    };
    operations.iter().filter_map(read).collect()
}

/// Neighbours of one direction are one message, without a START between them.
fn messages(operations: Vec<Operation>) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    for operation in operations {
        match (messages.last_mut(), operation) {
            (Some(Message::Read(bytes)), Operation::Read(count)) => {
                bytes.resize(bytes.len() + count as usize, 0);
            }
            (Some(Message::Write(bytes)), Operation::Write(more)) => bytes.extend(more),
            (_, Operation::Read(count)) => messages.push(Message::Read(vec![0; count as usize])),
            (_, Operation::Write(bytes)) => messages.push(Message::Write(bytes)),
        }
    }
    messages
}

/// What was read, as it was asked for.
fn split(messages: &[Message], reads: &[usize]) -> Vec<Vec<u8>> {
    let read = messages.iter().filter_map(|message| match message {
        Message::Read(bytes) => Some(&bytes[..]),
        Message::Write(_) => None,
    });
    let mut all = read.flatten().copied();
    let take = |&count: &usize| all.by_ref().take(count).collect();
    reads.iter().map(take).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_of_one_direction_are_one_message_and_come_apart_again() {
        use Operation::{Read, Write};
        let operations = vec![
            Write(vec![1]),
            Write(vec![2, 3]),
            Read(2),
            Read(0),
            Read(1),
            Write(vec![]),
            Read(1),
        ];
        let reads = reads(&operations);
        let mut messages = messages(operations);
        assert_eq!(
            messages,
            [
                Message::Write(vec![1, 2, 3]),
                Message::Read(vec![0; 3]),
                Message::Write(vec![]),
                Message::Read(vec![0]),
            ]
        );
        messages[1] = Message::Read(vec![7, 8, 9]);
        let expected = [vec![7, 8], vec![], vec![9], vec![0]];
        assert_eq!(split(&messages, &reads), expected);
    }
}
