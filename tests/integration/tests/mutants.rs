//! The conformance kit finds each seeded defect with the check that is meant for it, and
//! nothing in the driver without one. `cargo xtask mutants` shows the table.

use loopgate_conform::report::Outcome;
use loopgate_conform::{Kit, Scenario};
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
#[test]
fn a_race_of_three_events_is_made_as_short_as_that() {
    let races: Vec<&Mutant> = MUTANTS
        .iter()
        .filter(|mutant| mutant.name == "race_of_three")
        .collect();
    let findings =
        mutants::find(&races, With::Meant, |_| {}).unwrap_or_else(|error| panic!("{error}"));
    let [race] = &findings[..] else {
        panic!("{findings:#?}")
    };
    assert!(race.runs <= mutants::SCHEDULES);
    let failure = race.found.as_ref().expect("it is found");
    let order = &failure.schedule;
    assert_eq!(order.len(), 3, "{failure:#?}");
    let scenario = failure.scenario.as_ref().expect("it is written as one");
    for (name, fails) in [("race_of_three", true), (WELL_MADE, false)] {
        let again = Scenario::parse(scenario, mutants::folder().join("race.toml"));
        let again = again.unwrap_or_else(|error| panic!("{error}\n{scenario}"));
        let subject = mutants::subject(name).unwrap_or_else(|error| panic!("{error}"));
        let outcome = again.run(&subject, None).unwrap().outcome;
        assert_eq!(
            matches!(outcome, Outcome::Failed(_)),
            fails,
            "{name}: {outcome:?}\n{scenario}"
        );
    }
    for (step, part) in order.iter().zip([
        "porch-slow.1 is asked",
        "BUTTON is driven",
        "arrive at PORT",
    ]) {
        assert!(step.contains(part), "{order:?}");
    }
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
