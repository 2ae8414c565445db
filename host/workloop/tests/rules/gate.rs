//! Group C of the catalogue: the gate.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier};
use std::task::Poll;
use std::time::Duration;

use crate::support::{Bench, interrupt, ms, wait_for};
use loopgate_workloop::{
    Clock, Context, Error, Event, Gate, Instant, SystemClock, VirtualClock, Wake, Wakeups, WorkLoop,
};

const EVENT: Event = Event { scope: 1, key: 7 };

fn gate() -> (Arc<VirtualClock>, Gate, [Context; 3]) {
    let clock = Arc::new(VirtualClock::new());
    clock.advance_to(ms(100));
    let gate = Gate::new(clock.clone());
    (clock, gate, ["a", "b", "c"].map(Context::detached))
}

#[test]
fn rule_035_recursive_by_context() {
    let (_, gate, [a, b, _]) = gate();
    for depth in 1..=3 {
        gate.close(&a);
        assert_eq!(gate.depth(), depth);
    }
    for _ in 0..3 {
        assert!(gate.poll_close(&b).is_pending());
        gate.open(&a).unwrap();
    }
    assert!(gate.poll_close(&b).is_ready());
    assert!(gate.is_closed_by(&b) && !gate.is_closed_by(&a));
}

#[test]
fn rule_036_try_close() {
    let (_, gate, [a, b, _]) = gate();
    assert!(gate.try_close(&a), "free");
    assert!(gate.try_close(&a), "owner");
    assert_eq!(gate.depth(), 2);
    assert!(!gate.try_close(&b), "owned elsewhere");
    gate.open(&a).unwrap();
    gate.open(&a).unwrap();
    assert!(gate.try_close(&b));
}

#[test]
fn rule_037_in_gate_and_on_thread_are_independent() {
    let bench = Bench::new();
    let runner = Context::detached("runner");
    bench.work_loop.set_runner(&runner).unwrap();
    bench.work_loop.close_gate(&bench.cx);
    assert!(bench.work_loop.in_gate(&bench.cx) && !bench.work_loop.on_thread(&bench.cx));
    assert!(!bench.work_loop.in_gate(&runner) && bench.work_loop.on_thread(&runner));
}

#[test]
fn rule_038_open_by_a_non_owner_changes_nothing() {
    let (_, gate, [a, b, _]) = gate();
    assert_eq!(gate.open(&a), Err(Error::NotPermitted));
    gate.close(&a);
    assert_eq!(gate.open(&b), Err(Error::NotPermitted));
    assert_eq!(gate.depth(), 1);
    assert!(gate.is_closed_by(&a));
}

#[test]
fn rule_039_sleep_releases_and_takes_back_every_level() {
    let (_, gate, [a, b, _]) = gate();
    for _ in 0..3 {
        gate.close(&a);
    }
    assert!(gate.poll_sleep(&a, EVENT, None).is_pending());
    assert!(gate.try_close(&b), "every level was released");
    gate.wakeup(EVENT, Wakeups::All);
    assert!(gate.poll_sleep(&a, EVENT, None).is_pending(), "b has it");
    gate.open(&b).unwrap();
    assert_eq!(
        gate.poll_sleep(&a, EVENT, None),
        Poll::Ready(Ok(Wake::Awakened))
    );
    assert_eq!(gate.depth(), 3);
    assert!(gate.is_closed_by(&a));
}

#[test]
fn rule_040_a_sleep_breaks_the_atomicity_of_outer_frames() {
    let (_, gate, [a, b, _]) = gate();
    let x = AtomicU32::new(0);
    gate.close(&a);
    x.store(1, Ordering::Relaxed);
    gate.close(&a);
    assert!(gate.poll_sleep(&a, EVENT, None).is_pending());
    gate.close(&b);
    x.store(2, Ordering::Relaxed);
    gate.wakeup(EVENT, Wakeups::One);
    gate.open(&b).unwrap();
    assert!(gate.poll_sleep(&a, EVENT, None).is_ready());
    gate.open(&a).unwrap();
    assert_eq!(x.load(Ordering::Relaxed), 2);
}

