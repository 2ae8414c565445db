//! Group H of the catalogue: timers. The bench's clock begins at 1000 ms.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loopgate_workloop::{
    Clock, Context, Error, Event, EventSource, Instant, SystemClock, TimerAction, TimerEventSource,
    Wakeups, WorkLoop,
};

use crate::support::{Bench, dynamic, ms, wait_for};

fn span(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn armed(bench: &Bench, at: u64) -> Arc<TimerEventSource> {
    let timer = bench.timer();
    bench.add(&timer);
    timer.wake_at(ms(at)).unwrap();
    timer
}

/// Deviates: every timer is an active source and runs where the loop runs.
#[test]
fn rule_094_timers_run_on_the_loops_thread_in_the_gate() {
    let bench = Bench::new();
    let runner = Context::detached("runner");
    bench.work_loop.set_runner(&runner).unwrap();
    let (log, work_loop) = (bench.log.clone(), Arc::downgrade(&bench.work_loop));
    let timer = bench.timer_with(move |cx, _, _, _| {
        let work_loop = work_loop.upgrade().unwrap();
        log.push(format!(
            "{} {}",
            work_loop.in_gate(cx),
            work_loop.on_thread(cx)
        ));
    });
    bench.add(&timer);
    timer.set_timeout(span(0)).unwrap();
    bench.work_loop.run_event_sources(&runner);
    assert_eq!(bench.log.take(), "true true");
}

#[test]
fn rule_095_in_the_order_of_the_chain() {
    let bench = Bench::new();
    let first = bench.software("a");
    let _timer = armed(&bench, 1_001);
    let last = bench.software("b");
    bench.clock.advance_to(ms(1_001));
    last.signal(ms(1)).unwrap();
    first.signal(ms(1)).unwrap();
    bench.run();
    assert_eq!(bench.log.take(), "a1 at 1001 b1");
}

#[test]
fn rule_096_arming_without_an_action_is_refused_and_forgotten() {
    let bench = Bench::new();
    let timer = TimerEventSource::new(bench.clock.clone(), None);
    assert_eq!(timer.set_timeout(span(1)), Err(Error::NoResources));
    let log = bench.log.clone();
    let action: TimerAction = Arc::new(move |_, _, _, _| log.push("fired"));
    timer.set_action(Some(action));
    bench.add(&timer);
    bench.advance_to(9_000);
    assert_eq!(bench.log.take(), "");
}

#[test]
fn rule_097_arming_succeeds_while_disabled() {
    let bench = Bench::new();
    let timer = bench.timer();
    bench.add(&timer);
    timer.disable(&bench.cx);
    assert_eq!(timer.set_timeout(span(1)), Ok(()));
    bench.advance_to(2_000);
    assert_eq!(bench.log.take(), "");
}

#[test]
fn rule_098_remembered_deadlines_arm_on_add_and_enable() {
    let bench = Bench::new();
    let timer = bench.timer();
    timer.set_timeout(span(50)).unwrap();
    bench.advance_to(1_030);
    bench.add(&timer);
    bench.advance_to(1_049);
    assert_eq!(bench.log.take(), "");
    bench.advance_to(1_050);
    assert_eq!(bench.log.take(), "at 1050");

    timer.set_timeout(span(50)).unwrap();
    timer.disable(&bench.cx);
    bench.advance_to(1_200);
    assert_eq!(bench.log.take(), "");
    timer.enable(&bench.cx);
    bench.settle();
    assert_eq!(bench.log.take(), "at 1200");
}

#[test]
fn rule_099_a_past_deadline_fires_promptly_never_inline() {
    let bench = Bench::new();
    let timer = bench.timer();
    bench.add(&timer);
    bench.settle();
    bench.work_loop.close_gate(&bench.cx);
    timer.wake_at(ms(999)).unwrap();
    assert_eq!(bench.log.take(), "");
    bench.work_loop.open_gate(&bench.cx).unwrap();
    assert!(bench.work_loop.has_work());
    bench.settle();
    assert_eq!(bench.log.take(), "at 1000");
}

/// Deviates: the remembered deadline is kept as well.
#[test]
fn rule_100_zero_interval_fires_soon_and_instant_zero_changes_nothing() {
    let bench = Bench::new();
    let timer = bench.timer();
    bench.add(&timer);
    timer.set_timeout(Duration::ZERO).unwrap();
    bench.settle();
    assert_eq!(bench.log.take(), "at 1000");
    timer.wake_at(ms(1_010)).unwrap();
    timer.wake_at(Instant::ZERO).unwrap();
    bench.advance_to(1_010);
    assert_eq!(bench.log.take(), "at 1010");
    timer.wake_at(Instant::ZERO).unwrap();
    bench.advance_to(2_000);
    assert_eq!(bench.log.take(), "");
}

#[test]
fn rule_101_the_last_arming_wins() {
    let bench = Bench::new();
    let timer = armed(&bench, 1_100);
    timer.wake_at(ms(1_010)).unwrap();
    bench.advance_to(1_010);
    bench.advance_to(1_100);
    assert_eq!(bench.log.take(), "at 1010");
    timer.wake_at(ms(1_110)).unwrap();
    timer.wake_at(ms(1_200)).unwrap();
    bench.advance_to(1_150);
    bench.advance_to(1_200);
    assert_eq!(bench.log.take(), "at 1200");
}

/// Each change made in the gate, after the deadline and before the pass.
#[test]
fn rule_102_an_expiry_that_met_a_closed_gate_can_still_be_undone() {
    type Change = fn(&Bench, &Arc<TimerEventSource>);
    let changes: [(Change, &str); 4] = [
        (|_, timer| timer.cancel_timeout(), ""),
        (|bench, timer| timer.disable(&bench.cx), ""),
        (|bench, timer| bench.remove(timer).unwrap(), ""),
        (|_, timer| timer.wake_at(ms(1_020)).unwrap(), "at 1020"),
    ];
    for (change, fired) in changes {
        let bench = Bench::new();
        let timer = armed(&bench, 1_010);
        bench.work_loop.close_gate(&bench.cx);
        bench.clock.advance_to(ms(1_010));
        assert!(bench.work_loop.has_work());
        change(&bench, &timer);
        bench.work_loop.open_gate(&bench.cx).unwrap();
        bench.settle();
        assert_eq!(bench.log.take(), "");
        bench.advance_to(1_020);
        assert_eq!(bench.log.take(), fired);
    }
}

#[test]
fn rule_103_a_cancel_in_the_gate_is_final() {
    let rounds = if cfg!(miri) { 5 } else { 5_000 };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let work_loop = WorkLoop::new(clock.clone());
    let fired = Arc::new(AtomicU32::new(0));
    let count = fired.clone();
    let action: TimerAction = Arc::new(move |_, _, _, _| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    let timer = TimerEventSource::new(clock, Some(action));
    let cx = Context::current();
    work_loop.add_event_source(&cx, timer.clone()).unwrap();
    work_loop.spawn_thread("loop").unwrap();
    for round in 0..rounds {
        timer
            .set_timeout(Duration::from_nanos(round % 7 * 500))
            .unwrap();
        let at_cancel = work_loop.run_action(&cx, || {
            timer.cancel_timeout();
            fired.load(Ordering::SeqCst)
        });
        work_loop.run_event_sources(&cx);
        assert_eq!(fired.load(Ordering::SeqCst), at_cancel);
    }
}

/// A client runs the loop while the handler sleeps: no second call, but the
/// re-arming is kept.
#[test]
fn rule_104_calls_of_one_timer_never_overlap() {
    const EVENT: Event = Event { scope: 1, key: 1 };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let work_loop = WorkLoop::new(clock.clone());
    let (calls, inside) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let action: TimerAction = {
        let (calls, inside) = (calls.clone(), inside.clone());
        let work_loop = Arc::downgrade(&work_loop);
        Arc::new(move |cx, timer, _, _| {
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
            if calls.fetch_add(1, Ordering::SeqCst) < 2 {
                timer.set_timeout(Duration::ZERO).unwrap();
                let work_loop = work_loop.upgrade().unwrap();
                work_loop.sleep_gate(cx, EVENT, None).unwrap();
            }
            inside.fetch_sub(1, Ordering::SeqCst);
        })
    };
    let timer = TimerEventSource::new(clock, Some(action));
    let cx = Context::current();
    work_loop.add_event_source(&cx, timer.clone()).unwrap();
    work_loop.spawn_thread("loop").unwrap();
    timer.set_timeout(Duration::ZERO).unwrap();
    for calls_so_far in 1..=2 {
        wait_for("the call", || calls.load(Ordering::SeqCst) == calls_so_far);
        work_loop.run_event_sources(&cx);
        assert_eq!(calls.load(Ordering::SeqCst), calls_so_far, "no overlap");
        wait_for("the sleeper", || {
            work_loop.wakeup_gate(EVENT, Wakeups::All) == 1
        });
    }
    wait_for("the last call", || calls.load(Ordering::SeqCst) == 3);
}

#[test]
fn rule_105a_a_cancel_in_the_handler_undoes_its_arming() {
    let bench = Bench::new();
    let log = bench.log.clone();
    let timer = bench.timer_with(move |_, timer, _, _| {
        log.push("fired");
        timer.set_timeout(span(1)).unwrap();
        timer.cancel_timeout();
    });
    bench.add(&timer);
    timer.set_timeout(span(1)).unwrap();
    bench.advance_to(1_001);
    bench.advance_to(2_000);
    assert_eq!(bench.log.take(), "fired");
}

/// Deviates: what has fired is forgotten.
#[test]
fn rule_105b_enable_does_not_fire_again() {
    let bench = Bench::new();
    let timer = armed(&bench, 1_001);
    bench.advance_to(1_001);
    timer.disable(&bench.cx);
    timer.enable(&bench.cx);
    bench.advance_to(2_000);
    assert_eq!(bench.log.take(), "at 1001");
}

#[test]
fn rule_105c_enable_without_an_action_ends_disabled() {
    let bench = Bench::new();
    let timer = armed(&bench, 1_010);
    timer.set_action(None);
    timer.enable(&bench.cx);
    assert!(!timer.is_enabled());
}

#[test]
fn rule_105d_removal_keeps_the_deadline() {
    let bench = Bench::new();
    let timer = armed(&bench, 1_010);
    bench.remove(&timer).unwrap();
    bench.advance_to(1_005);
    bench.add(&timer);
    bench.advance_to(1_009);
    timer.enable(&bench.cx);
    assert_eq!(bench.log.take(), "", "disabled until now");
    bench.advance_to(1_010);
    assert_eq!(bench.log.take(), "at 1010");
}

/// Deviates in part: the loop, not the expiry, keeps an armed timer; removing
/// it inside its action is clean.
#[test]
fn rule_105e_the_loop_keeps_an_armed_timer() {
    let bench = Bench::new();
    let weak = Arc::downgrade(&armed(&bench, 1_001));
    bench.advance_to(1_001);
    assert_eq!(bench.log.take(), "at 1001");

    let timer = weak.upgrade().unwrap();
    let (me, work_loop) = (weak.clone(), Arc::downgrade(&bench.work_loop));
    let action: TimerAction = Arc::new(move |cx, _, _, _| {
        let me = me.upgrade().unwrap();
        work_loop
            .upgrade()
            .unwrap()
            .remove_event_source(cx, &dynamic(&me))
            .unwrap();
    });
    timer.set_action(Some(action));
    timer.set_timeout(span(1)).unwrap();
    drop(timer);
    bench.advance_to(1_010);
    assert!(weak.upgrade().is_none());
}

#[test]
fn rule_105f_no_call_after_the_end() {
    let bench = Bench::new();
    let timer = armed(&bench, 1_001);
    bench.work_loop.terminate(&bench.cx);
    drop(timer);
    bench.clock.advance_to(ms(1_001));
    assert!(!bench.run());
    assert_eq!(bench.log.take(), "");
}

#[test]
fn rule_105g_concurrent_arming_loses_nothing() {
    let rounds = if cfg!(miri) { 5 } else { 10_000 };
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let work_loop = WorkLoop::new(clock.clone());
    let last = Arc::new(Mutex::new(Instant::ZERO));
    let seen = last.clone();
    let action: TimerAction = Arc::new(move |_, _, deadline, _| *seen.lock().unwrap() = deadline);
    let timer = TimerEventSource::new(clock.clone(), Some(action));
    let cx = Context::current();
    work_loop.add_event_source(&cx, timer.clone()).unwrap();
    work_loop.spawn_thread("loop").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for n in 0..rounds {
                    timer
                        .set_timeout(Duration::from_nanos(n % 5 * 300))
                        .unwrap();
                }
            });
        }
    });
    let end = clock.now();
    timer.wake_at(end).unwrap();
    wait_for("the final expiry", || *last.lock().unwrap() == end);
}

