//! Group A of the catalogue: the loop, its runs and its end.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use loopgate_workloop::{
    CommandGate, Context, Error, EventSource, SystemClock, TimerEventSource, Trigger, WorkLoop,
};

use crate::support::{Bench, Line, Probe, dynamic, interrupt, ms, wait_for};

#[test]
fn rule_001_the_thread_polls_once_before_any_signal() {
    let bench = Bench::new();
    bench.probe("p");
    bench.run();
    bench.log.take();
    assert!(!bench.work_loop.has_work());
    bench.work_loop.spawn_thread("loop").unwrap();
    let polled = Mutex::new(String::new());
    wait_for("the first pass", || {
        polled.lock().unwrap().push_str(&bench.log.take());
        !polled.lock().unwrap().is_empty()
    });
    assert_eq!(*polled.lock().unwrap(), "p");
    assert!(bench.work_loop.spawn_thread("another").is_err());
}

#[test]
fn rule_002_one_run_holds_the_gate_throughout() {
    let bench = Bench::new();
    let client = Context::detached("client");
    let work_loop = Arc::downgrade(&bench.work_loop);
    let log = bench.log.clone();
    let intruder = client.clone();
    let a = interrupt(None, move |_, _, _| {
        let entered = work_loop.upgrade().unwrap().gate().poll_close(&intruder);
        log.push(format!("a{}", entered.is_ready()));
    });
    bench.add(&a);
    let b = bench.software("b");
    b.signal(ms(1)).unwrap();
    a.signal(ms(1)).unwrap();
    bench.run();
    assert_eq!(bench.log.take(), "afalse b1");
    assert!(bench.work_loop.gate().poll_close(&client).is_ready());
}

#[test]
fn rule_003_a_signal_during_the_pass_survives() {
    let bench = Bench::new();
    let a = bench.software("a");
    let b = interrupt(None, move |_, _, _| a.signal(ms(1)).unwrap());
    bench.add(&b);
    b.signal(ms(1)).unwrap();
    bench.run();
    assert_eq!(bench.log.take(), "");
    assert!(bench.work_loop.has_work());
    bench.run();
    assert_eq!(bench.log.take(), "a1");
}

#[test]
fn rule_004_more_polls_the_whole_chain_again() {
    let bench = Bench::new();
    let left = AtomicU32::new(3);
    let q = Probe::new(move |_, _| {
        left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1))
            .is_ok()
    });
    bench.add(&q);
    bench.probe("r");
    bench.run();
    assert_eq!(bench.log.take(), "r r r r");
}

#[test]
fn rule_005_order_is_that_of_addition() {
    let bench = Bench::new();
    let [c, a, b] = ["c", "a", "b"].map(|name| bench.software(name));
    for source in [&b, &a, &c] {
        source.signal(ms(1)).unwrap();
    }
    bench.run();
    assert_eq!(bench.log.take(), "c1 a1 b1");
}

/// [a, b, c]: b's first poll removes c and adds d.
#[test]
fn rule_006_a_change_of_the_chain_restarts_the_walk() {
    let bench = Bench::new();
    bench.probe("a");
    let change: Arc<Mutex<Option<[Arc<Probe>; 2]>>> = Arc::default();
    let b = {
        let (log, change) = (bench.log.clone(), change.clone());
        let work_loop = Arc::downgrade(&bench.work_loop);
        Probe::new(move |_, pass| {
            log.push("b");
            if let Some([c, d]) = change.lock().unwrap().take() {
                let (work_loop, cx) = (work_loop.upgrade().unwrap(), pass.context());
                work_loop.remove_event_source(cx, &dynamic(&c)).unwrap();
                work_loop.add_event_source(cx, d).unwrap();
            }
            false
        })
    };
    bench.add(&b);
    let c = bench.probe("c");
    let log = bench.log.clone();
    let d = Probe::new(move |_, _| {
        log.push("d");
        false
    });
    *change.lock().unwrap() = Some([c, d]);
    bench.run();
    assert_eq!(bench.log.take(), "a b a b d");
}

#[test]
fn rule_007_no_signal_is_lost_between_poll_and_sleep() {
    let signals: u32 = if cfg!(miri) { 50 } else { 200_000 };
    let work_loop = WorkLoop::new(Arc::new(SystemClock));
    let seen = Arc::new(AtomicU32::new(0));
    let source = {
        let seen = seen.clone();
        interrupt(None, move |_, _, i| {
            seen.fetch_add(i.count, Ordering::Relaxed);
        })
    };
    let cx = Context::current();
    work_loop.add_event_source(&cx, source.clone()).unwrap();
    work_loop.spawn_thread("loop").unwrap();
    for n in 0..signals {
        source.signal(ms(1)).unwrap();
        if n % 64 == 0 {
            // Now and then let the loop fall asleep.
            wait_for("delivery", || seen.load(Ordering::Relaxed) == n + 1);
        }
    }
    wait_for("the last", || seen.load(Ordering::Relaxed) == signals);
}

/// The loop promises progress and bounded overtaking.
#[test]
fn rule_008_a_client_gets_in_beside_a_loop_that_signals_itself() {
    let work_loop = WorkLoop::new(Arc::new(SystemClock));
    let source = interrupt(None, |_, source, _| source.signal(ms(1)).unwrap());
    let cx = Context::current();
    work_loop.add_event_source(&cx, source.clone()).unwrap();
    work_loop.spawn_thread("loop").unwrap();
    source.signal(ms(1)).unwrap();
    let rounds = if cfg!(miri) { 3 } else { 100 };
    for _ in 0..rounds {
        work_loop.run_action(&cx, || ());
    }
}

