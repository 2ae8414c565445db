//! Group F of the catalogue: filters. Rule 83 is with group E.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use loopgate_workloop::{
    Context, Error, EventSource, FilterFault, InterruptAction, InterruptEventSource, InterruptLine,
    InterruptSink, Occurrence, Trigger, Verdict, VirtualClock, WorkLoop,
};

use crate::support::{Bench, Line, ms, wait_for};

type Answer = Result<Verdict, FilterFault>;

/// A source of a line, added and enabled, whose action logs its count.
fn filtered(
    bench: &Bench,
    trigger: Trigger,
    filter: impl Fn(u64, Occurrence) -> Answer + Send + Sync + 'static,
) -> (Arc<Line>, Arc<InterruptEventSource>) {
    let log = bench.log.clone();
    let action: InterruptAction = Arc::new(move |_, _, i| log.push(format!("action{}", i.count)));
    with_action(bench, trigger, filter, action)
}

fn with_action(
    bench: &Bench,
    trigger: Trigger,
    filter: impl Fn(u64, Occurrence) -> Answer + Send + Sync + 'static,
    action: InterruptAction,
) -> (Arc<Line>, Arc<InterruptEventSource>) {
    let line = Line::new(trigger);
    let source =
        InterruptEventSource::filtered(line.clone(), 4, Arc::new(filter), Some(action)).unwrap();
    bench.add(&source);
    source.enable(&bench.cx);
    line.log.take();
    (line, source)
}

#[test]
fn rule_075_a_filter_runs_while_the_gate_is_closed() {
    let bench = Bench::new();
    let log = bench.log.clone();
    let (line, _source) = filtered(&bench, Trigger::Edge, move |_, _| {
        log.push("filter");
        Ok(Verdict::Mine)
    });
    let other = Context::detached("other");
    bench.work_loop.close_gate(&other);
    line.raise(ms(1)).unwrap();
    assert_eq!(bench.log.take(), "filter");
    bench.work_loop.open_gate(&other).unwrap();
    bench.settle();
    assert_eq!(bench.log.take(), "action1");
}

#[test]
fn rule_076_not_mine_is_nothing() {
    for trigger in [Trigger::Edge, Trigger::Level] {
        let bench = Bench::new();
        let (line, _source) = filtered(&bench, trigger, |_, _| Ok(Verdict::NotMine));
        bench.settle();
        line.raise(ms(1)).unwrap();
        assert!(!bench.work_loop.has_work() && line.is_on());
        assert_eq!(line.log.take(), "", "the line stays as it is");
        bench.settle();
        assert_eq!(bench.log.take(), "");
    }
}

#[test]
fn rule_077_an_edge_line_stays_on() {
    let bench = Bench::new();
    let log = bench.log.clone();
    let (line, _source) = filtered(&bench, Trigger::Edge, move |_, _| {
        log.push("filter");
        Ok(Verdict::Mine)
    });
    line.raise(ms(1)).unwrap();
    line.raise(ms(2)).unwrap();
    bench.settle();
    assert_eq!(bench.log.take(), "filter filter action2");
    assert_eq!(line.log.take(), "");
}

#[test]
fn rule_078_a_level_line_goes_off_after_its_filter() {
    let bench = Bench::new();
    let order = Arc::new(OnceLock::<Arc<Line>>::new());
    let seen = order.clone();
    let (line, _source) = filtered(&bench, Trigger::Level, move |_, _| {
        seen.get().unwrap().log.push("filter");
        Ok(Verdict::Mine)
    });
    order.set(line.clone()).ok().unwrap();
    line.raise(ms(1)).unwrap();
    assert_eq!(line.log.take(), "filter off");
    assert!(bench.work_loop.has_work());
    bench.settle();
    assert_eq!(bench.log.take(), "action1");
    assert_eq!(line.log.take(), "on");
}

