//! The pins that one instance publishes.

use super::owed::Owed;
use super::pin::Bound;
use super::{PublishedPin, PublishedPins};
use crate::driver::Driver;
use crate::error::ErrorCode;
use crate::submission::Mailbox;
use loopgate_workloop::Instant;
use std::sync::Arc;

/// By number. Others can open them once the instance has started; until then
/// what it tells of their levels is kept.
pub(crate) struct Offer {
    service: String,
    pins: Vec<Offered>,
    /// From then on.
    owed: Option<Arc<Owed>>,
}

struct Offered {
    /// `None` where the board file grants it to nobody.
    pin: Option<Arc<PublishedPin>>,
    high: bool,
    since: Instant,
}

impl Offer {
    pub(crate) fn new(pins: &PublishedPins, service: &str, names: &[String]) -> Self {
        let offered = |name: &String| Offered {
            pin: pins.get(&format!("{service}:{name}")),
            high: false,
            since: Instant::ZERO,
        };
        Self {
            service: service.to_owned(),
            pins: names.iter().map(offered).collect(),
            owed: None,
        }
    }

    /// Whether others would not notice that it is the other one.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let pins = |offer: &Self| -> Vec<_> {
            let pins = offer.pins.iter().map(|offered| offered.pin.as_ref());
            pins.map(|pin| pin.map(Arc::as_ptr)).collect()
        };
        pins(self) == pins(other)
    }

    /// Whether others can open them by now.
    pub(crate) fn has_begun(&self) -> bool {
        self.owed.is_some()
    }

    /// Whether anybody can open any of them.
    pub(crate) fn is_used(&self) -> bool {
        self.pins.iter().any(|offered| offered.pin.is_some())
    }

    pub(crate) fn changed(
        &mut self,
        number: u32,
        high: bool,
        at: Instant,
    ) -> Result<(), ErrorCode> {
        let offered = self.pins.get_mut(number as usize);
        let offered = offered.ok_or(ErrorCode::BadArgument)?;
        (offered.high, offered.since) = (high, at);
        if self.owed.is_some() {
            offered.tell();
        }
        Ok(())
    }

    /// The instance has started. What the last one told of a pin and this one
    /// does not is an edge.
    pub(crate) fn begin(&mut self, provider: &Arc<Driver>, mailbox: &Arc<Mailbox>) {
        let owed = Arc::new(Owed::new(mailbox.clone()));
        self.owed = Some(owed.clone());
        if self.is_used() {
            provider.services.publish_pins(provider, &self.service);
        }
        for (offered, number) in self.pins.iter().zip(0..) {
            if let Some(pin) = &offered.pin {
                let owed = owed.clone();
                pin.bind(provider, Bound { number, owed });
                offered.tell();
            }
        }
    }

    pub(crate) fn next_owed(&self) -> Option<Arc<PublishedPin>> {
        self.owed.as_ref()?.next()
    }

    pub(crate) fn has_owed(&self) -> bool {
        self.owed.as_ref().is_some_and(|owed| !owed.is_empty())
    }

    /// The instance has ended.
    pub(crate) fn end(self, provider: &Driver) {
        if self.owed.is_some() {
            if self.is_used() {
                provider.services.unpublish_pins(&self.service);
            }
            self.pins
                .iter()
                .flat_map(|offered| &offered.pin)
                .for_each(|pin| pin.unbind());
        }
    }
}

impl Offered {
    fn tell(&self) {
        if let Some(pin) = &self.pin {
            pin.changed(self.high, self.since);
        }
    }
}