#[test]
fn rule_105h_by_deadline_and_never_early() {
    let bench = Bench::new();
    let _late = armed(&bench, 1_003);
    let _early = armed(&bench, 1_001);
    assert_eq!(bench.work_loop.next_deadline(), Some(ms(1_001)));
    for at in 1_000..=1_004 {
        bench.advance_to(at);
    }
    assert_eq!(bench.log.take(), "at 1001 at 1003");
}

#[test]
fn rule_105i_without_an_action_an_armed_timer_waits() {
    let bench = Bench::new();
    let timer = armed(&bench, 1_001);
    timer.set_action(None);
    bench.advance_to(1_010);
    assert_eq!(bench.log.take(), "");
    let log = bench.log.clone();
    let action: TimerAction = Arc::new(move |_, _, _, _| log.push("fired"));
    timer.set_action(Some(action));
    bench.settle();
    assert_eq!(bench.log.take(), "fired");
}

#[test]
fn rule_105j_disabled_between_expiry_and_delivery() {
    let bench = Bench::new();
    let timer = armed(&bench, 1_001);
    bench.clock.advance_to(ms(1_001));
    timer.disable(&bench.cx);
    bench.run();
    assert_eq!(bench.log.take(), "");
}

#[test]
fn a_thread_waits_for_the_next_deadline_in_virtual_time() {
    let bench = Bench::new();
    let timer = armed(&bench, 5_000);
    bench.work_loop.spawn_thread("loop").unwrap();
    wait_for("the loop to wait", || {
        bench.clock.next_deadline() == Some(ms(5_000))
    });
    timer.wake_at(ms(3_000)).unwrap();
    wait_for("the earlier deadline", || {
        bench.clock.next_deadline() == Some(ms(3_000))
    });
    bench.clock.advance_to(ms(3_000));
    wait_for("the timer", || bench.log.take() == "at 3000");
}
