//! The calls that an instance is owed besides those of its own sources: parked
//! requests that go on, requests of other drivers, what became of its own, and
//! how others have its pins open.
//!
//! They come through sources of the host's own on the driver's loop, so that
//! each is an event like every other: never from within the handler that
//! caused it, and never nested in another driver's.

use crate::driver::Driver;
use crate::published_pins::PublishedPin;
use crate::submission::Submission;
use loopgate_workloop::{
    Clock, Context, Error, EventSource, Instant, InterruptEventSource, TimerEventSource,
};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, OnceLock};

/// Belongs to one instance and ends with it. Made when it first parks or
/// submits a request, or publishes a service or pin that another driver may open:
/// many never do.
pub(crate) struct Mailbox {
    clock: Arc<dyn Clock>,
    mail: Arc<InterruptEventSource>,
    /// Made with the first deadline: every source costs each pass a look.
    deadline: OnceLock<Arc<TimerEventSource>>,
    posted: Mutex<Posted>,
    /// Requests of other drivers that wait in this one's services.
    waiting: AtomicU32,
}

/// What others have posted. A leaf among the locks.
#[derive(Default)]
struct Posted {
    closed: bool,
    /// Requests received whose clients have given up.
    cancelled: VecDeque<u64>,
    /// Requests sent that are over.
    over: VecDeque<Arc<Submission>>,
    /// Each at most once.
    pins: VecDeque<Arc<PublishedPin>>,
}

impl Mailbox {
    /// With its source on the driver's loop. The gate is closed by `cx`.
    pub(crate) fn new(cx: &Context, driver: &Arc<Driver>) -> Result<Arc<Self>, Error> {
        let delivering = driver.clone();
        let mail = InterruptEventSource::new(
            None,
            0,
            Some(Arc::new(
                move |cx: &Context, _: &InterruptEventSource, _| {
                    delivering.deliver_mail(cx);
                },
            )),
        )?;
        add(cx, driver, mail.clone())?;
        Ok(Arc::new(Self {
            clock: driver.time.clock(),
            mail,
            deadline: OnceLock::new(),
            posted: Mutex::default(),
            waiting: AtomicU32::new(0),
        }))
    }

    /// Its sources, to be taken off the loop.
    pub(crate) fn sources(&self) -> impl Iterator<Item = Arc<dyn EventSource>> {
        let deadline = self.deadline.get().cloned();
        let deadline = deadline.map(|source| source as Arc<dyn EventSource>);
        let mail: Arc<dyn EventSource> = self.mail.clone();
        std::iter::once(mail).chain(deadline)
    }

    /// There is something to deliver.
    pub(crate) fn signal(&self) {
        // On no loop the driver has ended, and its requests with it.
        let _ = self.mail.signal(self.clock.now());
    }

    /// The earliest deadline is now this one. The gate is closed by `cx`.
    pub(crate) fn arm(&self, cx: &Context, driver: &Arc<Driver>, deadline: Option<Instant>) {
        match deadline {
            Some(deadline) => {
                let timer = self.deadline.get_or_init(|| timer(cx, driver));
                // Refused without an action only, and it has one.
                let _ = timer.wake_at(deadline);
            }
            None => {
                if let Some(timer) = self.deadline.get() {
                    timer.cancel_timeout();
                }
            }
        }
    }

    /// A request that this instance received is void.
    pub(crate) fn post_cancelled(&self, id: u64) {
        self.post(|posted| posted.cancelled.push_back(id));
    }

    /// A request that this instance sent is over.
    pub(crate) fn post_over(&self, submission: Arc<Submission>) {
        self.post(|posted| posted.over.push_back(submission));
    }

    /// A pin that this instance publishes is not open as it was.
    pub(crate) fn post_pin(&self, pin: Arc<PublishedPin>) {
        self.post(|posted| posted.pins.push_back(pin));
    }

    pub(crate) fn next_cancelled(&self) -> Option<u64> {
        self.posted.lock().cancelled.pop_front()
    }

    pub(crate) fn next_over(&self) -> Option<Arc<Submission>> {
        self.posted.lock().over.pop_front()
    }

    pub(crate) fn next_pin(&self) -> Option<Arc<PublishedPin>> {
        self.posted.lock().pins.pop_front()
    }

    /// The instance has ended: nobody looks in here again.
    pub(crate) fn close(&self) {
        let ended = Posted {
            closed: true,
            ..Posted::default()
        };
        // Dropped outside the lock: what is in there points back here.
        let left = std::mem::replace(&mut *self.posted.lock(), ended);
        drop(left);
    }

    /// Requests came to this instance's services, or left them.
    pub(crate) fn count_waiting(&self, came: u32, left: u32) {
        self.waiting.fetch_add(came.wrapping_sub(left), SeqCst);
    }

    pub(crate) fn has_waiting(&self) -> bool {
        self.waiting.load(SeqCst) > 0
    }

    /// Whether there is anything to deliver but parked requests.
    pub(crate) fn has_mail(&self) -> bool {
        let posted = self.posted.lock();
        self.has_waiting()
            || !posted.cancelled.is_empty()
            || !posted.over.is_empty()
            || !posted.pins.is_empty()
    }

    fn post(&self, put: impl FnOnce(&mut Posted)) {
        let mut posted = self.posted.lock();
        if posted.closed {
            return;
        }
        put(&mut posted);
        drop(posted);
        self.signal();
    }
}

fn timer(cx: &Context, driver: &Arc<Driver>) -> Arc<TimerEventSource> {
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
