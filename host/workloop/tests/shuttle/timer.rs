//! Timers: armed, cancelled and removed while time goes on.

use std::sync::Arc;
use std::time::Duration;

use loopgate_workloop::{Context, EventSource, TimerAction, TimerEventSource, WorkLoop};
use shuttle::sync::atomic::{AtomicU32, Ordering};
use shuttle::thread;

use crate::support::{EVENT, clock, explore, join, spawn};

/// The loop's thread runs, the clock goes on, and a client changes its mind.
#[test]
fn a_timer_cancelled_in_the_gate_stays_silent() {
    explore(|| {
        let clock = clock();
        let work_loop = WorkLoop::new(clock.clone());
        let fired = Arc::new(AtomicU32::new(0));
        let action: TimerAction = {
            let fired = fired.clone();
            Arc::new(move |_, _, deadline, now| {
                assert!(now >= deadline);
                fired.fetch_add(1, Ordering::SeqCst);
            })
        };
        let timer = TimerEventSource::new(clock.clone(), Some(action));
        let cx = Context::detached("main");
        work_loop.add_event_source(&cx, timer.clone()).unwrap();
        work_loop.spawn_thread("loop").unwrap();
        timer.set_timeout(Duration::from_millis(1)).unwrap();
        let time = {
            let clock = clock.clone();
            spawn("time", move |_| clock.advance(Duration::from_millis(1)))
        };
        let at_cancel = work_loop.run_action(&cx, || {
            timer.cancel_timeout();
            fired.load(Ordering::SeqCst)
        });
        join([time]);
        work_loop.run_action(&cx, || assert_eq!(fired.load(Ordering::SeqCst), at_cancel));
        work_loop.terminate(&cx);
        work_loop.join(&cx).unwrap();
        assert_eq!(fired.load(Ordering::SeqCst), at_cancel);
    });
}

#[test]
fn concurrent_arming_keeps_one_of_the_deadlines() {
    explore(|| {
        let clock = clock();
        let work_loop = WorkLoop::new(clock.clone());
        let fired = Arc::new(AtomicU32::new(0));
        let action: TimerAction = {
            let fired = fired.clone();
            Arc::new(move |_, _, _, _| {
                fired.fetch_add(1, Ordering::SeqCst);
            })
        };
        let timer = TimerEventSource::new(clock.clone(), Some(action));
        let cx = Context::detached("main");
        work_loop.add_event_source(&cx, timer.clone()).unwrap();
        work_loop.spawn_thread("loop").unwrap();
        let setters = [1, 2].map(|millis| {
            let timer = timer.clone();
            spawn("setter", move |_| {
                timer.set_timeout(Duration::from_millis(millis)).unwrap();
            })
        });
        join(setters);
        assert_eq!(fired.load(Ordering::SeqCst), 0, "never early");
        clock.advance(Duration::from_millis(2));
        while fired.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        work_loop.terminate(&cx);
        work_loop.join(&cx).unwrap();
        assert_eq!(fired.load(Ordering::SeqCst), 1);
    });
}

/// Without the gate a change can come just before the action or just after,
/// but never half.
#[test]
fn a_timer_changed_without_the_gate_is_never_early() {
    explore(|| {
        let clock = clock();
        let work_loop = WorkLoop::new(clock.clone());
        let action: TimerAction = Arc::new(|_, _, deadline, now| assert!(now >= deadline));
        let timer = TimerEventSource::new(clock.clone(), Some(action));
        let cx = Context::detached("main");
        work_loop.add_event_source(&cx, timer.clone()).unwrap();
        timer.set_timeout(Duration::ZERO).unwrap();
        let changes = {
            let timer = timer.clone();
            spawn("changes", move |_| {
                timer.set_timeout(Duration::from_millis(1)).unwrap();
                timer.cancel_timeout();
            })
        };
        work_loop.run_event_sources(&cx);
        join([changes]);
        assert_eq!(work_loop.next_deadline(), None);
    });
}

