//! A port expander without hardware. See README.md.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;

const PRESS: u32 = 1;
const RELEASE: u32 = 2;

const PINS: usize = 8;
const NAMES: [&str; PINS] = ["P0", "P1", "P2", "P3", "P4", "P5", "P6", "P7"];

struct Expander {
    pins: PublishedPins,
    /// What is written to each pin: low drives it, high only pulls it up.
    latches: [bool; PINS],
    /// The pins that keys connect each pin with, a bit each.
    keys: [u8; PINS],
    /// As they were told last.
    levels: [bool; PINS],
    _service: Service,
}

impl Driver for Expander {
    fn start(cx: &Context) -> Result<Self> {
        let service = cx
            .service("expander")
            .selector(PRESS, "press", "two pins that a key connects", "")
            .selector(RELEASE, "release", "two pins", "");
        let mut expander = Self {
            pins: cx.publish_pins("expander", &NAMES)?,
            latches: [true; PINS],
            keys: [0; PINS],
            levels: [false; PINS],
            _service: service.publish()?,
        };
        expander.settle()?;
        Ok(expander)
    }

    fn pin_read(&mut self, pin: u32) -> Result<bool> {
        Ok(self.level(pin as usize))
    }

    fn pin_write(&mut self, pin: u32, high: bool) -> Result<()> {
        self.latches[pin as usize] = high;
        self.settle()
    }

    fn pin_configure(&mut self, pin: u32, output: Option<bool>) -> Result<()> {
        // There is no register of directions: an input is a pin that is high
        // and that others may pull low.
        self.pin_write(pin, output.unwrap_or(true))
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        let [a, b, ..] = request.scalars.map(|pin| pin as usize);
        if a >= PINS || b >= PINS || a == b {
            return Err(ErrorCode::BadArgument.into());
        }
        let pressed = request.selector == PRESS;
        for (pin, other) in [(a, b), (b, a)] {
            self.keys[pin] &= !(1 << other);
            self.keys[pin] |= u8::from(pressed) << other;
        }
        self.settle()?;
        Ok(().into())
    }
}

impl Expander {
    /// Low where any pin that keys connect it with is driven low.
    fn level(&self, pin: usize) -> bool {
        let mut connected = 1_u8 << pin;
        for _ in 0..PINS {
            let reached = (0..PINS).filter(|other| connected >> other & 1 == 1);
            connected |= reached.fold(0, |all, other| all | self.keys[other]);
        }
        (0..PINS).all(|other| self.latches[other] || connected >> other & 1 == 0)
    }

    /// Tells of each pin whose level has changed.
    fn settle(&mut self) -> Result<()> {
        let at = now();
        for (pin, number) in (0..PINS).zip(0..) {
            let level = self.level(pin);
            if std::mem::replace(&mut self.levels[pin], level) != level {
                self.pins.changed(number, level, at)?;
            }
        }
        Ok(())
    }
}

driver!(Expander);
