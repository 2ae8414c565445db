//! Group E of the catalogue: interrupt sources.

use std::sync::{Arc, Mutex};

use loopgate_workloop::{
    Context, Error, EventSource, InterruptAction, InterruptEventSource, InterruptLine, Interrupts,
    Occurrence, Trigger,
};

use crate::support::{Bench, Line, dynamic, interrupt, ms, with_filters};

/// A source of `line`, added and enabled, which logs count and lost.
fn counting(bench: &Bench, line: &Arc<Line>) -> Arc<InterruptEventSource> {
    let log = bench.log.clone();
    let source = interrupt(Some(line), move |_, _, i| {
        log.push(format!("{}+{}", i.count, i.lost));
    });
    bench.add(&source);
    source.enable(&bench.cx);
    source
}

fn level(
    bench: &Bench,
    action: impl Fn(&Context, &InterruptEventSource, Interrupts) + Send + Sync + 'static,
) -> (Arc<Line>, Arc<InterruptEventSource>) {
    let line = Line::new(Trigger::Level);
    let source = interrupt(Some(&line), action);
    bench.add(&source);
    source.enable(&bench.cx);
    line.log.take();
    (line, source)
}

#[test]
fn rule_061_all_that_is_pending_is_one_call() {
    let bench = Bench::new();
    let line = Line::new(Trigger::Edge);
    counting(&bench, &line);
    bench.settle();
    assert_eq!(bench.log.take(), "", "nothing pending, no call");
    for n in 0..3 {
        line.raise(ms(n)).unwrap();
    }
    bench.settle();
    assert_eq!(bench.log.take(), "3+0");
}

#[test]
fn rule_062_interrupts_during_the_action_are_the_next_call() {
    let bench = Bench::new();
    let line = Line::new(Trigger::Edge);
    let (log, raised) = (bench.log.clone(), line.clone());
    let once = Mutex::new(Some(3));
    let source = interrupt(Some(&line), move |_, _, i| {
        log.push(i.count.to_string());
        for _ in 0..once.lock().unwrap().take().unwrap_or(0) {
            raised.raise(ms(2)).unwrap();
        }
    });
    bench.add(&source);
    source.enable(&bench.cx);
    line.raise(ms(1)).unwrap();
    line.raise(ms(1)).unwrap();
    bench.settle();
    assert_eq!(bench.log.take(), "2 3");
}

#[test]
fn rule_063_the_second_call_is_a_second_run() {
    let bench = Bench::new();
    let polls = bench.log.clone();
    let once = Mutex::new(Some(()));
    let source = interrupt(None, move |_, source, _| {
        polls.push("action");
        if once.lock().unwrap().take().is_some() {
            source.signal(ms(2)).unwrap();
        }
    });
    bench.add(&source);
    bench.probe("p");
    source.signal(ms(1)).unwrap();
    bench.run();
    assert_eq!(bench.log.take(), "action p", "no `more`");
    bench.run();
    assert_eq!(bench.log.take(), "action p");
}

/// Deviates: a nested run passes over the source whose action runs.
#[test]
fn rule_064_a_nested_run_does_not_come_back_in() {
    let bench = Bench::new();
    let log = bench.log.clone();
    let work_loop = Arc::downgrade(&bench.work_loop);
    let source = interrupt(None, move |cx, source, i| {
        log.push(format!("in{}", i.count));
        if i.count == 2 {
            source.signal(ms(2)).unwrap();
            work_loop.upgrade().unwrap().run_event_sources(cx);
        }
        log.push("out");
    });
    bench.add(&source);
    source.signal(ms(1)).unwrap();
    source.signal(ms(1)).unwrap();
    bench.settle();
    assert_eq!(bench.log.take(), "in2 out in1 out");
}

#[test]
fn rule_065_counts_never_wrap() {
    let bench = Bench::new();
    let line = Line::new(Trigger::Edge);
    let source = counting(&bench, &line);
    line.lose(u32::MAX);
    line.lose(5);
    source.signal(ms(1)).unwrap();
    bench.settle();
    assert_eq!(bench.log.take(), format!("1+{} 0+5", u32::MAX));
}

