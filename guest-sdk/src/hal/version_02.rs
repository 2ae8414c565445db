//! `embedded-hal` 0.2: the same again, as its traits were before 1.0.
//!
//! SPI crates of that time drive the chip select themselves, beside the bus. Each
//! call is a transaction of its own here, which selects the device: one that wants it
//! selected over several calls gets a chip select that nobody uses in the board file,
//! and the real one as a pin.

use std::time::Duration;

use embedded_hal_02::blocking::{delay, i2c, spi};
use embedded_hal_02::digital::v2 as digital;

use super::Delay;
use crate::i2c::{BusError as I2cError, Device as I2cDevice};
use crate::spi::{BusError as SpiError, Device as SpiDevice, Operation};
use crate::{Error, InputPin, OutputPin};

impl digital::InputPin for InputPin {
    type Error = Error;

    fn is_high(&self) -> Result<bool, Error> {
        Self::is_high(self)
    }

    fn is_low(&self) -> Result<bool, Error> {
        Self::is_low(self)
    }
}

impl digital::OutputPin for OutputPin {
    type Error = Error;

    fn set_low(&mut self) -> Result<(), Error> {
        self.set(false)
    }

    fn set_high(&mut self) -> Result<(), Error> {
        self.set(true)
    }
}

impl digital::StatefulOutputPin for OutputPin {
    fn is_set_high(&self) -> Result<bool, Error> {
        self.is_high()
    }

    fn is_set_low(&self) -> Result<bool, Error> {
        Ok(!self.is_high()?)
    }
}

impl digital::toggleable::Default for OutputPin {}

macro_rules! delays {
    ($($trait:ident::$method:ident in $from:ident)*) => {
        $(
            delays!(@ $trait $method $from u8);
            delays!(@ $trait $method $from u16);
            delays!(@ $trait $method $from u32);
        )*
    };
    (@ $trait:ident $method:ident $from:ident $number:ty) => {
        impl delay::$trait<$number> for Delay {
            fn $method(&mut self, span: $number) {
                self.wait(Duration::$from(span.into()));
            }
        }
    };
}

delays! {
    DelayMs::delay_ms in from_millis
    DelayUs::delay_us in from_micros
}

impl i2c::Read for I2cDevice {
    type Error = I2cError;

    fn read(&mut self, address: u8, into: &mut [u8]) -> Result<(), I2cError> {
        embedded_hal::i2c::I2c::read(self, address, into)
    }
}

impl i2c::Write for I2cDevice {
    type Error = I2cError;

    fn write(&mut self, address: u8, bytes: &[u8]) -> Result<(), I2cError> {
        embedded_hal::i2c::I2c::write(self, address, bytes)
    }
}

impl i2c::WriteRead for I2cDevice {
    type Error = I2cError;

    fn write_read(&mut self, address: u8, bytes: &[u8], into: &mut [u8]) -> Result<(), I2cError> {
        embedded_hal::i2c::I2c::write_read(self, address, bytes, into)
    }
}

impl i2c::Transactional for I2cDevice {
    type Error = I2cError;

    fn exec(&mut self, address: u8, operations: &mut [i2c::Operation<'_>]) -> Result<(), I2cError> {
        use embedded_hal::i2c::Operation;
        let operations = operations.iter_mut().map(|operation| match operation {
            i2c::Operation::Read(into) => Operation::Read(into),
            i2c::Operation::Write(bytes) => Operation::Write(bytes),
        });
        let mut operations: Vec<_> = operations.collect();
        embedded_hal::i2c::I2c::transaction(self, address, &mut operations)
    }
}

impl spi::Write<u8> for SpiDevice {
    type Error = SpiError;

    fn write(&mut self, words: &[u8]) -> Result<(), SpiError> {
        Self::write(self, words)
    }
}

impl spi::Transfer<u8> for SpiDevice {
    type Error = SpiError;

    fn transfer<'w>(&mut self, words: &'w mut [u8]) -> Result<&'w [u8], SpiError> {
        self.transaction(&mut [Operation::TransferInPlace(words)])?;
        Ok(words)
    }
}

impl spi::Transactional<u8> for SpiDevice {
    type Error = SpiError;

    fn exec(&mut self, operations: &mut [spi::Operation<'_, u8>]) -> Result<(), SpiError> {
        let operations = operations.iter_mut().map(|operation| match operation {
            spi::Operation::Write(words) => Operation::Write(words),
            spi::Operation::Transfer(words) => Operation::TransferInPlace(words),
        });
        self.transaction(&mut operations.collect::<Vec<_>>())
    }
}
