//! Pins that the driver offers to other drivers.

use crate::bindings::loopgate::driver::published_pins as raw;
use crate::error::named;
use crate::{ErrorCode, Instant, Result};

/// The pins that this driver offers, by their numbers: their places in the
/// names that they were published with. See
/// [`Context::publish_pins`](crate::Context::publish_pins).
#[derive(Debug)]
pub struct PublishedPins(());

impl PublishedPins {
    /// The pin has this level since `at`: where that is new, whoever has it as
    /// an interrupt line is interrupted, after the running handler has returned.
    /// A pin is low until it is told to be high.
    ///
    /// # Errors
    ///
    /// `bad-argument` for a number that was not published.
    pub fn changed(&self, pin: u32, high: bool, at: Instant) -> Result<()> {
        let changed = raw::pin_changed(pin, high, at.as_nanos());
        Ok(changed.map_err(ErrorCode::from)?)
    }

    /// Offers pins outside of `start`; see
    /// [`Context::publish_pins`](crate::Context::publish_pins).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn publish(service: &str, names: &[&str]) -> Result<Self> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let published = raw::publish_pins(service, &names);
        named(published, || format!("publishing pins of `{service}`"))?;
        Ok(Self(()))
    }
}
