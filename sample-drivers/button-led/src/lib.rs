//! A button that switches a lamp. See README.md.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;

/// The service's only selector.
const PRESSES: u32 = 1;

struct ButtonLed {
    button: InputPin,
    edges: Interrupt,
    debounce: Timer,
    quiet: Duration,
    led: OutputPin,
    pressed: bool,
    presses: u64,
    _service: Service,
}

impl Driver for ButtonLed {
    fn start(cx: &Context) -> Result<Self> {
        let button = cx.input("button")?;
        let service = cx.service("button-led").selector(
            PRESSES,
            "presses",
            "",
            "how often the button was pressed",
        );
        Ok(Self {
            edges: cx.interrupt(&button.edges(Edges::Both)?)?,
            debounce: cx.timer()?,
            quiet: cx.config_or("debounce-ms", 5)?.millis(),
            led: cx.output("led")?,
            pressed: button.is_low()?,
            presses: 0,
            _service: service.publish()?,
            button,
        })
    }

    fn interrupt(&mut self, source: InterruptId, _: Interrupts) -> Result<()> {
        debug_assert!(source == self.edges);
        // A contact bounces for some milliseconds. Each edge starts the wait
        // anew, so the timer fires once the contact has come to rest.
        self.debounce.set_timeout(self.quiet)
    }

    fn timeout(&mut self, _: TimerId, _: Timeout) -> Result<()> {
        let pressed = self.button.is_low()?;
        if pressed && !self.pressed {
            self.presses += 1;
            self.led.toggle()?;
        }
        self.pressed = pressed;
        Ok(())
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        match request.selector {
            PRESSES => Ok(Reply::new(self.presses, self.presses.to_string())),
            _ => Err(ErrorCode::BadArgument.into()),
        }
    }
}

driver!(ButtonLed);
