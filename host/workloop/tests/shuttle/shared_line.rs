//! A shared line: occurrences, masks, sharers that come and go, and limits, all
//! at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use loopgate_workloop::{
    Context, Error, EventSource, Instant, InterruptAction, InterruptEventSource, InterruptLine,
    InterruptSink, Occurrence, Share, SharedLine, TimerEventSource, Trigger, Verdict, WorkLoop,
};
use shuttle::sync::Mutex;
use shuttle::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use shuttle::thread::{self, ThreadId};

use crate::support::{clock, explore, join, spawn};

const HOLD: Duration = Duration::from_millis(1);

/// A level line as the simulated board has it: what is caused from inside a call
/// of the sink is delivered after that.
#[derive(Default)]
struct Wire(Mutex<Wired>);

#[derive(Default)]
struct Wired {
    sink: Option<Arc<dyn InterruptSink>>,
    on: bool,
    /// A bit for each device that keeps it active.
    active: u32,
    due: bool,
    delivering: bool,
}

impl Wire {
    fn raise(&self, device: u32) {
        let mut wired = self.0.lock().unwrap();
        wired.active |= device;
        wired.due = wired.on;
        drop(wired);
        self.deliver();
    }

    fn lower(&self, device: u32) {
        self.0.lock().unwrap().active &= !device;
    }

    fn is_up(&self, device: u32) -> bool {
        self.0.lock().unwrap().active & device != 0
    }

    fn deliver(&self) {
        loop {
            let mut wired = self.0.lock().unwrap();
            if wired.delivering || !wired.due {
                return;
            }
            (wired.delivering, wired.due) = (true, false);
            let sink = wired.sink.clone();
            drop(wired);
            if let Some(sink) = sink {
                sink.interrupt_occurred(Occurrence::default());
            }
            self.0.lock().unwrap().delivering = false;
        }
    }

    /// On, at rest, and nobody's work undone.
    fn is_idle(&self) -> bool {
        let wired = self.0.lock().unwrap();
        wired.on && wired.active == 0 && !wired.due && !wired.delivering
    }
}

impl InterruptLine for Wire {
    fn trigger(&self) -> Trigger {
        Trigger::Level
    }
    fn register(&self, sink: Arc<dyn InterruptSink>) -> Result<(), Error> {
        self.0.lock().unwrap().sink = Some(sink);
        Ok(())
    }
    fn unregister(&self) {
        let mut wired = self.0.lock().unwrap();
        wired.on = false;
        let sink = wired.sink.take();
        drop(wired);
        drop(sink);
    }
    fn enable(&self) {
        let mut wired = self.0.lock().unwrap();
        wired.on = true;
        wired.due = wired.active != 0;
        drop(wired);
        self.deliver();
    }
    fn disable(&self) {
        let mut wired = self.0.lock().unwrap();
        (wired.on, wired.due) = (false, false);
    }
}

fn wire() -> (Arc<Wire>, SharedLine) {
    let wire = Arc::new(Wire::default());
    let watch = TimerEventSource::new(clock(), None);
    let shared = SharedLine::new(wire.clone(), clock(), watch).unwrap();
    (wire, shared)
}

fn share(shared: &SharedLine) -> Arc<dyn InterruptLine> {
    shared.share(Share {
        only: None,
        hold: HOLD,
        excused: Box::new(|_| false),
        overrun: Box::new(|| panic!("nobody is late")),
    })
}

/// A loop with a source of a share, which calls these.
fn sharer(
    shared: &SharedLine,
    verdict: impl Fn() -> Verdict + Send + Sync + 'static,
    act: impl Fn() + Send + Sync + 'static,
) -> (Arc<WorkLoop>, Arc<InterruptEventSource>) {
    let work_loop = WorkLoop::new(clock());
    let filter = Arc::new(move |_, _| Ok(verdict()));
    let action: InterruptAction = Arc::new(move |_, _, _| act());
    let source = InterruptEventSource::filtered(share(shared), 8, filter, Some(action)).unwrap();
    let cx = Context::detached("main");
    work_loop.add_event_source(&cx, source.clone()).unwrap();
    source.enable(&cx);
    (work_loop, source)
}

