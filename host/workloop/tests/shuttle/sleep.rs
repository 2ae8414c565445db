//! Sleeps in the gate, their wake-ups and deadlines.

use std::sync::Arc;
use std::time::Duration;

use loopgate_workloop::{Clock, Context, Gate, Wake, Wakeups};
use shuttle::sync::atomic::{AtomicU32, Ordering};

use crate::support::{EVENT, clock, explore, join, spawn};

#[test]
fn a_wakeup_in_the_gate_reaches_the_sleeper() {
    explore(|| {
        let gate = Arc::new(Gate::new(clock()));
        let ready = Arc::new(AtomicU32::new(0));
        let sleepers = ["a", "b"].map(|name| {
            let (gate, ready) = (gate.clone(), ready.clone());
            spawn(name, move |cx| {
                gate.close(cx);
                while ready.load(Ordering::SeqCst) == 0 {
                    assert_eq!(gate.sleep(cx, EVENT, None), Ok(Wake::Awakened));
                }
                ready.fetch_sub(1, Ordering::SeqCst);
                assert_eq!(gate.depth(), 1);
                gate.open(cx).unwrap();
            })
        });
        let cx = Context::detached("waker");
        for _ in 0..2 {
            gate.close(&cx);
            ready.fetch_add(1, Ordering::SeqCst);
            gate.wakeup(EVENT, Wakeups::One);
            gate.open(&cx).unwrap();
        }
        join(sleepers);
    });
}

#[test]
fn a_deadline_and_a_wakeup_meet() {
    explore(|| {
        let clock = clock();
        let gate = Arc::new(Gate::new(clock.clone()));
        let deadline = clock.now().saturating_add(Duration::from_millis(1));
        let sleeper = {
            let gate = gate.clone();
            spawn("sleeper", move |cx| {
                gate.close(cx);
                gate.close(cx);
                let wake = gate.sleep(cx, EVENT, Some(deadline)).unwrap();
                assert!(matches!(wake, Wake::Awakened | Wake::TimedOut));
                assert_eq!(gate.depth(), 2);
                assert!(!gate.is_asleep(cx));
            })
        };
        let waker = {
            let gate = gate.clone();
            spawn("waker", move |_| {
                gate.wakeup(EVENT, Wakeups::One);
            })
        };
        clock.advance_to(deadline);
        join([sleeper, waker]);
    });
}