#[test]
fn rule_066_what_was_counted_is_delivered_after_disable() {
    let bench = Bench::new();
    let line = Line::new(Trigger::Edge);
    let source = counting(&bench, &line);
    line.raise(ms(1)).unwrap();
    source.disable(&bench.cx);
    assert_eq!(line.raise(ms(2)), None);
    bench.settle();
    assert_eq!(bench.log.take(), "1+0");
}

#[test]
fn rule_061_what_is_discarded_is_said() {
    let bench = Bench::new();
    let line = Line::new(Trigger::Edge);
    let source = counting(&bench, &line);
    // The queue has room for 4.
    for n in 0..6 {
        line.raise(ms(n)).unwrap();
    }
    source.signal(ms(7)).unwrap();
    assert_eq!(source.discard_pending(), 7);
    assert_eq!(source.discard_pending(), 0);
    line.raise(ms(8)).unwrap();
    bench.settle();
    assert_eq!(bench.log.take(), "1+0");
}

#[test]
fn rule_067_without_a_line_enable_and_disable_do_nothing() {
    let bench = Bench::new();
    let source = bench.software("s");
    source.disable(&bench.cx);
    assert!(source.is_enabled());
    source.signal(ms(1)).unwrap();
    bench.settle();
    assert_eq!(bench.log.take(), "s1");
}

#[test]
fn rule_068_enable_and_disable_switch_the_line_and_signal_nothing() {
    let bench = Bench::new();
    let line = Line::new(Trigger::Edge);
    let source = counting(&bench, &line);
    bench.settle();
    source.disable(&bench.cx);
    assert!(!source.is_enabled() && !line.is_on());
    source.enable(&bench.cx);
    assert!(source.is_enabled() && line.is_on());
    assert_eq!(line.log.take(), "register on off on");
    assert!(!bench.work_loop.has_work());
}

#[test]
fn rule_069_born_enabled_with_the_line_off() {
    let bench = Bench::new();
    let line = Line::new(Trigger::Edge);
    let source = interrupt(Some(&line), |_, _, _| ());
    assert!(source.is_enabled());
    bench.add(&source);
    assert!(source.is_enabled() && !line.is_on());
}

#[test]
fn rule_070_a_level_line_goes_off_before_it_is_counted() {
    let bench = Bench::new();
    let order = bench.log.clone();
    let (line, _source) = level(&bench, move |_, _, i| order.push(i.count.to_string()));
    line.raise(ms(1)).unwrap();
    assert_eq!(line.log.take(), "off");
    assert_eq!(line.raise(ms(1)), None, "masked until the action returned");
    assert!(bench.work_loop.has_work());
    bench.settle();
    assert_eq!(bench.log.take(), "1");
}

#[test]
fn rule_071_the_line_comes_back_unless_the_driver_disabled_it() {
    let bench = Bench::new();
    let quiet = Arc::new(Mutex::new(false));
    let choice = quiet.clone();
    let (line, source) = level(&bench, move |cx, source, _| {
        if *choice.lock().unwrap() {
            source.disable(cx);
        }
    });
    line.raise(ms(1)).unwrap();
    bench.settle();
    assert_eq!(line.log.take(), "off on");
    *quiet.lock().unwrap() = true;
    line.raise(ms(2)).unwrap();
    bench.settle();
    assert!(!line.is_on(), "stays off");
    source.enable(&bench.cx);
    assert!(line.is_on());
}

#[test]
fn rule_072_an_early_enable_lets_the_next_one_in() {
    let bench = Bench::new();
    let slot: Arc<Mutex<Option<Arc<Line>>>> = Arc::default();
    let (log, early) = (bench.log.clone(), slot.clone());
    let (line, _source) = level(&bench, move |cx, source, i| {
        log.push(i.count.to_string());
        if let Some(line) = early.lock().unwrap().take() {
            source.enable(cx);
            line.raise(ms(2)).unwrap();
        }
    });
    *slot.lock().unwrap() = Some(line.clone());
    line.raise(ms(1)).unwrap();
    bench.run();
    assert_eq!(bench.log.take(), "1");
    assert!(!line.is_on(), "the second waits for its own action, masked");
    bench.settle();
    assert_eq!(bench.log.take(), "1");
    assert!(line.is_on());
}

