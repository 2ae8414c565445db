//! Safe states: what outputs become that no instance of their driver has open
//! (`on-death` of the board file).

use crate::board_file::{GpioEntry, OnDeath};
use crate::driver::Driver;
use crate::log::DriverLog;
use loopgate_devices::gpio::{Error, GpioLine};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

impl Driver {
    /// Whether the host keeps an output that the driver lets go.
    pub(crate) fn keeps(&self, pin: &str) -> bool {
        let state = self.entry.gpio.get(pin).and_then(|entry| entry.on_death);
        state.unwrap_or_default() != OnDeath::Input
    }

    /// It is on the board no more, and `next` of its name, if there is one, in its
    /// place. What it has left at rest goes on where that has the same pin, and
    /// else is released: the line can be another's now.
    pub(crate) fn leave_at_rest(&self, next: Option<&Arc<Self>>) {
        let lines = std::mem::take(&mut *self.at_rest.0.lock());
        for (pin, line) in lines {
            let same = |next: &&Arc<Self>| next.entry.gpio.get(&pin) == self.entry.gpio.get(&pin);
            if let Some(next) = next.filter(same) {
                next.at_rest.0.lock().insert(pin, line);
            }
        }
    }

    /// It lets an output of the board go. Those that other drivers publish are
    /// theirs to see to.
    pub(crate) fn rest(&self, pin: &str, line: Arc<dyn GpioLine>) {
        if let Some(entry) = self.entry.gpio.get(pin)
            && self.published_pins.get(entry.line.get_ref()).is_none()
        {
            self.at_rest.lay_down(pin, entry, line, &self.log);
        }
    }
}

/// Output lines that the host keeps open for one driver, until its next
/// instance opens them.
#[derive(Default)]
pub(crate) struct AtRest(Mutex<HashMap<String, Arc<dyn GpioLine>>>);

impl AtRest {
    /// The driver lets an output go: it takes its declared state now, whoever
    /// else still holds the line.
    pub(crate) fn lay_down(
        &self,
        name: &str,
        entry: &GpioEntry,
        line: Arc<dyn GpioLine>,
        log: &DriverLog,
    ) {
        let state = entry.on_death.unwrap_or_default();
        if let Err(error) = apply(state, &*line) {
            // Released it has its pull, at least.
            log.failure(&format!(
                "pin `{name}` did not take its safe state, and is released: {error}; see to the device"
            ));
        } else if state != OnDeath::Input {
            let before = self.0.lock().insert(name.to_owned(), line);
            drop(before);
        }
    }

    /// All of them.
    pub(crate) fn lines(&self) -> HashMap<String, Arc<dyn GpioLine>> {
        self.0.lock().clone()
    }

    /// The line, for who opens the pin.
    pub(crate) fn take(&self, name: &str) -> Option<Arc<dyn GpioLine>> {
        self.0.lock().remove(name)
    }
}

fn apply(state: OnDeath, line: &dyn GpioLine) -> Result<(), Error> {
    match state {
        OnDeath::Low => line.set(false),
        OnDeath::High => line.set(true),
        OnDeath::Input => line.make_input(),
        OnDeath::Hold => Ok(()),
    }
}