#[test]
fn a_removed_timer_fires_no_more() {
    explore(|| {
        let clock = clock();
        let work_loop = WorkLoop::new(clock.clone());
        let fired = Arc::new(AtomicU32::new(0));
        let action: TimerAction = {
            let fired = fired.clone();
            Arc::new(move |_, timer, _, _| {
                fired.fetch_add(1, Ordering::SeqCst);
                timer.set_timeout(Duration::from_millis(1)).unwrap();
            })
        };
        let timer = TimerEventSource::new(clock.clone(), Some(action));
        let cx = Context::detached("main");
        work_loop.add_event_source(&cx, timer.clone()).unwrap();
        work_loop.spawn_thread("loop").unwrap();
        timer.set_timeout(Duration::ZERO).unwrap();
        clock.advance(Duration::from_millis(1));
        let source: Arc<dyn EventSource> = timer.clone();
        work_loop.remove_event_source(&cx, &source).unwrap();
        let at_removal = fired.load(Ordering::SeqCst);
        clock.advance(Duration::from_millis(1));
        work_loop.terminate(&cx);
        work_loop.join(&cx).unwrap();
        assert_eq!(fired.load(Ordering::SeqCst), at_removal);
    });
}

/// Its deadline is remembered over all of it, and forgotten when it fires.
#[test]
fn one_arming_fires_once_across_disable_enable_removal_and_addition() {
    explore(|| {
        let clock = clock();
        let work_loop = WorkLoop::new(clock.clone());
        let fired = Arc::new(AtomicU32::new(0));
        let action: TimerAction = {
            let fired = fired.clone();
            Arc::new(move |_, _, deadline, now| {
                assert!(now >= deadline);
                fired.fetch_add(1, Ordering::SeqCst);
            })
        };
        let timer = TimerEventSource::new(clock.clone(), Some(action));
        let cx = Context::detached("main");
        work_loop.add_event_source(&cx, timer.clone()).unwrap();
        work_loop.spawn_thread("loop").unwrap();
        let arms = {
            let timer = timer.clone();
            spawn("arms", move |_| {
                timer.set_timeout(Duration::from_millis(1)).unwrap();
            })
        };
        let toggles = {
            let timer = timer.clone();
            spawn("toggles", move |cx| {
                timer.disable(cx);
                timer.enable(cx);
            })
        };
        let source: Arc<dyn EventSource> = timer.clone();
        clock.advance(Duration::from_millis(1));
        work_loop.remove_event_source(&cx, &source).unwrap();
        let at_removal = fired.load(Ordering::SeqCst);
        clock.advance(Duration::from_millis(1));
        join([arms, toggles]);
        assert_eq!(fired.load(Ordering::SeqCst), at_removal, "it is off");
        assert_eq!(timer.next_deadline(), None, "on no loop it is not armed");
        work_loop.add_event_source(&cx, source).unwrap();
        timer.enable(&cx);
        clock.advance(Duration::from_millis(1));
        while fired.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        work_loop.terminate(&cx);
        work_loop.join(&cx).unwrap();
        assert_eq!(fired.load(Ordering::SeqCst), 1);
    });
}

/// In the gate a disable is as final as a cancel, and an action that sleeps is
/// not called again until it has returned.
#[test]
fn calls_of_one_timer_never_overlap_and_stop_when_disabled() {
    explore(|| {
        let clock = clock();
        let work_loop = WorkLoop::new(clock.clone());
        let (fired, inside) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let action: TimerAction = {
            let (fired, inside) = (fired.clone(), inside.clone());
            let gate = work_loop.clone();
            Arc::new(move |cx, timer, _, now| {
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                fired.fetch_add(1, Ordering::SeqCst);
                timer.set_timeout(Duration::ZERO).unwrap();
                let until = now.saturating_add(Duration::from_millis(1));
                gate.gate().sleep(cx, EVENT, Some(until)).unwrap();
                inside.fetch_sub(1, Ordering::SeqCst);
            })
        };
        let timer = TimerEventSource::new(clock.clone(), Some(action));
        let cx = Context::detached("main");
        work_loop.add_event_source(&cx, timer.clone()).unwrap();
        timer.set_timeout(Duration::ZERO).unwrap();
        let runners = ["a", "b"].map(|name| {
            let work_loop = work_loop.clone();
            spawn(name, move |cx| {
                work_loop.run_event_sources(cx);
            })
        });
        let disabled = work_loop.run_action(&cx, || {
            timer.disable(&cx);
            fired.load(Ordering::SeqCst)
        });
        clock.advance(Duration::from_millis(1));
        join(runners);
        assert_eq!(fired.load(Ordering::SeqCst), disabled);
        timer.set_action(None);
    });
}
