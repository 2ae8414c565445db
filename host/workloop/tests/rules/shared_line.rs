//! Group G of the catalogue, as far as it is about sharing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use loopgate_workloop::{
    Context, Error, EventSource, InterruptAction, InterruptEventSource, InterruptLine,
    InterruptSink, Occurrence, Share, SharedLine, TimerEventSource, Trigger, Verdict,
};

use crate::support::{Bench, Line, Log, ms};

const HOLD: Duration = Duration::from_millis(100);

/// A line and who shares it.
struct Fixture {
    line: Arc<Line>,
    shared: Arc<SharedLine>,
    log: Log,
}

/// A line of these, with its watch on the bench's loop.
fn watched(bench: &Bench, line: Arc<dyn InterruptLine>) -> Arc<SharedLine> {
    let watch = TimerEventSource::new(bench.clock.clone(), None);
    let shared = SharedLine::new(line, bench.clock.clone(), watch.clone()).unwrap();
    let shared = Arc::new(shared);
    let expiring = Arc::downgrade(&shared);
    watch.set_action(Some(Arc::new(move |_, _, _, now| {
        expiring.upgrade().unwrap().expire(now);
    })));
    bench.add(&watch);
    shared
}

impl Fixture {
    fn new(bench: &Bench, trigger: Trigger) -> Self {
        let line = Line::new(trigger);
        let shared = watched(bench, line.clone());
        line.log.take();
        Self {
            line,
            shared,
            log: bench.log.clone(),
        }
    }

    /// A share that logs when its owner had to leave.
    fn share(&self, name: &'static str, only: Option<bool>) -> Arc<dyn InterruptLine> {
        let log = self.log.clone();
        self.shared.share(Share {
            only,
            hold: HOLD,
            excused: Box::new(move |_| name == "excused"),
            overrun: Box::new(move || log.push(format!("{name}-left"))),
        })
    }

    /// A source on the bench's loop, not enabled yet; its filter logs `name?`
    /// and its action `name!`.
    fn source(
        &self,
        bench: &Bench,
        name: &'static str,
        verdict: Verdict,
    ) -> Arc<InterruptEventSource> {
        let log = self.log.clone();
        self.acting(bench, name, verdict, move |_, _| {
            log.push(format!("{name}!"));
        })
    }

    fn acting(
        &self,
        bench: &Bench,
        name: &'static str,
        verdict: Verdict,
        act: impl Fn(&Context, &InterruptEventSource) + Send + Sync + 'static,
    ) -> Arc<InterruptEventSource> {
        let log = self.log.clone();
        let filter = Arc::new(move |_, _| {
            log.push(format!("{name}?"));
            Ok(verdict)
        });
        let action: InterruptAction = Arc::new(move |cx, source, _| act(cx, source));
        let line = self.share(name, None);
        let source = InterruptEventSource::filtered(line, 4, filter, Some(action)).unwrap();
        bench.add(&source);
        source
    }
}

