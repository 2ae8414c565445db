//! Group X of the catalogue, as far as it concerns the core.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::Poll;
use std::time::Duration;

use loopgate_workloop::{
    Clock as _, CommandGate, Context, Error, EventSource, SystemClock, Trigger, Waits, Wakeups,
    WorkLoop,
};

use crate::support::{Bench, Line, Log, Probe, dynamic, interrupt, ms, wait_for};

/// X2: a later source, removed by an earlier action, dropped for good.
#[test]
fn race_x02_a_later_source_removed_and_dropped() {
    let bench = Bench::new();
    let victim: Arc<Mutex<Option<Arc<Probe>>>> = Arc::default();
    let (slot, work_loop) = (victim.clone(), Arc::downgrade(&bench.work_loop));
    let a = Probe::new(move |_, pass| {
        if let Some(victim) = slot.lock().unwrap().take() {
            let work_loop = work_loop.upgrade().unwrap();
            let removed = work_loop.remove_event_source(pass.context(), &dynamic(&victim));
            removed.unwrap();
        }
        false
    });
    bench.add(&a);
    let later = bench.probe("later");
    let weak = Arc::downgrade(&later);
    *victim.lock().unwrap() = Some(later);
    bench.run();
    assert_eq!(bench.log.take(), "");
    assert!(weak.upgrade().is_none());
}

/// X3: a removal with several stalled callers waits for every one.
#[test]
fn race_x03_removal_with_stalled_threads() {
    let rounds = if cfg!(miri) { 2 } else { 200 };
    for _ in 0..rounds {
        let work_loop = WorkLoop::new(Arc::new(SystemClock));
        let gate = CommandGate::new(1, None);
        let cx = Context::current();
        work_loop.add_event_source(&cx, gate.clone()).unwrap();
        gate.disable(&cx);
        let out = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let result = gate.run_action(&Context::current(), || ());
                    out.fetch_add(1, Ordering::SeqCst);
                    assert_eq!(result, Err(Error::Aborted));
                });
            }
            wait_for("all to stall", || gate.stalled_callers() == 8);
            work_loop.remove_event_source(&cx, &dynamic(&gate)).unwrap();
            assert_eq!(gate.stalled_callers(), 0);
        });
        assert_eq!(out.load(Ordering::SeqCst), 8);
    }
}

/// X4: one of two stalled callers gives up; the other is still known.
#[test]
fn race_x04_one_aborted_the_other_still_ends() {
    let bench = Bench::new();
    let gate = CommandGate::new(1, None);
    bench.add(&gate);
    gate.disable(&bench.cx);
    let [a, b] = ["a", "b"].map(Context::detached);
    assert!(gate.poll_enter(&a).is_pending());
    assert!(gate.poll_enter(&b).is_pending());
    assert!(gate.abort(&a));
    assert_eq!(gate.poll_enter(&a), Poll::Ready(Err(Error::Aborted)));
    let source = dynamic(&gate);
    let remove = || bench.work_loop.poll_remove_event_source(&bench.cx, &source);
    assert!(remove().is_pending());
    assert_eq!(gate.poll_enter(&b), Poll::Ready(Err(Error::Aborted)));
    assert_eq!(remove(), Poll::Ready(Ok(())));
}

/// X5: nobody falls asleep in a gate that is removed and disabled.
#[test]
fn race_x05_no_stall_in_a_removed_gate() {
    let bench = Bench::new();
    let gate = CommandGate::new(1, None);
    bench.add(&gate);
    let [inside, late] = ["inside", "late"].map(Context::detached);
    assert!(gate.poll_enter(&inside).is_ready());
    gate.disable(&inside);
    assert!(gate.poll_enter(&late).is_pending(), "waits for the gate");
    assert!(
        bench
            .work_loop
            .poll_remove_event_source(&inside, &dynamic(&gate))
            .is_ready()
    );
    gate.leave(&inside).unwrap();
    assert_eq!(gate.poll_enter(&late), Poll::Ready(Err(Error::Aborted)));
    assert!(gate.attachment().work_loop().is_none());
    assert_eq!(bench.work_loop.gate().waiting(), 0);
}