/// A filter that signals its own source, as `signalInterrupt` does.
fn signalling(
    bench: &Bench,
    verdict: Verdict,
    action: InterruptAction,
) -> (Arc<Line>, Arc<InterruptEventSource>) {
    let source = Arc::new(OnceLock::<Weak<InterruptEventSource>>::new());
    let own = source.clone();
    let (line, made) = with_action(
        bench,
        Trigger::Level,
        move |_, occurrence| {
            let source = own.get().and_then(Weak::upgrade).unwrap();
            source.signal(occurrence.timestamp).unwrap();
            Ok(verdict)
        },
        action,
    );
    source.set(Arc::downgrade(&made)).ok().unwrap();
    (line, made)
}

fn logging(bench: &Bench) -> InterruptAction {
    let log = bench.log.clone();
    Arc::new(move |_, _, i| log.push(format!("action{}", i.count)))
}

#[test]
fn rule_079_pseudo_dma_leaves_the_line_on() {
    let bench = Bench::new();
    let (line, _source) = filtered(&bench, Trigger::Level, |_, _| Ok(Verdict::MineKeepLineOn));
    line.raise(ms(1)).unwrap();
    line.raise(ms(2)).expect("the line is on");
    bench.settle();
    assert_eq!(bench.log.take(), "action2");
    assert!(!line.log.take().contains("off"));

    let (line, _source) = signalling(&bench, Verdict::NotMine, logging(&bench));
    line.raise(ms(1)).unwrap();
    bench.settle();
    assert_eq!(bench.log.take(), "action1");
    assert!(!line.log.take().contains("off"));
}

#[test]
fn rule_080_after_that_action_too_an_explicit_disable_wins() {
    let bench = Bench::new();
    let log = bench.log.clone();
    let action: InterruptAction = Arc::new(move |cx, source, _| {
        log.push("action");
        source.disable(cx);
    });
    let (line, _source) = with_action(
        &bench,
        Trigger::Level,
        |_, _| Ok(Verdict::MineKeepLineOn),
        action,
    );
    line.raise(ms(1)).unwrap();
    bench.settle();
    assert_eq!(bench.log.take(), "action");
    assert!(!line.is_on(), "stays off");
}

#[test]
fn rule_081_a_signal_and_mine_count_two() {
    let bench = Bench::new();
    let (line, _source) = signalling(&bench, Verdict::Mine, logging(&bench));
    line.raise(ms(1)).unwrap();
    bench.settle();
    assert_eq!(bench.log.take(), "action2");
}

/// A line that interrupts as soon as it is switched on.
struct Eager(Mutex<Option<Arc<dyn InterruptSink>>>);

impl InterruptLine for Eager {
    fn trigger(&self) -> Trigger {
        Trigger::Edge
    }
    fn register(&self, sink: Arc<dyn InterruptSink>) -> Result<(), Error> {
        *self.0.lock().unwrap() = Some(sink);
        Ok(())
    }
    fn unregister(&self) {
        self.0.lock().unwrap().take();
    }
    fn enable(&self) {
        let sink = self.0.lock().unwrap().clone().unwrap();
        sink.interrupt_occurred(Occurrence::default());
    }
    fn disable(&self) {}
}

/// There is no way to leave it out: a filtered source is made with it.
#[test]
fn rule_082_the_filter_is_there_before_the_line_is_registered() {
    let bench = Bench::new();
    let eager = Arc::new(Eager(Mutex::default()));
    let log = bench.log.clone();
    let filter = Arc::new(move |_, _| {
        log.push("filter");
        Ok(Verdict::NotMine)
    });
    let refused = InterruptEventSource::filtered(eager.clone(), 0, filter.clone(), None);
    assert_eq!(refused.err(), Some(Error::BadArgument));
    let source = InterruptEventSource::filtered(eager, 4, filter, None).unwrap();
    bench.add(&source);
    source.enable(&bench.cx);
    assert_eq!(bench.log.take(), "filter");
}

#[test]
fn a_filter_sees_the_word_that_the_driver_set() {
    let bench = Bench::new();
    let log = bench.log.clone();
    let (line, source) = filtered(&bench, Trigger::Edge, move |word, o| {
        log.push(format!("{word}/{}", o.sequence));
        Ok(Verdict::NotMine)
    });
    line.raise(ms(1)).unwrap();
    source.set_filter_word(7);
    line.raise(ms(2)).unwrap();
    assert_eq!(bench.log.take(), "0/1 7/2");
}

