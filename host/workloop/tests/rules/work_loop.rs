//! Groups A and B of the catalogue: the loop and its chain.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use loopgate_workloop::{
    CommandGate, Context, Error, EventSource, InterruptEventSource, SystemClock, TimerEventSource,
    Trigger, WorkLoop,
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
fn rule_016_adding_waits_for_the_gate() {
    let bench = Bench::new();
    let owner = Context::detached("owner");
    bench.work_loop.close_gate(&owner);
    let probe = Probe::new(|_, _| false);
    std::thread::scope(|scope| {
        scope.spawn(|| bench.add(&probe));
        wait_for("the adder to queue", || {
            bench.work_loop.gate().waiting() == 1
        });
        assert_eq!(probe.attachments.load(Ordering::Relaxed), 0);
        bench.work_loop.open_gate(&owner).unwrap();
    });
    assert_eq!(probe.attachments.load(Ordering::Relaxed), 1);
}

#[test]
fn rule_017_a_source_may_remove_itself_in_its_action() {
    let bench = Bench::new();
    let me = Arc::new(OnceLock::<Weak<InterruptEventSource>>::new());
    let source = {
        let (log, me) = (bench.log.clone(), me.clone());
        interrupt(None, move |cx, source, _| {
            log.push("ran");
            let work_loop = source.attachment().work_loop().unwrap();
            let me = me.get().and_then(Weak::upgrade).unwrap();
            work_loop.remove_event_source(cx, &dynamic(&me)).unwrap();
            assert_eq!(source.signal(ms(2)), Err(Error::NotReady));
        })
    };
    me.set(Arc::downgrade(&source)).unwrap();
    bench.add(&source);
    source.signal(ms(1)).unwrap();
    bench.settle();
    assert_eq!(bench.log.take(), "ran");
}

#[test]
fn rule_018_a_disabled_loop_still_takes_sources() {
    let bench = Bench::new();
    bench.work_loop.disable_all_event_sources(&bench.cx);
    let probe = bench.probe("p");
    assert_eq!(bench.remove(&probe), Ok(()));
}

#[test]
fn rule_019_adding_an_attached_source_does_nothing() {
    let (one, two) = (Bench::new(), Bench::new());
    let probe = one.probe("p");
    let references = Arc::strong_count(&probe);
    one.add(&probe);
    two.add(&probe);
    assert_eq!(Arc::strong_count(&probe), references);
    one.run();
    two.run();
    assert_eq!(one.log.take(), "p");
    let on = probe.attachment().work_loop().unwrap();
    assert!(Arc::ptr_eq(&on, &one.work_loop));
}

#[test]
fn rule_020_attached_once_before_the_first_poll() {
    let bench = Bench::new();
    let log = bench.log.clone();
    let probe = Probe::new(move |probe, _| {
        log.push(probe.attachments.load(Ordering::Relaxed).to_string());
        false
    });
    bench.add(&probe);
    bench.run();
    assert_eq!(bench.log.take(), "1");

    let line = Line::broken(Error::Unsupported);
    let source = interrupt(Some(&line), |_, _, _| ());
    let added = bench.work_loop.add_event_source(&bench.cx, source.clone());
    assert_eq!(added, Err(Error::Unsupported));
    assert!(!source.attachment().is_attached());
}

/// Deviates: adding signals the loop, so that nothing pending lies around.
#[test]
fn rule_021_adding_a_source_with_work_signals() {
    let bench = Bench::new();
    let source = bench.software("s");
    source.signal(ms(1)).unwrap();
    bench.remove(&source).unwrap();
    bench.settle();
    assert_eq!(bench.log.take(), "");
    bench.add(&source);
    bench.settle();
    assert_eq!(bench.log.take(), "s1");
}

#[test]
fn rule_022_removing_an_unattached_source_succeeds() {
    let bench = Bench::new();
    let probe = bench.probe("p");
    assert_eq!(bench.remove(&probe), Ok(()));
    assert_eq!(bench.remove(&probe), Ok(()));
    assert_eq!(Arc::strong_count(&probe), 1);
}

#[test]
fn rule_023_removing_from_the_wrong_loop_is_refused() {
    let (one, two) = (Bench::new(), Bench::new());
    let probe = one.probe("p");
    assert_eq!(two.remove(&probe), Err(Error::BadArgument));
    assert_eq!(two.work_loop.gate().depth(), 0);
    one.run();
    assert_eq!(one.log.take(), "p");
}

#[test]
fn rule_024_nothing_is_delivered_after_a_removal() {
    let work_loop = WorkLoop::new(Arc::new(SystemClock));
    let line = Line::new(Trigger::Edge);
    let seen = Arc::new(AtomicU32::new(0));
    let source = {
        let seen = seen.clone();
        interrupt(Some(&line), move |_, _, i| {
            seen.fetch_add(i.count + i.lost, Ordering::SeqCst);
        })
    };
    let cx = Context::current();
    work_loop.add_event_source(&cx, source.clone()).unwrap();
    source.enable(&cx);
    work_loop.spawn_thread("loop").unwrap();
    let stop = AtomicU32::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while stop.load(Ordering::SeqCst) == 0 {
                line.raise(ms(1));
                std::thread::yield_now();
            }
        });
        wait_for("some interrupts", || seen.load(Ordering::SeqCst) > 10);
        work_loop
            .remove_event_source(&cx, &dynamic(&source))
            .unwrap();
        let at_removal = seen.load(Ordering::SeqCst);
        work_loop.run_event_sources(&cx);
        stop.store(1, Ordering::SeqCst);
        assert_eq!(seen.load(Ordering::SeqCst), at_removal);
    });
}