/// X6: a loop ends under a sleeping client thread.
#[test]
fn race_x06_the_end_of_the_loop_wakes_its_sleepers() {
    let work_loop = WorkLoop::new(Arc::new(SystemClock));
    let gate = CommandGate::new(1, None);
    let cx = Context::current();
    work_loop.add_event_source(&cx, gate.clone()).unwrap();
    work_loop.spawn_thread("loop").unwrap();
    let asleep = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let sleeper = scope.spawn(|| {
            let cx = Context::current();
            gate.run_action(&cx, || {
                asleep.store(true, Ordering::SeqCst);
                gate.sleep(&cx, 1, None)
            })
        });
        wait_for("the sleeper", || asleep.load(Ordering::SeqCst));
        // In the gate only once it sleeps.
        work_loop.run_action(&cx, || ());
        drop(work_loop);
        let woken = sleeper.join().unwrap();
        assert_eq!(woken, Ok(Ok(loopgate_workloop::Wake::Interrupted)));
    });
    assert!(gate.attachment().work_loop().is_none());
}

/// X7: the gate's last owner lets go of it inside an action.
#[test]
fn race_x07_a_gate_removed_and_dropped_in_its_own_action() {
    let bench = Bench::new();
    let gate = CommandGate::new(1, None);
    bench.add(&gate);
    gate.run_action(&bench.cx, || bench.remove(&gate).unwrap())
        .unwrap();
    assert_eq!(Arc::strong_count(&gate), 1);
    assert_eq!(bench.work_loop.gate().depth(), 0);
}

/// X15: the handler's last word counts.
#[test]
fn race_x15_enable_then_disable_in_the_handler() {
    let bench = Bench::new();
    let line = Line::new(Trigger::Level);
    let source = interrupt(Some(&line), |cx, source, _| {
        source.enable(cx);
        source.disable(cx);
    });
    bench.add(&source);
    source.enable(&bench.cx);
    line.raise(ms(1)).unwrap();
    bench.settle();
    assert!(!line.is_on());
}

/// A removal and addition while the action sleeps: rule 26 wins over 71.
#[test]
fn a_line_registered_anew_stays_off_after_the_action() {
    let bench = Bench::new();
    let line = Line::new(Trigger::Level);
    let me: Arc<Mutex<Option<Arc<dyn EventSource>>>> = Arc::default();
    let (slot, work_loop) = (me.clone(), Arc::downgrade(&bench.work_loop));
    let source = interrupt(Some(&line), move |cx, _, _| {
        let (me, work_loop) = (
            slot.lock().unwrap().take().unwrap(),
            work_loop.upgrade().unwrap(),
        );
        work_loop.remove_event_source(cx, &me).unwrap();
        work_loop.add_event_source(cx, me).unwrap();
    });
    *me.lock().unwrap() = Some(dynamic(&source));
    bench.add(&source);
    source.enable(&bench.cx);
    line.raise(ms(1)).unwrap();
    bench.settle();
    assert!(line.is_registered() && !line.is_on());
}

/// X16: a source that always has more.
#[test]
fn race_x16_passes_per_closing_are_bounded() {
    let bench = Bench::new();
    let polls = Arc::new(AtomicU32::new(0));
    let count = polls.clone();
    let greedy = Probe::new(move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
        true
    });
    bench.add(&greedy);
    assert!(bench.run());
    assert_eq!(polls.load(Ordering::Relaxed), 64);
    assert_eq!(bench.work_loop.gate().depth(), 0);
    assert!(bench.work_loop.has_work(), "it goes on soon");
}

/// Changes the chain, and leaves it as it was.
fn change_chain(work_loop: &Weak<WorkLoop>, cx: &Context) {
    let work_loop = work_loop.upgrade().unwrap();
    let passing = Probe::new(|_, _| false);
    work_loop.add_event_source(cx, passing.clone()).unwrap();
    work_loop
        .remove_event_source(cx, &dynamic(&passing))
        .unwrap();
}