#[test]
fn rule_041_a_waker_in_the_gate_is_never_missed() {
    let rounds = if cfg!(miri) { 20 } else { 20_000 };
    let gate = Gate::new(Arc::new(SystemClock));
    let turn = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for me in 0..2 {
            let (gate, turn) = (&gate, &turn);
            scope.spawn(move || {
                let cx = Context::current();
                gate.close(&cx);
                for _ in 0..rounds {
                    while turn.load(Ordering::Relaxed) % 2 != me {
                        gate.sleep(&cx, EVENT, None).unwrap();
                    }
                    turn.fetch_add(1, Ordering::Relaxed);
                    gate.wakeup(EVENT, Wakeups::One);
                }
                gate.open(&cx).unwrap();
            });
        }
    });
    assert_eq!(turn.load(Ordering::Relaxed), 2 * rounds);
}

#[test]
fn rule_042_wakeups_are_not_remembered() {
    let (clock, gate, [a, ..]) = gate();
    gate.close(&a);
    assert_eq!(gate.wakeup(EVENT, Wakeups::All), 0);
    assert!(gate.poll_sleep(&a, EVENT, Some(ms(150))).is_pending());
    clock.advance_to(ms(150));
    assert_eq!(
        gate.poll_sleep(&a, EVENT, Some(ms(150))),
        Poll::Ready(Ok(Wake::TimedOut))
    );
}

#[test]
fn rule_043_wakeup_needs_no_gate() {
    let (_, gate, [a, b, _]) = gate();
    gate.close(&a);
    assert!(gate.poll_sleep(&a, EVENT, None).is_pending());
    gate.close(&b);
    assert_eq!(
        gate.wakeup(EVENT, Wakeups::One),
        1,
        "by nobody in particular"
    );
    gate.open(&b).unwrap();
    assert!(gate.poll_sleep(&a, EVENT, None).is_ready());
}

#[test]
fn rule_044_one_wakes_the_first_and_all_the_rest() {
    let (_, gate, sleepers) = gate();
    for cx in &sleepers {
        gate.close(cx);
        assert!(gate.poll_sleep(cx, EVENT, None).is_pending());
    }
    assert_eq!(gate.wakeup(EVENT, Wakeups::One), 1);
    let woken = |cx: &Context| {
        let ready = gate.poll_sleep(cx, EVENT, None).is_ready();
        ready && gate.open(cx).is_ok()
    };
    assert_eq!(sleepers.each_ref().map(woken), [true, false, false]);
    assert_eq!(gate.wakeup(EVENT, Wakeups::All), 2);
    assert!(woken(&sleepers[1]) && woken(&sleepers[2]));
}

#[test]
fn rule_045_results_and_the_gate_held_in_each_case() {
    for (expected, end) in [
        (Wake::Awakened, 0),
        (Wake::TimedOut, 1),
        (Wake::Interrupted, 2),
    ] {
        let (clock, gate, [a, ..]) = gate();
        gate.close(&a);
        assert!(gate.poll_sleep(&a, EVENT, Some(ms(200))).is_pending());
        match end {
            0 => assert_eq!(gate.wakeup(EVENT, Wakeups::One), 1),
            1 => clock.advance_to(ms(200)),
            _ => assert!(gate.abort(&a)),
        }
        assert_eq!(
            gate.poll_sleep(&a, EVENT, Some(ms(200))),
            Poll::Ready(Ok(expected))
        );
        assert!(gate.is_closed_by(&a));
    }
}

#[test]
fn rule_046_a_past_deadline_still_releases_the_gate() {
    let (_, gate, [a, b, _]) = gate();
    gate.close(&a);
    assert!(gate.poll_close(&b).is_pending());
    assert!(gate.poll_sleep(&a, EVENT, Some(ms(1))).is_pending());
    assert!(gate.poll_close(&b).is_ready(), "b was waiting and got it");
    gate.open(&b).unwrap();
    assert_eq!(
        gate.poll_sleep(&a, EVENT, Some(ms(1))),
        Poll::Ready(Ok(Wake::TimedOut))
    );
}

