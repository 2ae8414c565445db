//! `published-pins`: pins that drivers offer to other drivers.

use crate::bindings::WitErrorCode;
use crate::bindings::loopgate::driver::published_pins::Host;
use crate::error::ErrorCode;
use crate::guest::Guest;
use crate::published_pins::{NAME_MAX, Offer, PINS_MAX};
use crate::status::State;
use loopgate_workloop::Instant;
use std::collections::HashSet;

type Answer<T> = wasmtime::Result<Result<T, WitErrorCode>>;

impl Host for Guest {
    fn publish_pins(&mut self, service: String, names: Vec<String>) -> Answer<()> {
        Ok(self.offer_pins(&service, &names).map_err(Into::into))
    }

    fn pin_changed(&mut self, pin: u32, high: bool, timestamp: u64) -> Answer<()> {
        if let Err(code) = self.may_act() {
            return Ok(Err(code.into()));
        }
        let offer = self.offer.as_mut().ok_or(ErrorCode::BadArgument);
        let at = Instant::from_nanos(timestamp);
        let changed = offer.and_then(|offer| offer.changed(pin, high, at));
        Ok(changed.map_err(Into::into))
    }
}

impl Guest {
    fn offer_pins(&mut self, service: &str, names: &[String]) -> Result<(), ErrorCode> {
        if let Err(reason) = self.driver.grants.provides(service) {
            self.driver.log.host(&reason);
            return Err(ErrorCode::NotGranted);
        }
        if let Err((code, reason)) = self.check_names(names) {
            let why = format!("pins of `{service}` cannot be published: {reason}");
            self.driver.log.host(&why);
            return Err(code);
        }
        let offer = Offer::new(&self.driver.published_pins, service, names);
        self.may_open()?;
        if self.is_staged() {
            self.offer = Some(offer);
            return Ok(());
        }
        // Every source costs each pass a look: one only where it can get mail.
        if offer.is_used() {
            self.mailbox()?;
        }
        self.offer = Some(offer);
        if self.driver.life().state == State::Running {
            self.begin_offer();
        }
        Ok(())
    }

    fn check_names(&self, names: &[String]) -> Result<(), (ErrorCode, String)> {
        let refuse = |code, reason: String| Err((code, reason));
        if self.offer.is_some() {
            return refuse(ErrorCode::BadArgument, "it has published pins".to_owned());
        }
        if names.len() > PINS_MAX {
            let reason = format!("there are {}, at most {PINS_MAX} can be", names.len());
            return refuse(ErrorCode::NoResources, reason);
        }
        if names.iter().any(|name| name.len() > NAME_MAX) {
            let reason = format!("a name is longer than {NAME_MAX} bytes");
            return refuse(ErrorCode::NoResources, reason);
        }
        let different: HashSet<_> = names.iter().collect();
        if different.len() < names.len() {
            return refuse(ErrorCode::BadArgument, "two have one name".to_owned());
        }
        Ok(())
    }

    /// It has taken the last version's place: its pins go on, or others can open
    /// them from now on.
    pub(crate) fn renew_offer(&mut self) {
        let new = self.offer.as_ref().filter(|offer| !offer.has_begun());
        if new.is_some_and(Offer::is_used) {
            // Refused after the loop's end only.
            let _ = self.mailbox();
            self.begin_offer();
        }
    }

    /// It has started: others can open what it publishes.
    pub(crate) fn begin_offer(&mut self) {
        if let (Some(offer), Some(mailbox)) = (&mut self.offer, self.sources.post.mailbox()) {
            offer.begin(&self.driver, mailbox);
        }
    }

    /// It has ended: what others have open of it is without a provider.
    pub(crate) fn end_offer(&mut self) {
        if let Some(offer) = self.offer.take() {
            offer.end(&self.driver);
        }
    }
}
