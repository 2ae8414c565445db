//! Who receives requests and completes them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};

use loopgate_workloop::{Context, VirtualClock, WorkLoop};

use super::{End, Mailbox, Queue, Submission, Wins, is_free};

pub struct Provider {
    work_loop: Arc<WorkLoop>,
    mailbox: Arc<Mailbox>,
    queue: Arc<Queue>,
    serial: bool,
    wins: Arc<Wins>,
    /// Locked without waiting: only who is in the gate looks.
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    latest: u64,
    pending: BTreeMap<u64, Arc<Submission>>,
}

impl Provider {
    pub fn new(clock: &Arc<VirtualClock>, wins: Arc<Wins>, serial: bool) -> Arc<Self> {
        let this = Arc::new_cyclic(|weak: &Weak<Self>| {
            let delivering = weak.clone();
            let deliver = Arc::new(move |_: &Context, _: &_, _| {
                delivering.upgrade().unwrap().deliver();
            });
            let mailbox = Mailbox::new(clock.clone(), deliver).unwrap();
            Self {
                work_loop: WorkLoop::new(clock.clone()),
                queue: Queue::new(mailbox.clone()),
                mailbox,
                serial,
                wins,
                known: Mutex::default(),
            }
        });
        let cx = Context::detached("setup");
        let source = this.mailbox.source();
        this.work_loop.add_event_source(&cx, source).unwrap();
        this
    }

    pub fn queue(&self) -> Arc<Queue> {
        self.queue.clone()
    }

    pub fn spawn(&self) {
        self.work_loop.spawn_thread("provider").unwrap();
    }

    pub fn run(&self, cx: &Context) {
        self.work_loop.run_event_sources(cx);
    }

    pub fn has_work(&self) -> bool {
        self.work_loop.has_work() || !self.known.try_lock().unwrap().pending.is_empty()
    }

    /// The oldest that it has. One that was given up stays until it is told so.
    pub fn complete(&self, cx: &Context) {
        self.work_loop.run_action(cx, || {
            let mut known = self.known.try_lock().unwrap();
            if let Some((&number, submission)) = known.pending.first_key_value()
                && self.settle(submission, End::Completed)
            {
                known.pending.remove(&number);
                self.go_on();
            }
        });
    }

    pub fn end(&self, cx: &Context) {
        self.work_loop.run_action(cx, || {
            self.mailbox.close();
            let mut known = self.known.try_lock().unwrap();
            for (_, submission) in std::mem::take(&mut known.pending) {
                self.settle(&submission, End::ProviderEnded);
            }
            for submission in self.queue.close() {
                self.settle(&submission, End::ProviderEnded);
            }
            drop(known);
            let source = self.mailbox.source();
            self.work_loop.withdraw_event_source(cx, &source).unwrap();
        });
    }

    pub fn terminate(&self, cx: &Context) {
        self.work_loop.terminate(cx);
        self.work_loop.join(cx).unwrap();
    }

    pub fn check_empty(&self) {
        assert!(self.known.try_lock().unwrap().pending.is_empty());
        assert!(self.queue.is_empty());
        assert!(!self.mailbox.has_mail());
        assert!(is_free(&self.work_loop));
    }

    fn deliver(&self) {
        let mut known = self.known.try_lock().unwrap();
        loop {
            if let Some(number) = self.mailbox.next_cancelled() {
                let cancelled = known.pending.remove(&number);
                assert!(cancelled.is_some_and(|cancelled| cancelled.is_over()));
            } else if let Some(submission) = self.next(&known) {
                known.latest += 1;
                if submission.hand_over(known.latest) {
                    let latest = known.latest;
                    known.pending.insert(latest, submission);
                } else {
                    assert!(!self.settle(&submission, End::Completed));
                }
            } else {
                return;
            }
        }
    }

    fn next(&self, known: &Known) -> Option<Arc<Submission>> {
        let admits = !self.serial || known.pending.is_empty();
        admits.then(|| self.queue.pop()).flatten()
    }

    /// What had to wait may have its turn now.
    fn go_on(&self) {
        if self.mailbox.has_mail() {
            self.mailbox.signal();
        }
    }

    fn settle(&self, submission: &Arc<Submission>, end: End) -> bool {
        let first = submission.settle(end);
        self.wins.note(submission.request, end, first)
    }
}
