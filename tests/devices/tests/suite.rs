//! The suite on what any machine has, and on the kernel's simulated chips where
//! this kernel has any.

use loopgate_device_suite::{Outcome, Report, gpio, serial};

/// Fails after the last case, not at the first that does.
#[derive(Default)]
struct Failures(Vec<String>);

impl Failures {
    fn note(&mut self, report: &Report) {
        println!("{report}");
        if matches!(report.outcome, Outcome::Failed(_)) {
            self.0.push(report.to_string());
        }
    }
}

impl Drop for Failures {
    fn drop(&mut self) {
        assert!(self.0.is_empty(), "{:#?}", self.0);
    }
}

#[test]
fn lines_of_the_simulated_board() {
    let mut failures = Failures::default();
    gpio::run("gpio, sim", gpio::Simulated::new, |r| failures.note(r));
}

#[test]
fn ports_of_the_simulated_board() {
    let mut failures = Failures::default();
    serial::run("serial, sim", serial::Simulated::new, |r| failures.note(r));
}

#[test]
fn pseudo_terminals() {
    let mut failures = Failures::default();
    serial::run("serial, pty", serial::Pty::new, |r| failures.note(r));
    serial::run("serial, tty", serial::Tty::new, |r| failures.note(r));
}

#[test]
fn lines_of_the_kernel() {
    if !gpio::GpioSim::is_there() {
        println!("skipped: this kernel has no `gpio-sim`; `cargo xtask kernel` runs one that has");
        return;
    }
    let mut failures = Failures::default();
    gpio::run("gpio, kernel", gpio::GpioSim::new, |r| failures.note(r));
}
