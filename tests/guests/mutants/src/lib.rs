//! A porch light with a bell: one well-made driver, and what goes wrong with it in each
//! mutant.
//!
//! `examples/well_made.rs` is the driver as it should be; every other example spoils it
//! in one place, as authors do.
#![forbid(unsafe_code)]
// The defects are there for the conformance kit to find.
#![allow(clippy::unwrap_used, clippy::missing_errors_doc)]

mod defect;
mod porch;
mod serial;
mod service;

pub use defect::Defect;
pub use porch::Porch;

/// Makes the driver with this defect the one that an example builds to.
#[macro_export]
macro_rules! mutant {
    ($defect:ident) => {
        use loopgate_guest::prelude::*;

        struct Mutant($crate::Porch);

        impl Driver for Mutant {
            fn start(cx: &Context) -> Result<Self> {
                $crate::Porch::start(cx, $crate::Defect::$defect).map(Self)
            }

            fn interrupt(&mut self, source: InterruptId, event: Interrupts) -> Result<()> {
                self.0.interrupt(source, event)
            }

            fn timeout(&mut self, timer: TimerId, expiry: Timeout) -> Result<()> {
                self.0.timeout(timer, expiry)
            }

            fn command(&mut self, request: Request) -> Result<Reply> {
                self.0.command(&request)
            }

            fn cancelled(&mut self, id: RequestId) {
                self.0.cancelled(id);
            }

            fn completed(&mut self, _: u32, id: RequestId, outcome: Result<Reply>) -> Result<()> {
                self.0.completed(id, outcome)
            }

            fn structural(&mut self, event: StructuralEvent, service: &str) -> Readiness {
                self.0.structural(event, service)
            }

            fn set_power_state(&mut self, state: PowerState) -> Result<PowerChange> {
                self.0.set_power_state(state)
            }

            fn save(&self) -> Result<Saved> {
                self.0.save()
            }

            fn restore(&mut self, saved: &Saved) -> Result<()> {
                self.0.restore(saved)
            }

            fn stop(&mut self) {
                self.0.stop();
            }
        }

        driver!(Mutant);
    };
}
