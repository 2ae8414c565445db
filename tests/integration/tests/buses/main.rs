//! Devices on I2C and SPI buses.

mod hangs;
mod models;
mod reload;
mod support;
mod transactions;
mod wasi;
