//! Group D of the catalogue: what all event sources have in common.

use std::sync::Arc;

use loopgate_workloop::{Error, EventSource, InterruptAction, InterruptEventSource};

use crate::support::{Bench, Probe, interrupt, ms};

#[test]
fn rule_054_enabled_from_birth_with_or_without_an_action() {
    let source = InterruptEventSource::new(None, 0, None).unwrap();
    assert!(source.is_enabled());
    assert!(Probe::new(|_, _| false).is_enabled());
}

#[test]
fn rule_055_enable_has_pending_work_looked_at() {
    let bench = Bench::new();
    let log = bench.log.clone();
    let queue = Probe::new(move |probe, _| {
        if probe.is_enabled() {
            log.push("handled");
        }
        false
    });
    bench.add(&queue);
    queue.disable(&bench.cx);
    bench.settle();
    assert_eq!(bench.log.take(), "");
    queue.enable(&bench.cx);
    bench.settle();
    assert_eq!(bench.log.take(), "handled");
}

#[test]
fn rule_056_disable_only_clears_the_flag() {
    let bench = Bench::new();
    let careless = bench.probe("polled");
    careless.disable(&bench.cx);
    assert!(!careless.is_enabled());
    bench.run();
    assert_eq!(bench.log.take(), "polled");
}

#[test]
fn rule_057_a_new_action_counts_from_the_next_call() {
    let bench = Bench::new();
    let log = bench.log.clone();
    let source = interrupt(None, move |_, source, _| {
        let later = log.clone();
        let next: InterruptAction = Arc::new(move |_, _, _| later.push("new"));
        source.set_action(Some(next));
        log.push("old");
    });
    bench.add(&source);
    for _ in 0..2 {
        source.signal(ms(1)).unwrap();
        bench.settle();
    }
    assert_eq!(bench.log.take(), "old new");
}

/// And nothing is counted.
#[test]
fn rule_058_signalling_an_unattached_source_is_an_error() {
    let bench = Bench::new();
    let log = bench.log.clone();
    let source = interrupt(None, move |_, _, i| log.push(i.count.to_string()));
    assert_eq!(source.signal(ms(1)), Err(Error::NotReady));
    assert!(!source.attachment().signal());
    bench.add(&source);
    bench.settle();
    assert_eq!(bench.log.take(), "");
}

#[test]
fn rule_060_an_unattached_source_has_no_loop() {
    assert!(Probe::new(|_, _| false).attachment().work_loop().is_none());
}