#[test]
fn rule_073_a_software_interrupt_leaves_the_line_alone() {
    let bench = Bench::new();
    let log = bench.log.clone();
    let (line, source) = level(&bench, move |_, source, i| {
        let mut into = Vec::new();
        let taken = source.take_occurrences(9, &mut into);
        log.push(format!("{} of which {taken}", i.count));
    });
    source.signal(ms(1)).unwrap();
    assert_eq!(line.log.take(), "");
    line.raise(ms(1)).unwrap();
    assert_eq!(line.log.take(), "off");
    bench.settle();
    assert_eq!(bench.log.take(), "2 of which 1");
}

#[test]
fn rule_074_construction_and_registration_fail_cleanly() {
    let line: Arc<dyn InterruptLine> = Line::new(Trigger::Edge);
    let refused = InterruptEventSource::new(Some(line), 0, None);
    assert_eq!(refused.err(), Some(Error::BadArgument));

    let bench = Bench::new();
    let broken = Line::broken(Error::NoResources);
    let source = interrupt(Some(&broken), |_, _, _| ());
    let added = bench
        .work_loop
        .add_event_source(&bench.cx, dynamic(&source));
    assert_eq!(added, Err(Error::NoResources));
    assert_eq!(broken.log.take(), "", "nothing to unregister");
}

/// H3: without an action nothing panics, and nothing is lost.
#[test]
fn rule_074_without_an_action_counts_are_kept() {
    let bench = Bench::new();
    let source = InterruptEventSource::new(None, 0, None).unwrap();
    bench.add(&source);
    source.signal(ms(1)).unwrap();
    bench.settle();
    let log = bench.log.clone();
    let action: InterruptAction = Arc::new(move |_, _, i| log.push(i.count.to_string()));
    source.set_action(Some(action));
    bench.settle();
    assert_eq!(bench.log.take(), "1");
}

#[test]
fn rule_074a_pending_counts_survive_a_removal() {
    let bench = Bench::new();
    let line = Line::new(Trigger::Edge);
    let source = counting(&bench, &line);
    line.raise(ms(1)).unwrap();
    line.raise(ms(2)).unwrap();
    bench.remove(&source).unwrap();
    assert!(!line.is_registered(), "at once");
    bench.settle();
    assert_eq!(bench.log.take(), "");
    bench.add(&source);
    bench.settle();
    assert_eq!(bench.log.take(), "2+0");
}

/// Rule 4 of the design: the ring has room for 4.
#[test]
fn what_finds_no_room_is_reported_lost() {
    let bench = Bench::new();
    let line = Line::new(Trigger::Edge);
    let taken = Arc::new(Mutex::new(Vec::new()));
    let (log, into) = (bench.log.clone(), taken.clone());
    let source = interrupt(Some(&line), move |_, source, i| {
        log.push(format!("{}+{} {}", i.count, i.lost, i.latest.sequence));
        source.take_occurrences(3, &mut into.lock().unwrap());
    });
    bench.add(&source);
    source.enable(&bench.cx);
    for n in 1..=10 {
        line.raise(ms(n)).unwrap();
    }
    line.lose(2);
    bench.settle();
    assert_eq!(bench.log.take(), "4+8 10");
    let sequences: Vec<_> = taken.lock().unwrap().iter().map(|o| o.sequence).collect();
    assert_eq!(
        sequences,
        [7, 8, 9],
        "the oldest are lost, 10 was not taken"
    );
    let mut late: Vec<Occurrence> = Vec::new();
    assert_eq!(source.take_occurrences(9, &mut late), 0, "and is dropped");
    line.lose(3);
    bench.settle();
    assert_eq!(bench.log.take(), "0+3 10");
}

#[test]
fn software_interrupts_count_up_and_carry_their_time() {
    let bench = Bench::new();
    let log = bench.log.clone();
    let source = interrupt(None, move |_, _, i| {
        log.push(format!("{} {}", i.latest.sequence, i.latest.timestamp));
    });
    bench.add(&source);
    source.signal(ms(5)).unwrap();
    source.signal(ms(6)).unwrap();
    bench.settle();
    assert_eq!(bench.log.take(), "2 0.006000000 s");
}

