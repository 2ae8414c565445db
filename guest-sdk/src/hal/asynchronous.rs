//! `embedded-hal-async`: what waits for a time or for a pin has the gate open
//! meanwhile. A transaction on a bus has not: the bus is in the midst of it.

use std::time::Duration;

use embedded_hal_async::{delay, digital, i2c, spi};

use super::Delay;
use crate::asynchronous::edges::{Edge, Watch};
use crate::{Edges, Error, ErrorCode, InputPin, Result};

impl Delay {
    async fn pause(self, span: Duration) {
        if let Err(error) = crate::wait(span).await {
            panic!("a delay of {span:?}: {error}");
        }
    }
}

impl delay::DelayNs for Delay {
    async fn delay_ns(&mut self, ns: u32) {
        self.pause(Duration::from_nanos(ns.into())).await;
    }

    async fn delay_us(&mut self, us: u32) {
        self.pause(Duration::from_micros(us.into())).await;
    }

    async fn delay_ms(&mut self, ms: u32) {
        self.pause(Duration::from_millis(ms.into())).await;
    }
}

impl InputPin {
    /// Watches its edges, and lends the pin for a look at the level after that.
    fn watch(&mut self) -> Result<(&Self, Watch<'_>)> {
        if self.edge.is_none() {
            self.edge = Some(Edge::create(&self.edges(Edges::Both)?)?);
        }
        let this = &*self;
        let edge = this.edge.as_ref().ok_or(ErrorCode::NotReady)?;
        Ok((this, edge.watch()))
    }

    async fn wait_for_level(&mut self, level: bool) -> Result<()> {
        let (pin, watch) = self.watch()?;
        if pin.is_high()? != level {
            watch.until(|seen| seen.edge_to(level)).await;
        }
        Ok(())
    }

    async fn wait_for_edge_to(&mut self, level: bool) -> Result<()> {
        self.watch()?.1.until(|seen| seen.edge_to(level)).await;
        Ok(())
    }
}

/// For pins whose board entry grants `edges = "both"`, and that the driver has not made
/// a source of. The first wait makes the pin's source, later ones switch it on and off.
impl digital::Wait for InputPin {
    async fn wait_for_high(&mut self) -> Result<(), Error> {
        self.wait_for_level(true).await
    }

    async fn wait_for_low(&mut self) -> Result<(), Error> {
        self.wait_for_level(false).await
    }

    async fn wait_for_rising_edge(&mut self) -> Result<(), Error> {
        self.wait_for_edge_to(true).await
    }

    async fn wait_for_falling_edge(&mut self) -> Result<(), Error> {
        self.wait_for_edge_to(false).await
    }

    async fn wait_for_any_edge(&mut self) -> Result<(), Error> {
        let (_, watch) = self.watch()?;
        watch
            .until(|seen| seen.edge_to(true) || seen.edge_to(false))
            .await;
        Ok(())
    }
}

impl i2c::I2c for crate::i2c::Device {
    async fn transaction(
        &mut self,
        address: u8,
        operations: &mut [i2c::Operation<'_>],
    ) -> Result<(), Self::Error> {
        embedded_hal::i2c::I2c::transaction(self, address, operations)
    }
}

impl spi::SpiDevice for crate::spi::Device {
    async fn transaction(
        &mut self,
        operations: &mut [spi::Operation<'_, u8>],
    ) -> Result<(), Self::Error> {
        embedded_hal::spi::SpiDevice::transaction(self, operations)
    }
}