/// X17: a source that changes the chain in every pass.
#[test]
fn race_x17_restarts_are_bounded() {
    let bench = Bench::new();
    let work_loop = Arc::downgrade(&bench.work_loop);
    let log = bench.log.clone();
    let restless = Probe::new(move |_, pass| {
        log.push("r");
        change_chain(&work_loop, pass.context());
        false
    });
    bench.probe("ahead");
    bench.add(&restless);
    bench.probe("behind");
    for _ in 0..3 {
        assert!(bench.run());
        let walk = "ahead r ".repeat(9) + "behind";
        assert_eq!(bench.log.take(), walk, "8 restarts, then to the end");
        assert_eq!(bench.work_loop.gate().depth(), 0);
    }
}

/// X17 as a driver can do it: a timer at 0 that creates and drops another.
#[test]
fn race_x17_a_restless_timer_starves_nobody() {
    let bench = Bench::new();
    let work_loop = Arc::downgrade(&bench.work_loop);
    let restless = bench.timer_with(move |cx, timer, _, _| {
        timer.set_timeout(Duration::ZERO).unwrap();
        change_chain(&work_loop, cx);
    });
    bench.add(&restless);
    let neighbour = bench.software("n");
    bench.add(&neighbour);
    restless.wake_at(ms(1)).unwrap();
    for _ in 0..3 {
        neighbour.signal(ms(1)).unwrap();
        bench.run();
        assert_eq!(bench.log.take(), "n1");
        assert!(bench.work_loop.has_work(), "the timer goes on");
    }
}

/// X17: a walk that goes on passes by what a change took off the chain.
#[test]
fn race_x17_a_removal_after_the_restarts_holds() {
    let bench = Bench::new();
    let polls = AtomicU32::new(0);
    let work_loop = Arc::downgrade(&bench.work_loop);
    let victim = Probe::new(|_, _| panic!("polled after its removal"));
    let slot = dynamic(&victim);
    let restless = Probe::new(move |_, pass| {
        if polls.fetch_add(1, Ordering::Relaxed) < 8 {
            change_chain(&work_loop, pass.context());
        } else {
            let work_loop = work_loop.upgrade().unwrap();
            let removed = work_loop.remove_event_source(pass.context(), &slot);
            removed.unwrap();
        }
        false
    });
    bench.add(&restless);
    bench.add(&victim);
    bench.probe("behind");
    bench.run();
    assert_eq!(bench.log.take(), "behind");
    assert!(!victim.attachment().is_attached());
}

/// X17: sources that add sources. Each is served, but not all in one closing.
#[test]
fn race_x17_additions_after_the_restarts_wait_for_the_next_closing() {
    fn breed(log: &Log, work_loop: &Weak<WorkLoop>, left: u32) -> Arc<Probe> {
        let (log, work_loop) = (log.clone(), work_loop.clone());
        let born = AtomicBool::new(false);
        Probe::new(move |_, pass| {
            if left > 0 && !born.swap(true, Ordering::Relaxed) {
                log.push(left.to_string());
                let next = breed(&log, &work_loop, left - 1);
                let work_loop = work_loop.upgrade().unwrap();
                work_loop.add_event_source(pass.context(), next).unwrap();
            }
            false
        })
    }
    let bench = Bench::new();
    bench.add(&breed(&bench.log, &Arc::downgrade(&bench.work_loop), 20));
    bench.run();
    assert_eq!(bench.log.take(), "20 19 18 17 16 15 14 13 12");
    assert!(bench.work_loop.has_work(), "the addition has signalled");
    bench.run();
    assert_eq!(bench.log.take(), "11 10 9 8 7 6 5 4 3");
    bench.settle();
    assert_eq!(bench.log.take(), "2 1");
}

