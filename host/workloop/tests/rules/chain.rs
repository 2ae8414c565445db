//! Group B of the catalogue: adding and removing sources.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};

use loopgate_workloop::{
    Attachment, CommandGate, Context, Error, EventSource, InterruptEventSource, SystemClock,
    Trigger, WorkLoop,
};

use crate::support::{Bench, Line, Probe, dynamic, interrupt, ms, wait_for};

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
fn rule_005_a_requeued_source_comes_last_and_misses_nothing() {
    let bench = Bench::new();
    let line = Line::new(Trigger::Edge);
    let log = bench.log.clone();
    let first = interrupt(Some(&line), move |_, _, i| {
        log.push(format!("first {}", i.count));
    });
    bench.add(&first);
    first.enable(&bench.cx);
    let second = bench.software("second");
    line.raise(ms(1)).unwrap();
    second.signal(ms(1)).unwrap();
    let requeue = || {
        bench
            .work_loop
            .requeue_event_source(&bench.cx, &dynamic(&first))
    };
    assert_eq!(requeue(), Ok(()));
    line.raise(ms(2)).unwrap();
    bench.settle();
    assert_eq!(bench.log.take(), "second1 first 2");
    assert_eq!(bench.remove(&first), Ok(()));
    assert_eq!(requeue(), Err(Error::BadArgument));
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
    struct Fickle(Attachment, AtomicU32);
    impl EventSource for Fickle {
        fn attachment(&self) -> &Attachment {
            &self.0
        }
        fn performs_work(&self) -> bool {
            self.1.fetch_add(1, Ordering::Relaxed) > 0
        }
    }
    let bench = Bench::new();
    let fickle = Arc::new(Fickle(Attachment::new(), AtomicU32::new(0)));
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
    let timer = bench.timer();
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
