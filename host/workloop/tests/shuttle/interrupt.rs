//! Interrupts on their way to a loop: what is counted is delivered or lost.

use std::sync::{Arc, Mutex};

use loopgate_workloop::{
    Context, Instant, InterruptAction, InterruptEventSource, Occurrence, WorkLoop,
};
use shuttle::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use shuttle::thread;

use crate::support::{Line, clock, explore, join, spawn};

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
    let sink = line.sink();
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

/// A handler dies over some numbers, while interrupts come and the source moves
/// to its driver's next instance. Each interrupt was handled by somebody or was
/// lost, in their order; each death over one was the first or the second.
#[test]
fn what_a_handler_died_over_comes_again_before_what_comes_meanwhile() {
    explore(|| assert_eq!(five_where_two_kill(5), (3, 2)));
}

/// A ring of two displaces some of them.
#[test]
fn what_a_handler_died_over_is_lost_once_where_there_is_no_room() {
    explore(|| {
        let (handled, lost) = five_where_two_kill(2);
        assert_eq!(handled + lost, 5);
    });
}

/// How many are handled, and lost, of five interrupts of which the second and
/// the fourth kill.
fn five_where_two_kill(room: usize) -> (u32, u32) {
    let work_loop = WorkLoop::new(clock());
    let seen = Arc::new(Mutex::new(Seen::default()));
    let line = Arc::new(Line::default());
    let source = InterruptEventSource::new(Some(line.clone()), room, Some(seeing(&seen))).unwrap();
    let cx = Context::detached("main");
    work_loop.add_event_source(&cx, source.clone()).unwrap();
    let sink = line.sink();
    let done = Arc::new(AtomicBool::new(false));
    let device = {
        let done = done.clone();
        spawn("device", move |_| {
            for sequence in 1..=5 {
                sink.interrupt_occurred(Occurrence {
                    sequence,
                    ..Occurrence::default()
                });
            }
            done.store(true, Ordering::SeqCst);
        })
    };
    // Whoever dies leaves the source to another, as a driver does.
    while !done.load(Ordering::SeqCst) {
        work_loop.run_event_sources(&cx);
        source.set_action(Some(seeing(&seen)));
        thread::yield_now();
    }
    join([device]);
    while source.pending() > 0 {
        work_loop.run_event_sources(&cx);
    }
    let seen = seen.lock().unwrap();
    assert!(seen.handled.is_sorted(), "{:?}", seen.handled);
    (seen.handled.len() as u32, seen.lost)
}

#[derive(Default)]
struct Seen {
    /// Their numbers.
    handled: Vec<u64>,
    lost: u32,
}

/// Notes what a call is for, unless it dies over it.
fn seeing(seen: &Arc<Mutex<Seen>>) -> InterruptAction {
    let seen = seen.clone();
    Arc::new(move |_, source, i| {
        let mut taken = Vec::new();
        source.take_occurrences(9, &mut taken);
        assert_eq!(taken.len(), i.count as usize);
        let numbers: Vec<_> = taken.iter().map(|o| o.sequence).collect();
        let mut seen = seen.lock().unwrap();
        if !numbers.contains(&2) && !numbers.contains(&4) {
            seen.handled.extend(numbers);
            seen.lost += i.lost;
            return;
        }
        let unhandled = source.keep_unhandled();
        match unhandled.set_aside {
            // Told of before, alone, and by this number.
            Some(aside) => assert_eq!(numbers, [aside.sequence]),
            None => assert_eq!((unhandled.again, unhandled.lost), (i.count, i.lost)),
        }
    })
}
