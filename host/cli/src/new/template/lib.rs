//! Blinks a lamp, counts the presses of a button, and tells how many there were.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;

/// Change this, build, and watch the lamp.
const PERIOD: Duration = Duration::from_millis(500);

/// What the driver holds. Dropping a pin, a source or a service gives it back.
struct Lamp {
    led: OutputPin,
    timer: Timer,
    presses: u64,
    _button: InputPin,
    _press: Interrupt,
    _service: Service,
}

impl Driver for Lamp {
    /// Opens what board.toml grants. Events arrive once this has returned.
    fn start(cx: &Context) -> Result<Self> {
        let button = cx.input("button")?;
        let service = cx.service("{{name}}");
        let lamp = Self {
            led: cx.output("led")?,
            timer: cx.timer()?,
            presses: 0,
            _press: cx.interrupt(&button.edges(Edges::Falling)?)?,
            _button: button,
            _service: service
                .selector(1, "presses", "", "presses so far")
                .publish()?,
        };
        lamp.timer.set_timeout(PERIOD)?;
        info!("blinking every {PERIOD:?}");
        Ok(lamp)
    }

    /// The timer expired. It fires once for each time that it is armed.
    fn timeout(&mut self, _: TimerId, expiry: Timeout) -> Result<()> {
        // Counted from the deadline, so that lateness does not add up; after a
        // long standstill the missed turns are skipped.
        let next = expiry.deadline + PERIOD;
        let next = if next > expiry.now {
            next
        } else {
            expiry.now + PERIOD
        };
        // First: should the lamp fail, the next turn comes all the same.
        self.timer.wake_at(next)?;
        self.led.toggle()
    }

    /// The button was pressed, `event.count` times since the last call.
    fn interrupt(&mut self, _: InterruptId, event: Interrupts) -> Result<()> {
        self.presses += u64::from(event.count);
        info!("presses so far: {}", self.presses);
        Ok(())
    }

    /// A client asks. No handler runs beside another: nothing needs a lock.
    fn command(&mut self, _: Request) -> Result<Reply> {
        Ok(Reply::new(self.presses, self.presses.to_string()))
    }
}

driver!(Lamp);