fn settle(work_loop: &WorkLoop, cx: &Context) {
    while work_loop.has_work() {
        work_loop.run_event_sources(cx);
    }
}

/// A sink that masks its line whenever it is called.
struct Masks(Mutex<Option<Arc<dyn InterruptLine>>>);

impl InterruptSink for Masks {
    fn interrupt_occurred(&self, _: Occurrence) {
        let line = self.0.lock().unwrap().clone();
        if let Some(line) = line {
            line.mask();
        }
    }
    fn occurrences_lost(&self, _: u32) {}
}

#[test]
fn occurrences_masks_and_sharers_that_come_and_go_meet() {
    explore(|| {
        let (wire, shared) = wire();
        let acting = Arc::new(AtomicU32::new(0));
        // In the slot before those that claim: not called while one of them acts.
        let (asked, seen) = (Arc::new(AtomicU32::new(0)), acting.clone());
        let counting = asked.clone();
        let declines = move || {
            assert_eq!(seen.load(Ordering::SeqCst), 0);
            counting.fetch_add(1, Ordering::SeqCst);
            Verdict::NotMine
        };
        let _other = sharer(&shared, declines, || ());
        let claimers = [1, 2].map(|device| {
            let (asked, served, acting) = (wire.clone(), wire.clone(), acting.clone());
            let verdict = move || {
                if asked.is_up(device) {
                    Verdict::Mine
                } else {
                    Verdict::NotMine
                }
            };
            let act = move || {
                acting.fetch_add(1, Ordering::SeqCst);
                served.lower(device);
                acting.fetch_sub(1, Ordering::SeqCst);
            };
            sharer(&shared, verdict, act)
        });
        let device = {
            let wire = wire.clone();
            spawn("device", move |_| {
                wire.raise(1);
                wire.raise(2);
            })
        };
        let servers = claimers.clone().map(|(work_loop, _)| {
            spawn("server", move |cx| {
                work_loop.run_event_sources(cx);
                work_loop.run_event_sources(cx);
            })
        });
        // Comes, and leaves with its mask.
        let line = share(&shared);
        let sink = Arc::new(Masks(Mutex::new(Some(line.clone()))));
        line.register(sink.clone()).unwrap();
        line.enable();
        sink.0.lock().unwrap().take();
        drop(line);
        join(servers.into_iter().chain([device]));
        let cx = Context::detached("main");
        // What stands in for the watch.
        let has_work = || {
            shared.expire(Instant::ZERO);
            claimers.iter().any(|(work_loop, _)| work_loop.has_work())
        };
        while has_work() {
            for (work_loop, _) in &claimers {
                settle(work_loop, &cx);
            }
        }
        assert!(wire.is_idle());
        let before = asked.load(Ordering::SeqCst);
        wire.raise(4);
        assert_eq!(asked.load(Ordering::SeqCst), before + 1);
    });
}

/// Notes how often each thread has switched it on.
#[derive(Default)]
struct Switched(Mutex<HashMap<ThreadId, u32>>);

impl Switched {
    fn by_this(&self) -> u32 {
        let by = self.0.lock().unwrap();
        by.get(&thread::current().id()).copied().unwrap_or(0)
    }
}

impl InterruptLine for Switched {
    fn trigger(&self) -> Trigger {
        Trigger::Level
    }
    fn register(&self, _: Arc<dyn InterruptSink>) -> Result<(), Error> {
        Ok(())
    }
    fn unregister(&self) {}
    fn enable(&self) {
        let mut by = self.0.lock().unwrap();
        *by.entry(thread::current().id()).or_default() += 1;
        drop(by);
        thread::yield_now();
    }
    fn disable(&self) {}
}

