//! What an instance finds in its mailbox, and in which order.

use crate::error::ErrorCode;
use crate::guest::Guest;
use crate::mailbox::Mailbox;
use crate::published_pins::PublishedPin;
use crate::requests::{Outcome, Wake};
use crate::submission::Submission;
use loopgate_workloop::{Context, Instant};
use std::sync::Arc;

/// Of mail.
const KINDS: usize = 5;

/// A call that the instance is owed.
pub(crate) enum Mail {
    Resume(u64, Wake),
    /// The client of a request that it received has given up.
    Cancelled(u64),
    /// A request that it sent is over: its context, its number, its end.
    Completed(u32, u64, Outcome),
    /// A request of another driver.
    Command(Arc<Submission>),
    /// Another driver has closed a pin of this one, or had it open before this
    /// one started.
    Pin(Arc<PublishedPin>),
}

impl Guest {
    /// Its mailbox, made now if it has none. In the gate.
    pub(crate) fn mailbox(&mut self) -> Result<Arc<Mailbox>, ErrorCode> {
        if let Some(mailbox) = &self.sources.mailbox {
            return Ok(mailbox.clone());
        }
        let mailbox = Context::with_current(|cx| Mailbox::new(cx, &self.driver))?;
        self.sources.mailbox = Some(mailbox.clone());
        Ok(mailbox)
    }

    /// What it is owed is delivered after the running handler has returned.
    pub(crate) fn signal_mail(&self) {
        if let Some(mailbox) = &self.sources.mailbox
            && (self.requests.has_woken() || mailbox.has_mail())
        {
            mailbox.signal();
        }
    }

    /// Arms the mailbox for the earliest deadline of all requests and `also`.
    pub(crate) fn arm_deadline(&self, also: Option<Instant>) {
        if let Some(mailbox) = &self.sources.mailbox {
            let parked = self.requests.next_deadline();
            let sent = self.submissions.next_deadline();
            let earliest = parked.into_iter().chain(sent).chain(also).min();
            Context::with_current(|cx| mailbox.arm(cx, &self.driver, earliest));
        }
    }

    /// The next call that it is owed. The kinds take turns: one that always
    /// has more must not starve the others.
    pub(crate) fn next_mail(&mut self) -> Option<Mail> {
        let (first, service) = turns(self.looks, self.services.len());
        self.looks = self.looks.wrapping_add(1);
        (0..KINDS).find_map(|kind| self.mail_of((first + kind) % KINDS, service))
    }

    fn mail_of(&mut self, kind: usize, service: usize) -> Option<Mail> {
        let mailbox = self.sources.mailbox.as_ref()?;
        match kind {
            0 => {
                let (id, wake) = self.requests.next_woken()?;
                Some(Mail::Resume(id, wake))
            }
            1 => mailbox.next_cancelled().map(Mail::Cancelled),
            2 => {
                let over = mailbox.next_over()?;
                self.submissions.close(&over);
                if over.deadline.is_some() {
                    self.arm_deadline(None);
                }
                let outcome = over.outcome()?;
                Some(Mail::Completed(over.context, over.id, outcome))
            }
            3 => self.next_submission(service).map(Mail::Command),
            _ => mailbox.next_pin().map(Mail::Pin),
        }
    }

    /// The services are asked in turn, from this one on.
    fn next_submission(&self, first: usize) -> Option<Arc<Submission>> {
        if !self.sources.mailbox.as_ref()?.has_waiting() {
            return None;
        }
        let (before, from) = self.services.split_at(first);
        let mut services = from.iter().chain(before);
        services.find_map(|service| service.next_submission(&self.requests))
    }
}

/// Which kind, and which of the services, a look begins with. While the other
/// kinds have mail, only every fifth look gets to a service: each of these must
/// begin with another one.
fn turns(look: usize, services: usize) -> (usize, usize) {
    (look % KINDS, look / KINDS % services.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn whatever_kind_has_its_turn_every_service_has_one() {
        for services in 1..10 {
            for kind in 0..KINDS {
                let looks = (0..KINDS * services).map(|look| turns(look, services));
                let first = looks.filter(|&(first, _)| first == kind);
                let asked: BTreeSet<_> = first.map(|(_, service)| service).collect();
                assert_eq!(asked.len(), services, "{services}");
            }
        }
    }
}
