//! Pins that drivers offer to other drivers.
//!
//! The board file names all that can be opened, and who may: each is one
//! [`PublishedPin`] for as long as the file grants it. Who publishes it is bound to
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
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Pins of one driver.
pub(crate) const PINS_MAX: usize = 256;
/// Bytes of a pin's name.
pub(crate) const NAME_MAX: usize = 64;

/// The published pins that the board file grants, by their lines.
pub(crate) struct PublishedPins {
    clock: Arc<dyn Clock>,
    granted: RwLock<BTreeMap<String, Arc<PublishedPin>>>,
}

impl PublishedPins {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            granted: RwLock::default(),
        }
    }

    /// From now on they are those of this file. One that both have stays as it is;
    /// nobody publishes or opens another.
    pub(crate) fn grant(&self, file: &BoardFile) {
        let mut granted = self.granted.write();
        let pins = file.published_pins().map(|published| {
            let line = published.entry.line.get_ref().clone();
            let known = granted.get(&line);
            let known = known.filter(|pin| pin.active_low == published.entry.active_low);
            let new = || PublishedPin::new(&published, self.clock.clone());
            let pin = known.cloned().unwrap_or_else(|| Arc::new(new()));
            pin.grant_to(published.user);
            (line, pin)
        });
        *granted = pins.collect();
    }

    pub(crate) fn get(&self, line: &str) -> Option<Arc<PublishedPin>> {
        self.granted.read().get(line).cloned()
    }
}
