//! Group I of the catalogue: command gates.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use loopgate_workloop::{CommandAction, CommandGate, Context, Error, EventSource, Wake, Wakeups};

use crate::support::{Bench, dynamic, ms, wait_for};

const KEY: u64 = 9;

fn added(bench: &Bench) -> Arc<CommandGate> {
    let gate = CommandGate::new(1, None);
    bench.add(&gate);
    gate
}

fn clients() -> [Context; 3] {
    ["a", "b", "c"].map(Context::detached)
}

#[test]
fn rule_106_not_ready_on_no_loop() {
    let gate = CommandGate::new(1, None);
    let cx = Context::current();
    assert_eq!(gate.run_action(&cx, || ()), Err(Error::NotReady));
    assert_eq!(gate.poll_enter(&cx), Poll::Ready(Err(Error::NotReady)));
    assert_eq!(gate.enter_until(&cx, ms(1)), Err(Error::NotReady));
}

/// A missing action is `BadArgument`, and comes before everything else.
#[test]
fn rule_107_commands_use_the_stored_action() {
    let bench = Bench::new();
    let gate = CommandGate::new(1, None);
    assert_eq!(gate.run_command(&bench.cx, [0; 4]), Err(Error::BadArgument));
    assert_eq!(
        gate.attempt_command(&bench.cx, [0; 4]),
        Err(Error::BadArgument)
    );
    let sum: CommandAction = Arc::new(|_, _, arguments| arguments.iter().sum());
    gate.set_action(Some(sum));
    assert_eq!(gate.run_command(&bench.cx, [0; 4]), Err(Error::NotReady));
    bench.add(&gate);
    assert_eq!(gate.run_command(&bench.cx, [1, 2, 3, 4]), Ok(10));
    assert_eq!(gate.attempt_command(&bench.cx, [5, 0, 0, 0]), Ok(5));
}

#[test]
fn rule_108_nested_actions_pass_their_values() {
    let bench = Bench::new();
    let gate = added(&bench);
    let cx = &bench.cx;
    let depth = gate.run_action(cx, || {
        gate.run_action(cx, || {
            gate.run_action(cx, || bench.work_loop.gate().depth())
        })
    });
    assert_eq!(depth, Ok(Ok(Ok(3))));
    assert_eq!(bench.work_loop.gate().depth(), 0);
}

#[test]
fn rule_109_disabled_stalls_all_but_the_loops_thread() {
    let bench = Bench::new();
    let gate = added(&bench);
    let [client, ..] = clients();
    bench.work_loop.set_runner(&bench.cx).unwrap();
    gate.disable(&bench.cx);
    assert_eq!(gate.run_action(&bench.cx, || 1), Ok(1), "the loop's thread");
    assert!(gate.poll_enter(&client).is_pending());
    // Flicker: disabled again before the client got in.
    bench.work_loop.close_gate(&bench.cx);
    gate.enable(&bench.cx);
    gate.disable(&bench.cx);
    bench.work_loop.open_gate(&bench.cx).unwrap();
    assert!(gate.poll_enter(&client).is_pending());
    gate.enable(&bench.cx);
    assert_eq!(gate.poll_enter(&client), Poll::Ready(Ok(())));
    gate.leave(&client).unwrap();
}

/// A client in another action of the loop drops all its levels.
#[test]
fn rule_110_the_exemption_is_by_thread_not_by_ownership() {
    let bench = Bench::new();
    let (outer, inner) = (added(&bench), added(&bench));
    let [client, other, _] = clients();
    inner.disable(&bench.cx);
    assert!(outer.poll_enter(&client).is_ready());
    assert!(inner.poll_enter(&client).is_pending());
    assert_eq!(outer.run_action(&other, || 2), Ok(2), "came in between");
    inner.enable(&bench.cx);
    assert_eq!(inner.poll_enter(&client), Poll::Ready(Ok(())));
    assert_eq!(bench.work_loop.gate().depth(), 2);
    inner.leave(&client).unwrap();
    outer.leave(&client).unwrap();
    assert_eq!(bench.work_loop.gate().depth(), 0);
}

