//! The conformance kit, on the sample drivers.

use loopgate::Request;
use loopgate_conform::report::Outcome;
use loopgate_conform::scenario::{self, Scenario};
use loopgate_conform::{Kit, Report, Style, Subject};
use loopgate_integration::hostile::ALL;
use loopgate_integration::{driver, entry, guest, root, virtual_board};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// The folders of the samples' scenarios.
fn folders() -> Vec<PathBuf> {
    let samples = root().join("sample-drivers").read_dir().unwrap();
    let mut folders: Vec<_> = samples
        .map(|entry| entry.unwrap().path())
        .filter(|folder| folder.join("Cargo.toml").exists())
        .map(|folder| folder.join("conform"))
        .collect();
    folders.sort();
    folders
}

fn subject(folder: &std::path::Path) -> Subject {
    let name = folder
        .parent()
        .unwrap()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap();
    let component = driver(&name.replace('-', "_"));
    Subject::new(&component, Some(&folder.join("board.toml")), Some(name)).unwrap()
}

fn of(name: &str) -> Subject {
    subject(&root().join("sample-drivers").join(name).join("conform"))
}

fn results(report: &Report) -> Vec<(&str, &Outcome)> {
    let checks = report.checks.iter();
    checks.map(|check| (check.id, &check.outcome)).collect()
}

#[test]
fn every_sample_conforms_and_has_two_scenarios() {
    let mut failed = Vec::new();
    for folder in folders() {
        let subject = subject(&folder);
        let mut report = Kit::new(subject.clone()).schedules(200).run().unwrap();
        for path in scenario::find(&folder).unwrap() {
            let scenario = Scenario::read(path).unwrap();
            report.scenarios.push(scenario.run(&subject, None).unwrap());
        }
        let text = report.to_text(Style::Plain);
        println!("{}", text.lines().last().unwrap_or_default());
        if !report.conforms() || report.scenarios.len() < 2 {
            failed.push(text);
        }
    }
    assert!(failed.is_empty(), "{}", failed.concat());
}

#[test]
fn rule_17_the_same_run_is_the_same_report() {
    let run = |seed| {
        Kit::new(of("button-led"))
            .schedules(50)
            .seed(seed)
            .run()
            .unwrap()
    };
    let first = run(1);
    assert_eq!(first.to_json(), run(1).to_json());
    let other = run(2);
    assert_eq!(first.trace.len(), 64);
    assert_ne!(
        first.trace, other.trace,
        "schedules are drawn from the seed"
    );
}

#[test]
fn shards_are_together_the_whole() {
    let ids = |index, count| {
        let kit = Kit::new(of("quadrature")).schedules(5).shard(index, count);
        let report = kit.run().unwrap();
        let ids: Vec<_> = report.checks.iter().map(|check| check.id).collect();
        assert_eq!(ids[0], "starts", "each part needs it");
        ids[1..].to_vec()
    };
    let mut all: Vec<_> = (1..=3).flat_map(|index| ids(index, 3)).collect();
    all.sort_unstable();
    let mut whole = ids(1, 1);
    assert_eq!(whole.len() + 1, Kit::checks().count());
    whole.sort_unstable();
    assert_eq!(all, whole);
}

#[test]
fn without_a_board_a_driver_is_granted_what_it_asks_for() {
    let mut subject = Subject::new(&driver("button_led"), None, None).unwrap();
    subject.grant_what_it_asks().unwrap();
    let entry = subject.entry();
    assert_eq!(entry.gpio.keys().collect::<Vec<_>>(), ["button", "led"]);
    assert_eq!(entry.provides[0].get_ref(), "button-led");
    let report = Kit::new(subject).schedules(20).run().unwrap();
    assert!(report.conforms(), "{}", report.to_text(Style::Plain));
}

#[test]
fn what_does_not_start_is_told_and_the_rest_skipped() {
    let subject = Subject::new(&driver("blink"), None, None).unwrap();
    let report = Kit::new(subject).run().unwrap();
    assert!(!report.conforms());
    let results = results(&report);
    let Outcome::Failed(failure) = results[0].1 else {
        panic!("{results:?}")
    };
    assert!(failure.message.contains("led"), "{failure:?}");
    let skipped = |(_, outcome): &(&str, &Outcome)| matches!(outcome, Outcome::Skipped { .. });
    assert!(results[1..].iter().all(skipped));
}

#[test]
fn hostile_drivers_end_the_kit_in_no_way_but_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let board = folder.path().join("board.toml");
    for hostile in ALL.iter().filter(|hostile| hostile.how != "clients") {
        let name = hostile.name();
        let entry = hostile.entry(&name, "command", "");
        std::fs::write(&board, format!("[board]\nbackend = \"sim\"\n{entry}")).unwrap();
        let subject = Subject::new(&guest(hostile.guest), Some(&board), Some(&name)).unwrap();
        let few = ["answers-once", "survives-any-request", "survives-schedules"];
        let report = Kit::new(subject).schedules(3).only(few).run().unwrap();
        assert_eq!(report.checks[0].outcome, Outcome::Passed, "{name} starts");
        let text = report.to_text(Style::Plain);
        println!("{name}: {}", text.lines().last().unwrap_or_default());
    }
}

#[test]
fn a_year_of_a_minute_each_is_played_in_seconds() {
    let rest = "config = { period-ms = \"60000\" }\n[driver.gpio]\nled = { line = \"LED\", direction = \"output\" }";
    let board = virtual_board(entry("blink", &driver("blink"), rest));
    let changes = Arc::new(AtomicU64::new(0));
    let seen = changes.clone();
    board.sim().observe(move |_| {
        seen.fetch_add(1, Relaxed);
    });
    let begun = std::time::Instant::now();
    board.run_for(Duration::from_hours(365 * 24));
    println!("a year took {:?}", begun.elapsed());
    assert_eq!(changes.load(Relaxed), 365 * 24 * 60);
    assert!(board.call("nobody", Request::numbered(1)).is_err());
}
