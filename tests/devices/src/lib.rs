//! What a device does by the rules of `loopgate_devices::gpio` and
//! `loopgate_devices::serial`, as cases that run on every backend.
//!
//! A *bench* is a backend with what stands outside of it: somebody who presses
//! buttons and looks at lamps, and the device at the other end of a wire. Each
//! case gets a new one. What a bench cannot do is a [`Feature`] that it lacks,
//! and the cases that need it are skipped there, visibly.
//!
//! `cargo test` runs the suite on what any machine has; `cargo xtask kernel`
//! runs the same on a kernel with simulated GPIO chips.
#![forbid(unsafe_code)]

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

pub mod gpio;
pub mod serial;

/// Longer than anything here takes, on any machine, emulated ones included.
pub const LIMIT: Duration = Duration::from_mins(2);

/// What not every bench has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// Edges wait in a queue of a size until they are read.
    Queue,
    /// Lines are on chips, and can be named by those.
    Chips,
    /// The device can be unplugged and plugged in again.
    Unplug,
    /// Somebody sends back what is sent.
    Echo,
    /// The hardware takes another speed than it says.
    Fallback,
    /// It has framings, flow control, modem lines and breaks.
    Wires,
    /// It has none of these, as a pseudo-terminal.
    NoWires,
    /// Somebody at the other end sends breaks.
    Breaks,
}

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not, for this reason.
    Failed(String),
    /// The bench lacks something.
    Skipped(Feature),
}

/// A case on a bench.
#[derive(Debug)]
pub struct Report {
    /// The bench.
    pub bench: &'static str,
    /// The case.
    pub case: &'static str,
    /// What became of it.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

/// Runs a case that needs nothing.
pub fn case(bench: &'static str, name: &'static str, run: impl FnOnce()) -> Report {
    report(bench, name, None, run)
}

/// Runs a case, unless the bench has not got what it needs.
fn report(
    bench: &'static str,
    case: &'static str,
    missing: Option<Feature>,
    run: impl FnOnce(),
) -> Report {
    let began = Instant::now();
    let outcome = match missing {
        Some(feature) => Outcome::Skipped(feature),
        None => match catch_unwind(AssertUnwindSafe(run)) {
            Ok(()) => Outcome::Passed,
            Err(panic) => Outcome::Failed(said(&*panic)),
        },
    };
    Report {
        bench,
        case,
        outcome,
        took: began.elapsed(),
    }
}

fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("a panic without words").to_owned()
}

/// Waits until `condition` holds; `pass` has something happen.
///
/// # Panics
///
/// When it does not within [`LIMIT`].
pub fn until(what: &str, pass: impl Fn(), mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        pass();
    }
}

/// Signalled by sinks, so that who waits leaves the processor to them: an
/// emulated machine has one, and a slow one.
static CALLED: (Mutex<()>, Condvar) = (Mutex::new(()), Condvar::new());

fn called() {
    drop(CALLED.0.lock());
    CALLED.1.notify_all();
}

/// Waits for a call of a sink, or a moment.
pub fn rest() {
    let moment = Duration::from_millis(5);
    CALLED.1.wait_for(&mut CALLED.0.lock(), moment);
}

impl Report {
    /// For programs, on one line.
    pub fn json(&self) -> serde_json::Value {
        let (result, cause) = match &self.outcome {
            Outcome::Passed => ("passed", None),
            Outcome::Failed(cause) => ("failed", Some(cause.clone())),
            Outcome::Skipped(feature) => ("skipped", Some(format!("{feature:?}").to_lowercase())),
        };
        serde_json::json!({
            "bench": self.bench,
            "case": self.case,
            "result": result,
            "cause": cause,
            "seconds": self.took.as_secs_f64(),
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bench, case, .. } = self;
        match &self.outcome {
            Outcome::Passed => write!(f, "{bench}: {case}: passed"),
            Outcome::Failed(cause) => write!(f, "{bench}: {case}: FAILED: {cause}"),
            Outcome::Skipped(feature) => write!(f, "{bench}: {case}: skipped, has no {feature:?}"),
        }
    }
}
