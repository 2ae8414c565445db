//! Who submits, and is told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use loopgate_workloop::{
    Clock as _, Context, EventSource, Instant, TimerEventSource, VirtualClock, WorkLoop,
};

use super::provider::Provider;
use super::{End, Mailbox, Submission, Wins, is_free};

pub struct Client {
    work_loop: Arc<WorkLoop>,
    mailbox: Arc<Mailbox>,
    deadline: Arc<TimerEventSource>,
    at: Instant,
    wins: Arc<Wins>,
    /// Locked without waiting: only who is in the gate looks.
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    open: BTreeMap<u32, Arc<Submission>>,
    told: Vec<(u32, End)>,
    ended: bool,
}

impl Client {
    pub fn new(clock: &Arc<VirtualClock>, wins: Arc<Wins>) -> Arc<Self> {
        let this = Arc::new_cyclic(|weak: &Weak<Self>| {
            let (delivering, expiring) = (weak.clone(), weak.clone());
            let deliver = Arc::new(move |_: &Context, _: &_, _| {
                delivering.upgrade().unwrap().deliver();
            });
            let expire = Arc::new(move |_: &Context, _: &_, _, _| {
                expiring.upgrade().unwrap().give_up(End::Late);
            });
            Self {
                work_loop: WorkLoop::new(clock.clone()),
                mailbox: Mailbox::new(clock.clone(), deliver).unwrap(),
                deadline: TimerEventSource::new(clock.clone(), Some(expire)),
                at: clock.now().saturating_add(Duration::from_millis(1)),
                wins,
                known: Mutex::default(),
            }
        });
        let cx = Context::detached("setup");
        for source in this.sources() {
            this.work_loop.add_event_source(&cx, source).unwrap();
        }
        this
    }

    pub fn deadline(&self) -> Instant {
        self.at
    }

    pub fn spawn(&self) {
        self.work_loop.spawn_thread("client").unwrap();
    }

    pub fn run(&self, cx: &Context) {
        self.work_loop.run_event_sources(cx);
    }

    pub fn has_work(&self) -> bool {
        self.work_loop.has_work()
    }

    /// Nothing, where either driver has ended.
    pub fn submit(&self, cx: &Context, to: &Provider, id: u32) -> Option<Arc<Submission>> {
        self.work_loop.run_action(cx, || {
            let mut known = self.known.try_lock().unwrap();
            if known.ended {
                return None;
            }
            let submission = Submission::new(id, self.mailbox.clone(), to.queue());
            if !submission.submit() {
                return None;
            }
            known.open.insert(id, submission.clone());
            self.deadline.wake_at(self.at).unwrap();
            Some(submission)
        })
    }

    pub fn cancel(&self, cx: &Context, id: u32) {
        self.work_loop.run_action(cx, || {
            let known = self.known.try_lock().unwrap();
            if let Some(submission) = known.open.get(&id) {
                self.give_up_one(submission, End::Cancelled);
            }
        });
    }

    pub fn cancel_all(&self, cx: &Context) {
        self.work_loop
            .run_action(cx, || self.give_up(End::Cancelled));
    }

    pub fn end(&self, cx: &Context) {
        self.work_loop.run_action(cx, || {
            self.mailbox.close();
            self.give_up(End::ClientEnded);
            let mut known = self.known.try_lock().unwrap();
            known.open.clear();
            known.ended = true;
            drop(known);
            for source in self.sources() {
                self.work_loop.withdraw_event_source(cx, &source).unwrap();
            }
        });
    }

    pub fn terminate(&self, cx: &Context) {
        self.work_loop.terminate(cx);
        self.work_loop.join(cx).unwrap();
    }

    pub fn told(&self) -> Vec<(u32, End)> {
        self.known.try_lock().unwrap().told.clone()
    }

    pub fn told_in_gate(&self, cx: &Context) -> usize {
        self.work_loop.run_action(cx, || self.told().len())
    }

    pub fn check_empty(&self) {
        let known = self.known.try_lock().unwrap();
        assert!(known.open.is_empty());
        assert!(!self.mailbox.has_mail());
        assert!(is_free(&self.work_loop));
    }

    fn sources(&self) -> [Arc<dyn EventSource>; 2] {
        [self.mailbox.source(), self.deadline.clone()]
    }

    fn deliver(&self) {
        let mut known = self.known.try_lock().unwrap();
        while let Some(over) = self.mailbox.next_over() {
            assert!(!known.ended, "told after its end");
            let id = over.request;
            assert!(known.open.remove(&id).is_some(), "not open: {id}");
            known.told.push((id, over.outcome().unwrap()));
        }
        if known.open.is_empty() {
            self.deadline.cancel_timeout();
        }
    }

    fn give_up(&self, end: End) {
        let known = self.known.try_lock().unwrap();
        for submission in known.open.values() {
            self.give_up_one(submission, end);
        }
    }

    fn give_up_one(&self, submission: &Arc<Submission>, end: End) {
        let first = submission.give_up(end);
        self.wins.note(submission.request, end, first);
    }
}
