//! The gate alone: exclusion, and closes that are given up.

use std::sync::Arc;
use std::time::Duration;

use loopgate_workloop::{Clock, Gate};
use shuttle::sync::atomic::{AtomicU32, Ordering};

use crate::support::{clock, explore, join, spawn};

#[test]
fn the_gate_excludes_and_lets_everyone_in() {
    explore(|| {
        let gate = Arc::new(Gate::new(clock()));
        let inside = Arc::new(AtomicU32::new(0));
        let clients = ["a", "b", "c"].map(|name| {
            let (gate, inside) = (gate.clone(), inside.clone());
            spawn(name, move |cx| {
                for _ in 0..2 {
                    gate.close(cx);
                    gate.close(cx);
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    inside.fetch_sub(1, Ordering::SeqCst);
                    gate.open(cx).unwrap();
                    gate.open(cx).unwrap();
                }
            })
        });
        join(clients);
        assert_eq!((gate.depth(), gate.waiting()), (0, 0));
    });
}

#[test]
fn a_close_given_up_passes_the_gate_on() {
    explore(|| {
        let clock = clock();
        let gate = Arc::new(Gate::new(clock.clone()));
        let deadline = clock.now().saturating_add(Duration::from_millis(1));
        let hasty = {
            let gate = gate.clone();
            spawn("hasty", move |cx| {
                if gate.close_until(cx, deadline).is_ok() {
                    gate.open(cx).unwrap();
                }
            })
        };
        let patient = ["a", "b"].map(|name| {
            let gate = gate.clone();
            spawn(name, move |cx| {
                gate.close(cx);
                gate.open(cx).unwrap();
            })
        });
        clock.advance_to(deadline);
        join(patient.into_iter().chain([hasty]));
        assert_eq!((gate.depth(), gate.waiting()), (0, 0));
    });
}
