//! `log`: the driver's own lines.

use crate::bindings::loopgate::driver::log::{Host, Level};
use crate::guest::Guest;

impl Host for Guest {
    fn log(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        self.within_payload(message.len())?;
        self.driver.log.driver(level, &message);
        Ok(())
    }
}
