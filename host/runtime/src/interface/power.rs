//! `power`: what a driver says of a change of power.

use crate::bindings::loopgate::driver::power::Host;
use crate::guest::Guest;

impl Host for Guest {
    fn acknowledge_set_power_state(&mut self) -> wasmtime::Result<()> {
        if self.may_act().is_ok() {
            self.driver.power.acknowledge();
        }
        Ok(())
    }
}