/// Group F: the rules above, with a filter that takes everything.
#[test]
fn rule_083_the_rest_is_as_without_a_filter() {
    with_filters(|| {
        rule_061_all_that_is_pending_is_one_call();
        rule_062_interrupts_during_the_action_are_the_next_call();
        rule_063_the_second_call_is_a_second_run();
        rule_064_a_nested_run_does_not_come_back_in();
        rule_065_counts_never_wrap();
        rule_066_what_was_counted_is_delivered_after_disable();
        rule_061_what_is_discarded_is_said();
        rule_067_without_a_line_enable_and_disable_do_nothing();
        rule_068_enable_and_disable_switch_the_line_and_signal_nothing();
        rule_069_born_enabled_with_the_line_off();
        rule_070_a_level_line_goes_off_before_it_is_counted();
        rule_071_the_line_comes_back_unless_the_driver_disabled_it();
        rule_072_an_early_enable_lets_the_next_one_in();
        rule_073_a_software_interrupt_leaves_the_line_alone();
        rule_074_construction_and_registration_fail_cleanly();
        rule_074_without_an_action_counts_are_kept();
        rule_074a_pending_counts_survive_a_removal();
        what_finds_no_room_is_reported_lost();
        software_interrupts_count_up_and_carry_their_time();
    });
}

/// Over each call whose newest occurrence is among these the handler dies; a
/// call logs its numbers, and what was set aside.
fn deadly(bench: &Bench, deadly: &'static [u64]) -> (Arc<Line>, Arc<InterruptEventSource>) {
    let line = Line::new(Trigger::Edge);
    let log = bench.log.clone();
    let source = interrupt(Some(&line), move |_, source, i| {
        let mut taken = Vec::new();
        source.take_occurrences(1, &mut taken);
        source.take_occurrences(9, &mut taken);
        let numbers: Vec<_> = taken.iter().map(|o| o.sequence.to_string()).collect();
        log.push(format!("{}+{}:{}", i.count, i.lost, numbers.join(",")));
        let kills = taken.iter().any(|o| deadly.contains(&o.sequence));
        if let Some(aside) = kills.then(|| source.keep_unhandled().set_aside).flatten() {
            log.push(format!("aside{}", aside.sequence));
        }
    });
    bench.add(&source);
    source.enable(&bench.cx);
    (line, source)
}

#[test]
fn rule_04_what_a_handler_died_over_comes_again_one_by_one() {
    let bench = Bench::new();
    let (line, _) = deadly(&bench, &[2]);
    for n in 1..=3 {
        line.raise(ms(n)).unwrap();
    }
    bench.settle();
    assert_eq!(
        bench.log.take(),
        "3+0:1,2,3 1+0:1 1+0:2 aside2 1+0:3 0+1:",
        "the second is set aside, and told as lost; the others are not"
    );
    line.raise(ms(4)).unwrap();
    bench.settle();
    assert_eq!(bench.log.take(), "1+0:4");
}

#[test]
fn rule_04_what_comes_again_goes_before_what_came_since() {
    let bench = Bench::new();
    let (line, source) = deadly(&bench, &[1]);
    line.raise(ms(1)).unwrap();
    line.lose(5);
    bench.run();
    assert_eq!(bench.log.take(), "1+5:1");
    source.set_action(None);
    for n in 2..=3 {
        line.raise(ms(n)).unwrap();
    }
    bench.settle();
    let log = bench.log.clone();
    let again: InterruptAction =
        Arc::new(move |_, _, i| log.push(format!("{}+{}", i.count, i.lost)));
    source.set_action(Some(again));
    bench.settle();
    assert_eq!(bench.log.take(), "1+0 2+5");
}

#[test]
fn rule_04_what_would_have_come_again_is_counted_when_the_source_goes() {
    let bench = Bench::new();
    let (line, source) = deadly(&bench, &[3]);
    for n in 1..=3 {
        line.raise(ms(n)).unwrap();
    }
    bench.run();
    bench.log.take();
    line.raise(ms(4)).unwrap();
    bench.remove(&source).unwrap();
    assert_eq!(source.discard_pending(), 4);
    assert_eq!(source.discard_pending(), 0);
}
