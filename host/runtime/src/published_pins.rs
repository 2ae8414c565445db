//! Pins that drivers offer to other drivers.
//!
//! The board file names all that can ever be opened, and who may: each is one
//! [`PublishedPin`] for as long as the board exists. Who publishes it is bound to
//! it and unbound again, and what its user has open stays open over that.

mod call;
mod line;
mod offer;
mod owed;
mod pin;

pub(crate) use offer::Offer;
pub(crate) use pin::PublishedPin;

use crate::board_file::BoardFile;
use loopgate_workloop::Clock;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Pins of one driver.
pub(crate) const PINS_MAX: usize = 256;
/// Bytes of a pin's name.
pub(crate) const NAME_MAX: usize = 64;

/// The published pins that the board file grants, by their lines.
pub(crate) struct PublishedPins(BTreeMap<String, Arc<PublishedPin>>);

impl PublishedPins {
    pub(crate) fn new(file: &BoardFile, clock: &Arc<dyn Clock>) -> Self {
        let pins = file.published_pins().map(|pin| {
            let line = pin.entry.line.get_ref().clone();
            (line, Arc::new(PublishedPin::new(&pin, clock.clone())))
        });
        Self(pins.collect())
    }

    pub(crate) fn get(&self, line: &str) -> Option<&Arc<PublishedPin>> {
        self.0.get(line)
    }
}
