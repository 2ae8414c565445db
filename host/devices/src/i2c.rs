//! I2C buses: transactions with the devices on them.

use std::fmt;

/// A device's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// Without the bit for the direction.
    pub value: u16,
    /// It has ten bits, not seven.
    pub is_ten_bit: bool,
}

impl Address {
    /// An address of seven bits.
    pub fn new(value: u16) -> Self {
        Self {
            value,
            is_ten_bit: false,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, is_ten_bit } = self;
        if *is_ten_bit {
            write!(f, "0x{value:03x} (10 bits)")
        } else {
            write!(f, "0x{value:02x}")
        }
    }
}

/// A message of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Is filled.
    Read(Vec<u8>),
    /// Is sent.
    Write(Vec<u8>),
}

impl Message {
    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Read(bytes) | Self::Write(bytes) => bytes,
        }
    }
}

/// A bus. Callable from any thread.
pub trait I2cBus: Send + Sync {
    /// Makes the messages one after the other, between one START and one STOP, with
    /// a repeated START between two. Waits for as long as that takes, which may
    /// be for ever.
    ///
    /// # Errors
    ///
    /// Then it is unknown what the device has seen.
    fn transaction(&self, address: Address, messages: &mut [Message]) -> Result<(), Error>;
}

/// What was not acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoAcknowledgeSource {
    /// The address.
    Address,
    /// A byte of data.
    Data,
    /// The bus does not tell.
    Unknown,
}

/// Why a transaction failed, or a bus could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A START or STOP where none may be, or the clock held for too long.
    #[error("a fault of the bus")]
    Bus,
    /// Another controller has the bus, or a wire is disturbed.
    #[error("the arbitration was lost")]
    ArbitrationLoss,
    /// Nobody answered.
    #[error("not acknowledged: {}", not_acknowledged(*.0))]
    NoAcknowledge(NoAcknowledgeSource),
    /// What was received was not fetched in time.
    #[error("an overrun")]
    Overrun,
    /// There is no such bus, or no longer.
    #[error("there is no bus `{bus}`; name one that is there, as `ls /dev/i2c-*` shows them")]
    NoDevice {
        /// The bus.
        bus: String,
    },
    /// The user that runs the program may not.
    #[error(
        "bus `{bus}` cannot be opened: permission denied; add this user to the group that owns the \
         device, often `i2c`"
    )]
    Denied {
        /// The bus.
        bus: String,
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

fn not_acknowledged(source: NoAcknowledgeSource) -> &'static str {
    match source {
        NoAcknowledgeSource::Address => "the address",
        NoAcknowledgeSource::Data => "a byte of data",
        NoAcknowledgeSource::Unknown => "the address, or a byte of data",
    }
}