#[test]
fn a_filter_that_fails_counts_what_it_failed_at_and_is_off() {
    let bench = Bench::new();
    let log = bench.log.clone();
    let action: InterruptAction = Arc::new(move |_, source, i| {
        log.push(format!("{} {}", i.count, source.is_filtered()));
    });
    let log = bench.log.clone();
    let (line, source) = with_action(
        &bench,
        Trigger::Level,
        move |_, o| {
            log.push("filter");
            match o.sequence {
                1 => Ok(Verdict::Mine),
                _ => Err(FilterFault),
            }
        },
        action,
    );
    for n in 1..4 {
        line.raise(ms(n)).unwrap();
        bench.settle();
    }
    assert_eq!(
        bench.log.take(),
        "filter 1 true filter 1 false 1 false",
        "told in the call for it, and not asked again"
    );
    source.set_filter(Some(Arc::new(|_, _| Ok(Verdict::NotMine))));
    assert!(source.is_filtered());
    line.raise(ms(5)).unwrap();
    source.set_filter(None);
    assert!(!source.is_filtered());
    line.raise(ms(6)).unwrap();
    bench.settle();
    assert_eq!(bench.log.take(), "1 false");
}

/// The filter lets a second occurrence in while the action for the first ends:
/// that one masks the line, and stays masked until its own action.
#[test]
fn an_occurrence_in_the_action_masks_until_its_own_action_returned() {
    let bench = Bench::new();
    let slot: Arc<Mutex<Option<Arc<Line>>>> = Arc::default();
    let (log, raised) = (bench.log.clone(), slot.clone());
    let action: InterruptAction = Arc::new(move |_, _, i| {
        log.push(i.count.to_string());
        if let Some(line) = raised.lock().unwrap().take() {
            line.raise(ms(2)).unwrap();
        }
    });
    let verdict = |_, o: Occurrence| {
        Ok(match o.sequence {
            1 => Verdict::MineKeepLineOn,
            _ => Verdict::Mine,
        })
    };
    let (line, _source) = with_action(&bench, Trigger::Level, verdict, action);
    *slot.lock().unwrap() = Some(line.clone());
    line.raise(ms(1)).unwrap();
    bench.run();
    assert!(!line.is_on());
    bench.settle();
    assert_eq!(bench.log.take(), "1 1");
    assert!(line.is_on());
}

/// A line that many threads raise, one after another; `disable` waits for a
/// running call, since both take the lock.
#[derive(Default)]
struct Busy(Mutex<BusyState>);

#[derive(Default)]
struct BusyState {
    sink: Option<Arc<dyn InterruptSink>>,
    on: bool,
    raised: u64,
}

impl Busy {
    fn raise(&self) {
        let mut state = self.0.lock().unwrap();
        state.raised += 1;
        if let Some(sink) = state.sink.as_ref().filter(|_| state.on) {
            sink.interrupt_occurred(Occurrence {
                sequence: state.raised,
                ..Occurrence::default()
            });
        }
    }
}

impl InterruptLine for Busy {
    fn trigger(&self) -> Trigger {
        Trigger::Edge
    }
    fn register(&self, sink: Arc<dyn InterruptSink>) -> Result<(), Error> {
        self.0.lock().unwrap().sink = Some(sink);
        Ok(())
    }
    fn unregister(&self) {
        let mut state = self.0.lock().unwrap();
        (state.sink, state.on) = (None, false);
    }
    fn enable(&self) {
        self.0.lock().unwrap().on = true;
    }
    fn disable(&self) {
        self.0.lock().unwrap().on = false;
    }
}

#[derive(Default)]
struct Sums {
    claimed: AtomicU64,
    delivered: AtomicU64,
    lost: AtomicU64,
}

