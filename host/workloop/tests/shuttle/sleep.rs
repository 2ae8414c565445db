//! Sleeps in the gate, their wake-ups and deadlines.

use std::sync::Arc;
use std::time::Duration;

use loopgate_workloop::{Clock, CommandGate, Context, Gate, Instant, Wake, Wakeups, WorkLoop};
use shuttle::sync::atomic::{AtomicU32, Ordering};
use shuttle::thread;

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

/// A client outside sleeps until its request is completed, as one of the runtime
/// does; what its request is, is only touched in the gate.
#[derive(Default)]
struct Request {
    pending: bool,
    outcome: Option<u32>,
}

/// Who comes first has ended it, and the other finds out: it is completed
/// exactly where the client is told so.
#[test]
fn a_completion_a_cancel_and_a_deadline_meet_at_a_client_asleep() {
    explore(|| {
        let clock = clock();
        let work_loop = WorkLoop::new(clock.clone());
        let gate = CommandGate::new(1, None);
        let cx = Context::detached("main");
        work_loop.add_event_source(&cx, gate.clone()).unwrap();
        let deadline = clock.now().saturating_add(Duration::from_millis(1));
        let request = Arc::new(std::sync::Mutex::<Request>::default());
        let told = Arc::new(std::sync::Mutex::new(None));
        let client = Context::detached("client");
        let asleep = {
            let (gate, request, told) = (gate.clone(), request.clone(), told.clone());
            let cx = client.clone();
            thread::spawn(move || {
                let answer = gate.run_action(&cx, || ask(&cx, &gate, &request, deadline));
                *told.lock().unwrap() = answer.unwrap();
            })
        };
        let done = Arc::new(AtomicU32::new(0));
        let completer = {
            let (gate, request, done) = (gate.clone(), request.clone(), done.clone());
            spawn("completer", move |cx| {
                let action = || complete(&gate, &mut request.try_lock().unwrap());
                let first = gate.run_action(cx, action).unwrap();
                done.store(first.into(), Ordering::SeqCst);
            })
        };
        let canceller = spawn("canceller", move |_| {
            gate.abort(&client);
        });
        clock.advance_to(deadline);
        join([asleep, completer, canceller]);
        let told = told.lock().unwrap().is_some();
        assert_eq!(u32::from(told), done.load(Ordering::SeqCst));
        assert!(!request.lock().unwrap().pending);
        let gate = work_loop.gate();
        assert_eq!((gate.depth(), gate.waiting()), (0, 0));
    });
}

fn ask(
    cx: &Context,
    gate: &CommandGate,
    request: &std::sync::Mutex<Request>,
    deadline: Instant,
) -> Option<u32> {
    request.try_lock().unwrap().pending = true;
    loop {
        let slept = gate.sleep(cx, 1, Some(deadline));
        let mut request = request.try_lock().unwrap();
        if let Some(outcome) = request.outcome.take() {
            return Some(outcome);
        }
        if slept != Ok(Wake::Awakened) {
            request.pending = false;
            return None;
        }
    }
}

/// False where nobody waits, or the client has given up.
fn complete(gate: &CommandGate, request: &mut Request) -> bool {
    let pending = std::mem::take(&mut request.pending);
    if pending {
        request.outcome = Some(1);
        gate.wakeup(1, Wakeups::All);
    }
    pending
}
