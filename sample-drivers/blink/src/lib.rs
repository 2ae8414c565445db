//! Blinks a lamp. See README.md.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;

/// Milliseconds between two changes, unless the board file tells.
const PERIOD_MS: u64 = if cfg!(feature = "fast") { 100 } else { 500 };

struct Blink {
    led: OutputPin,
    timer: Timer,
    period: Duration,
}

impl Driver for Blink {
    fn start(cx: &Context) -> Result<Self> {
        let period = cx.config_or("period-ms", PERIOD_MS)?.millis();
        if period.is_zero() {
            let what = "config `period-ms` is `0`, which would never let the loop rest";
            return Err(Error::new(ErrorCode::BadArgument, what));
        }
        let blink = Self {
            led: cx.output("led")?,
            timer: cx.timer()?,
            period,
        };
        blink.timer.set_timeout(period)?;
        Ok(blink)
    }

    fn timeout(&mut self, _: TimerId, expiry: Timeout) -> Result<()> {
        // Counted from the deadline, not from now: lateness does not add up.
        // After a long standstill the missed turns are skipped.
        let next = expiry.deadline + self.period;
        let next = if next > expiry.now {
            next
        } else {
            expiry.now + self.period
        };
        // First: the lamp may fail, and the next turn is to come all the same.
        self.timer.wake_at(next)?;
        self.led.toggle()
    }

    /// Asleep the lamp is off, and the timer at rest.
    fn set_power_state(&mut self, state: PowerState) -> Result<PowerChange> {
        match state {
            PowerState::Sleep => {
                self.timer.cancel_timeout();
                self.led.set_low()?;
            }
            PowerState::On => self.timer.set_timeout(self.period)?,
        }
        Ok(PowerChange::Made)
    }

    fn stop(&mut self) {
        info!("stopped; the host takes the lamp to its safe state");
    }
}

driver!(Blink);
