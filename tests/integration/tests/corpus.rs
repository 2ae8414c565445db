//! The hostile corpus: every attempt gets its verdict, and neither of its
//! neighbours misses an edge.

use loopgate_integration::hostile::corpus::{
    AROUND, Attempt, BUSES, HANDLERS, IMPORTS, MODULES, RELOADS, REQUESTS, SLOW, random,
};
use loopgate_integration::hostile::run::{run, run_virtually};

fn all_are_well(attempts: &[Attempt]) {
    let reports = attempts.iter().map(run);
    let failed: Vec<_> = reports.filter(|report| !report.is_well()).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn no_handler_is_a_way_out() {
    all_are_well(HANDLERS);
}

#[test]
fn no_driver_around_it_is_a_way_out() {
    all_are_well(AROUND);
}

#[test]
fn no_reload_is_a_way_out() {
    all_are_well(RELOADS);
}

#[test]
fn no_import_is_a_way_out() {
    all_are_well(IMPORTS);
}

#[test]
fn no_bus_is_a_way_out() {
    all_are_well(BUSES);
}

#[test]
fn no_flood_drowns_the_neighbours() {
    all_are_well(REQUESTS);
}

#[test]
fn no_module_is_a_way_out() {
    all_are_well(MODULES);
}

#[test]
fn what_nobody_wrote_harms_nobody() {
    all_are_well(&random());
}

/// Rule 13, without a machine's noise. Guest code takes no virtual time: what
/// does is `delay`, in whatever handler and down call, and the grain by which
/// time goes on where a driver has always more to do. So this asserts which
/// handlers can come between an edge and its handler, and how long all their
/// delays may be together; that a handler's own processor time is bounded is
/// asserted by the limits' tests, in real time. On another loop nothing can be
/// asserted: in virtual time one thread serves all of them.
#[test]
fn in_virtual_time_nobody_is_later_than_rule_13_allows() {
    let attempts = [HANDLERS, AROUND, SLOW, RELOADS, IMPORTS, BUSES, REQUESTS]
        .into_iter()
        .flatten();
    let reports: Vec<_> = attempts.map(run_virtually).collect();
    let late: Vec<_> = reports
        .iter()
        .filter(|report| !report.expected || report.same.missed > 0 || !report.is_in_time())
        .collect();
    assert!(late.is_empty(), "{late:#?}");
    // Some do take nearly all that they may.
    let worst = reports.iter().map(|report| report.same.worst_ns).max();
    assert!(worst > Some(250_000_000), "{worst:?}");
}
