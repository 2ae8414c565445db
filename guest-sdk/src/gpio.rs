//! Pins, by the names that the board file gives them.

use crate::Result;
use crate::bindings::loopgate::driver::{gpio as raw, interrupt};
use crate::error::named;

/// The edges that interrupt, or the level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edges {
    /// From low to high.
    Rising,
    /// From high to low.
    Falling,
    /// Each change.
    Both,
    /// As long as it is high. The line is off from an interrupt until the
    /// handler for it has returned.
    HighLevel,
    /// As long as it is low, likewise.
    LowLevel,
}

/// A pin that the driver reads.
#[derive(Debug)]
pub struct InputPin {
    pin: raw::Pin,
    /// Of a pin that a task has waited for.
    #[cfg(feature = "embedded-hal-async")]
    pub(crate) edge: Option<crate::asynchronous::edges::Edge>,
}

impl InputPin {
    /// Opens the pin that the board entry calls `name`. See
    /// [`Context::input`](crate::Context::input), which is the same.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open(name: &str) -> Result<Self> {
        let opened = raw::Pin::open(name, raw::Direction::Input);
        let pin = named(opened, || format!("pin `{name}` as an input"))?;
        Ok(Self {
            pin,
            #[cfg(feature = "embedded-hal-async")]
            edge: None,
        })
    }

    /// The level now.
    ///
    /// # Errors
    ///
    /// `io` where the device reported a fault.
    pub fn is_high(&self) -> Result<bool> {
        Ok(self.pin.is_high().map_err(crate::ErrorCode::from)?)
    }

    /// The opposite of [`is_high`](Self::is_high).
    ///
    /// # Errors
    ///
    /// As `is_high`.
    pub fn is_low(&self) -> Result<bool> {
        self.is_high().map(|high| !high)
    }

    /// The pin as an interrupt line, to create a source from.
    ///
    /// # Errors
    ///
    /// `not-granted` where the board entry does not grant these edges or this
    /// level.
    pub fn edges(&self, edges: Edges) -> Result<Line> {
        let edge = match edges {
            Edges::Rising => raw::Edge::Rising,
            Edges::Falling => raw::Edge::Falling,
            Edges::Both => raw::Edge::Both,
            Edges::HighLevel => raw::Edge::HighLevel,
            Edges::LowLevel => raw::Edge::LowLevel,
        };
        let line = named(self.pin.interrupt(edge), || format!("edges `{edges:?}`"))?;
        Ok(Line { line })
    }
}

/// A pin that the driver drives.
#[derive(Debug)]
pub struct OutputPin {
    pin: raw::Pin,
}

impl OutputPin {
    /// Opens the pin that the board entry calls `name`, driven `high` or low
    /// from the first moment. See [`Context::output`](crate::Context::output).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn open(name: &str, high: bool) -> Result<Self> {
        let opened = raw::Pin::open(name, raw::Direction::Output(high));
        let pin = named(opened, || format!("pin `{name}` as an output"))?;
        Ok(Self { pin })
    }

    /// Drives the pin.
    ///
    /// # Errors
    ///
    /// `io` where the device reported a fault.
    pub fn set(&self, high: bool) -> Result<()> {
        Ok(self.pin.set(high).map_err(crate::ErrorCode::from)?)
    }

    /// Drives the pin high.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn set_high(&self) -> Result<()> {
        self.set(true)
    }

    /// Drives the pin low.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn set_low(&self) -> Result<()> {
        self.set(false)
    }

    /// The level that is driven.
    ///
    /// # Errors
    ///
    /// `io` where the device reported a fault.
    pub fn is_high(&self) -> Result<bool> {
        Ok(self.pin.is_high().map_err(crate::ErrorCode::from)?)
    }

    /// Drives the opposite of what is driven.
    ///
    /// # Errors
    ///
    /// As [`set`](Self::set).
    pub fn toggle(&self) -> Result<()> {
        self.set(!self.is_high()?)
    }
}

/// A device line that can interrupt. It may be dropped as soon as a source was
/// created from it.
#[derive(Debug)]
pub struct Line {
    pub(crate) line: interrupt::Line,
}
