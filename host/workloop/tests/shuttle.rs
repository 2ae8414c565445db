//! The core with threads, under schedules that shuttle chooses.
//!
//! `cargo test -p loopgate-workloop --features shuttle --test shuttle` explores
//! a few thousand for each test; `LOOPGATE_SCHEDULES=100000` says how many.
#![cfg(feature = "shuttle")]

#[path = "shuttle/shared_line.rs"]
mod shared_line;

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use loopgate_workloop::{
    Clock, CommandGate, Context, Error, Event, EventSource, FilterFault, Gate, Instant,
    InterruptAction, InterruptEventSource, InterruptLine, InterruptSink, Occurrence, TimerAction,
    TimerEventSource, Trigger, Verdict, VirtualClock, Waits, Wake, Wakeups, WorkLoop,
};
use shuttle::sync::atomic::{AtomicU32, Ordering};
use shuttle::thread;

const EVENT: Event = Event { scope: 1, key: 1 };

fn explore(scenario: impl Fn() + Send + Sync + 'static) {
    let schedules = std::env::var("LOOPGATE_SCHEDULES")
        .ok()
        .and_then(|n| n.parse().ok())
        .unwrap_or(3_000);
    shuttle::check_pct(scenario, schedules, 3);
}

fn clock() -> Arc<VirtualClock> {
    let clock = Arc::new(VirtualClock::new());
    clock.advance(Duration::from_secs(1));
    clock
}

fn spawn(name: &str, f: impl FnOnce(&Context) + Send + 'static) -> thread::JoinHandle<()> {
    let cx = Context::detached(name);
    thread::spawn(move || f(&cx))
}

fn join(threads: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    for thread in threads {
        thread.join().unwrap();
    }
}

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

/// A command gate on a loop, its loop, and who may do what with them.
fn stalled() -> (Arc<WorkLoop>, Arc<CommandGate>, Context) {
    let work_loop = WorkLoop::new(clock());
    let gate = CommandGate::new(1, None);
    let cx = Context::detached("main");
    work_loop.add_event_source(&cx, gate.clone()).unwrap();
    gate.disable(&cx);
    (work_loop, gate, cx)
}

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

#[test]
fn a_loop_dropped_under_its_clients() {
    explore(|| {
        let (work_loop, gate, cx) = stalled();
        let client = {
            let gate = gate.clone();
            spawn("client", move |cx| {
                assert!(gate.run_action(cx, || ()).is_err());
            })
        };
        let sleeper = {
            let gate = CommandGate::new(2, None);
            work_loop.add_event_source(&cx, gate.clone()).unwrap();
            spawn("sleeper", move |cx| {
                match gate.run_action(cx, || gate.sleep(cx, 1, None)) {
                    Ok(slept) => assert!(matches!(
                        slept,
                        Ok(Wake::Interrupted) | Err(Error::Aborted | Error::NotReady)
                    )),
                    Err(error) => assert!(matches!(error, Error::Aborted | Error::NotReady)),
                }
            })
        };
        drop(work_loop);
        join([client, sleeper]);
        assert!(gate.attachment().work_loop().is_none());
    });
}

#[test]
fn every_interrupt_arrives_and_the_loop_falls_asleep() {
    explore(|| {
        let work_loop = WorkLoop::new(clock());
        let seen = Arc::new(AtomicU32::new(0));
        let action: InterruptAction = {
            let seen = seen.clone();
            Arc::new(move |_, _, i| {
                seen.fetch_add(i.count, Ordering::SeqCst);
            })
        };
        let source = InterruptEventSource::new(None, 0, Some(action)).unwrap();
        let cx = Context::detached("main");
        work_loop.add_event_source(&cx, source.clone()).unwrap();
        work_loop.spawn_thread("loop").unwrap();
        let producers = ["a", "b"].map(|name| {
            let source = source.clone();
            spawn(name, move |_| {
                for _ in 0..2 {
                    source.signal(Instant::from_nanos(1)).unwrap();
                }
            })
        });
        join(producers);
        while seen.load(Ordering::SeqCst) < 4 {
            thread::yield_now();
        }
        work_loop.terminate(&cx);
        work_loop.join(&cx).unwrap();
        assert_eq!(seen.load(Ordering::SeqCst), 4);
    });
}

/// A line whose sink the test calls.
#[derive(Default)]
struct Line(std::sync::Mutex<Option<Arc<dyn InterruptSink>>>);

impl InterruptLine for Line {
    fn trigger(&self) -> Trigger {
        Trigger::Edge
    }
    fn register(&self, sink: Arc<dyn InterruptSink>) -> Result<(), Error> {
        *self.0.lock().unwrap() = Some(sink);
        Ok(())
    }
    fn unregister(&self) {}
    fn enable(&self) {}
    fn disable(&self) {}
}

/// What is displaced in a ring of two is lost.
#[test]
fn delivered_and_lost_are_what_was_counted() {
    explore(|| {
        let (delivered, lost) = five_interrupts(2);
        assert_eq!(delivered + lost, 5);
        assert!(delivered >= 2);
    });
}

#[test]
fn nothing_is_lost_where_there_is_room() {
    explore(|| assert_eq!(five_interrupts(5), (5, 0)));
}