/// X20, with threads: as many wake-ups as sleepers, deadlines in between.
#[test]
fn race_x20_wakeups_and_deadlines_at_once() {
    let rounds = if cfg!(miri) { 3 } else { 500 };
    let work_loop = WorkLoop::new(Arc::new(SystemClock));
    let gate = CommandGate::new(1, None);
    work_loop
        .add_event_source(&Context::current(), gate.clone())
        .unwrap();
    let tokens = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let cx = Context::current();
                for n in 0..rounds {
                    gate.run_action(&cx, || {
                        while tokens.load(Ordering::SeqCst) == 0 {
                            let soon = work_loop.clock().now().as_nanos() + n % 9 * 1_000;
                            let soon = loopgate_workloop::Instant::from_nanos(soon);
                            gate.sleep(&cx, 1, Some(soon)).unwrap();
                            assert_eq!(work_loop.gate().depth(), 1);
                        }
                        tokens.fetch_sub(1, Ordering::SeqCst);
                    })
                    .unwrap();
                }
            });
        }
        let cx = Context::current();
        for _ in 0..2 * rounds {
            gate.run_action(&cx, || {
                tokens.fetch_add(1, Ordering::SeqCst);
                gate.wakeup(1, Wakeups::One);
            })
            .unwrap();
        }
    });
    assert_eq!(tokens.load(Ordering::SeqCst), 0);
}

/// Loops whose gates can be waited for by each other's holders.
fn neighbours<const N: usize>() -> [Arc<WorkLoop>; N] {
    let waits = Waits::new();
    std::array::from_fn(|_| WorkLoop::with_waits(Arc::new(SystemClock), waits.clone()))
}

/// X18: everyone holds one gate and wants the next one's.
#[test]
fn race_x18_a_circle_of_waits_is_refused() {
    let rounds = if cfg!(miri) { 2 } else { 200 };
    for _ in 0..rounds {
        let loops = neighbours::<3>();
        let deadline = SystemClock.now().saturating_add(Duration::from_hours(1));
        let all_hold = std::sync::Barrier::new(3);
        let refused = AtomicU32::new(0);
        std::thread::scope(|scope| {
            for place in 0..3 {
                let (loops, all_hold, refused) = (&loops, &all_hold, &refused);
                scope.spawn(move || {
                    let cx = Context::current();
                    let next = &loops[(place + 1) % 3];
                    loops[place].close_gate(&cx);
                    all_hold.wait();
                    match next.close_gate_until(&cx, deadline) {
                        Ok(()) => next.open_gate(&cx).unwrap(),
                        Err(error) => {
                            assert_eq!(error, Error::WouldDeadlock);
                            refused.fetch_add(1, Ordering::SeqCst);
                        }
                    }
                    loops[place].open_gate(&cx).unwrap();
                });
            }
        });
        assert_eq!(refused.load(Ordering::SeqCst), 1);
        assert!(loops.iter().all(|other| other.gate().depth() == 0));
    }
}

/// X18: a chain that ends at one who runs is no circle, nor is a wait for a
/// gate whose holder waits for something else.
#[test]
fn race_x18_a_chain_of_waits_is_let() {
    let loops = neighbours::<3>();
    let [first, second, third] = &loops;
    let deadline = SystemClock.now().saturating_add(Duration::from_hours(1));
    let cx = Context::detached("runs");
    third.close_gate(&cx);
    let wants = |near: &Arc<WorkLoop>, far: &Arc<WorkLoop>| {
        let cx = Context::current();
        near.close_gate(&cx);
        far.close_gate_until(&cx, deadline).unwrap();
        far.open_gate(&cx).unwrap();
        near.open_gate(&cx).unwrap();
    };
    std::thread::scope(|scope| {
        scope.spawn(|| wants(second, third));
        wait_for("one to wait", || third.gate().waiting() == 1);
        scope.spawn(|| wants(first, second));
        wait_for("two to wait", || second.gate().waiting() == 1);
        third.open_gate(&cx).unwrap();
    });
}