/// Claims every third; its action switches the line off and on again.
fn every_third(line: &Arc<Busy>, sums: &Arc<Sums>) -> Arc<InterruptEventSource> {
    let counting = sums.clone();
    let filter = move |_, o: Occurrence| {
        if !o.sequence.is_multiple_of(3) {
            return Ok(Verdict::NotMine);
        }
        counting.claimed.fetch_add(1, Ordering::Relaxed);
        Ok(Verdict::Mine)
    };
    let counting = sums.clone();
    let action: InterruptAction = Arc::new(move |cx, source, i| {
        source.disable(cx);
        counting
            .delivered
            .fetch_add(u64::from(i.count), Ordering::Relaxed);
        counting
            .lost
            .fetch_add(u64::from(i.lost), Ordering::Relaxed);
        source.enable(cx);
    });
    InterruptEventSource::filtered(line.clone(), 64, Arc::new(filter), Some(action)).unwrap()
}

/// How often each of four threads raises a line.
const RAISED: u32 = if cfg!(miri) { 50 } else { 250_000 };

/// Raises `line` a million times from four threads, while `meanwhile` runs
/// until it is told that they have ended.
fn a_million(line: &Arc<Busy>, meanwhile: impl FnOnce(&AtomicBool)) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let producers = [(); 4].map(|()| {
            scope.spawn(|| {
                for _ in 0..RAISED {
                    line.raise();
                }
            })
        });
        let over = &over;
        scope.spawn(move || {
            for producer in producers {
                producer.join().unwrap();
            }
            over.store(true, Ordering::Release);
        });
        meanwhile(over);
    });
}

/// Ends a source for good, as the death of its driver does.
fn bury(work_loop: &WorkLoop, cx: &Context, source: &Arc<InterruptEventSource>, sums: &Sums) {
    let dynamic: Arc<dyn EventSource> = source.clone();
    work_loop.run_action(cx, || {
        work_loop.remove_event_source(cx, &dynamic).unwrap();
        sums.lost
            .fetch_add(source.discard_pending(), Ordering::Relaxed);
    });
}

fn assert_sums(sums: &Sums) {
    let [claimed, delivered, lost] =
        [&sums.claimed, &sums.delivered, &sums.lost].map(|sum| sum.load(Ordering::Relaxed));
    assert_eq!(claimed, delivered + lost, "{delivered} + {lost}");
    assert!(delivered > 0 && claimed <= u64::from(4 * RAISED / 3));
}

#[test]
fn a_million_through_a_filter_are_delivered_or_lost() {
    let work_loop = WorkLoop::new(Arc::new(VirtualClock::new()));
    work_loop.spawn_thread("loop").unwrap();
    let (line, sums) = (Arc::<Busy>::default(), Arc::<Sums>::default());
    let cx = Context::detached("test");
    let source = every_third(&line, &sums);
    work_loop.add_event_source(&cx, source.clone()).unwrap();
    work_loop.run_action(&cx, || source.enable(&cx));
    a_million(&line, |_| ());
    wait_for("the rest", || !work_loop.has_work());
    bury(&work_loop, &cx, &source, &sums);
    assert_sums(&sums);
    work_loop.terminate(&cx);
    work_loop.join(&cx).unwrap();
}

#[test]
fn a_million_through_a_filter_whose_driver_dies_ten_times() {
    let work_loop = WorkLoop::new(Arc::new(VirtualClock::new()));
    work_loop.spawn_thread("loop").unwrap();
    let (line, sums) = (Arc::<Busy>::default(), Arc::<Sums>::default());
    let cx = Context::detached("test");
    a_million(&line, |over| {
        for life in 0..11 {
            let source = every_third(&line, &sums);
            work_loop.add_event_source(&cx, source.clone()).unwrap();
            work_loop.run_action(&cx, || source.enable(&cx));
            let before = sums.delivered.load(Ordering::Relaxed);
            wait_for("its interrupts", || {
                let over = over.load(Ordering::Acquire);
                over || (life < 10 && sums.delivered.load(Ordering::Relaxed) > before + 1_000)
            });
            bury(&work_loop, &cx, &source, &sums);
        }
    });
    assert_sums(&sums);
    work_loop.terminate(&cx);
    work_loop.join(&cx).unwrap();
}
