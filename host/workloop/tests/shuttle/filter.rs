//! Filters, in the context that brings the interrupt.

use std::sync::Arc;

use loopgate_workloop::{
    Context, EventSource, FilterFault, InterruptAction, InterruptEventSource, Occurrence, Verdict,
    WorkLoop,
};
use shuttle::sync::atomic::{AtomicU32, Ordering};

use crate::support::{Level, Line, clock, explore, join, spawn};

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
        let dynamic: Arc<dyn EventSource> = source.clone();
        work_loop.remove_event_source(&cx, &dynamic).unwrap();
        // The line of this test calls on: what it counts then is pending.
        join([device]);
        let pending = source.discard_pending();
        assert_eq!(asked.load(Ordering::SeqCst), 3);
        assert_eq!(u64::from(delivered.load(Ordering::SeqCst)) + pending, 4);
    });
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
                assert!(!watched.is_on());
            }
            seen.fetch_add(i.count, Ordering::SeqCst);
        });
        let source =
            InterruptEventSource::filtered(line.clone(), 8, Arc::new(filter), Some(action))
                .unwrap();
        let cx = Context::detached("main");
        work_loop.add_event_source(&cx, source.clone()).unwrap();
        source.enable(&cx);
        let sink = line.sink();
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
            assert!(!line.is_on());
        }
        while work_loop.has_work() {
            work_loop.run_event_sources(&cx);
        }
        assert_eq!(delivered.load(Ordering::SeqCst), 2);
        assert!(line.is_on());
    });
}
