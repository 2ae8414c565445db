//! Devices on SPI buses, by the names that the board file gives them.

use std::fmt;

use crate::bindings::loopgate::driver::spi as raw;
use crate::error::named;
use crate::{Error, ErrorCode, Result};

/// A device that the driver has open: [`Context::spi`](crate::Context::spi). Mode,
/// clock and bits are the board file's.
///
/// A transaction takes the time that the bus takes, while the handler has its gate:
/// what has not come back when the limit `handler-wall` is over ends the driver.
#[derive(Debug)]
pub struct Device {
    handle: raw::Device,
}

/// One step of a transaction.
#[derive(Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Fills all of it, while zeros are sent.
    Read(&'a mut [u8]),
    /// Sends all of it; what comes back is dropped.
    Write(&'a [u8]),
    /// Fills the first while the second is sent; the shorter one is as if it went on
    /// with zeros, or was filled further.
    Transfer(&'a mut [u8], &'a [u8]),
    /// Sends it, and fills it with what comes back.
    TransferInPlace(&'a mut [u8]),
    /// Waits for so many nanoseconds, with the device selected.
    DelayNs(u32),
}

/// Why a transaction failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BusError {
    /// What was received was not fetched in time.
    Overrun,
    /// Another controller drives the bus.
    ModeFault,
    /// A word was not framed as it has to be.
    FrameFormat,
    /// The device could not be selected.
    ChipSelectFault,
    /// None of these; the codes are those of [`i2c::BusError`](crate::i2c::BusError),
    /// and `timed-out` also where the delays would take longer than this handler has.
    Other(ErrorCode),
}

impl Device {
    /// Opens the device that the board entry calls `name`. See
    /// [`Context::spi`](crate::Context::spi), which is the same.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open(name: &str) -> Result<Self> {
        let handle = named(raw::Device::open(name), || format!("SPI device `{name}`"))?;
        Ok(Self { handle })
    }

    /// Selects the device, runs the operations one after the other, and lets go of it.
    /// At most 42 operations, and all together at most the driver's limit `payload`.
    ///
    /// # Errors
    ///
    /// [`BusError`]; nothing was filled then, and it is unknown how much the device
    /// has seen.
    pub fn transaction(&self, operations: &mut [Operation<'_>]) -> Result<(), BusError> {
        let raw: Vec<_> = operations.iter().map(raw_operation).collect();
        let mut read = self.handle.transaction(&raw)?.into_iter();
        for operation in operations {
            if let Operation::Read(into)
            | Operation::Transfer(into, _)
            | Operation::TransferInPlace(into) = operation
            {
                let words = read.next().unwrap_or_default();
                into.copy_from_slice(&words[..into.len()]);
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

    /// Sends `words` to the device.
    ///
    /// # Errors
    ///
    /// As [`transaction`](Self::transaction).
    pub fn write(&self, words: &[u8]) -> Result<(), BusError> {
        self.transaction(&mut [Operation::Write(words)])
    }

    /// Sends `words`, and fills `into` with what comes back meanwhile.
    ///
    /// # Errors
    ///
    /// As [`transaction`](Self::transaction).
    pub fn transfer(&self, into: &mut [u8], words: &[u8]) -> Result<(), BusError> {
        self.transaction(&mut [Operation::Transfer(into, words)])
    }
}

fn raw_operation(operation: &Operation<'_>) -> raw::Operation {
    match operation {
        // More than the host takes stays more than that.
        Operation::Read(into) => raw::Operation::Read(into.len().try_into().unwrap_or(u32::MAX)),
        Operation::Write(words) => raw::Operation::Write(words.to_vec()),
        Operation::Transfer(into, words) => {
            let mut sent = words.to_vec();
            sent.resize(words.len().max(into.len()), 0);
            raw::Operation::Transfer(sent)
        }
        Operation::TransferInPlace(words) => raw::Operation::Transfer(words.to_vec()),
        Operation::DelayNs(span) => raw::Operation::DelayNs(*span),
    }
}

impl From<raw::BusError> for BusError {
    fn from(error: raw::BusError) -> Self {
        match error {
            raw::BusError::Overrun => Self::Overrun,
            raw::BusError::ModeFault => Self::ModeFault,
            raw::BusError::FrameFormat => Self::FrameFormat,
            raw::BusError::ChipSelectFault => Self::ChipSelectFault,
            raw::BusError::Other(code) => Self::Other(code.into()),
        }
    }
}

impl fmt::Display for BusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Overrun => "an overrun of the SPI bus",
            Self::ModeFault => "a mode fault of the SPI bus",
            Self::FrameFormat => "a fault of a frame on the SPI bus",
            Self::ChipSelectFault => "the SPI device could not be selected",
            Self::Other(code) => return write!(f, "an SPI transaction: {code}"),
        };
        f.write_str(text)
    }
}

impl std::error::Error for BusError {}

/// Faults of the bus are `io`.
impl From<BusError> for Error {
    fn from(error: BusError) -> Self {
        match error {
            BusError::Other(code) => Self::new(code, "an SPI transaction"),
            fault => Self::new(ErrorCode::Io, fault.to_string()),
        }
    }
}