#[test]
fn rule_111_an_aborted_stall_leaves_the_gate_open() {
    let bench = Bench::new();
    let gate = added(&bench);
    let [client, ..] = clients();
    gate.disable(&bench.cx);
    assert!(gate.poll_enter(&client).is_pending());
    assert!(gate.abort(&client));
    assert_eq!(gate.poll_enter(&client), Poll::Ready(Err(Error::Aborted)));
    assert_eq!(bench.work_loop.gate().depth(), 0);
    assert!(!gate.abort(&client));
}

#[test]
fn rule_112_attempt_never_waits_and_looks_in_order() {
    let bench = Bench::new();
    let cx = &bench.cx;
    let unattached = CommandGate::new(1, None);
    assert_eq!(unattached.attempt_action(cx, || ()), Err(Error::NotReady));
    let gate = added(&bench);
    let owner = Context::detached("owner");
    assert_eq!(gate.attempt_action(cx, || 1), Ok(1));
    bench.work_loop.close_gate(&owner);
    gate.disable(cx);
    let busy_and_disabled = gate.attempt_action(cx, || 1);
    assert_eq!(busy_and_disabled, Err(Error::CannotLock));
    assert_eq!(gate.attempt_action(&owner, || 1), Err(Error::NotPermitted));
    gate.enable(&owner);
    assert_eq!(
        gate.attempt_action(&owner, || 1),
        Ok(1),
        "the owner re-enters"
    );
    gate.disable(&owner);
    bench.work_loop.open_gate(&owner).unwrap();
    assert_eq!(gate.attempt_action(cx, || 1), Err(Error::NotPermitted));
    assert_eq!(bench.work_loop.gate().depth(), 0);
}

#[test]
fn rule_113_disable_takes_effect_without_the_gate() {
    let bench = Bench::new();
    let gate = added(&bench);
    let [inside, outside, _] = clients();
    assert!(gate.poll_enter(&inside).is_ready());
    gate.disable(&outside);
    gate.leave(&inside).unwrap();
    assert!(gate.poll_enter(&outside).is_pending());
    gate.abandon(&outside);
}

#[test]
fn rule_114_enable_works_only_on_a_loop() {
    let bench = Bench::new();
    let gate = CommandGate::new(1, None);
    gate.disable(&bench.cx);
    gate.enable(&bench.cx);
    assert!(!gate.is_enabled());
    bench.add(&gate);
    let owner = Context::detached("owner");
    bench.work_loop.close_gate(&owner);
    assert!(
        gate.poll_enable(&bench.cx).is_pending(),
        "waits for the gate"
    );
    bench.work_loop.open_gate(&owner).unwrap();
    assert!(gate.poll_enable(&bench.cx).is_ready());
    assert!(gate.is_enabled());
}

#[test]
fn rule_115_sleeping_needs_the_gate() {
    let bench = Bench::new();
    let gate = CommandGate::new(1, None);
    assert_eq!(gate.sleep(&bench.cx, KEY, None), Err(Error::NotReady));
    bench.add(&gate);
    assert_eq!(gate.sleep(&bench.cx, KEY, None), Err(Error::NotPermitted));
}

#[test]
fn rule_116_sleep_and_wakeup_whatever_is_disabled() {
    let bench = Bench::new();
    let gate = added(&bench);
    let [client, ..] = clients();
    assert!(gate.poll_enter(&client).is_ready());
    assert!(gate.poll_sleep(&client, KEY, None).is_pending());
    gate.disable(&bench.cx);
    assert_eq!(gate.wakeup(KEY, Wakeups::One), 1);
    assert_eq!(
        gate.poll_sleep(&client, KEY, None),
        Poll::Ready(Ok(Wake::Awakened))
    );
    assert!(bench.work_loop.in_gate(&client));
    gate.leave(&client).unwrap();
}

