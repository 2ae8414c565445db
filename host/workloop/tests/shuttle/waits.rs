//! Who waits for whom, across loops.

use std::sync::Arc;
use std::time::Duration;

use loopgate_workloop::{Clock, Context, Waits, WorkLoop};
use shuttle::thread;

use crate::support::{clock, explore, join, spawn};

/// A circle that went unseen would leave three threads waiting for ever, which
/// shuttle reports.
#[test]
fn holders_that_want_each_others_gates_all_go_on() {
    explore(|| {
        let clock = clock();
        let never = clock.now().saturating_add(Duration::from_hours(1));
        let waits = Waits::new();
        let loops = Arc::new([(); 3].map(|()| WorkLoop::with_waits(clock.clone(), waits.clone())));
        let threads = ["a", "b", "c"]
            .into_iter()
            .enumerate()
            .map(|(place, name)| {
                let loops = loops.clone();
                spawn(name, move |cx| {
                    let [near, far, farther] = [0, 1, 2].map(|step| &loops[(place + step) % 3]);
                    near.close_gate(cx);
                    if far.close_gate_until(cx, never).is_ok() {
                        // Another way round, so that not every wait is a circle.
                        if farther.close_gate_until(cx, never).is_ok() {
                            farther.open_gate(cx).unwrap();
                        }
                        far.open_gate(cx).unwrap();
                    }
                    near.open_gate(cx).unwrap();
                })
            });
        join(threads.collect::<Vec<_>>());
        assert!(loops.iter().all(|each| each.gate().depth() == 0));
    });
}

/// In one order no wait is ever refused.
#[test]
fn holders_that_keep_an_order_are_never_refused() {
    explore(|| {
        let clock = clock();
        let never = clock.now().saturating_add(Duration::from_hours(1));
        let waits = Waits::new();
        let loops = Arc::new([(); 3].map(|()| WorkLoop::with_waits(clock.clone(), waits.clone())));
        let threads = [[0, 1], [1, 2], [0, 2]].map(|[low, high]| {
            let loops = loops.clone();
            spawn("ordered", move |cx| {
                loops[low].close_gate(cx);
                loops[high].close_gate_until(cx, never).unwrap();
                loops[high].open_gate(cx).unwrap();
                loops[low].open_gate(cx).unwrap();
            })
        });
        join(threads);
    });
}

/// A wait that is over counts no longer, whichever way round the next one is.
#[test]
fn who_has_waited_is_not_thought_to_wait_still() {
    explore(|| {
        let clock = clock();
        let never = clock.now().saturating_add(Duration::from_hours(1));
        let waits = Waits::new();
        let loops = Arc::new([(); 2].map(|()| WorkLoop::with_waits(clock.clone(), waits.clone())));
        let [a, b] = ["a", "b"].map(Context::detached);
        let both = |cx: &Context, [first, second]: [usize; 2]| {
            let (loops, cx) = (loops.clone(), cx.clone());
            thread::spawn(move || {
                loops[first].close_gate(&cx);
                loops[second].close_gate_until(&cx, never).unwrap();
                loops[second].open_gate(&cx).unwrap();
                loops[first].open_gate(&cx).unwrap();
            })
        };
        let one = |cx: &Context, only: usize| {
            let (loops, cx) = (loops.clone(), cx.clone());
            thread::spawn(move || {
                loops[only].close_gate(&cx);
                loops[only].open_gate(&cx).unwrap();
            })
        };
        join([both(&a, [0, 1]), one(&b, 1)]);
        join([one(&a, 0), both(&b, [1, 0])]);
    });
}
