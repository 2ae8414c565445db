//! GPIO lines.

mod cases;
mod edges;
mod kernel;
mod names;
mod sim;
mod sink;
mod unplug;

use std::sync::Arc;

use loopgate_devices::gpio::{Direction, GpioController, GpioLine, LineRequest};
use loopgate_workloop::Instant;

use crate::{Feature, Report};

pub use kernel::GpioSim;
pub use sim::Simulated;

/// Lines and what is outside of them. Levels are voltages here.
pub trait Bench: Sync {
    /// What has the lines.
    fn controller(&self) -> Arc<dyn GpioController>;

    /// One of eight lines that nobody has, each pulled to ground as long as
    /// nobody says otherwise.
    fn line(&self, number: usize) -> String;

    /// Drives a line from outside, or pulls at it where an output drives it.
    fn drive(&self, line: &str, high: bool);

    /// What is on a line, seen from outside.
    fn level(&self, line: &str) -> bool;

    /// The time, as edges are stamped with it.
    fn now(&self) -> Instant;

    /// Has something happen, or waits for it.
    fn pass(&self);

    /// What the bench has.
    fn has(&self, feature: Feature) -> bool;

    /// Takes the chip of the lines away, or puts it back.
    fn plug(&self, _there: bool) {}

    /// A line by its place, by that with its chip's label, and a name that two
    /// lines have, where lines are on chips.
    fn chips(&self) -> Option<Chips> {
        None
    }
}

/// Names of lines that are on chips.
pub struct Chips {
    /// Where line 0 is.
    pub place: String,
    /// The same, with the chip's label in place of its name.
    pub by_label: String,
    /// A name of two lines, and where they are.
    pub twin: (String, [String; 2]),
}

struct Case {
    name: &'static str,
    needs: Option<Feature>,
    run: fn(&dyn Bench),
}

impl Case {
    const fn new(name: &'static str, run: fn(&dyn Bench)) -> Self {
        Self {
            name,
            needs: None,
            run,
        }
    }

    const fn with(name: &'static str, needs: Feature, run: fn(&dyn Bench)) -> Self {
        Self {
            name,
            needs: Some(needs),
            run,
        }
    }
}

/// Runs every case, each on a bench of its own.
pub fn run<B: Bench>(name: &'static str, bench: impl Fn() -> B, mut each: impl FnMut(&Report)) {
    let cases = [cases::CASES, edges::CASES, names::CASES, unplug::CASES];
    for case in cases.concat() {
        let bench = bench();
        let missing = case.needs.filter(|feature| !bench.has(*feature));
        each(&crate::report(name, case.name, missing, || {
            (case.run)(&bench);
        }));
    }
}

impl Clone for Case {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

const CONSUMER: &str = "device-suite";

fn request(bench: &dyn Bench, number: usize, direction: Direction) -> LineRequest {
    LineRequest::new(bench.line(number), CONSUMER, direction)
}

fn open(bench: &dyn Bench, request: &LineRequest) -> Arc<dyn GpioLine> {
    match bench.controller().request(request) {
        Ok(line) => line,
        Err(error) => panic!("{error}"),
    }
}

fn input(bench: &dyn Bench, number: usize) -> Arc<dyn GpioLine> {
    open(bench, &request(bench, number, Direction::Input))
}

fn output(bench: &dyn Bench, number: usize, initial: bool) -> Arc<dyn GpioLine> {
    open(
        bench,
        &request(bench, number, Direction::Output { initial }),
    )
}
