//! The conformance kit, on the sample drivers and on drivers with a defect.

use loopgate_conform::report::Outcome;
use loopgate_conform::{Kit, Report, Subject};
use loopgate_integration::{driver, root};
use std::time::Instant;

const SAMPLES: [&str; 17] = [
    "blink",
    "block-cache",
    "button-led",
    "digits",
    "expander-pcf8574",
    "expander-sim",
    "gps-nmea",
    "humidity",
    "ir-nec",
    "keypad",
    "macro-pad",
    "modbus-master",
    "oled",
    "quadrature",
    "ram-block",
    "serial-echo",
    "weather",
];

fn run(name: &str) -> Report {
    let board = root().join("sample-drivers/board.toml");
    let subject = Subject::new(&driver(&name.replace('-', "_")), Some(&board), Some(name));
    let subject = match subject {
        Ok(subject) => subject,
        Err(error) => {
            println!("{error}");
            let mut subject =
                Subject::new(&driver(&name.replace('-', "_")), None, Some(name)).unwrap();
            subject.grant_what_it_asks().unwrap();
            subject
        }
    };
    let begun = std::rc::Rc::new(std::cell::Cell::new(Instant::now()));
    let last = begun.clone();
    Kit::new(subject)
        .progress(move |what| println!("{:?} {what}", last.replace(Instant::now()).elapsed()))
        .run()
        .unwrap()
}

#[test]
fn samples() {
    let only = std::env::var("ONLY").unwrap_or_default();
    for name in SAMPLES.into_iter().filter(|name| name.contains(&only)) {
        let report = run(name);
        println!("{name}: {}", report.conforms());
        for check in &report.checks {
            if let Outcome::Failed(failure) = &check.outcome {
                println!("  {} {}", check.id, failure.message);
                if std::env::var("MORE").is_ok() {
                    for line in &failure.evidence {
                        println!("      {line}");
                    }
                }
            } else if let Outcome::Skipped { why } = &check.outcome {
                println!("  {} skipped {why}", check.id);
            }
        }
    }
}
