//! A PCF8574 and its eight pins. See README.md.

#![forbid(unsafe_code)]

use loopgate_guest::i2c::{BusError, Device};
use loopgate_guest::prelude::*;
use pcf857x::{Pcf8574, PinFlag, SlaveAddr};

const PINS: usize = 8;
const NAMES: [&str; PINS] = ["P0", "P1", "P2", "P3", "P4", "P5", "P6", "P7"];
const FLAGS: [PinFlag; PINS] = [
    PinFlag::P0,
    PinFlag::P1,
    PinFlag::P2,
    PinFlag::P3,
    PinFlag::P4,
    PinFlag::P5,
    PinFlag::P6,
    PinFlag::P7,
];

struct Expander {
    chip: Pcf8574<Device>,
    pins: PublishedPins,
    /// What is written to the pins: low drives one, high only pulls it up.
    latches: u8,
    /// As they were told last.
    levels: u8,
    _changed: Interrupt,
}

impl Driver for Expander {
    fn start(cx: &Context) -> Result<Self> {
        let line = cx.input("interrupt")?.edges(Edges::Falling)?;
        let mut expander = Self {
            chip: Pcf8574::new(cx.i2c("chip")?, SlaveAddr::default()),
            pins: cx.publish_pins("pcf8574", &NAMES)?,
            latches: 0xff,
            levels: 0,
            _changed: cx.interrupt(&line)?,
        };
        expander.write(0xff)?;
        Ok(expander)
    }

    /// The chip says that a pin has changed, and that only.
    fn interrupt(&mut self, _: InterruptId, event: Interrupts) -> Result<()> {
        self.read(event.latest.timestamp)
    }

    fn pin_read(&mut self, pin: u32) -> Result<bool> {
        self.read(now())?;
        Ok(self.levels >> pin & 1 == 1)
    }

    fn pin_write(&mut self, pin: u32, high: bool) -> Result<()> {
        self.write(self.latches & !(1 << pin) | u8::from(high) << pin)
    }

    fn pin_configure(&mut self, pin: u32, output: Option<bool>) -> Result<()> {
        // There is no register of directions: an input is a pin that is high
        // and that others may pull low.
        self.pin_write(pin, output.unwrap_or(true))
    }
}

impl Expander {
    fn write(&mut self, latches: u8) -> Result<()> {
        self.chip.set(latches).map_err(failed)?;
        self.latches = latches;
        // To the chip a write is a look at the pins, too: it forgets what has changed.
        self.read(now())
    }

    /// Tells of each pin whose level has changed.
    fn read(&mut self, at: Instant) -> Result<()> {
        // The crate drives high what it is to read: one that is high already will do.
        let mut flags = FLAGS.into_iter().zip(0..);
        let high = flags.find(|(_, pin)| self.latches >> pin & 1 == 1);
        let levels = match high {
            Some((flag, _)) => self.chip.get(flag).map_err(failed)?,
            None => 0,
        };
        let changed = std::mem::replace(&mut self.levels, levels) ^ levels;
        for pin in (0..8).filter(|pin| changed >> pin & 1 == 1) {
            self.pins.changed(pin, levels >> pin & 1 == 1, at)?;
        }
        Ok(())
    }
}

fn failed(error: pcf857x::Error<BusError>) -> Error {
    match error {
        pcf857x::Error::I2C(error) => error.into(),
        other => Error::new(ErrorCode::Io, format!("PCF8574: {other:?}")),
    }
}

driver!(Expander);
