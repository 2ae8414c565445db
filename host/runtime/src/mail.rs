//! What an instance finds in its mailbox, and in which order.

use crate::bindings::exports::loopgate::driver::handlers::StructuralEvent;
use crate::guest::Guest;
use crate::published_pins::PublishedPin;
use crate::requests::{Outcome, Wake};
use crate::structural::Changes;
use crate::submission::{Sent, Submission};
use std::sync::Arc;

/// Of mail.
const KINDS: usize = 6;

/// A call that the instance is owed.
pub(crate) enum Mail {
    Resume(u64, Wake),
    /// The client of a request that it received has given up.
    Cancelled(u64),
    /// A request that it sent is over: its context, its number, its end.
    Completed(u32, u64, Outcome),
    /// A change around it, and what is used of whom.
    Structural(StructuralEvent, String),
    /// A request of another driver.
    Command(Arc<Submission>),
    /// Another driver has closed a pin of this one, or had it open before this
    /// one started.
    Pin(Arc<PublishedPin>),
}

impl Guest {
    /// The next call that it is owed. The kinds take turns: one that always
    /// has more must not starve the others.
    pub(crate) fn next_mail(&mut self) -> Option<Mail> {
        let (first, service) = turns(self.looks, self.services.len());
        self.looks = self.looks.wrapping_add(1);
        (0..KINDS).find_map(|kind| self.mail_of((first + kind) % KINDS, service))
    }

    fn mail_of(&mut self, kind: usize, service: usize) -> Option<Mail> {
        let mailbox = self.sources.post.mailbox()?;
        match kind {
            0 => {
                let (id, wake) = self.requests.next_woken()?;
                Some(Mail::Resume(id, wake))
            }
            1 => mailbox.next_cancelled().map(Mail::Cancelled),
            2 => {
                let over = mailbox.next_over()?;
                self.submissions.close(&over);
                let Sent {
                    id,
                    context,
                    deadline,
                    ..
                } = over.request;
                if deadline.is_some() {
                    self.arm_deadline(None);
                }
                Some(Mail::Completed(context, id, over.outcome()?))
            }
            3 => {
                let neighbours = self.sources.post.neighbours()?;
                let (event, service) = neighbours.with_changes(Changes::next)?;
                Some(Mail::Structural(event, service))
            }
            4 => self.next_submission(service).map(Mail::Command),
            _ => self.offer.as_ref()?.next_owed().map(Mail::Pin),
        }
    }

    /// The services are asked in turn, from this one on.
    fn next_submission(&self, first: usize) -> Option<Arc<Submission>> {
        if !self.sources.post.mailbox()?.has_waiting() {
            return None;
        }
        let (before, from) = self.services.split_at(first);
        let mut services = from.iter().chain(before);
        services.find_map(|service| service.next_submission(&self.requests))
    }
}

/// Which kind, and which of the services, a look begins with. While the other
/// kinds have mail, only every sixth look gets to a service: each of these must
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