#[test]
fn rule_117_removal_aborts_the_stalled_and_waits_for_them() {
    let bench = Bench::new();
    let gate = added(&bench);
    let clients = clients();
    gate.disable(&bench.cx);
    for client in &clients {
        assert!(gate.poll_enter(client).is_pending());
    }
    let source = dynamic(&gate);
    let remove = || bench.work_loop.poll_remove_event_source(&bench.cx, &source);
    for client in &clients {
        assert!(remove().is_pending());
        assert_eq!(gate.poll_enter(client), Poll::Ready(Err(Error::Aborted)));
    }
    assert_eq!(remove(), Poll::Ready(Ok(())));
    assert!(gate.attachment().work_loop().is_none());
    assert_eq!(bench.work_loop.gate().depth(), 0);
}

#[test]
fn withdrawal_aborts_the_stalled_and_does_not_wait() {
    let bench = Bench::new();
    let gate = added(&bench);
    let [a, b, _] = clients();
    gate.disable(&bench.cx);
    assert!(gate.poll_enter(&a).is_pending());
    assert!(gate.poll_enter(&b).is_pending());
    let source = dynamic(&gate);
    let withdraw = || bench.work_loop.withdraw_event_source(&bench.cx, &source);
    assert_eq!(withdraw(), Ok(()));
    assert_eq!(gate.poll_enter(&a), Poll::Ready(Err(Error::Aborted)));
    assert_eq!(gate.poll_enter(&b), Poll::Ready(Err(Error::Aborted)));
    assert_eq!(withdraw(), Ok(()), "twice is once");
    assert!(gate.attachment().work_loop().is_none());
    assert_eq!(bench.work_loop.gate().depth(), 0);
}

/// Deviates in part: new callers are refused while the last ones leave.
#[test]
fn rule_118_removal_is_deferred_while_an_action_is_active() {
    let bench = Bench::new();
    let gate = added(&bench);
    let [inside, late, _] = clients();
    assert!(gate.poll_enter(&inside).is_ready());
    assert!(gate.poll_sleep(&inside, KEY, None).is_pending());
    assert_eq!(bench.remove(&gate), Ok(()));
    assert!(gate.attachment().work_loop().is_some());
    assert_eq!(bench.remove(&gate), Err(Error::BadArgument), "once only");
    let again = bench.work_loop.add_event_source(&bench.cx, gate.clone());
    assert_eq!(again, Err(Error::NotReady), "said, not ignored");
    assert_eq!(gate.poll_enter(&late), Poll::Ready(Err(Error::Aborted)));
    assert_eq!(gate.wakeup(KEY, Wakeups::All), 1);
    assert!(gate.poll_sleep(&inside, KEY, None).is_ready());
    gate.leave(&inside).unwrap();
    assert!(gate.attachment().work_loop().is_none());
    assert_eq!(gate.run_action(&late, || ()), Err(Error::NotReady));
    bench.add(&gate);
}

#[test]
fn rule_119_removal_wakes_no_sleeper_but_the_end_of_the_loop_does() {
    let bench = Bench::new();
    let gate = added(&bench);
    let [client, ..] = clients();
    assert!(gate.poll_enter(&client).is_ready());
    assert!(gate.poll_sleep(&client, KEY, None).is_pending());
    bench.remove(&gate).unwrap();
    assert!(gate.poll_sleep(&client, KEY, None).is_pending());
    bench.work_loop.terminate(&bench.cx);
    assert_eq!(
        gate.poll_sleep(&client, KEY, None),
        Poll::Ready(Ok(Wake::Interrupted))
    );
    assert_eq!(
        gate.poll_sleep(&client, KEY, None),
        Poll::Ready(Err(Error::Aborted)),
        "nobody sleeps any more"
    );
    gate.leave(&client).unwrap();
}

#[test]
fn rule_120_attempts_do_not_defer_a_removal() {
    let bench = Bench::new();
    let gate = added(&bench);
    let attached = gate.attempt_action(&bench.cx, || {
        bench.remove(&gate).unwrap();
        gate.attachment().work_loop().is_some()
    });
    assert_eq!(attached, Ok(false));
    assert_eq!(bench.work_loop.gate().depth(), 0);
}

