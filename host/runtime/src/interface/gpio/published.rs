//! Pins of other drivers: what their provider is asked, from a handler.

use crate::error::ErrorCode;
use crate::guest::Guest;
use crate::published_pins::PublishedPin;
use loopgate_devices::gpio::GpioLine;
use loopgate_workloop::Context;
use std::sync::Arc;
use std::time::Duration;

impl Guest {
    /// The open pin, with the level of an output.
    pub(super) fn published_line(
        &mut self,
        pin: &Arc<PublishedPin>,
        inherited: Option<Arc<dyn GpioLine>>,
        output: Option<bool>,
    ) -> Result<Arc<dyn GpioLine>, ErrorCode> {
        let Some(line) = inherited else {
            let opened = self.ask_provider(pin, ErrorCode::NoDevice, |cx| pin.open(cx, output));
            return opened.inspect_err(|code| self.driver.log.host(&pin.why_not_open(*code)));
        };
        if let Some(high) = output {
            self.write_published(pin, high)?;
        }
        Ok(line)
    }

    pub(super) fn read_published(&mut self, pin: &PublishedPin) -> Result<bool, ErrorCode> {
        self.ask_provider(pin, ErrorCode::DriverDied, |cx| pin.read(cx))
    }

    pub(super) fn write_published(
        &mut self,
        pin: &PublishedPin,
        high: bool,
    ) -> Result<(), ErrorCode> {
        self.ask_provider(pin, ErrorCode::DriverDied, |cx| pin.write(cx, high))
    }

    /// Waits for the provider's gate as long as this handler may run.
    fn ask_provider<R>(
        &mut self,
        pin: &PublishedPin,
        without: ErrorCode,
        f: impl FnOnce(&Context) -> Result<R, ErrorCode>,
    ) -> Result<R, ErrorCode> {
        self.may_act()?;
        let provider = pin.provider().ok_or(without)?;
        self.down_call(&provider, || Ok(Duration::MAX), f)
    }
}
