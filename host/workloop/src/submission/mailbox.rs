//! What others have for an owner of a loop's sources, as an event of that loop.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Submission;
use crate::clock::Clock;
use crate::error::Error;
use crate::event_source::EventSource;
use crate::interrupt_event_source::{InterruptAction, InterruptEventSource};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicU32, Ordering};

/// Where the ends of requests sent, and the cancellations and arrivals of
/// requests received, wait for their addressee's loop.
///
/// Its source is an event source like others: what is posted is delivered in
/// the addressee's gate, never from within the handler that posted it.
pub struct Mailbox<R, O> {
    clock: Arc<dyn Clock>,
    source: Arc<InterruptEventSource>,
    /// A leaf among the locks.
    posted: Mutex<Posted<R, O>>,
    /// Requests that wait in the queues of this addressee.
    waiting: AtomicU32,
}

struct Posted<R, O> {
    closed: bool,
    /// Requests received whose clients have given up.
    cancelled: VecDeque<u64>,
    /// Requests sent that are over.
    over: VecDeque<Arc<Submission<R, O>>>,
}

impl<R, O> Mailbox<R, O> {
    /// An empty one, whose [`source`](Mailbox::source) is to be added to the
    /// addressee's loop and calls `deliver` there.
    ///
    /// # Errors
    /// As [`InterruptEventSource::new`] without a line: none.
    pub fn new(clock: Arc<dyn Clock>, deliver: InterruptAction) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self {
            clock,
            source: InterruptEventSource::new(None, 0, Some(deliver))?,
            posted: Mutex::new(Posted::new(false)),
            waiting: AtomicU32::new(0),
        }))
    }

    /// What calls the addressee.
    pub fn source(&self) -> Arc<dyn EventSource> {
        self.source.clone()
    }

    /// There is something to deliver. Takes no gate.
    pub fn signal(&self) {
        // On no loop the addressee has ended, and its requests with it.
        let _ = self.source.signal(self.clock.now());
    }

    /// The next request received that is void.
    pub fn next_cancelled(&self) -> Option<u64> {
        self.posted.lock().cancelled.pop_front()
    }

    /// The next request sent that is over.
    pub fn next_over(&self) -> Option<Arc<Submission<R, O>>> {
        self.posted.lock().over.pop_front()
    }

    /// The addressee has ended: nobody looks in here again.
    pub fn close(&self) {
        let left = std::mem::replace(&mut *self.posted.lock(), Posted::new(true));
        // Outside the lock: what is in there points back here.
        drop(left);
    }

    /// Whether requests wait in the addressee's queues.
    pub fn has_waiting(&self) -> bool {
        self.waiting() > 0
    }

    /// How many requests wait there.
    pub fn waiting(&self) -> u32 {
        self.waiting.load(Ordering::SeqCst)
    }

    /// Whether there is anything to deliver.
    pub fn has_mail(&self) -> bool {
        let posted = self.posted.lock();
        self.has_waiting() || !posted.cancelled.is_empty() || !posted.over.is_empty()
    }

    pub(super) fn post_cancelled(&self, number: u64) {
        self.post(|posted| posted.cancelled.push_back(number));
    }

    pub(super) fn post_over(&self, submission: Arc<Submission<R, O>>) {
        self.post(|posted| posted.over.push_back(submission));
    }

    /// Requests came to the addressee's queues, or left them.
    pub(super) fn count_waiting(&self, came: u32, left: u32) {
        let change = came.wrapping_sub(left);
        self.waiting.fetch_add(change, Ordering::SeqCst);
    }

    fn post(&self, put: impl FnOnce(&mut Posted<R, O>)) {
        let mut posted = self.posted.lock();
        if posted.closed {
            return;
        }
        put(&mut posted);
        drop(posted);
        self.signal();
    }
}

impl<R, O> Posted<R, O> {
    fn new(closed: bool) -> Self {
        Self {
            closed,
            cancelled: VecDeque::new(),
            over: VecDeque::new(),
        }
    }
}
