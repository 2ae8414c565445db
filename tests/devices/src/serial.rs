//! Serial ports.

mod cases;
mod outside;
mod pseudo;
mod sim;
mod watch;
mod wires;

use std::sync::Arc;

use loopgate_devices::serial::{Device, PortRequest, SerialController};

use crate::{Feature, Report};

pub use outside::{Ask, AskBreak, Uart, Usb};
pub use pseudo::{Pty, Tty};
pub use sim::Simulated;

/// A port and what is at its other end: somebody who sends back what comes,
/// where the bench has [`Feature::Echo`].
pub trait Bench: Sync {
    /// What has the port.
    fn controller(&self) -> Arc<dyn SerialController>;

    /// The port, which nobody has.
    fn device(&self) -> Device;

    /// What the bench has.
    fn has(&self, feature: Feature) -> bool;

    /// Has what was sent sent back, or waits for that.
    fn pass(&self) {
        crate::rest();
    }

    /// Takes the device away, or puts it back.
    fn plug(&self, _there: bool) {}

    /// Has the other end send a break.
    fn send_break(&self) {}
}

#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    needs: Option<Feature>,
    run: fn(&dyn Bench),
}

/// Runs every case, each on a bench of its own.
pub fn run<B: Bench>(name: &'static str, bench: impl Fn() -> B, mut each: impl FnMut(&Report)) {
    for case in cases::CASES.iter().chain(wires::CASES) {
        let bench = bench();
        let missing = case.needs.filter(|feature| !bench.has(*feature));
        each(&crate::report(name, case.name, missing, || {
            (case.run)(&bench);
        }));
    }
}

fn request(bench: &dyn Bench) -> PortRequest {
    PortRequest::new(bench.device(), 9_600, "device-suite")
}