#[test]
fn rule_025_removal_leaves_gates_and_timers_disabled() {
    let bench = Bench::new();
    let (gate, timer) = (CommandGate::new(1, None), bench.timer());
    bench.add(&gate);
    bench.add(&timer);
    bench.remove(&gate).unwrap();
    bench.remove(&timer).unwrap();
    bench.add(&gate);
    bench.add(&timer);
    assert!(!gate.is_enabled() && !timer.is_enabled());
    assert!(gate.poll_enter(&bench.cx).is_pending(), "stalls");
    gate.abandon(&bench.cx);
    gate.enable(&bench.cx);
    assert_eq!(gate.run_action(&bench.cx, || 5), Ok(5));
}

#[test]
fn rule_026_interrupt_sources_keep_their_flag() {
    let bench = Bench::new();
    let line = Line::new(Trigger::Edge);
    let log = bench.log.clone();
    let source = interrupt(Some(&line), move |_, _, i| log.push(i.count.to_string()));
    bench.add(&source);
    source.enable(&bench.cx);
    bench.remove(&source).unwrap();
    source.disable(&bench.cx);
    assert!(
        source.is_enabled(),
        "nothing happens while it is unregistered"
    );
    bench.add(&source);
    assert!(source.is_enabled());
    assert_eq!(line.raise(ms(1)), None, "the line is off");
    source.enable(&bench.cx);
    line.raise(ms(2)).unwrap();
    bench.settle();
    assert_eq!(bench.log.take(), "1");
}

#[test]
fn rule_027_removal_while_enabled() {
    let bench = Bench::new();
    let line = Line::new(Trigger::Edge);
    let source = interrupt(Some(&line), |_, _, _| panic!("delivered"));
    bench.add(&source);
    source.enable(&bench.cx);
    line.raise(ms(1)).unwrap();
    bench.remove(&source).unwrap();
    assert!(!line.is_registered());
    bench.settle();
}

#[test]
fn rule_028_command_gates_are_not_polled() {
    let bench = Bench::new();
    for _ in 0..100 {
        bench.add(&CommandGate::new(1, None));
    }
    bench.probe("p");
    bench.run();
    assert_eq!(bench.log.take(), "p");
}

/// A source that changes its mind about being polled.
#[test]
fn rule_029_classification_is_that_of_the_addition() {
    struct Fickle(loopgate_workloop::Attachment, AtomicU32);
    impl EventSource for Fickle {
        fn attachment(&self) -> &loopgate_workloop::Attachment {
            &self.0
        }
        fn performs_work(&self) -> bool {
            self.1.fetch_add(1, Ordering::Relaxed) > 0
        }
    }
    let bench = Bench::new();
    let fickle = Arc::new(Fickle(
        loopgate_workloop::Attachment::new(),
        AtomicU32::new(0),
    ));
    bench.add(&fickle);
    assert_eq!(bench.remove(&fickle), Ok(()));
    assert!(!fickle.attachment().is_attached());
}

#[test]
fn rule_030_adding_a_gate_restarts_the_walk_too() {
    let bench = Bench::new();
    let gate = Arc::new(Mutex::new(Some(CommandGate::new(1, None))));
    let log = bench.log.clone();
    let work_loop = Arc::downgrade(&bench.work_loop);
    let a = Probe::new(move |_, pass| {
        log.push("a");
        if let Some(gate) = gate.lock().unwrap().take() {
            let work_loop = work_loop.upgrade().unwrap();
            work_loop.add_event_source(pass.context(), gate).unwrap();
        }
        false
    });
    bench.add(&a);
    bench.probe("b");
    bench.run();
    assert_eq!(bench.log.take(), "a a b");
}

#[test]
fn rule_031_order_survives_removal() {
    let bench = Bench::new();
    let [a, _, _] = ["a", "b", "c"].map(|name| bench.probe(name));
    bench.remove(&a).unwrap();
    bench.add(&a);
    bench.run();
    assert_eq!(bench.log.take(), "b c a");
}

#[test]
fn rule_032_a_source_moves_by_removal_and_addition() {
    let (one, two) = (Bench::new(), Bench::new());
    let probe = one.probe("p");
    one.remove(&probe).unwrap();
    two.add(&probe);
    one.run();
    assert_eq!(one.log.take(), "");
    two.run();
    assert_eq!(one.log.take(), "p");
}

#[test]
fn rule_033_disabling_the_interrupts_alone() {
    let bench = Bench::new();
    let line = Line::new(Trigger::Edge);
    let source = interrupt(Some(&line), |_, _, _| ());
    let timer: Arc<TimerEventSource> = bench.timer();
    let gate = CommandGate::new(1, None);
    bench.add(&source);
    bench.add(&timer);
    bench.add(&gate);
    bench.work_loop.disable_all_interrupts(&bench.cx);
    assert!(!source.is_enabled() && timer.is_enabled() && gate.is_enabled());
    bench.work_loop.disable_all_event_sources(&bench.cx);
    assert!(!timer.is_enabled() && !gate.is_enabled());
    bench.work_loop.enable_all_interrupts(&bench.cx);
    assert!(source.is_enabled() && line.is_on() && !timer.is_enabled());
    bench.work_loop.enable_all_event_sources(&bench.cx);
    assert!(timer.is_enabled() && gate.is_enabled());
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
