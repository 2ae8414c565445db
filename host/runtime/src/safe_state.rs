//! Safe states: what outputs become that no instance of their driver has open
//! (`on-death` of the board file).

use crate::board_file::{GpioEntry, OnDeath};
use crate::driver::Driver;
use crate::log::DriverLog;
use loopgate_devices::gpio::{Error, GpioLine};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::{Arc, Weak};

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

    /// Its open outputs take their declared states now, in whatever handler it is.
    pub(crate) fn rest_at_once(&self) {
        let driven = std::mem::take(&mut *self.driven.0.lock());
        for (pin, line) in driven {
            if let (Some(line), Some(entry)) = (line.upgrade(), self.entry.gpio.get(&pin))
                && let Err(error) = apply(entry.on_death.unwrap_or_default(), &*line)
            {
                self.log.failure(&format!(
                    "pin `{pin}` did not take its safe state: {error}; see to the device"
                ));
            }
        }
    }
}

/// The outputs of the board that a driver has opened, for who cannot wait for its
/// gate. Of those that are closed by now nothing is left in it but their names.
#[derive(Default)]
pub(crate) struct Driven(Mutex<HashMap<String, Weak<dyn GpioLine>>>);

impl Driven {
    pub(crate) fn insert(&self, pin: &str, line: &Arc<dyn GpioLine>) {
        let line = Arc::downgrade(line);
        self.0.lock().insert(pin.to_owned(), line);
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
        match apply(state, &*line) {
            Ok(()) => {}
            // It comes back as it was left; an input needs nobody for that.
            Err(error @ Error::Gone { .. }) => {
                log.failure(&format!(
                    "pin `{name}` takes its safe state when it is back: {error}"
                ));
            }
            Err(error) => {
                // Released it has its pull, at least.
                log.failure(&format!(
                    "pin `{name}` did not take its safe state, and is released: {error}; see to the device"
                ));
                return;
            }
        }
        if state != OnDeath::Input {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board_file::BoardFile;
    use loopgate_devices::gpio::Edges;
    use loopgate_workloop::{InterruptLine, VirtualClock};
    use parking_lot::Mutex;

    /// Its chip is gone, or it is broken; what it was given last is kept.
    struct Away {
        is_gone: bool,
        level: Mutex<Option<bool>>,
    }

    impl Away {
        fn new(is_gone: bool) -> Arc<Self> {
            let level = Mutex::new(Some(true));
            Arc::new(Self { is_gone, level })
        }

        fn fail<T>(&self) -> Result<T, Error> {
            let line = "A".to_owned();
            Err(if self.is_gone {
                Error::Gone { line }
            } else {
                Error::NotOutput { line }
            })
        }
    }

    impl GpioLine for Away {
        fn is_high(&self) -> Result<bool, Error> {
            self.fail()
        }

        fn set(&self, high: bool) -> Result<(), Error> {
            *self.level.lock() = Some(high);
            self.fail()
        }

        fn interrupt(&self, _: Edges) -> Result<Arc<dyn InterruptLine>, Error> {
            self.fail()
        }

        fn make_input(&self) -> Result<(), Error> {
            *self.level.lock() = None;
            self.fail()
        }
    }

    #[test]
    fn a_line_whose_chip_is_gone_comes_back_in_its_safe_state() {
        let log = DriverLog::new("d", Arc::new(VirtualClock::new()), 1 << 20);
        for (state, is_gone, level, is_kept) in [
            ("low", true, Some(false), true),
            ("high", true, Some(true), true),
            ("hold", true, Some(true), true),
            ("input", true, None, false),
            ("low", false, Some(false), false),
        ] {
            let text = format!(
                "[board]\nbackend = \"sim\"\n[[driver]]\nname = \"d\"\ncomponent = \"d.wasm\"\n\
                 [driver.gpio]\np = {{ line = \"A\", direction = \"output\", on-death = \"{state}\" }}"
            );
            let file = BoardFile::parse(&text, "board.toml").unwrap();
            let at_rest = AtRest::default();
            let line = Away::new(is_gone);
            let entry = &file.drivers[0].gpio["p"];
            at_rest.lay_down("p", entry, line.clone(), &log);
            assert_eq!(at_rest.take("p").is_some(), is_kept, "{state}");
            assert_eq!(*line.level.lock(), level, "{state}");
        }
    }
}
