//! Devices on I2C buses, by the names that the board file gives them.

use std::fmt;

use crate::bindings::loopgate::driver::i2c as raw;
use crate::error::named;
use crate::{Error, ErrorCode, Result};

/// A device that the driver has open: [`Context::i2c`](crate::Context::i2c). It is
/// the only one that this reaches, so nothing here takes an address.
///
/// A transaction takes the time that the bus takes, while the handler has its gate:
/// what has not come back when the limit `handler-wall` is over ends the driver.
#[derive(Debug)]
pub struct Device {
    handle: raw::Device,
    /// The one that the device was called by through `embedded-hal`.
    #[cfg(feature = "embedded-hal")]
    pub(crate) address: std::cell::Cell<Option<u8>>,
}

/// One step of a transaction.
#[derive(Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Fills all of it.
    Read(&'a mut [u8]),
    /// Sends all of it.
    Write(&'a [u8]),
}

/// Why a transaction failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusError {
    /// A START or a STOP where none may be, or the clock held for too long.
    Bus,
    /// Another controller has the bus, or a wire is disturbed.
    ArbitrationLoss,
    /// Nobody answered.
    NoAcknowledge(NoAcknowledgeSource),
    /// What was received was not fetched in time.
    Overrun,
    /// None of these: `bad-argument` past the bounds of a transaction,
    /// `not-permitted` before the commit of a reload, `timed-out` where others had
    /// the bus, `unsupported`, `no-device` where it is gone, `io` for the rest and
    /// while the bus is stuck.
    Other(ErrorCode),
}

/// What was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAcknowledgeSource {
    /// The address: the device is missing, or busy.
    Address,
    /// A byte of data: the device does not take it, or not yet.
    Data,
    /// The bus does not tell.
    Unknown,
}

impl Device {
    /// Opens the device that the board entry calls `name`. See
    /// [`Context::i2c`](crate::Context::i2c), which is the same.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open(name: &str) -> Result<Self> {
        let handle = named(raw::Device::open(name), || format!("I2C device `{name}`"))?;
        Ok(Self {
            handle,
            #[cfg(feature = "embedded-hal")]
            address: std::cell::Cell::new(None),
        })
    }

    /// Runs the operations one after the other between one START and one STOP, with
    /// a repeated START where the direction changes. At most 42 operations, and all
    /// together at most the driver's limit `payload`.
    ///
    /// # Errors
    ///
    /// [`BusError`]; nothing was filled then, and it is unknown how much the device
    /// has seen.
    pub fn transaction(&self, operations: &mut [Operation<'_>]) -> Result<(), BusError> {
        let raw: Vec<_> = operations.iter().map(raw_operation).collect();
        let mut read = self.handle.transaction(&raw)?.into_iter();
        for operation in operations {
            if let Operation::Read(into) = operation {
                let bytes = read.next().unwrap_or_default();
                into.copy_from_slice(&bytes);
            }
        }
        Ok(())
    }

    /// Fills `into` from the device.
    ///
    /// # Errors
    ///
    /// As [`transaction`](Self::transaction).
    pub fn read(&self, into: &mut [u8]) -> Result<(), BusError> {
        self.transaction(&mut [Operation::Read(into)])
    }

    /// Sends `bytes` to the device.
    ///
    /// # Errors
    ///
    /// As [`transaction`](Self::transaction).
    pub fn write(&self, bytes: &[u8]) -> Result<(), BusError> {
        self.transaction(&mut [Operation::Write(bytes)])
    }

    /// Sends `bytes`, and fills `into` in the same transaction.
    ///
    /// # Errors
    ///
    /// As [`transaction`](Self::transaction).
    pub fn write_read(&self, bytes: &[u8], into: &mut [u8]) -> Result<(), BusError> {
        self.transaction(&mut [Operation::Write(bytes), Operation::Read(into)])
    }
}

fn raw_operation(operation: &Operation<'_>) -> raw::Operation {
    match operation {
        // More than the host takes stays more than that.
        Operation::Read(into) => raw::Operation::Read(into.len().try_into().unwrap_or(u32::MAX)),
        Operation::Write(bytes) => raw::Operation::Write(bytes.to_vec()),
    }
}

impl From<raw::BusError> for BusError {
    fn from(error: raw::BusError) -> Self {
        match error {
            raw::BusError::Bus => Self::Bus,
            raw::BusError::ArbitrationLoss => Self::ArbitrationLoss,
            raw::BusError::NoAcknowledge(source) => Self::NoAcknowledge(match source {
                raw::NoAcknowledgeSource::Address => NoAcknowledgeSource::Address,
                raw::NoAcknowledgeSource::Data => NoAcknowledgeSource::Data,
                raw::NoAcknowledgeSource::Unknown => NoAcknowledgeSource::Unknown,
            }),
            raw::BusError::Overrun => Self::Overrun,
            raw::BusError::Other(code) => Self::Other(code.into()),
        }
    }
}

impl fmt::Display for BusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Bus => "a fault of the I2C bus",
            Self::ArbitrationLoss => "the arbitration of the I2C bus was lost",
            Self::NoAcknowledge(NoAcknowledgeSource::Address) => {
                "the I2C device did not acknowledge its address"
            }
            Self::NoAcknowledge(NoAcknowledgeSource::Data) => {
                "the I2C device did not acknowledge a byte of data"
            }
            Self::NoAcknowledge(NoAcknowledgeSource::Unknown) => {
                "the I2C device did not acknowledge"
            }
            Self::Overrun => "an overrun of the I2C bus",
            Self::Other(code) => return write!(f, "an I2C transaction: {code}"),
        };
        f.write_str(text)
    }
}

impl std::error::Error for BusError {}

/// Faults of the bus are `io`.
impl From<BusError> for Error {
    fn from(error: BusError) -> Self {
        match error {
            BusError::Other(code) => Self::new(code, "an I2C transaction"),
            fault => Self::new(ErrorCode::Io, fault.to_string()),
        }
    }
}