#[test]
fn rule_047_no_deadline_is_for_ever_and_zero_is_refused() {
    let (clock, gate, [a, ..]) = gate();
    gate.close(&a);
    assert_eq!(
        gate.poll_sleep(&a, EVENT, Some(Instant::ZERO)),
        Poll::Ready(Err(Error::BadArgument))
    );
    assert!(gate.poll_sleep(&a, EVENT, None).is_pending());
    clock.advance(Duration::from_secs(1_000_000));
    assert!(gate.poll_sleep(&a, EVENT, None).is_pending());
    assert_eq!(gate.next_deadline(), None);
}

#[test]
fn rule_048_deadlines_are_absolute() {
    let (clock, gate, [a, ..]) = gate();
    let deadline = Some(clock.now().saturating_add(Duration::from_millis(5)));
    gate.close(&a);
    assert!(gate.poll_sleep(&a, EVENT, deadline).is_pending());
    assert_eq!(gate.next_deadline(), Some(ms(105)));
    clock.advance_to(ms(104));
    assert!(gate.poll_sleep(&a, EVENT, deadline).is_pending());
    clock.advance_to(ms(105));
    assert!(gate.poll_sleep(&a, EVENT, deadline).is_ready());
}

#[test]
fn rule_049_events_are_scoped() {
    let (_, gate, [a, ..]) = gate();
    gate.close(&a);
    let null = Event { scope: 1, key: 0 };
    assert_eq!(
        gate.poll_sleep(&a, null, None),
        Poll::Ready(Err(Error::BadArgument))
    );
    assert!(gate.poll_sleep(&a, EVENT, None).is_pending());
    assert_eq!(gate.wakeup(Event { scope: 2, key: 7 }, Wakeups::All), 0);
    assert_eq!(gate.wakeup(EVENT, Wakeups::All), 1);
}

#[test]
fn rule_050_a_sleep_on_the_loops_thread_stalls_its_polling() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let work_loop = WorkLoop::new(clock);
    let seen = Arc::new(AtomicU32::new(0));
    let source = {
        let (work_loop, seen) = (Arc::downgrade(&work_loop), seen.clone());
        interrupt(None, move |cx, _, _| {
            let work_loop = work_loop.upgrade().unwrap();
            seen.fetch_add(1, Ordering::SeqCst);
            work_loop.sleep_gate(cx, EVENT, None).unwrap();
            seen.fetch_add(1, Ordering::SeqCst);
        })
    };
    let cx = Context::current();
    work_loop.add_event_source(&cx, source.clone()).unwrap();
    work_loop.spawn_thread("loop").unwrap();
    source.signal(ms(1)).unwrap();
    wait_for("the action to begin", || seen.load(Ordering::SeqCst) == 1);
    source.signal(ms(2)).unwrap();
    // A client gets in, though the loop polls nothing.
    wait_for("the sleeper", || {
        work_loop.run_action(&cx, || work_loop.wakeup_gate(EVENT, Wakeups::All) == 1)
    });
    wait_for("the second call", || seen.load(Ordering::SeqCst) == 3);
    work_loop.terminate(&cx);
    work_loop.join(&cx).unwrap();
    assert_eq!(seen.load(Ordering::SeqCst), 4, "the end woke it");
}

#[test]
fn rule_051_run_action_passes_its_value_and_ignores_disabling() {
    let bench = Bench::new();
    bench.work_loop.disable_all_event_sources(&bench.cx);
    let value = bench.work_loop.run_action(&bench.cx, || {
        bench.work_loop.run_action(&bench.cx, || 0x1234)
    });
    assert_eq!(value, 0x1234);
    assert_eq!(bench.work_loop.gate().depth(), 0);
}

#[test]
fn close_until_gives_up_and_leaves_no_trace() {
    let (clock, gate, [a, b, c]) = gate();
    gate.close(&a);
    assert_eq!(gate.close_until(&b, clock.now()), Err(Error::TimedOut));
    assert!(gate.poll_close(&c).is_pending());
    gate.open(&a).unwrap();
    assert!(gate.poll_close(&c).is_ready(), "b is not in its way");
    gate.open(&c).unwrap();
    assert_eq!(gate.close_until(&b, Instant::ZERO), Ok(()), "free is free");
}