#[test]
fn rule_121_dropping_the_loop_removes_the_gate() {
    let bench = Bench::new();
    let gate = added(&bench);
    let [client, ..] = clients();
    gate.disable(&bench.cx);
    assert!(gate.poll_enter(&client).is_pending());
    drop(bench);
    assert_eq!(gate.poll_enter(&client), Poll::Ready(Err(Error::Aborted)));
    assert!(!gate.has_callers());
    assert_eq!(gate.run_action(&client, || ()), Err(Error::NotReady));
}

#[test]
fn rule_122_a_wait_for_a_busy_gate_is_not_abortable() {
    let bench = Bench::new();
    let gate = added(&bench);
    let [owner, client, _] = clients();
    bench.work_loop.close_gate(&owner);
    assert!(gate.poll_enter(&client).is_pending());
    assert!(!gate.abort(&client));
    assert_eq!(gate.enter_until(&client, ms(1)), Err(Error::TimedOut));
    assert_eq!(
        bench.work_loop.gate().waiting(),
        0,
        "but it can end in time"
    );
    bench.work_loop.open_gate(&owner).unwrap();
    assert_eq!(gate.enter_until(&client, ms(1)), Ok(()));
    gate.leave(&client).unwrap();
    assert_eq!(gate.leave(&client), Err(Error::NotPermitted));
}

#[test]
fn a_stall_can_end_in_time() {
    let bench = Bench::new();
    let gate = added(&bench);
    let [client, ..] = clients();
    gate.disable(&bench.cx);
    assert_eq!(gate.enter_until(&client, ms(1)), Err(Error::TimedOut));
    assert!(!gate.has_callers());
    assert_eq!(bench.remove(&gate), Ok(()), "waits for nobody");
}

#[test]
fn threads_stall_and_come_in_again() {
    let bench = Bench::new();
    let gate = added(&bench);
    let done = AtomicU32::new(0);
    let order = Mutex::new(Vec::new());
    gate.disable(&bench.cx);
    std::thread::scope(|scope| {
        for n in 0..4 {
            let (gate, done, order) = (&gate, &done, &order);
            scope.spawn(move || {
                let cx = Context::current();
                gate.run_action(&cx, || order.lock().unwrap().push(n))
                    .unwrap();
                done.fetch_add(1, Ordering::SeqCst);
            });
        }
        wait_for("all to stall", || gate.stalled_callers() == 4);
        assert_eq!(done.load(Ordering::SeqCst), 0);
        gate.enable(&bench.cx);
    });
    let mut order = order.into_inner().unwrap();
    order.sort_unstable();
    assert_eq!(order, [0, 1, 2, 3], "each exactly once");
}

#[test]
fn a_panicking_action_leaves_the_gate_open() {
    let bench = Bench::new();
    let gate = added(&bench);
    let call =
        std::panic::AssertUnwindSafe(|| gate.run_action(&bench.cx, || panic!("as intended")));
    assert!(std::panic::catch_unwind(call).is_err());
    assert_eq!(bench.work_loop.gate().depth(), 0);
    assert!(!gate.has_callers());
}

#[test]
fn a_guard_goes_out_when_it_is_dropped() {
    let bench = Bench::new();
    let gate = added(&bench);
    let [client, ..] = clients();
    let Poll::Ready(Ok(inside)) = gate.poll_inside(&client) else {
        panic!("nobody else is there");
    };
    assert!(bench.work_loop.in_gate(&client));
    // As for everyone inside: a removal has it find its way out ([118]).
    bench
        .work_loop
        .withdraw_event_source(&client, &dynamic(&gate))
        .unwrap();
    assert!(gate.attachment().work_loop().is_some());
    drop(inside);
    assert!(gate.attachment().work_loop().is_none());
    assert_eq!(bench.work_loop.gate().depth(), 0);
    assert!(matches!(
        gate.poll_inside(&client),
        Poll::Ready(Err(Error::NotReady))
    ));
}
