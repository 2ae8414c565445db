//! I2C buses of the kernel, `/dev/i2c-N`.

use std::io;
use std::path::Path;

use i2cdev::core::{I2CMessage, I2CTransfer};
use i2cdev::linux::{I2CMessageFlags, LinuxI2CBus, LinuxI2CError, LinuxI2CMessage};
use parking_lot::Mutex;
use rustix::io::Errno;

use crate::i2c::{Address, Error, I2cBus, Message, NoAcknowledgeSource};

/// The longest message that the kernel takes.
const MESSAGE_MAX: usize = 8192;

/// A bus of the kernel. Its transactions wait for as long as the kernel does.
pub struct KernelI2c {
    name: String,
    bus: Mutex<LinuxI2CBus>,
}

impl KernelI2c {
    /// Opens the bus with this file.
    ///
    /// # Errors
    ///
    /// [`Error::NoDevice`], [`Error::Denied`], [`Error::Io`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let name = path.display().to_string();
        match LinuxI2CBus::new(path) {
            Ok(bus) => Ok(Self {
                name,
                bus: Mutex::new(bus),
            }),
            Err(error) => Err(opening(name, error.into())),
        }
    }
}

fn opening(bus: String, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::NotFound => Error::NoDevice { bus },
        io::ErrorKind::PermissionDenied => Error::Denied { bus },
        _ => Error::Io {
            operation: "be opened",
            source,
        },
    }
}

impl I2cBus for KernelI2c {
    fn transaction(&self, address: Address, messages: &mut [Message]) -> Result<(), Error> {
        if messages.iter().any(|one| one.bytes().len() > MESSAGE_MAX) {
            return Err(Error::Unsupported {
                what: "a message of more than 8 KiB",
            });
        }
        if messages.is_empty() {
            return Ok(());
        }
        let mut kernel: Vec<_> = messages
            .iter_mut()
            .map(|message| kernel_message(address, message))
            .collect();
        let made = self.bus.lock().transfer(&mut kernel);
        made.map(drop).map_err(|error| fault(&self.name, error))
    }
}

fn kernel_message(address: Address, message: &mut Message) -> LinuxI2CMessage<'_> {
    let (message, read) = match message {
        Message::Read(bytes) => (LinuxI2CMessage::read(bytes), I2CMessageFlags::READ),
        Message::Write(bytes) => (LinuxI2CMessage::write(bytes), I2CMessageFlags::empty()),
    };
    let length = if address.is_ten_bit {
        I2CMessageFlags::TEN_BIT_ADDRESS
    } else {
        I2CMessageFlags::empty()
    };
    // The flags replace those that the message has.
    message
        .with_address(address.value)
        .with_flags(read | length)
}

fn fault(bus: &str, error: LinuxI2CError) -> Error {
    let source: io::Error = error.into();
    let errno = Errno::from_io_error(&source);
    errno
        .and_then(|errno| fault_of(bus, errno))
        .unwrap_or(Error::Io {
            operation: "make a transaction",
            source,
        })
}

/// What the kernel means by it: `Documentation/i2c/fault-codes.rst`.
fn fault_of(bus: &str, errno: Errno) -> Option<Error> {
    Some(match errno {
        Errno::AGAIN => Error::ArbitrationLoss,
        Errno::BUSY | Errno::PROTO | Errno::TIMEDOUT => Error::Bus,
        Errno::NXIO => Error::NoAcknowledge(NoAcknowledgeSource::Address),
        Errno::REMOTEIO => Error::NoAcknowledge(NoAcknowledgeSource::Unknown),
        Errno::OVERFLOW => Error::Overrun,
        Errno::OPNOTSUPP | Errno::INVAL => Error::Unsupported {
            what: "its controller refuses such a transaction, as some do without data, or with many messages",
        },
        Errno::NODEV | Errno::NOENT => Error::NoDevice {
            bus: bus.to_owned(),
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bus_that_is_not_there_is_named_with_the_remedy() {
        let error = KernelI2c::open(Path::new("/dev/i2c-none")).err().unwrap();
        let error = error.to_string();
        assert!(error.contains("`/dev/i2c-none`") && error.contains("ls /dev/i2c-*"));
    }

    #[test]
    fn what_is_no_bus_fails_and_nothing_else() {
        let bus = KernelI2c::open(Path::new("/dev/null")).unwrap();
        let mut read = [Message::Read(vec![0; 1])];
        let error = bus.transaction(Address::new(0x76), &mut read).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error:?}");
        let mut long = [Message::Read(vec![0; MESSAGE_MAX + 1])];
        let error = bus.transaction(Address::new(0x76), &mut long).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    }

    #[test]
    fn the_kernel_s_codes_are_faults_of_the_bus() {
        let is = |errno| fault("bus", LinuxI2CError::Errno(errno));
        assert!(matches!(is(11), Error::ArbitrationLoss));
        let address = Error::NoAcknowledge(NoAcknowledgeSource::Address);
        assert_eq!(is(6).to_string(), address.to_string());
        assert!(matches!(is(110), Error::Bus));
        assert!(matches!(is(5), Error::Io { .. }));
    }
}
