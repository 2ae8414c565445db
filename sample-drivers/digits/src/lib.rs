//! Eight digits of seven segments. See README.md.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use max7219::connectors::PinConnector;
use max7219::{DataError, MAX7219};

const SHOW: u32 = 1;

/// The crate can have several displays in a row; this is the only one.
const DISPLAY: usize = 0;
const DIGITS: usize = 8;

struct Digits {
    display: MAX7219<PinConnector<OutputPin, OutputPin, OutputPin>>,
    _service: Service,
}

impl Driver for Digits {
    fn start(cx: &Context) -> Result<Self> {
        let (data, clock) = (cx.output("data")?, cx.output("clock")?);
        let select = cx.output_high("select")?;
        let mut display = MAX7219::from_pins(1, data, select, clock).map_err(failed)?;
        let brightness = cx.config_or("brightness", 7_u8)?.min(15);
        display.set_intensity(DISPLAY, brightness).map_err(failed)?;
        display.power_on().map_err(failed)?;
        let service = cx.service("digits").input_max(2 * DIGITS as u32);
        let input = "up to eight characters, and points";
        Ok(Self {
            display,
            _service: service.selector(SHOW, "show", input, "").publish()?,
        })
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        let (text, points) = laid_out(&request.data).ok_or(ErrorCode::BadArgument)?;
        let written = self.display.write_str(DISPLAY, &text, points);
        written.map_err(failed)?;
        Ok(().into())
    }
}

/// The characters, to the right, and the points, which have no place of their own.
fn laid_out(text: &[u8]) -> Option<([u8; DIGITS], u8)> {
    let (mut digits, mut points) = ([b' '; DIGITS], 0);
    let mut place = DIGITS;
    let mut has_point = false;
    for &byte in text.iter().rev() {
        if byte == b'.' {
            if std::mem::replace(&mut has_point, true) {
                return None;
            }
            continue;
        }
        place = place.checked_sub(1)?;
        digits[place] = byte;
        points |= u8::from(has_point) << (DIGITS - 1 - place);
        has_point = false;
    }
    (!has_point).then_some((digits, points))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is what `map_err` hands over"
)]
fn failed(error: DataError) -> Error {
    Error::new(ErrorCode::Io, format!("MAX7219: {error:?}"))
}

driver!(Digits);
