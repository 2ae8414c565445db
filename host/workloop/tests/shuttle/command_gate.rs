//! Command gates: stalled callers, removals, aborts, clients that poll.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use loopgate_workloop::{Clock, CommandGate, Context, Error, EventSource, WorkLoop};
use shuttle::thread;

use crate::support::{clock, explore, join, spawn, stalled};

#[test]
fn stalled_callers_come_in_when_enabled() {
    explore(|| {
        let (_work_loop, gate, cx) = stalled();
        let clients = ["a", "b"].map(|name| {
            let gate = gate.clone();
            spawn(name, move |cx| assert_eq!(gate.run_action(cx, || 1), Ok(1)))
        });
        gate.enable(&cx);
        gate.disable(&cx);
        gate.enable(&cx);
        join(clients);
        assert!(!gate.has_callers());
    });
}

#[test]
fn a_removal_ends_every_stall() {
    explore(|| {
        let (work_loop, gate, cx) = stalled();
        let clients = ["a", "b", "c"].map(|name| {
            let gate = gate.clone();
            spawn(name, move |cx| {
                let error = gate.run_action(cx, || ()).unwrap_err();
                assert!(matches!(error, Error::Aborted | Error::NotReady));
            })
        });
        let source: Arc<dyn EventSource> = gate.clone();
        work_loop.remove_event_source(&cx, &source).unwrap();
        assert_eq!(gate.stalled_callers(), 0);
        join(clients);
        assert!(gate.attachment().work_loop().is_none());
        assert_eq!(
            (work_loop.gate().depth(), work_loop.gate().waiting()),
            (0, 0)
        );
    });
}

#[test]
fn an_abort_and_a_removal_meet() {
    explore(|| {
        let (work_loop, gate, cx) = stalled();
        let victim = Context::detached("victim");
        let clients = [victim.clone(), Context::detached("other")].map(|cx| {
            let gate = gate.clone();
            thread::spawn(move || assert!(gate.run_action(&cx, || ()).is_err()))
        });
        gate.abort(&victim);
        let source: Arc<dyn EventSource> = gate.clone();
        work_loop.remove_event_source(&cx, &source).unwrap();
        join(clients);
    });
}

/// A client that polls looks the loop up each time: whatever a removal makes of
/// that, it leaves no record behind to which the gate would be handed.
#[test]
fn a_polling_client_and_a_removal_meet() {
    explore(|| {
        let clock = clock();
        let work_loop = WorkLoop::new(clock.clone());
        let command_gate = CommandGate::new(1, None);
        Context::with_current(|cx| work_loop.add_event_source(cx, command_gate.clone())).unwrap();
        let clients = ["a", "b"].map(|name| {
            let (clock, command_gate) = (clock.clone(), command_gate.clone());
            spawn(name, move |cx| {
                loop {
                    match command_gate.poll_enter(cx) {
                        Poll::Ready(Ok(())) => break command_gate.leave(cx).unwrap(),
                        Poll::Ready(Err(_)) => break,
                        Poll::Pending => clock.park(cx, None),
                    }
                }
            })
        });
        let enabler = {
            let command_gate = command_gate.clone();
            spawn("enabler", move |cx| command_gate.enable(cx))
        };
        let remover = {
            let work_loop = work_loop.clone();
            spawn("remover", move |cx| {
                let source: Arc<dyn EventSource> = command_gate;
                work_loop.withdraw_event_source(cx, &source).unwrap();
            })
        };
        join(clients.into_iter().chain([enabler, remover]));
        let gate = work_loop.gate();
        assert_eq!((gate.depth(), gate.waiting()), (0, 0));
    });
}

/// Some give up at a deadline, stalled or still on their way in, while the gate
/// is enabled and then removed: counts and records end with them.
#[test]
fn callers_that_give_up_meet_enable_and_removal() {
    explore(|| {
        let clock = clock();
        let work_loop = WorkLoop::new(clock.clone());
        let gate = CommandGate::new(1, None);
        let cx = Context::detached("main");
        work_loop.add_event_source(&cx, gate.clone()).unwrap();
        gate.disable(&cx);
        let deadline = clock.now().saturating_add(Duration::from_millis(1));
        let hasty = ["a", "b"].map(|name| {
            let gate = gate.clone();
            spawn(name, move |cx| match gate.enter_until(cx, deadline) {
                Ok(()) => gate.leave(cx).unwrap(),
                Err(error) => assert!(
                    matches!(error, Error::TimedOut | Error::Aborted | Error::NotReady),
                    "{error:?}"
                ),
            })
        });
        let enabler = {
            let gate = gate.clone();
            spawn("enabler", move |cx| gate.enable(cx))
        };
        clock.advance_to(deadline);
        let source: Arc<dyn EventSource> = gate.clone();
        work_loop.remove_event_source(&cx, &source).unwrap();
        assert_eq!(gate.stalled_callers(), 0);
        join(hasty.into_iter().chain([enabler]));
        assert!(!gate.has_callers());
        assert!(gate.attachment().work_loop().is_none());
        let gate = work_loop.gate();
        assert_eq!((gate.depth(), gate.waiting()), (0, 0));
    });
}