#[test]
fn rule_009_signals_coalesce_and_need_no_gate() {
    let bench = Bench::new();
    bench.probe("p");
    bench.settle();
    bench.log.take();
    let owner = Context::detached("owner");
    bench.work_loop.close_gate(&owner);
    for _ in 0..100 {
        bench.work_loop.signal_work_available();
    }
    bench.work_loop.open_gate(&owner).unwrap();
    bench.settle();
    assert_eq!(bench.log.take(), "p");
}

#[test]
fn rule_010_any_context_may_run_the_sources() {
    let bench = Bench::new();
    let log = bench.log.clone();
    let work_loop = Arc::downgrade(&bench.work_loop);
    let source = interrupt(None, move |cx, _, _| {
        let work_loop = work_loop.upgrade().unwrap();
        log.push(format!(
            "{} {} {}",
            cx.name(),
            work_loop.in_gate(cx),
            work_loop.on_thread(cx)
        ));
    });
    bench.add(&source);
    source.signal(ms(1)).unwrap();
    assert!(bench.run());
    assert_eq!(bench.log.take(), "test true false");
    bench.work_loop.terminate(&bench.cx);
    assert!(!bench.run());
}

#[test]
fn rule_011_dropping_the_last_reference_ends_the_thread() {
    let work_loop = WorkLoop::new(Arc::new(SystemClock));
    let line = Line::new(Trigger::Edge);
    let source = interrupt(Some(&line), |_, _, _| ());
    work_loop
        .add_event_source(&Context::current(), source.clone())
        .unwrap();
    let weak = Arc::downgrade(&source);
    drop(source);
    work_loop.spawn_thread("loop").unwrap();
    drop(work_loop);
    wait_for("the sources' release", || weak.strong_count() == 0);
    assert_eq!(line.log.take(), "register unregister");
}

#[test]
fn rule_012_termination_wins_over_pending_work() {
    let bench = Bench::new();
    let work_loop = Arc::downgrade(&bench.work_loop);
    let a = interrupt(None, move |cx, _, _| {
        work_loop.upgrade().unwrap().terminate(cx);
    });
    bench.add(&a);
    let b = bench.software("b");
    a.signal(ms(1)).unwrap();
    b.signal(ms(1)).unwrap();
    assert!(!bench.run());
    assert_eq!(bench.log.take(), "");
    assert_eq!(b.signal(ms(2)), Err(Error::NotReady));
    let late = bench.work_loop.add_event_source(&bench.cx, b);
    assert_eq!(late, Err(Error::Aborted));
}

#[test]
fn rule_013_a_loop_may_end_on_its_own_thread() {
    let work_loop = WorkLoop::new(Arc::new(SystemClock));
    let slot = Arc::new(Mutex::new(Some(work_loop.clone())));
    let source = interrupt(None, move |cx, _, _| {
        let last = slot.lock().unwrap().take().unwrap();
        assert_eq!(last.join(cx), Err(Error::NotPermitted));
        last.terminate(cx);
        drop(last);
    });
    let cx = Context::current();
    work_loop.add_event_source(&cx, source.clone()).unwrap();
    work_loop.spawn_thread("loop").unwrap();
    source.signal(ms(1)).unwrap();
    work_loop.join(&cx).unwrap();
}

#[test]
fn rule_014_sources_survive_their_loop() {
    let bench = Bench::new();
    let gate = CommandGate::new(1, None);
    bench.add(&gate);
    let cx = bench.cx.clone();
    drop(bench);
    assert_eq!(gate.run_action(&cx, || ()), Err(Error::NotReady));
    assert!(gate.attachment().work_loop().is_none());
}

#[test]
fn a_panicking_action_leaves_the_gate_open() {
    let bench = Bench::new();
    let source = interrupt(None, |_, _, _| panic!("as intended"));
    bench.add(&source);
    source.signal(ms(1)).unwrap();
    let run = std::panic::AssertUnwindSafe(|| bench.run());
    assert!(std::panic::catch_unwind(run).is_err());
    assert_eq!(bench.work_loop.gate().depth(), 0);
    assert!(bench.run());
}

#[test]
fn a_panic_on_the_loops_thread_ends_the_loop() {
    let work_loop = WorkLoop::new(Arc::new(SystemClock));
    let source = interrupt(None, |_, _, _| panic!("as intended"));
    let cx = Context::current();
    work_loop.add_event_source(&cx, source.clone()).unwrap();
    source.signal(ms(1)).unwrap();
    work_loop.spawn_thread("loop").unwrap();
    assert_eq!(work_loop.join(&cx), Err(Error::Aborted));
    assert!(!work_loop.run_event_sources(&cx));
}

#[test]
fn sources_that_leave_together_leave_alone() {
    let bench = Bench::new();
    let timer = || TimerEventSource::new(bench.clock.clone(), None);
    let (going, staying): (Vec<_>, Vec<_>) = (0..6).map(|_| (timer(), timer())).unzip();
    let elsewhere = Bench::new();
    let other = timer();
    elsewhere.add(&other);
    for (going, staying) in going.iter().zip(&staying) {
        bench.add(going);
        bench.add(staying);
    }
    let mut leave: Vec<Arc<dyn EventSource>> = going.iter().map(|s| s.clone() as _).collect();
    leave.extend([other.clone() as Arc<dyn EventSource>, timer()]);
    bench.work_loop.withdraw_event_sources(&bench.cx, &leave);
    assert!(
        going
            .iter()
            .all(|source| !source.attachment().is_attached())
    );
    assert!(
        staying
            .iter()
            .all(|source| source.attachment().is_attached())
    );
    assert!(other.attachment().is_attached());
}
