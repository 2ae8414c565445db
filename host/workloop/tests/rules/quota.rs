//! Quotas, an addition to the catalogue: how long one owner's sources may keep
//! the gate closed. Like X16 and X17, about who starves whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use loopgate_workloop::{
    Attachment, Context, Error, EventSource, InterruptEventSource, Quota, SystemClock,
    TimerEventSource, Trigger, WorkLoop,
};

use crate::support::{Bench, Line, Log, Probe, dynamic, interrupt, ms, wait_for};

const LIMIT: Duration = Duration::from_millis(10);

fn quota() -> Arc<Quota> {
    Arc::new(Quota::new(LIMIT))
}

/// A due timer with `quota`, whose action charges `span`.
fn due_timer(bench: &Bench, quota: &Arc<Quota>, span: Duration) -> Arc<TimerEventSource> {
    let (log, charged) = (bench.log.clone(), quota.clone());
    let timer = bench.timer_with(move |_, _, _, _| {
        log.push("t");
        charged.charge(span);
    });
    timer.attachment().set_quota(quota.clone()).unwrap();
    bench.add(&timer);
    timer.wake_at(ms(1)).unwrap();
    timer
}

/// A source that logs its name and count, and charges the whole limit.
fn costly(
    quota: &Arc<Quota>,
    log: &Log,
    name: &'static str,
    line: Option<&Arc<Line>>,
) -> Arc<InterruptEventSource> {
    let (log, charged) = (log.clone(), quota.clone());
    let source = interrupt(line, move |_, _, i| {
        log.push(format!("{name}{}+{}", i.count, i.lost));
        charged.charge(LIMIT);
    });
    source.attachment().set_quota(quota.clone()).unwrap();
    source
}

#[test]
fn one_owner_is_served_once_in_a_closing_and_its_neighbour_in_each() {
    let bench = Bench::new();
    let quota = quota();
    let timers: Vec<_> = (0..40).map(|_| due_timer(&bench, &quota, LIMIT)).collect();
    bench.probe("n");
    for closing in 0..40 {
        assert!(bench.work_loop.has_work(), "closing {closing}");
        bench.run();
        assert_eq!(bench.log.take(), "t n", "closing {closing}");
        assert_eq!(bench.work_loop.gate().depth(), 0);
    }
    assert!(timers.iter().all(|timer| timer.next_deadline().is_none()));
    bench.settle();
    assert_eq!(bench.log.take(), "", "nothing is served twice");
}

#[test]
fn charges_add_up_to_the_limit_within_a_closing_only() {
    let bench = Bench::new();
    let quota = quota();
    let _timers: Vec<_> = (0..7)
        .map(|_| due_timer(&bench, &quota, LIMIT / 3))
        .collect();
    // 3.3 + 3.3 + 3.3 is just under 10: the fourth reaches it.
    bench.run();
    assert_eq!(bench.log.take(), "t t t t");
    quota.charge(LIMIT);
    bench.run();
    assert_eq!(
        bench.log.take(),
        "t t t",
        "a charge between runs is forgotten"
    );
    bench.settle();
    assert!(!bench.work_loop.has_work());
}

#[test]
fn a_source_held_back_keeps_its_counts() {
    let bench = Bench::new();
    let quota = quota();
    let line = Line::new(Trigger::Edge);
    let first = costly(&quota, &bench.log, "s", None);
    let second = costly(&quota, &bench.log, "l", Some(&line));
    bench.add(&first);
    bench.add(&second);
    second.enable(&bench.cx);
    first.signal(ms(1)).unwrap();
    first.signal(ms(2)).unwrap();
    // Room for 4 in the queue of the line: 2 are displaced.
    for at in 1..=6 {
        line.raise(ms(at)).unwrap();
    }
    bench.run();
    assert_eq!(bench.log.take(), "s2+0");
    assert!(bench.work_loop.has_work(), "the loop signalled itself");
    line.lose(3);
    bench.run();
    assert_eq!(bench.log.take(), "l4+5");
    bench.settle();
    assert_eq!(bench.log.take(), "");
}

/// A level line that waits for its quota stays masked, and opens afterwards.
#[test]
fn a_level_line_held_back_stays_masked() {
    let bench = Bench::new();
    let quota = quota();
    let line = Line::new(Trigger::Level);
    let first = costly(&quota, &bench.log, "s", None);
    let level = costly(&quota, &bench.log, "l", Some(&line));
    bench.add(&first);
    bench.add(&level);
    level.enable(&bench.cx);
    first.signal(ms(1)).unwrap();
    line.raise(ms(1)).unwrap();
    bench.run();
    assert_eq!((bench.log.take().as_str(), line.is_on()), ("s1+0", false));
    bench.run();
    assert_eq!((bench.log.take().as_str(), line.is_on()), ("l1+0", true));
}

