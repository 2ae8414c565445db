//! What resumes a driver's parked requests: two sources of the host's own on
//! the driver's loop, so that a `resume` is an event like every other. It
//! never comes from within the handler that caused it.

use crate::driver::Driver;
use loopgate_workloop::{
    Context, Error, EventSource, Instant, InterruptEventSource, TimerEventSource,
};
use std::sync::Arc;

/// Made when a driver parks its first request: most never do.
pub(crate) struct Sleepers {
    woken: Arc<InterruptEventSource>,
    deadline: Arc<TimerEventSource>,
}

impl Sleepers {
    /// The sources, on the driver's loop. The gate is closed by `cx`.
    pub(crate) fn new(cx: &Context, driver: &Arc<Driver>) -> Result<Self, Error> {
        let (resuming, expiring) = (driver.clone(), driver.clone());
        let woken = InterruptEventSource::new(
            None,
            0,
            Some(Arc::new(
                move |cx: &Context, _: &InterruptEventSource, _| {
                    resuming.resume_woken(cx);
                },
            )),
        )?;
        let deadline = TimerEventSource::new(
            driver.time.clock(),
            Some(Arc::new(
                move |cx: &Context, _: &TimerEventSource, _, now| {
                    expiring.expire_requests(cx, now);
                },
            )),
        );
        let sleepers = Self { woken, deadline };
        for source in sleepers.sources() {
            driver.share_time(&*source);
            driver.work_loop.add_event_source(cx, source)?;
        }
        Ok(sleepers)
    }

    /// Both, to be taken off the loop.
    pub(crate) fn sources(&self) -> [Arc<dyn EventSource>; 2] {
        [self.woken.clone(), self.deadline.clone()]
    }

    /// There are requests to resume.
    pub(crate) fn signal(&self, now: Instant) {
        // On no loop the driver has ended, and its requests with it.
        let _ = self.woken.signal(now);
    }

    /// The earliest deadline is now this one.
    pub(crate) fn arm(&self, deadline: Option<Instant>) {
        match deadline {
            // Refused without an action only, and it has one.
            Some(deadline) => drop(self.deadline.wake_at(deadline)),
            None => self.deadline.cancel_timeout(),
        }
    }
}
