//! No memory is allocated between an interrupt, or a timer, and its action.
#![cfg(not(feature = "shuttle"))]

use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loopgate_workloop::{
    CommandGate, Context, Error, EventSource, Instant, InterruptAction, InterruptEventSource,
    InterruptLine, InterruptSink, Occurrence, Quota, Share, SharedLine, TimerAction,
    TimerEventSource, Trigger, Verdict, VirtualClock, WorkLoop,
};

/// How many allocations `f` makes on this thread.
fn allocations(f: impl FnOnce()) -> u64 {
    allocation_counter::measure(f).count_total
}

struct Line(Mutex<Option<Arc<dyn InterruptSink>>>);

impl InterruptLine for Line {
    fn trigger(&self) -> Trigger {
        Trigger::Level
    }
    fn register(&self, sink: Arc<dyn InterruptSink>) -> Result<(), Error> {
        *self.0.lock().unwrap() = Some(sink);
        Ok(())
    }
    fn unregister(&self) {
        *self.0.lock().unwrap() = None;
    }
    fn enable(&self) {}
    fn disable(&self) {}
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(black_box(Box::new(1)))), 1);
}

#[test]
fn interrupts_timers_and_commands_allocate_nothing() {
    let clock = Arc::new(VirtualClock::new());
    let work_loop = WorkLoop::new(clock.clone());
    let cx = Context::current();
    let calls = Arc::new(Mutex::new((0, 0, Vec::with_capacity(1_000))));

    let line = Arc::new(Line(Mutex::new(None)));
    let quota = Arc::new(Quota::new(Duration::from_millis(1)));
    let (seen, charged) = (calls.clone(), quota.clone());
    let action: InterruptAction = Arc::new(move |_, source, i| {
        let mut seen = seen.lock().unwrap();
        seen.0 += i.count + i.lost;
        charged.charge(Duration::from_micros(1));
        source.take_occurrences(8, &mut seen.2);
    });
    let filter = |_, o: Occurrence| {
        Ok(match o.sequence % 2 {
            0 => Verdict::Mine,
            _ => Verdict::MineKeepLineOn,
        })
    };
    let source =
        InterruptEventSource::filtered(line.clone(), 4, Arc::new(filter), Some(action)).unwrap();
    source.attachment().set_quota(quota.clone()).unwrap();
    work_loop.add_event_source(&cx, source.clone()).unwrap();
    source.enable(&cx);
    let sink = line.0.lock().unwrap().clone().unwrap();

    let seen = calls.clone();
    let action: TimerAction = Arc::new(move |_, timer, _, _| {
        seen.lock().unwrap().1 += 1;
        timer.set_timeout(Duration::from_millis(1)).unwrap();
    });
    let timer = TimerEventSource::new(clock.clone(), Some(action));
    timer.attachment().set_quota(quota).unwrap();
    work_loop.add_event_source(&cx, timer.clone()).unwrap();
    timer.set_timeout(Duration::from_millis(1)).unwrap();
    let gate = CommandGate::new(1, None);
    work_loop.add_event_source(&cx, gate.clone()).unwrap();

    let round = |sequence| {
        for _ in 0..6 {
            sink.interrupt_occurred(Occurrence {
                sequence,
                timestamp: Instant::from_nanos(sequence),
                high: true,
            });
        }
        source.signal(Instant::from_nanos(sequence)).unwrap();
        clock.advance(Duration::from_millis(1));
        assert!(work_loop.run_event_sources(&cx));
        assert_eq!(
            work_loop.next_deadline(),
            Some(
                work_loop
                    .clock()
                    .now()
                    .saturating_add(Duration::from_millis(1))
            )
        );
        gate.run_action(&cx, || ()).unwrap();
    };
    round(0);
    let counted = allocations(|| (1..=100).for_each(round));
    assert_eq!(counted, 0);
    let calls = calls.lock().unwrap();
    assert_eq!((calls.0, calls.1), (101 * 7, 101));
}

#[test]
fn a_shared_line_allocates_nothing() {
    let clock = Arc::new(VirtualClock::new());
    let work_loop = WorkLoop::new(clock.clone());
    let cx = Context::current();
    let line = Arc::new(Line(Mutex::new(None)));
    let watch = TimerEventSource::new(clock.clone(), None);
    let shared = SharedLine::new(line.clone(), clock.clone(), watch.clone()).unwrap();
    let shared = Arc::new(shared);
    let expiring = Arc::downgrade(&shared);
    watch.set_action(Some(Arc::new(move |_, _, _, now| {
        expiring.upgrade().unwrap().expire(now);
    })));
    work_loop.add_event_source(&cx, watch).unwrap();
    let calls = Arc::new(Mutex::new(0));
    let sources = [0, 1, 2].map(|remainder| {
        let line = shared.share(Share {
            only: None,
            hold: Duration::from_secs(1),
            excused: Box::new(|_| false),
            overrun: Box::new(|| panic!("it is quick")),
        });
        let filter = move |_, o: Occurrence| {
            Ok(if o.sequence % 4 == remainder {
                Verdict::Mine
            } else {
                Verdict::NotMine
            })
        };
        let seen = calls.clone();
        let action: InterruptAction = Arc::new(move |_, _, i| *seen.lock().unwrap() += i.count);
        InterruptEventSource::filtered(line, 4, Arc::new(filter), Some(action)).unwrap()
    });
    for source in &sources {
        work_loop.add_event_source(&cx, source.clone()).unwrap();
        source.enable(&cx);
    }
    let sink = line.0.lock().unwrap().clone().unwrap();
    let round = || {
        sink.interrupt_occurred(Occurrence::default());
        clock.advance(Duration::from_millis(5));
        work_loop.run_event_sources(&cx);
    };
    (0..4).for_each(|_| round());
    assert_eq!(allocations(|| (0..400).for_each(|_| round())), 0);
    assert_eq!(*calls.lock().unwrap(), 303);
}