/// How many are delivered, and lost, of five that meet two passes.
fn five_interrupts(room: usize) -> (u32, u32) {
    let work_loop = WorkLoop::new(clock());
    let (delivered, lost) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let action: InterruptAction = {
        let (delivered, lost) = (delivered.clone(), lost.clone());
        Arc::new(move |_, source, i| {
            let mut taken = Vec::new();
            source.take_occurrences(9, &mut taken);
            assert_eq!(taken.len(), i.count as usize);
            assert!(taken.is_sorted_by_key(|o| o.sequence));
            delivered.fetch_add(i.count, Ordering::SeqCst);
            lost.fetch_add(i.lost, Ordering::SeqCst);
        })
    };
    let line = Arc::new(Line::default());
    let source = InterruptEventSource::new(Some(line.clone()), room, Some(action)).unwrap();
    let cx = Context::detached("main");
    work_loop.add_event_source(&cx, source).unwrap();
    let sink = line.0.lock().unwrap().take().unwrap();
    let device = spawn("device", move |_| {
        for sequence in 1..=5 {
            sink.interrupt_occurred(Occurrence {
                sequence,
                ..Occurrence::default()
            });
        }
    });
    work_loop.run_event_sources(&cx);
    work_loop.run_event_sources(&cx);
    join([device]);
    work_loop.run_event_sources(&cx);
    (
        delivered.load(Ordering::SeqCst),
        lost.load(Ordering::SeqCst),
    )
}

/// A filter declines one, claims one and fails at the third; passes and the
/// removal come between. What is counted is delivered, or pending at the end.
#[test]
fn a_filter_that_fails_meets_delivery_and_removal() {
    explore(|| {
        let work_loop = WorkLoop::new(clock());
        let (asked, delivered) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let seen = asked.clone();
        let filter = move |_, o: Occurrence| {
            seen.fetch_add(1, Ordering::SeqCst);
            match o.sequence {
                1 => Ok(Verdict::NotMine),
                2 => Ok(Verdict::Mine),
                _ => Err(FilterFault),
            }
        };
        let seen = delivered.clone();
        let action: InterruptAction = Arc::new(move |_, source, i| {
            assert!(i.latest.sequence < 3 || !source.is_filtered());
            seen.fetch_add(i.count + i.lost, Ordering::SeqCst);
        });
        let line = Arc::new(Line::default());
        let source =
            InterruptEventSource::filtered(line.clone(), 8, Arc::new(filter), Some(action))
                .unwrap();
        let cx = Context::detached("main");
        work_loop.add_event_source(&cx, source.clone()).unwrap();
        let sink = line.0.lock().unwrap().take().unwrap();
        let device = spawn("device", move |_| {
            for sequence in 1..=5 {
                sink.interrupt_occurred(Occurrence {
                    sequence,
                    ..Occurrence::default()
                });
            }
        });
        work_loop.run_event_sources(&cx);
        let dynamic: Arc<dyn EventSource> = source.clone();
        work_loop.remove_event_source(&cx, &dynamic).unwrap();
        // The line of this test calls on: what it counts then is pending.
        join([device]);
        let pending = source.discard_pending();
        assert_eq!(asked.load(Ordering::SeqCst), 3);
        assert_eq!(u64::from(delivered.load(Ordering::SeqCst)) + pending, 4);
    });
}

/// A level line that tells whether it is on.
#[derive(Default)]
struct Level(
    std::sync::Mutex<Option<Arc<dyn InterruptSink>>>,
    shuttle::sync::atomic::AtomicBool,
);

impl InterruptLine for Level {
    fn trigger(&self) -> Trigger {
        Trigger::Level
    }
    fn register(&self, sink: Arc<dyn InterruptSink>) -> Result<(), Error> {
        *self.0.lock().unwrap() = Some(sink);
        Ok(())
    }
    fn unregister(&self) {}
    fn enable(&self) {
        self.1.store(true, Ordering::SeqCst);
    }
    fn disable(&self) {
        self.1.store(false, Ordering::SeqCst);
    }
}

/// The filter keeps the line on for the first, so that the second can come in
/// while the action for the first ends. Once all is done the line is on, and
/// while the second waits for its action it is off.
#[test]
fn a_level_line_that_was_kept_on_is_masked_until_the_action() {
    explore(|| {
        let work_loop = WorkLoop::new(clock());
        let line = Arc::new(Level::default());
        let filter = |_, o: Occurrence| {
            Ok(match o.sequence {
                1 => Verdict::MineKeepLineOn,
                _ => Verdict::Mine,
            })
        };
        let delivered = Arc::new(AtomicU32::new(0));
        let (seen, watched) = (delivered.clone(), line.clone());
        let action: InterruptAction = Arc::new(move |_, _, i| {
            if i.latest.sequence == 2 {
                assert!(!watched.1.load(Ordering::SeqCst));
            }
            seen.fetch_add(i.count, Ordering::SeqCst);
        });
        let source =
            InterruptEventSource::filtered(line.clone(), 8, Arc::new(filter), Some(action))
                .unwrap();
        let cx = Context::detached("main");
        work_loop.add_event_source(&cx, source.clone()).unwrap();
        source.enable(&cx);
        let sink = line.0.lock().unwrap().take().unwrap();
        let device = spawn("device", move |_| {
            for sequence in 1..=2 {
                sink.interrupt_occurred(Occurrence {
                    sequence,
                    ..Occurrence::default()
                });
            }
        });
        work_loop.run_event_sources(&cx);
        work_loop.run_event_sources(&cx);
        join([device]);
        if delivered.load(Ordering::SeqCst) < 2 {
            assert!(!line.1.load(Ordering::SeqCst));
        }
        while work_loop.has_work() {
            work_loop.run_event_sources(&cx);
        }
        assert_eq!(delivered.load(Ordering::SeqCst), 2);
        assert!(line.1.load(Ordering::SeqCst));
    });
}

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
