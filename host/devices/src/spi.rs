//! SPI buses: transactions with the devices on them.

use std::time::Duration;

/// How the words go over the wires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// 0 to 3: whether the clock rests high (2 and 3), and whether the second of
    /// its edges counts (1 and 3).
    pub mode: u8,
    /// Clocks a second, at most.
    pub clock: u32,
    /// Bits in a word, 1 to 8; each word has a byte of its own.
    pub bits: u8,
    /// The lowest bit goes first.
    pub lsb_first: bool,
}

/// One step of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Is filled, while zeros are sent.
    Read(Vec<u8>),
    /// Is sent; what comes back is dropped.
    Write(Vec<u8>),
    /// Is sent, and replaced by what comes back.
    Transfer(Vec<u8>),
    /// With the device selected.
    Delay(Duration),
}

impl Operation {
    /// Its words.
    pub fn words(&self) -> &[u8] {
        match self {
            Self::Read(words) | Self::Write(words) | Self::Transfer(words) => words,
            Self::Delay(_) => &[],
        }
    }
}

/// A device on a bus, with its settings. Callable from any thread.
pub trait SpiDevice: Send + Sync {
    /// Selects the device, runs the operations one after the other, and lets go of
    /// it. Waits for as long as that takes, which may be for ever.
    ///
    /// # Errors
    ///
    /// Then it is unknown what the device has seen.
    fn transaction(&self, operations: &mut [Operation]) -> Result<(), Error>;
}

/// Why a transaction failed, or a device could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// What was received was not fetched in time.
    #[error("an overrun")]
    Overrun,
    /// Another controller drives the bus.
    #[error("a mode fault")]
    ModeFault,
    /// A word was not framed as it has to be.
    #[error("a fault of a word's frame")]
    FrameFormat,
    /// The device could not be selected.
    #[error("a fault of the chip select")]
    ChipSelectFault,
    /// There is no such device, or no longer.
    #[error(
        "there is no device `{device}`; name one that is there, as `ls /dev/spidev*` shows them"
    )]
    NoDevice {
        /// The device.
        device: String,
    },
    /// The user that runs the program may not.
    #[error(
        "device `{device}` cannot be opened: permission denied; add this user to the group that \
         owns it, often `spi`"
    )]
    Denied {
        /// The device.
        device: String,
    },
    /// The bus cannot do this.
    #[error("the bus cannot do this: {what}")]
    Unsupported {
        /// What.
        what: &'static str,
    },
    /// The operating system or the bus failed otherwise.
    #[error("the bus failed to {operation}: {source}")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// The operating system's error.
        source: std::io::Error,
    },
}