/// Logs the name and number of what it is told.
struct Sink(&'static str, Log);

impl InterruptSink for Sink {
    fn interrupt_occurred(&self, occurrence: Occurrence) {
        self.1.push(format!("{}{}", self.0, occurrence.sequence));
    }
    fn occurrences_lost(&self, count: u32) {
        self.1.push(format!("{}-{count}", self.0));
    }
}

#[test]
fn rule_089_every_filter_is_called_and_no_claim_ends_the_round() {
    for trigger in [Trigger::Edge, Trigger::Level] {
        let bench = Bench::new();
        let shared = Fixture::new(&bench, trigger);
        let verdicts = [Verdict::NotMine, Verdict::Mine, Verdict::NotMine];
        let sources = ["a", "b", "c"].into_iter().zip(verdicts);
        let sources = sources.map(|(name, verdict)| shared.source(&bench, name, verdict));
        let sources: Vec<_> = sources.collect();
        for source in &sources {
            source.enable(&bench.cx);
        }
        shared.line.raise(ms(1)).unwrap();
        assert_eq!(bench.log.take(), "a? b? c?");
        bench.settle();
        assert_eq!(bench.log.take(), "b!");
        sources[0].disable(&bench.cx);
        shared.line.raise(ms(2)).unwrap();
        assert_eq!(bench.log.take(), "b? c?", "who is off is not called");
    }
}

#[test]
fn rule_090_a_mask_of_one_is_a_mask_for_all_until_its_action_returned() {
    let bench = Bench::new();
    let shared = Fixture::new(&bench, Trigger::Level);
    let a = shared.source(&bench, "a", Verdict::Mine);
    let b = shared.source(&bench, "b", Verdict::Mine);
    let c = shared.source(&bench, "c", Verdict::NotMine);
    for source in [&a, &b, &c] {
        source.enable(&bench.cx);
    }
    shared.line.raise(ms(1)).unwrap();
    assert!(!shared.line.is_on());
    assert_eq!(shared.line.raise(ms(2)), None);
    bench.log.take();
    // Two actions, and the line comes back with the second.
    bench.settle();
    assert_eq!(bench.log.take(), "a! b!");
    assert!(shared.line.is_on());
    shared.line.raise(ms(3)).unwrap();
    bench.remove(&a).unwrap();
    assert!(!shared.line.is_on(), "b masks it still");
    bench.remove(&b).unwrap();
    assert!(shared.line.is_on(), "and takes its mask along");
    bench.log.take();
    shared.line.raise(ms(4)).unwrap();
    assert_eq!(bench.log.take(), "c?");
}

#[test]
fn rule_090_who_switches_off_holds_nothing() {
    let bench = Bench::new();
    let shared = Fixture::new(&bench, Trigger::Level);
    let watched = shared.line.clone();
    let a = shared.acting(&bench, "a", Verdict::Mine, move |cx, source| {
        assert!(!watched.is_on());
        source.disable(cx);
        assert!(watched.is_on());
    });
    let b = shared.source(&bench, "b", Verdict::NotMine);
    a.enable(&bench.cx);
    b.enable(&bench.cx);
    shared.line.raise(ms(1)).unwrap();
    bench.settle();
    bench.log.take();
    shared.line.raise(ms(2)).unwrap();
    assert_eq!(bench.log.take(), "b?");
    b.disable(&bench.cx);
    assert!(!shared.line.is_on(), "nobody is left");
    a.enable(&bench.cx);
    shared.line.raise(ms(3)).unwrap();
    assert_eq!(bench.log.take(), "a?");
}

#[test]
fn rule_091_who_never_enables_masks_nothing() {
    let bench = Bench::new();
    let shared = Fixture::new(&bench, Trigger::Level);
    let a = shared.source(&bench, "a", Verdict::Mine);
    let _never = shared.source(&bench, "c", Verdict::Mine);
    a.enable(&bench.cx);
    for n in 1..4 {
        shared.line.raise(ms(n)).expect("the line is on");
        bench.settle();
        assert_eq!(bench.log.take(), "a? a!");
    }
}

#[test]
fn rule_092_slots_of_those_that_left_are_taken_first() {
    let bench = Bench::new();
    let shared = Fixture::new(&bench, Trigger::Edge);
    let join = |name| {
        let line = shared.share(name, None);
        line.register(Arc::new(Sink(name, bench.log.clone())))
            .unwrap();
        line.enable();
        line
    };
    let a = join("a");
    let _kept = [join("b"), join("c")];
    drop(a);
    let d = join("d");
    shared.line.raise(ms(1)).unwrap();
    assert_eq!(bench.log.take(), "d1 b1 c1");
    let sink = || Arc::new(Sink("again", bench.log.clone()));
    assert_eq!(d.register(sink()), Err(Error::NoResources), "it has a sink");
    let _rest: Vec<_> = (3..SharedLine::SHARERS_MAX).map(|_| join("more")).collect();
    let late = shared.share("late", None);
    assert_eq!(late.register(sink()), Err(Error::NoResources));
    d.unregister();
    assert_eq!(late.register(sink()), Ok(()));
}

#[test]
fn each_sharer_counts_for_itself() {
    let bench = Bench::new();
    let shared = Fixture::new(&bench, Trigger::Edge);
    let [both, rising] = [("both", None), ("rising", Some(true))].map(|(name, only)| {
        let line = shared.share(name, only);
        line.register(Arc::new(Sink(name, bench.log.clone())))
            .unwrap();
        line
    });
    both.enable();
    // The line of the tests is high after every other.
    shared.line.raise(ms(1)).unwrap();
    rising.enable();
    shared.line.raise(ms(2)).unwrap();
    shared.line.raise(ms(3)).unwrap();
    assert_eq!(bench.log.take(), "both1 both2 both3 rising1");
    shared.line.lose(4);
    shared.line.raise(ms(4)).unwrap();
    shared.line.raise(ms(5)).unwrap();
    assert_eq!(
        bench.log.take(),
        "both-4 rising-4 both8 both9 rising6",
        "what was lost is a gap"
    );
}

#[test]
fn a_mask_over_its_limit_ends_with_its_sharer() {
    let bench = Bench::new();
    let shared = Fixture::new(&bench, Trigger::Level);
    let stuck = shared.share("stuck", None);
    stuck
        .register(Arc::new(Sink("stuck", bench.log.clone())))
        .unwrap();
    stuck.enable();
    let a = shared.source(&bench, "a", Verdict::NotMine);
    a.enable(&bench.cx);
    bench.advance_to(2_000);
    stuck.mask();
    bench.advance_to(2_099);
    assert!(!shared.line.is_on());
    assert_eq!(bench.log.take(), "");
    bench.advance_to(2_100);
    assert_eq!(bench.log.take(), "stuck-left");
    shared.line.raise(ms(2_100)).expect("the line is on");
    assert_eq!(bench.log.take(), "a?");
    // It is told nothing more, whatever it does.
    stuck.enable();
    stuck.mask();
    stuck.unregister();
    let sink = Arc::new(Sink("stuck", bench.log.clone()));
    assert_eq!(stuck.register(sink), Err(Error::NotPermitted));
    shared.line.raise(ms(2_101)).unwrap();
    assert_eq!(bench.log.take(), "a?");
    bench.advance_to(9_000);
    assert_eq!(bench.work_loop.next_deadline(), None, "nothing is watched");
}

/// What counts is the time, and not when the watch comes to look.
#[test]
fn a_mask_that_ends_too_late_ends_with_its_sharer() {
    let bench = Bench::new();
    let shared = Fixture::new(&bench, Trigger::Level);
    // In an action, which no watch comes between.
    let clock = bench.clock.clone();
    let late = shared.acting(&bench, "late", Verdict::Mine, move |_, _| {
        clock.advance(HOLD);
    });
    let clock = bench.clock.clone();
    let just = shared.acting(&bench, "just", Verdict::NotMine, move |_, _| {
        clock.advance(HOLD.saturating_sub(Duration::from_nanos(1)));
    });
    late.enable(&bench.cx);
    just.enable(&bench.cx);
    shared.line.raise(ms(1)).unwrap();
    bench.settle();
    assert_eq!(bench.log.take(), "late? just? late-left");
    just.set_filter(None);
    for n in 2..4 {
        shared.line.raise(ms(n)).unwrap();
        bench.settle();
    }
    assert_eq!(bench.log.take(), "");
}

/// Its work waits: what calls it again is its own `enable`.
#[test]
fn an_excused_sharer_is_switched_off_when_its_mask_is_too_old() {
    let bench = Bench::new();
    let shared = Fixture::new(&bench, Trigger::Level);
    let lines = ["excused", "other"].map(|name| {
        let line = shared.share(name, None);
        line.register(Arc::new(Sink(name, bench.log.clone())))
            .unwrap();
        line.enable();
        line
    });
    lines[0].mask();
    shared.line.raise(ms(1));
    bench.advance_to(1_099);
    assert_eq!(bench.log.take(), "");
    bench.advance_to(1_100);
    shared.line.raise(ms(1_100)).unwrap();
    assert_eq!(bench.log.take(), "other1");
    lines[0].enable();
    shared.line.raise(ms(1_101)).unwrap();
    assert_eq!(bench.log.take(), "excused1 other2");
    // Too late by itself, before the watch has seen it.
    lines[0].mask();
    bench.clock.advance(HOLD);
    lines[0].enable();
    shared.line.raise(ms(1_201)).unwrap();
    assert_eq!(bench.log.take(), "excused2 other3");
}

#[test]
fn the_watch_looks_for_the_mask_that_ends_first() {
    let bench = Bench::new();
    let shared = Fixture::new(&bench, Trigger::Level);
    let lines = [("long", 50), ("short", 10)].map(|(name, hold)| {
        let log = bench.log.clone();
        let line = shared.shared.share(Share {
            only: None,
            hold: Duration::from_millis(hold),
            excused: Box::new(|_| false),
            overrun: Box::new(move || log.push(name)),
        });
        line.register(Arc::new(Sink(name, bench.log.clone())))
            .unwrap();
        line.enable();
        line.mask();
        line
    });
    assert_eq!(bench.work_loop.next_deadline(), Some(ms(1_010)));
    bench.advance_to(1_010);
    assert_eq!(bench.log.take(), "short");
    assert_eq!(bench.work_loop.next_deadline(), Some(ms(1_050)));
    lines[0].enable();
    bench.advance_to(1_050);
    assert_eq!(bench.log.take(), "");
}

/// A level that interrupts whenever it is active as it is switched on.
struct Level {
    active: AtomicBool,
    sink: std::sync::Mutex<Option<Arc<dyn InterruptSink>>>,
}

impl InterruptLine for Level {
    fn trigger(&self) -> Trigger {
        Trigger::Level
    }
    fn register(&self, sink: Arc<dyn InterruptSink>) -> Result<(), Error> {
        *self.sink.lock().unwrap() = Some(sink);
        Ok(())
    }
    fn unregister(&self) {
        self.sink.lock().unwrap().take();
    }
    fn enable(&self) {
        if self.active.load(Ordering::SeqCst) {
            let sink = self.sink.lock().unwrap().clone();
            sink.unwrap().interrupt_occurred(Occurrence::default());
        }
    }
    fn disable(&self) {}
}

/// The line interrupts from within the call that switches it on.
#[test]
fn an_active_level_calls_all_again_when_the_last_mask_ends() {
    let bench = Bench::new();
    let line = Arc::new(Level {
        active: AtomicBool::new(false),
        sink: std::sync::Mutex::default(),
    });
    let shared = Fixture {
        shared: watched(&bench, line.clone()),
        line: Line::new(Trigger::Level),
        log: bench.log.clone(),
    };
    let quiet = line.clone();
    let log = bench.log.clone();
    let a = shared.acting(&bench, "a", Verdict::Mine, move |_, _| {
        log.push("a!");
        quiet.active.store(log.len() < 6, Ordering::SeqCst);
    });
    let b = shared.source(&bench, "b", Verdict::NotMine);
    b.enable(&bench.cx);
    line.active.store(true, Ordering::SeqCst);
    a.enable(&bench.cx);
    assert_eq!(bench.log.take(), "a? b?");
    bench.settle();
    assert_eq!(bench.log.take(), "a! a? b? a! a? b? a!");
    drop((a, b, shared));
}

/// The device of a sharer that is gone keeps the level active.
#[test]
fn a_level_that_nobody_claims_is_looked_at_again() {
    let bench = Bench::new();
    let line = Arc::new(Level {
        active: AtomicBool::new(true),
        sink: std::sync::Mutex::default(),
    });
    let shared = watched(&bench, line.clone());
    let (mine, log) = (Arc::new(AtomicBool::new(false)), bench.log.clone());
    let claims = mine.clone();
    let filter = Arc::new(move |_, _| {
        log.push("?");
        Ok(if claims.load(Ordering::SeqCst) {
            Verdict::Mine
        } else {
            Verdict::NotMine
        })
    });
    let (log, served) = (bench.log.clone(), mine.clone());
    let action: InterruptAction = Arc::new(move |_, _, _| {
        log.push("!");
        served.store(false, Ordering::SeqCst);
    });
    let share = shared.share(Share {
        only: None,
        hold: HOLD,
        excused: Box::new(|_| false),
        overrun: Box::new(|| panic!("it is quick")),
    });
    let source = InterruptEventSource::filtered(share, 4, filter, Some(action)).unwrap();
    bench.add(&source);
    source.enable(&bench.cx);
    assert_eq!(bench.log.take(), "?");
    bench.advance_to(1_009);
    assert_eq!(bench.log.take(), "");
    mine.store(true, Ordering::SeqCst);
    bench.advance_to(1_010);
    assert_eq!(bench.log.take(), "? ! ?", "and the level is active still");
    line.active.store(false, Ordering::SeqCst);
    bench.advance_to(1_020);
    assert_eq!(bench.work_loop.next_deadline(), None, "until it is not");
    line.active.store(true, Ordering::SeqCst);
    source.enable(&bench.cx);
    source.disable(&bench.cx);
    bench.log.take();
    bench.advance_to(1_100);
    assert_eq!(bench.log.take(), "", "nobody wants it");
}

/// A device may interrupt once more before it sees that its line is off.
#[test]
fn what_comes_while_the_line_goes_off_waits_for_the_end_of_the_mask() {
    let bench = Bench::new();
    let line = Arc::new(Level {
        active: AtomicBool::new(true),
        sink: std::sync::Mutex::default(),
    });
    let shared = watched(&bench, line.clone());
    let lines = ["a", "b"].map(|name| {
        let line = shared.share(Share {
            only: None,
            hold: HOLD,
            excused: Box::new(|_| false),
            overrun: Box::new(|| panic!("it is quick")),
        });
        line.register(Arc::new(Sink(name, bench.log.clone())))
            .unwrap();
        line
    });
    let interrupt = || {
        let sink = line.sink.lock().unwrap().clone();
        sink.unwrap().interrupt_occurred(Occurrence::default());
    };
    lines[0].enable();
    lines[1].enable();
    assert_eq!(bench.log.take(), "a1 a2 b1");
    lines[0].mask();
    interrupt();
    assert_eq!(bench.log.take(), "");
    lines[0].disable();
    assert_eq!(bench.log.take(), "b2");
    line.active.store(false, Ordering::SeqCst);
    lines[1].mask();
    interrupt();
    lines[1].enable();
    assert_eq!(bench.log.take(), "", "it was over");
}

/// By enabling, or with masks that end at once.
#[test]
fn nobody_has_its_neighbours_called_without_end() {
    for masks in [false, true] {
        let bench = Bench::new();
        let line = Arc::new(Level {
            active: AtomicBool::new(true),
            sink: std::sync::Mutex::default(),
        });
        let shared = watched(&bench, line.clone());
        let counts = [(); 2].map(|()| Arc::new(Count::default()));
        let lines = counts.clone().map(|count| {
            let line = shared.share(Share {
                only: None,
                hold: HOLD,
                excused: Box::new(|_| false),
                overrun: Box::new(|| panic!("it is quick")),
            });
            line.register(count).unwrap();
            line.enable();
            line
        });
        let take = || {
            counts
                .each_ref()
                .map(|count| count.0.swap(0, Ordering::SeqCst))
        };
        take();
        for _ in 0..1000 {
            if masks {
                lines[0].mask();
            }
            lines[0].enable();
        }
        // What has enabled the two of them were the first rounds.
        let rest = SharedLine::ROUNDS_MAX - 2;
        assert_eq!(take(), [1000, rest], "masks: {masks}");
        // Each is called for what the line itself brings, also then.
        let sink = line.sink.lock().unwrap().clone().unwrap();
        sink.interrupt_occurred(Occurrence::default());
        assert_eq!(take(), [1, 1]);
        bench.advance_to(1_009);
        assert_eq!(take(), [0, 0]);
        bench.advance_to(1_010);
        assert_eq!(take(), [1, 1], "the others are not forgotten");
    }
}

#[derive(Default)]
struct Count(AtomicU32);

impl InterruptSink for Count {
    fn interrupt_occurred(&self, _: Occurrence) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
    fn occurrences_lost(&self, _: u32) {}
}