/// Neither `more` nor a change of the chain serves an owner again in the same
/// closing: those are further passes, not further closings.
#[test]
fn further_passes_of_a_closing_are_charged_to_the_same_quota() {
    let bench = Bench::new();
    let quota = quota();
    let work_loop = Arc::downgrade(&bench.work_loop);
    let (log, charged) = (bench.log.clone(), quota.clone());
    let hostile = Probe::new(move |_, pass| {
        log.push("h");
        charged.charge(LIMIT);
        let work_loop = work_loop.upgrade().unwrap();
        let other = Probe::new(|_, _| false);
        work_loop
            .add_event_source(pass.context(), other.clone())
            .unwrap();
        work_loop
            .remove_event_source(pass.context(), &dynamic(&other))
            .unwrap();
        true
    });
    hostile.attachment().set_quota(quota).unwrap();
    bench.add(&hostile);
    bench.probe("n");
    for _ in 0..3 {
        bench.run();
        assert_eq!(bench.log.take(), "h n");
    }
}

/// A run within an action is no new closing.
#[test]
fn a_nested_run_is_charged_to_the_same_quota() {
    let bench = Bench::new();
    let quota = quota();
    let spent = quota.clone();
    let work_loop = Arc::downgrade(&bench.work_loop);
    let log = bench.log.clone();
    let nesting = interrupt(None, move |cx, _, _| {
        log.push("n");
        spent.charge(LIMIT);
        assert!(work_loop.upgrade().unwrap().run_event_sources(cx));
    });
    nesting.attachment().set_quota(quota.clone()).unwrap();
    bench.add(&nesting);
    let held = costly(&quota, &bench.log, "s", None);
    bench.add(&held);
    bench.settle();
    nesting.signal(ms(1)).unwrap();
    held.signal(ms(1)).unwrap();
    bench.run();
    assert_eq!(bench.log.take(), "n", "held back in the nested run, too");
    bench.run();
    assert_eq!(bench.log.take(), "s1+0");
}

#[test]
fn a_limit_of_zero_still_serves_one_in_a_closing() {
    let bench = Bench::new();
    let quota = Arc::new(Quota::new(Duration::ZERO));
    let _timers: Vec<_> = (0..3)
        .map(|_| due_timer(&bench, &quota, Duration::MAX))
        .collect();
    for _ in 0..3 {
        bench.run();
        assert_eq!(bench.log.take(), "t");
    }
}

#[test]
fn a_quota_is_given_once_and_before_the_addition() {
    let bench = Bench::new();
    let attachment = Attachment::new();
    assert_eq!(attachment.set_quota(quota()), Ok(()));
    assert_eq!(attachment.set_quota(quota()), Err(Error::NotPermitted));
    let added = bench.probe("p");
    let late = added.attachment().set_quota(quota());
    assert_eq!(late, Err(Error::NotPermitted));
    bench.remove(&added).unwrap();
    assert_eq!(added.attachment().set_quota(quota()), Ok(()));
}

/// With the loop's own thread: it goes on by itself, and lets clients in.
#[test]
fn the_loops_thread_serves_all_in_the_end() {
    let work_loop = WorkLoop::new(Arc::new(SystemClock));
    let cx = Context::current();
    let quota = quota();
    let served = Arc::new(AtomicU32::new(0));
    let sources: Vec<_> = (0..20)
        .map(|_| {
            let (served, charged) = (served.clone(), quota.clone());
            let source = interrupt(None, move |_, _, i| {
                served.fetch_add(i.count, Ordering::SeqCst);
                charged.charge(LIMIT);
            });
            source.attachment().set_quota(quota.clone()).unwrap();
            work_loop.add_event_source(&cx, source.clone()).unwrap();
            source
        })
        .collect();
    work_loop.spawn_thread("loop").unwrap();
    for source in sources.iter().cycle().take(200) {
        source.signal(ms(1)).unwrap();
    }
    wait_for("every signal", || served.load(Ordering::SeqCst) == 200);
    wait_for("the loop to rest", || !work_loop.has_work());
    work_loop.terminate(&cx);
    work_loop.join(&cx).unwrap();
}
