//! Drivers that probe or attack the host, for its tests.
//!
//! Each is an example of this crate: `examples/<suite>_<case>.rs`, one
//! component. Hostile ones misbehave when their board entry says (config
//! `when`), so that one component serves many tests; see [`Trigger`].

#![forbid(unsafe_code)]

mod trigger;

pub use loopgate_guest;
pub use trigger::{Trigger, When};

/// Makes a driver that calls `$misbehave: fn(&Trigger) -> Reply` when
/// its [`Trigger`] says. What it returns is the reply to a command, and goes to
/// the log otherwise.
#[macro_export]
macro_rules! misbehaves {
    ($misbehave:path) => {
        use $crate::loopgate_guest as sdk;

        struct Guest($crate::Trigger);

        impl Guest {
            fn when(&self, when: $crate::When) {
                self.0.when(when, $misbehave);
            }
        }

        impl sdk::Driver for Guest {
            fn start(cx: &sdk::Context) -> sdk::Result<Self> {
                let guest = Self($crate::Trigger::arm(cx)?);
                guest.0.started(cx.cause(), $misbehave);
                Ok(guest)
            }

            fn interrupt(&mut self, _: sdk::InterruptId, _: sdk::Interrupts) -> sdk::Result<()> {
                self.when($crate::When::Interrupt);
                Ok(())
            }

            fn timeout(&mut self, _: sdk::TimerId, _: sdk::Timeout) -> sdk::Result<()> {
                self.0.timeout($misbehave)
            }

            fn command(&mut self, request: sdk::Request) -> sdk::Result<sdk::Reply> {
                Ok(self.0.command(&request, $misbehave))
            }

            fn cancelled(&mut self, _: sdk::RequestId) {
                self.when($crate::When::Cancelled);
            }

            fn completed(
                &mut self,
                _: u32,
                _: sdk::RequestId,
                _: sdk::Result<sdk::Reply>,
            ) -> sdk::Result<()> {
                self.when($crate::When::Completed);
                Ok(())
            }

            fn pin_read(&mut self, _: u32) -> sdk::Result<bool> {
                self.when($crate::When::PinRead);
                Ok(true)
            }

            fn pin_write(&mut self, _: u32, _: bool) -> sdk::Result<()> {
                self.when($crate::When::PinWrite);
                Ok(())
            }

            fn pin_configure(&mut self, _: u32, _: Option<bool>) -> sdk::Result<()> {
                self.when($crate::When::PinConfigure);
                Ok(())
            }

            fn structural(&mut self, _: sdk::StructuralEvent, _: &str) -> sdk::Readiness {
                self.when($crate::When::Structural);
                sdk::Readiness::Ready
            }

            fn allow_power_change(&mut self, _: sdk::PowerState) -> bool {
                self.when($crate::When::AllowPowerChange);
                true
            }

            fn set_power_state(&mut self, _: sdk::PowerState) -> sdk::Result<sdk::PowerChange> {
                self.when($crate::When::SetPowerState);
                Ok(sdk::PowerChange::Made)
            }

            fn power_state_did_change(&mut self, _: sdk::PowerState) {
                self.when($crate::When::PowerStateDidChange);
            }

            fn save(&self) -> sdk::Result<sdk::Saved> {
                self.0.save($misbehave)
            }

            fn restore(&mut self, _: &sdk::Saved) -> sdk::Result<()> {
                self.when($crate::When::Restore);
                Ok(())
            }

            fn stop(&mut self) {
                self.when($crate::When::Stop);
            }
        }

        sdk::driver!(Guest);
    };
}

/// A service's name, from config `service`.
pub fn service_name<'a>(cx: &'a loopgate_guest::Context, default: &'a str) -> &'a str {
    cx.config("service").unwrap_or(default)
}
