//! The levels that a filter sees.

use crate::board_file::{DriverEntry, PinDirection};
use loopgate_devices::gpio::GpioLine;
use parking_lot::Mutex;
use std::sync::{Arc, Weak};

/// The bits that there are.
const SHOWN: usize = 64;

/// The inputs that a board entry grants, in its order, with what is open of
/// them. The handles are the guest's: this keeps none open.
pub(crate) struct Levels(Vec<Input>);

struct Input {
    name: String,
    line: Mutex<Option<Weak<dyn GpioLine>>>,
}

impl Levels {
    pub(crate) fn new(entry: &DriverEntry) -> Self {
        let inputs = entry.gpio_in_order().into_iter();
        let inputs = inputs.filter(|(_, pin)| pin.direction == PinDirection::Input);
        let input = |(name, _): (&str, _)| Input {
            name: name.to_owned(),
            line: Mutex::new(None),
        };
        Self(inputs.map(input).take(SHOWN).collect())
    }

    /// The input is open now.
    pub(crate) fn opened(&self, name: &str, line: &Arc<dyn GpioLine>) {
        if let Some(input) = self.0.iter().find(|input| input.name == name) {
            *input.line.lock() = Some(Arc::downgrade(line));
        }
    }

    /// A bit each, the first input's the lowest. Called as an interrupt occurs.
    pub(crate) fn now(&self) -> u64 {
        let bits = self.0.iter().enumerate();
        bits.fold(0, |levels, (bit, input)| {
            levels | u64::from(input.is_high()) << bit
        })
    }
}

impl Input {
    fn is_high(&self) -> bool {
        let line = self.line.lock().as_ref().and_then(Weak::upgrade);
        line.is_some_and(|line| line.is_high().unwrap_or(false))
    }
}
