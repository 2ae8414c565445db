//! `embedded-hal`, for the driver crates that are written for it.
//!
//! Everything here is the plain wrappers under other names. Where a trait leaves
//! something open it is said at the type.

#[cfg(feature = "embedded-hal-async")]
mod asynchronous;
#[cfg(feature = "embedded-hal-02")]
mod version_02;

use std::time::Duration;

use embedded_hal::{delay, digital, i2c, spi};

use crate::{Error, InputPin, OutputPin};

/// Waits for the driver crates that want a delay.
///
/// The traits have no error, so that a delay that the handler has no time for ends
/// the driver, with a message that says so: whoever goes on too early speaks to a
/// device that is not ready.
///
/// - `embedded-hal`: with the gate closed, charged to the handler's wall limit
///   (`handler-wall`; in `start` it is the limit `start`, which has room for the
///   delays of a set-up).
/// - `embedded-hal-async` (the feature of that name): with the gate open, for as
///   long as it takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delay;

impl Delay {
    #[expect(
        clippy::unused_self,
        reason = "that it is there is the permission to wait"
    )]
    fn wait(self, span: Duration) {
        if let Err(error) = crate::delay(span) {
            panic!(
                "a delay of {span:?}: {error}; let it be made in `start`, wait with the gate open, \
                 or raise the driver's limit `handler-wall`"
            );
        }
    }
}

impl delay::DelayNs for Delay {
    fn delay_ns(&mut self, ns: u32) {
        self.wait(Duration::from_nanos(ns.into()));
    }

    fn delay_us(&mut self, us: u32) {
        self.wait(Duration::from_micros(us.into()));
    }

    fn delay_ms(&mut self, ms: u32) {
        self.wait(Duration::from_millis(ms.into()));
    }
}

impl digital::Error for Error {
    fn kind(&self) -> digital::ErrorKind {
        digital::ErrorKind::Other
    }
}

impl digital::ErrorType for InputPin {
    type Error = Error;
}

impl digital::InputPin for InputPin {
    fn is_high(&mut self) -> Result<bool, Error> {
        Self::is_high(self)
    }

    fn is_low(&mut self) -> Result<bool, Error> {
        Self::is_low(self)
    }
}

impl digital::ErrorType for OutputPin {
    type Error = Error;
}

impl digital::OutputPin for OutputPin {
    fn set_low(&mut self) -> Result<(), Error> {
        self.set(false)
    }

    fn set_high(&mut self) -> Result<(), Error> {
        self.set(true)
    }
}

impl digital::StatefulOutputPin for OutputPin {
    fn is_set_high(&mut self) -> Result<bool, Error> {
        self.is_high()
    }

    fn is_set_low(&mut self) -> Result<bool, Error> {
        Ok(!self.is_high()?)
    }
}

impl i2c::Error for crate::i2c::BusError {
    fn kind(&self) -> i2c::ErrorKind {
        use crate::i2c::NoAcknowledgeSource as Source;
        match self {
            Self::Bus => i2c::ErrorKind::Bus,
            Self::ArbitrationLoss => i2c::ErrorKind::ArbitrationLoss,
            Self::NoAcknowledge(source) => i2c::ErrorKind::NoAcknowledge(match source {
                Source::Address => i2c::NoAcknowledgeSource::Address,
                Source::Data => i2c::NoAcknowledgeSource::Data,
                Source::Unknown => i2c::NoAcknowledgeSource::Unknown,
            }),
            Self::Overrun => i2c::ErrorKind::Overrun,
            Self::Other(_) => i2c::ErrorKind::Other,
        }
    }
}

impl i2c::ErrorType for crate::i2c::Device {
    type Error = crate::i2c::BusError;
}

impl i2c::I2c for crate::i2c::Device {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [i2c::Operation<'_>],
    ) -> Result<(), Self::Error> {
        self.answers_to(address)?;
        let operations = operations.iter_mut().map(|operation| match operation {
            i2c::Operation::Read(into) => crate::i2c::Operation::Read(into),
            i2c::Operation::Write(bytes) => crate::i2c::Operation::Write(bytes),
        });
        Self::transaction(self, &mut operations.collect::<Vec<_>>())
    }
}

impl crate::i2c::Device {
    /// Which device it is, the board file says. A crate that calls it by one address
    /// and then by another one means another device, which is not here.
    fn answers_to(&self, address: u8) -> Result<(), crate::i2c::BusError> {
        use crate::i2c::{BusError, NoAcknowledgeSource};
        if *self.address.get().get_or_insert(address) != address {
            return Err(BusError::NoAcknowledge(NoAcknowledgeSource::Address));
        }
        self.address.set(Some(address));
        Ok(())
    }
}

impl spi::Error for crate::spi::BusError {
    fn kind(&self) -> spi::ErrorKind {
        match self {
            Self::Overrun => spi::ErrorKind::Overrun,
            Self::ModeFault => spi::ErrorKind::ModeFault,
            Self::FrameFormat => spi::ErrorKind::FrameFormat,
            Self::ChipSelectFault => spi::ErrorKind::ChipSelectFault,
            Self::Other(_) => spi::ErrorKind::Other,
        }
    }
}

impl spi::ErrorType for crate::spi::Device {
    type Error = crate::spi::BusError;
}

impl spi::SpiDevice for crate::spi::Device {
    fn transaction(
        &mut self,
        operations: &mut [spi::Operation<'_, u8>],
    ) -> Result<(), Self::Error> {
        use crate::spi::Operation;
        let operations = operations.iter_mut().map(|operation| match operation {
            spi::Operation::Read(into) => Operation::Read(into),
            spi::Operation::Write(words) => Operation::Write(words),
            spi::Operation::Transfer(into, words) => Operation::Transfer(into, words),
            spi::Operation::TransferInPlace(words) => Operation::TransferInPlace(words),
            spi::Operation::DelayNs(span) => Operation::DelayNs(*span),
        });
        Self::transaction(self, &mut operations.collect::<Vec<_>>())
    }
}
