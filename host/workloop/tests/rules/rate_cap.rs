//! Filters that are declared: the rate of a line.

use std::sync::Arc;
use std::time::Duration;

use loopgate_workloop::{
    EventSource, InterruptAction, InterruptEventSource, InterruptLine, RateCapped, Trigger,
};

use crate::support::{Bench, Line, ms};

/// A line of which three a second come through, and its source, which logs.
fn capped(bench: &Bench, trigger: Trigger) -> (Arc<Line>, Arc<InterruptEventSource>) {
    let line = Line::new(trigger);
    let log = bench.log.clone();
    let action: InterruptAction =
        Arc::new(move |_, _, i| log.push(format!("{}+{}", i.count, i.lost)));
    let capped: Arc<dyn InterruptLine> = Arc::new(RateCapped::new(line.clone(), 3));
    let source = InterruptEventSource::new(Some(capped), 16, Some(action)).unwrap();
    bench.add(&source);
    source.enable(&bench.cx);
    (line, source)
}

#[test]
fn what_is_over_the_cap_is_lost_and_told_once_a_second() {
    let bench = Bench::new();
    let (line, _source) = capped(&bench, Trigger::Edge);
    for n in 0..10 {
        line.raise(ms(n)).unwrap();
        bench.settle();
    }
    assert_eq!(bench.log.take(), "1+0 1+0 1+0 0+1", "and then quiet");
    line.raise(ms(1_000)).unwrap();
    bench.settle();
    assert_eq!(bench.log.take(), "1+6");
}

#[test]
fn what_was_held_back_is_lost_when_the_source_leaves() {
    let bench = Bench::new();
    let (line, source) = capped(&bench, Trigger::Edge);
    for n in 0..10 {
        line.raise(ms(n)).unwrap();
    }
    bench.settle();
    assert_eq!(bench.log.take(), "3+1");
    bench.remove(&source).unwrap();
    assert_eq!(source.discard_pending(), 6);
}

#[test]
fn a_level_line_is_not_capped() {
    let bench = Bench::new();
    let (line, _source) = capped(&bench, Trigger::Level);
    for n in 0..5 {
        line.raise(ms(n)).unwrap();
        bench.settle();
    }
    assert_eq!(bench.log.take(), "1+0 1+0 1+0 1+0 1+0");
}

/// Its time stamps all say the same.
#[test]
fn by_arrival_the_cap_goes_by_the_hosts_own_clock() {
    let bench = Bench::new();
    let line = Line::new(Trigger::Edge);
    let log = bench.log.clone();
    let action: InterruptAction =
        Arc::new(move |_, _, i| log.push(format!("{}+{}", i.count, i.lost)));
    let capped = RateCapped::by_arrival(line.clone(), 2, bench.clock.clone());
    let source = InterruptEventSource::new(Some(Arc::new(capped)), 16, Some(action)).unwrap();
    bench.add(&source);
    source.enable(&bench.cx);
    for second in 0..2 {
        bench.clock.advance(Duration::from_secs(1));
        for _ in 0..4 {
            line.raise(ms(1)).unwrap();
        }
        bench.settle();
        assert_eq!(bench.log.take(), ["2+1", "2+2"][second]);
    }
}
