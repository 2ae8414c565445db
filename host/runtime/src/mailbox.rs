//! The calls that an instance is owed besides those of its own sources: parked
//! requests that go on, requests of other drivers, what became of its own, and
//! what changes around it, and how others have its pins open.
//!
//! They come through sources of the host's own on the driver's loop, so that
//! each is an event like every other: never from within the handler that
//! caused it, and never nested in another driver's.

use crate::driver::Driver;
use crate::error::ErrorCode;
use crate::guest::Guest;
use crate::published_pins::Offer;
use crate::structural::Neighbours;
use crate::submission::Mailbox;
use loopgate_workloop::{
    Context, Error, EventSource, Instant, InterruptEventSource, TimerEventSource,
};
use std::sync::Arc;

/// The host's sources for one instance, which end with it.
#[derive(Default)]
pub(crate) struct Post {
    /// Made when the instance begins where it may open other drivers' services,
    /// else when it first parks a request, or publishes a service or a pin that
    /// another driver may open: many never do.
    mailbox: Option<Arc<Mailbox>>,
    /// With the mailbox.
    neighbours: Option<Arc<Neighbours>>,
    /// Made with the first deadline: every source costs each pass a look.
    deadline: Option<Arc<TimerEventSource>>,
}

impl Post {
    pub(crate) fn mailbox(&self) -> Option<&Arc<Mailbox>> {
        self.mailbox.as_ref()
    }

    /// Requests of other drivers that wait for their turn.
    pub(crate) fn waiting(&self) -> u32 {
        self.mailbox.as_ref().map_or(0, |mailbox| mailbox.waiting())
    }

    pub(crate) fn neighbours(&self) -> Option<&Arc<Neighbours>> {
        self.neighbours.as_ref()
    }

    /// Its sources, to be taken off the loop.
    pub(crate) fn take(&mut self) -> impl Iterator<Item = Arc<dyn EventSource>> + use<> {
        let Self {
            mailbox, deadline, ..
        } = std::mem::take(self);
        let mail = mailbox.map(|mailbox| mailbox.source());
        let deadline = deadline.map(|source| source as Arc<dyn EventSource>);
        mail.into_iter().chain(deadline)
    }
}

impl Guest {
    /// Its mailbox, made now if it has none. In the gate.
    pub(crate) fn mailbox(&mut self) -> Result<Arc<Mailbox>, ErrorCode> {
        let post = &mut self.sources.post;
        if let Some(mailbox) = &post.mailbox {
            return Ok(mailbox.clone());
        }
        let mailbox = Context::with_current(|cx| mailbox(cx, &self.driver))?;
        let services = &self.driver.services;
        let neighbours = Neighbours::new(mailbox.clone(), services.watchers.clone());
        services.enrol(&self.driver, &neighbours);
        post.neighbours = Some(neighbours);
        Ok(post.mailbox.insert(mailbox).clone())
    }

    /// What it is owed is delivered after the running handler has returned.
    pub(crate) fn signal_mail(&self) {
        let post = &self.sources.post;
        let has_changes =
            |neighbours: &Arc<Neighbours>| neighbours.with_changes(|changes| changes.has_more());
        if let Some(mailbox) = post.mailbox()
            && (self.requests.has_woken()
                || mailbox.has_mail()
                || self.is_owed_pins()
                || post.neighbours().is_some_and(has_changes))
        {
            mailbox.signal();
        }
    }

    fn is_owed_pins(&self) -> bool {
        self.offer.as_ref().is_some_and(Offer::has_owed)
    }

    /// Arms the timer for the earliest deadline of all requests and `also`.
    pub(crate) fn arm_deadline(&mut self, also: Option<Instant>) {
        let parked = self.requests.next_deadline();
        let sent = self.submissions.next_deadline();
        let earliest = parked.into_iter().chain(sent).chain(also).min();
        let timer = &mut self.sources.post.deadline;
        match earliest {
            Some(deadline) => {
                let timer = timer
                    .get_or_insert_with(|| Context::with_current(|cx| timer_of(cx, &self.driver)));
                // Refused without an action only, and it has one.
                let _ = timer.wake_at(deadline);
            }
            None => {
                if let Some(timer) = timer {
                    timer.cancel_timeout();
                }
            }
        }
    }
}

fn mailbox(cx: &Context, driver: &Arc<Driver>) -> Result<Arc<Mailbox>, Error> {
    let delivering = driver.clone();
    let mailbox = Mailbox::new(
        driver.time.clock(),
        Arc::new(move |cx: &Context, _: &InterruptEventSource, _| delivering.deliver_mail(cx)),
    )?;
    add(cx, driver, mailbox.source())?;
    Ok(mailbox)
}

fn timer_of(cx: &Context, driver: &Arc<Driver>) -> Arc<TimerEventSource> {
    let expiring = driver.clone();
    let timer = TimerEventSource::new(
        driver.time.clock(),
        Some(Arc::new(
            move |cx: &Context, _: &TimerEventSource, _, now| {
                expiring.expire_requests(cx, now);
            },
        )),
    );
    // After the loop's end there is nothing to wait for either.
    let _ = add(cx, driver, timer.clone());
    timer
}

fn add(cx: &Context, driver: &Driver, source: Arc<dyn EventSource>) -> Result<(), Error> {
    driver.share_time(&*source);
    driver.work_loop.add_event_source(cx, source)
}
