//! A display of 128 times 64 dots. See README.md.

#![forbid(unsafe_code)]

use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::ascii::FONT_6X10;
use embedded_graphics::pixelcolor::BinaryColor;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Baseline, Text};
use loopgate_guest::i2c::Device;
use loopgate_guest::prelude::*;
use ssd1306::mode::{BufferedGraphicsMode, DisplayConfig};
use ssd1306::prelude::{DisplayRotation, I2CInterface};
use ssd1306::size::DisplaySize128x64;
use ssd1306::{I2CDisplayInterface, Ssd1306};

const SHOW: u32 = 1;

/// What fits: six lines of twenty characters.
const LONGEST: u32 = 6 * 21;

/// From the frame to the text.
const MARGIN: Point = Point::new(3, 2);

type Display =
    Ssd1306<I2CInterface<Device>, DisplaySize128x64, BufferedGraphicsMode<DisplaySize128x64>>;

struct Oled {
    display: Display,
    _service: Service,
}

impl Driver for Oled {
    fn start(cx: &Context) -> Result<Self> {
        let interface = I2CDisplayInterface::new(cx.i2c("display")?);
        let display = Ssd1306::new(interface, DisplaySize128x64, DisplayRotation::Rotate0);
        let service = cx.service("oled").input_max(LONGEST);
        let mut oled = Self {
            display: display.into_buffered_graphics_mode(),
            _service: service.selector(SHOW, "show", "text", "").publish()?,
        };
        oled.display.init().map_err(failed)?;
        oled.show(cx.config("text").unwrap_or_default())?;
        Ok(oled)
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        let text = str::from_utf8(&request.data).map_err(|_| ErrorCode::BadArgument)?;
        self.show(text)?;
        Ok(().into())
    }
}

impl Oled {
    /// Draws into the buffer, and sends what has changed.
    fn show(&mut self, text: &str) -> Result<()> {
        let display = &mut self.display;
        display.clear_buffer();
        let style = PrimitiveStyle::with_stroke(BinaryColor::On, 1);
        let frame = Rectangle::new(Point::zero(), display.bounding_box().size).into_styled(style);
        let style = MonoTextStyle::new(&FONT_6X10, BinaryColor::On);
        let text = Text::with_baseline(text, MARGIN, style, Baseline::Top);
        let drawn = frame.draw(display).and_then(|()| text.draw(display));
        drawn.and_then(|_| display.flush()).map_err(failed)
    }
}

/// The crate does not say what the bus has said.
fn failed<E: std::fmt::Debug>(error: E) -> Error {
    Error::new(ErrorCode::Io, format!("SSD1306: {error:?}"))
}

driver!(Oled);
