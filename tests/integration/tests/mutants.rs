//! The conformance kit finds each seeded defect with the check that is meant for it, and
//! nothing in the driver without one. `cargo xtask mutants` shows the table.

use loopgate_conform::report::Outcome;
use loopgate_conform::{Kit, Scenario, Subject};
use loopgate_integration::mutants::{self, MUTANTS, Mutant, WELL_MADE, With};
use std::collections::BTreeSet;

#[test]
fn every_defect_is_found_by_the_check_meant_for_it() {
    let all: Vec<&Mutant> = MUTANTS.iter().collect();
    let findings =
        mutants::find(&all, With::Meant, |_| {}).unwrap_or_else(|error| panic!("{error}"));
    let table = mutants::table(&findings);
    println!("{table}");
    let missed: Vec<_> = findings
        .iter()
        .filter(|finding| finding.found.is_none())
        .collect();
    assert!(missed.is_empty(), "missed: {missed:#?}\n{table}");
}

#[test]
fn nothing_is_found_in_the_driver_without_a_defect() {
    let complaints = mutants::complaints().unwrap_or_else(|error| panic!("{error}"));
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// A request that waits, an edge, and a line before the contact rests.
const RACE: [&str; 3] = [
    "porch-slow.1 is asked",
    "BUTTON is driven",
    "arrive at PORT",
];

#[test]
fn a_race_of_three_events_is_made_as_short_as_that() {
    for seed in [0, 1_000_000, 2_000_000] {
        let kit = Kit::new(subject("race_of_three")).seed(seed);
        let kit = kit
            .schedules(mutants::SCHEDULES)
            .only(["survives-schedules"]);
        let report = kit.run().unwrap_or_else(|error| panic!("{error}"));
        let check = report.checks.last().expect("it was run");
        let Outcome::Failed(failure) = &check.outcome else {
            panic!("seed {seed}: {check:?}")
        };
        println!("seed {seed}: found by schedule {}", check.runs);
        let order = &failure.schedule;
        let is_race = order
            .iter()
            .zip(RACE)
            .all(|(step, part)| step.contains(part));
        assert!(
            is_race && order.len() == RACE.len(),
            "seed {seed}: {failure:#?}"
        );
        shows_it_again(failure.scenario.as_ref().expect("it is written as one"));
    }
}

/// And does nothing to the driver without a defect.
fn shows_it_again(scenario: &str) {
    for (name, fails) in [("race_of_three", true), (WELL_MADE, false)] {
        let again = Scenario::parse(scenario, mutants::folder().join("race.toml"));
        let again = again.unwrap_or_else(|error| panic!("{error}\n{scenario}"));
        let outcome = again.run(&subject(name), None).unwrap().outcome;
        let failed = matches!(outcome, Outcome::Failed(_));
        assert_eq!(failed, fails, "{name}: {outcome:?}\n{scenario}");
    }
}

fn subject(name: &str) -> Subject {
    mutants::subject(name).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn there_is_a_mutant_for_every_check_and_a_component_for_every_mutant() {
    let meant: BTreeSet<_> = MUTANTS
        .iter()
        .map(|mutant| mutant.meant.to_string())
        .collect();
    let without: Vec<_> = Kit::checks().filter(|id| !meant.contains(*id)).collect();
    assert!(without.is_empty(), "no mutant is meant for {without:?}");
    let named: BTreeSet<_> = MUTANTS
        .iter()
        .map(|mutant| mutant.name)
        .chain([WELL_MADE])
        .collect();
    assert_eq!(named.len(), MUTANTS.len() + 1, "a name stands there twice");
    let built = mutants::built().unwrap();
    assert_eq!(named.into_iter().collect::<Vec<_>>(), built);
}