#[test]
fn close_until_ends_a_real_wait() {
    let gate = Gate::new(Arc::new(SystemClock));
    let holder = Context::detached("holder");
    gate.close(&holder);
    let cx = Context::current();
    let deadline = SystemClock.now().saturating_add(Duration::from_millis(2));
    assert_eq!(gate.close_until(&cx, deadline), Err(Error::TimedOut));
    assert!(SystemClock.now() >= deadline);
}

#[test]
fn a_head_is_overtaken_once_at_most() {
    let (_, gate, [a, b, c]) = gate();
    gate.close(&a);
    assert!(gate.poll_close(&b).is_pending());
    assert!(gate.poll_close(&c).is_pending());
    gate.open(&a).unwrap();
    assert!(b.take_wake(), "the head is woken");
    assert!(!c.take_wake(), "and nobody else");
    assert!(gate.try_close(&a), "a newcomer is faster");
    gate.open(&a).unwrap();
    assert!(!gate.try_close(&a), "but not twice");
    assert!(!gate.is_closed_by(&b), "b does not know yet");
    assert!(gate.poll_close(&b).is_ready());
    assert_eq!(gate.depth(), 1);
    gate.open(&b).unwrap();
    assert!(gate.poll_close(&c).is_ready());
}

#[test]
fn a_sleeper_is_handed_all_its_levels() {
    let (_, gate, [a, b, _]) = gate();
    gate.close(&b);
    gate.close(&b);
    assert!(gate.poll_sleep(&b, EVENT, None).is_pending());
    assert!(gate.try_close(&a));
    gate.wakeup(EVENT, Wakeups::One);
    gate.open(&a).unwrap();
    assert!(gate.try_close(&a), "overtakes the woken sleeper once");
    gate.open(&a).unwrap();
    assert_eq!(
        gate.poll_sleep(&b, EVENT, None),
        Poll::Ready(Ok(Wake::Awakened))
    );
    assert_eq!(gate.depth(), 2);
}

#[test]
fn an_abandoned_hand_over_goes_to_the_next() {
    let (_, gate, [a, b, c]) = gate();
    gate.close(&a);
    assert!(gate.poll_close(&b).is_pending());
    assert!(gate.poll_close(&c).is_pending());
    gate.open(&a).unwrap();
    assert!(gate.try_close(&a));
    gate.open(&a).unwrap();
    gate.abandon(&b);
    assert!(c.take_wake());
    assert!(gate.poll_close(&c).is_ready());
}

#[test]
fn race_x20_a_sleeper_past_its_deadline_ends_once() {
    let (clock, gate, [a, b, _]) = gate();
    for (cx, deadline) in [(&a, Some(ms(101))), (&b, None)] {
        gate.close(cx);
        assert!(gate.poll_sleep(cx, EVENT, deadline).is_pending());
    }
    clock.advance_to(ms(101));
    // `a` has noticed its deadline, so the wake-up is `b`'s.
    assert_eq!(
        gate.poll_sleep(&a, EVENT, Some(ms(101))),
        Poll::Ready(Ok(Wake::TimedOut))
    );
    assert_eq!(gate.wakeup(EVENT, Wakeups::One), 1);
    gate.open(&a).unwrap();
    assert_eq!(
        gate.poll_sleep(&b, EVENT, None),
        Poll::Ready(Ok(Wake::Awakened))
    );
}

#[test]
fn threads_exclude_each_other_and_all_get_in() {
    let rounds = if cfg!(miri) { 10 } else { 20_000 };
    let gate = Gate::new(Arc::new(SystemClock));
    let start = Barrier::new(3);
    let (inside, total) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let cx = Context::current();
                start.wait();
                for _ in 0..rounds {
                    gate.close(&cx);
                    assert_eq!(inside.fetch_add(1, Ordering::Relaxed), 0);
                    inside.fetch_sub(1, Ordering::Relaxed);
                    total.fetch_add(1, Ordering::Relaxed);
                    gate.open(&cx).unwrap();
                }
            });
        }
    });
    assert_eq!(total.load(Ordering::Relaxed), 3 * rounds);
}
