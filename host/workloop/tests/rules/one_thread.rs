//! The whole life of a gate for three contexts on one thread: nothing blocks.

use std::sync::Arc;
use std::task::Poll;

use loopgate_workloop::{CommandGate, Context, Error, EventSource, Wake, Wakeups};

use crate::support::{Bench, dynamic, ms};

const READY: u64 = 1;

#[test]
fn stall_sleep_wake_and_removal_of_three_contexts() {
    let bench = Bench::new();
    let gate = CommandGate::new(1, None);
    bench.add(&gate);
    let [a, b, c] = ["a", "b", "c"].map(Context::detached);

    // `a` comes in and sleeps; `b` comes in meanwhile; `c` queues behind it.
    assert_eq!(gate.poll_enter(&a), Poll::Ready(Ok(())));
    assert!(gate.poll_enter(&b).is_pending());
    assert!(gate.poll_sleep(&a, READY, Some(ms(2_000))).is_pending());
    assert!(b.take_wake(), "the sleep opened the gate");
    assert_eq!(gate.poll_enter(&b), Poll::Ready(Ok(())));
    assert!(gate.poll_enter(&c).is_pending());

    // `b` wakes `a`, and disables the gate: `c` stalls, `a` goes on.
    assert_eq!(gate.wakeup(READY, Wakeups::One), 1);
    gate.disable(&b);
    gate.leave(&b).unwrap();
    assert!(c.take_wake());
    assert!(gate.poll_enter(&c).is_pending(), "stalls");
    assert_eq!(gate.stalled_callers(), 1);
    assert!(a.take_wake(), "next in the queue");
    let woken = gate.poll_sleep(&a, READY, Some(ms(2_000)));
    assert_eq!(woken, Poll::Ready(Ok(Wake::Awakened)));

    // `a` removes the gate from within its own action: `c` is aborted, and
    // `a`'s action goes on afterwards as the last one inside.
    let source = dynamic(&gate);
    let remove = |cx| bench.work_loop.poll_remove_event_source(cx, &source);
    assert!(remove(&a).is_pending());
    assert!(c.take_wake());
    assert_eq!(gate.poll_enter(&c), Poll::Ready(Err(Error::Aborted)));
    assert!(a.take_wake());
    assert_eq!(remove(&a), Poll::Ready(Ok(())));
    assert!(bench.work_loop.in_gate(&a));
    assert!(gate.attachment().work_loop().is_some(), "a is inside");
    gate.leave(&a).unwrap();

    assert!(gate.attachment().work_loop().is_none());
    assert_eq!(bench.work_loop.gate().depth(), 0);
    assert_eq!(bench.work_loop.gate().waiting(), 0);
    assert_eq!(Arc::strong_count(&gate), 2, "here, and as `source`");
}

#[test]
fn a_sleep_times_out_by_the_clock_alone() {
    let bench = Bench::new();
    let gate = CommandGate::new(1, None);
    bench.add(&gate);
    let a = Context::detached("a");
    assert!(gate.poll_enter(&a).is_ready());
    assert!(gate.poll_sleep(&a, READY, Some(ms(2_000))).is_pending());
    assert_eq!(bench.work_loop.gate().next_deadline(), Some(ms(2_000)));
    bench.clock.advance_to(ms(2_000));
    let woken = gate.poll_sleep(&a, READY, Some(ms(2_000)));
    assert_eq!(woken, Poll::Ready(Ok(Wake::TimedOut)));
    gate.leave(&a).unwrap();
}

#[test]
fn scope_makes_a_context_the_current_one() {
    let outer = Context::current();
    let inner = Context::detached("inner");
    inner.scope(|| {
        assert_eq!(Context::current(), inner);
        Context::with_current(|cx| outer.scope(|| assert_ne!(*cx, Context::current())));
    });
    assert_eq!(Context::current(), outer);
}
