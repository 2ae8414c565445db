//! What the driver that publishes a pin is called for: down calls of the pin's
//! user, and what it is owed, from its mailbox. Its gate is closed by `cx`.

use super::PublishedPin;
use crate::bindings::WitErrorCode;
use crate::bindings::loopgate::driver::gpio::Direction;
use crate::driver::{Driver, Handler};
use crate::error::ErrorCode;
use crate::guest::Guest;
use crate::trace::Handlers;
use loopgate_devices::gpio::GpioLine;
use loopgate_workloop::Context;
use std::sync::Arc;
use wasmtime::Store;

impl PublishedPin {
    /// Opens it, driven to the logical level `output` where it is one.
    pub(crate) fn open(
        self: &Arc<Self>,
        cx: &Context,
        output: Option<bool>,
    ) -> Result<Arc<dyn GpioLine>, ErrorCode> {
        let number = self.free_number()?;
        let output = output.map(|high| high != self.active_low);
        let direction = output.map_or(Direction::Input, Direction::Output);
        // First: an ending that begins meanwhile waits for it.
        let provider = self.provider().ok_or(ErrorCode::NoDevice)?;
        let held = self.hold(&provider).ok_or(ErrorCode::NoDevice)?;
        self.configure(cx, number, direction)??;
        self.opened(output, held);
        Ok(self.as_line())
    }

    /// For people.
    pub(crate) fn why_not_open(&self, code: ErrorCode) -> String {
        let line = &self.line;
        match code {
            ErrorCode::NoDevice => format!(
                "pin `{line}` cannot be opened: no driver publishes it now; see how its provider fares"
            ),
            _ => format!("pin `{line}` cannot be opened: its provider gave {code}"),
        }
    }

    /// The logical level of an input.
    pub(crate) fn read(&self, cx: &Context) -> Result<bool, ErrorCode> {
        let number = self.settled(cx)?;
        let high = self.ask(cx, Handler::PinRead, |store, handlers| {
            handlers.call_pin_read(store, number)
        })??;
        Ok(high != self.active_low)
    }

    /// Drives an output to a logical level.
    pub(crate) fn write(&self, cx: &Context, high: bool) -> Result<(), ErrorCode> {
        let number = self.settled(cx)?;
        let high = high != self.active_low;
        self.ask(cx, Handler::PinWrite, |store, handlers| {
            handlers.call_pin_write(store, number, high)
        })??;
        if let Some(open) = &mut self.state.lock().open {
            open.output = Some(high);
        }
        Ok(())
    }

    /// The provider has found it in its mailbox.
    pub(crate) fn serve(&self, cx: &Context) {
        self.dequeued();
        // What is not there any more is owed to nobody.
        let _ = self.settled(cx);
    }

    /// Its number, once the provider knows how it is open.
    fn settled(&self, cx: &Context) -> Result<u32, ErrorCode> {
        let number = self.number()?;
        let Some(direction) = self.take_owed() else {
            return Ok(number);
        };
        match self.configure(cx, number, direction) {
            Ok(answer) => answer.unwrap_or_else(|code| self.refuse(code)),
            Err(ErrorCode::DriverDied) => {}
            // It could not be asked: it is told next time.
            Err(code) => {
                self.still_owed();
                return Err(code);
            }
        }
        self.number()
    }

    fn refuse(&self, code: ErrorCode) {
        if let Some(open) = &mut self.state.lock().open {
            open.refused = true;
        }
        if let Some(provider) = self.provider() {
            let line = &self.line;
            provider.log.host(&format!(
                "pin `{line}` could not be given to its user again, or be taken back: `pin-configure` gave {code}"
            ));
        }
    }

    fn configure(
        &self,
        cx: &Context,
        number: u32,
        direction: Direction,
    ) -> Result<Result<(), ErrorCode>, ErrorCode> {
        self.ask(cx, Handler::PinConfigure, |store, handlers| {
            handlers.call_pin_configure(store, number, direction)
        })
    }

    /// What the provider answers; the error is the host's. A provider that fails in
    /// this has died for the asker.
    fn ask<R>(
        &self,
        cx: &Context,
        handler: Handler,
        f: impl FnOnce(&mut Store<Guest>, Handlers<'_>) -> wasmtime::Result<Result<R, WitErrorCode>>,
    ) -> Result<Result<R, ErrorCode>, ErrorCode> {
        let provider: Arc<Driver> = self.provider().ok_or(ErrorCode::DriverDied)?;
        let answer = provider.call(cx, handler, f)?;
        Ok(answer.map_err(ErrorCode::from))
    }
}
