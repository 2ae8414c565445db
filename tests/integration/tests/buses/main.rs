//! Devices on I2C and SPI buses.

mod hangs;
mod reload;
mod support;
mod transactions;
