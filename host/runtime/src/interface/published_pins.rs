//! `published-pins`: pins that drivers offer to other drivers.

use crate::bindings::WitErrorCode;
use crate::bindings::loopgate::driver::published_pins::Host;
use crate::guest::Guest;

type Answer<T> = wasmtime::Result<Result<T, WitErrorCode>>;

impl Host for Guest {
    fn publish_pins(&mut self, _service: String, _names: Vec<String>) -> Answer<()> {
        Ok(Err(WitErrorCode::Unsupported))
    }

    fn pin_changed(&mut self, _pin: u32, _high: bool, _timestamp: u64) -> Answer<()> {
        Ok(Err(WitErrorCode::BadArgument))
    }
}