/// Another one could go on for as long as its handler does.
#[test]
fn nobody_switches_the_line_on_for_another_more_than_once() {
    explore(|| {
        let line = Arc::new(Switched::default());
        let watch = TimerEventSource::new(clock(), None);
        let shared = SharedLine::new(line.clone(), clock(), watch).unwrap();
        let sharers = [(); 2].map(|()| {
            let share = share(&shared);
            share.register(Arc::new(Called::default())).unwrap();
            let line = line.clone();
            spawn("sharer", move |_| {
                for _ in 0..3 {
                    let before = line.by_this();
                    share.enable();
                    assert!(line.by_this() <= before + 1);
                }
            })
        });
        join(sharers);
        shared.expire(Instant::ZERO);
    });
}

/// Says whether it is being called.
#[derive(Default)]
struct Called(AtomicBool);

impl InterruptSink for Called {
    fn interrupt_occurred(&self, _: Occurrence) {
        self.0.store(true, Ordering::SeqCst);
        thread::yield_now();
        self.0.store(false, Ordering::SeqCst);
    }
    fn occurrences_lost(&self, _: u32) {}
}

#[test]
fn who_has_switched_off_or_left_is_not_being_called() {
    explore(|| {
        let (wire, shared) = wire();
        let lines = [(); 2].map(|()| {
            let (line, sink) = (share(&shared), Arc::new(Called::default()));
            line.register(sink.clone()).unwrap();
            line.enable();
            (line, sink)
        });
        let device = {
            let wire = wire.clone();
            spawn("device", move |_| {
                wire.raise(1);
                wire.raise(1);
            })
        };
        let [(first, called), (second, also_called)] = lines;
        let leaver = spawn("leaver", move |_| {
            first.unregister();
            assert!(!called.0.load(Ordering::SeqCst));
        });
        second.disable();
        assert!(!also_called.0.load(Ordering::SeqCst));
        join([device, leaver]);
    });
}

/// The limit is met while the owner, on another thread, ends its mask: it had to
/// leave, and is told so once, or it goes on.
#[test]
fn a_limit_and_the_end_of_a_mask_meet() {
    explore(|| {
        let clock = clock();
        let wire = Arc::new(Wire::default());
        let watch = TimerEventSource::new(clock.clone(), None);
        let shared = SharedLine::new(wire.clone(), clock.clone(), watch.clone()).unwrap();
        let shared = Arc::new(shared);
        let expiring = Arc::downgrade(&shared);
        watch.set_action(Some(Arc::new(move |_, _, _, now| {
            expiring.upgrade().unwrap().expire(now);
        })));
        let watching = WorkLoop::new(clock.clone());
        let cx = Context::detached("main");
        watching.add_event_source(&cx, watch).unwrap();
        let left = Arc::new(AtomicU32::new(0));
        let counting = left.clone();
        let line = shared.share(Share {
            only: None,
            hold: HOLD,
            excused: Box::new(|_| false),
            overrun: Box::new(move || {
                counting.fetch_add(1, Ordering::SeqCst);
            }),
        });
        let called = Arc::new(Called::default());
        line.register(called).unwrap();
        line.enable();
        let neighbour = share(&shared);
        neighbour.register(Arc::new(Called::default())).unwrap();
        neighbour.enable();
        let owner = {
            let line = line.clone();
            spawn("owner", move |_| {
                line.mask();
                line.enable();
                line.mask();
                line.enable();
            })
        };
        clock.advance(HOLD);
        settle(&watching, &cx);
        join([owner]);
        settle(&watching, &cx);
        assert!(wire.is_idle());
        let left = left.load(Ordering::SeqCst);
        assert!(left <= 1);
        line.unregister();
        let again = line.register(Arc::new(Called::default()));
        assert_eq!(again.is_err(), left == 1);
    });
}
