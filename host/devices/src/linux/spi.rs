//! SPI devices of the kernel, `/dev/spidevN.M`.

use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use spidev::{SpiModeFlags, Spidev, SpidevOptions, SpidevTransfer};

use crate::spi::{Error, Operation, Settings, SpiDevice};

/// As many as the kernel's 14 bits for the size of a call hold; more would wrap.
const TRANSFERS_MAX: usize = ((1 << 14) - 1) / size_of::<SpidevTransfer<'_, '_>>();

/// A device of the kernel. Its transactions wait for as long as the kernel does.
pub struct KernelSpi {
    device: Spidev,
}

impl KernelSpi {
    /// Opens the device with this file, and sets it.
    ///
    /// # Errors
    ///
    /// [`Error::NoDevice`], [`Error::Denied`], [`Error::Unsupported`] where the bus
    /// does not have these settings, [`Error::Io`].
    pub fn open(path: &Path, settings: Settings) -> Result<Self, Error> {
        let mut device = Spidev::open(path).map_err(|source| opening(path, source))?;
        let options = SpidevOptions::new()
            .bits_per_word(settings.bits)
            .max_speed_hz(settings.clock)
            .lsb_first(settings.lsb_first)
            .mode(mode(settings))
            .build();
        device.configure(&options).map_err(setting)?;
        Ok(Self { device })
    }
}

/// The order of the bits is one of the mode's flags too, and set last.
fn mode(settings: Settings) -> SpiModeFlags {
    let mode = match settings.mode {
        0 => SpiModeFlags::SPI_MODE_0,
        1 => SpiModeFlags::SPI_MODE_1,
        2 => SpiModeFlags::SPI_MODE_2,
        _ => SpiModeFlags::SPI_MODE_3,
    };
    if settings.lsb_first {
        mode | SpiModeFlags::SPI_LSB_FIRST
    } else {
        mode
    }
}

fn opening(path: &Path, source: io::Error) -> Error {
    let device = path.display().to_string();
    match source.kind() {
        io::ErrorKind::NotFound => Error::NoDevice { device },
        io::ErrorKind::PermissionDenied => Error::Denied { device },
        _ => Error::Io {
            operation: "be opened",
            source,
        },
    }
}

fn setting(source: io::Error) -> Error {
    match Errno::from_io_error(&source) {
        Some(Errno::INVAL) => Error::Unsupported {
            what: "its controller does not have this mode, clock or number of bits",
        },
        _ => Error::Io {
            operation: "be set",
            source,
        },
    }
}

impl SpiDevice for KernelSpi {
    fn transaction(&self, operations: &mut [Operation]) -> Result<(), Error> {
        let mut transfers: Vec<_> = operations.iter_mut().flat_map(transfers).collect();
        if transfers.is_empty() {
            return Ok(());
        }
        if transfers.len() > TRANSFERS_MAX {
            return Err(Error::Unsupported {
                what: "more than 511 transfers, of which a delay is one for each 65 ms; make several transactions of it",
            });
        }
        let made = self.device.transfer_multiple(&mut transfers);
        made.map_err(|source| match Errno::from_io_error(&source) {
            Some(Errno::MSGSIZE) => Error::Unsupported {
                what: "more bytes than the kernel takes at a time; raise `bufsiz` of its module `spidev`",
            },
            Some(Errno::OVERFLOW) => Error::Overrun,
            _ => Error::Io {
                operation: "make a transaction",
                source,
            },
        })
    }
}

/// A delay is one or more transfers of nothing, since each has 16 bits for it. It is
/// rounded up to microseconds.
fn transfers(operation: &mut Operation) -> Vec<SpidevTransfer<'_, '_>> {
    match operation {
        Operation::Read(words) => vec![SpidevTransfer::read(words)],
        Operation::Write(words) => vec![SpidevTransfer::write(words)],
        Operation::Transfer(words) => vec![SpidevTransfer::read_write_in_place(words)],
        Operation::Delay(span) => pieces(*span).map(SpidevTransfer::delay).collect(),
    }
}

fn pieces(span: Duration) -> impl Iterator<Item = u16> {
    let mut left = span.as_nanos().div_ceil(1000);
    std::iter::from_fn(move || {
        let piece = u16::try_from(left).unwrap_or(u16::MAX);
        left -= u128::from(piece);
        (piece > 0).then_some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTINGS: Settings = Settings {
        mode: 0,
        clock: 1_000_000,
        bits: 8,
        lsb_first: false,
    };

    #[test]
    fn a_device_that_is_not_there_or_none_is_said_to_be() {
        let error = |path| KernelSpi::open(Path::new(path), SETTINGS).err().unwrap();
        let missing = error("/dev/spidev9.9").to_string();
        assert!(missing.contains("`/dev/spidev9.9`") && missing.contains("ls /dev/spidev*"));
        assert!(matches!(error("/dev/null"), Error::Io { .. }));
    }

    #[test]
    fn more_transfers_than_a_call_holds_are_refused() {
        assert_eq!(TRANSFERS_MAX, 511);
        // Nothing is sent to it: it is no device.
        let device = Spidev::new(std::fs::File::open("/dev/null").unwrap());
        let device = KernelSpi { device };
        let mut many = vec![Operation::Delay(Duration::from_micros(1)); TRANSFERS_MAX];
        let error = device.transaction(&mut many).unwrap_err();
        assert!(matches!(error, Error::Io { .. }), "{error:?}");
        many.push(Operation::Write(vec![0]));
        let error = device.transaction(&mut many).unwrap_err();
        assert!(matches!(error, Error::Unsupported { .. }), "{error:?}");
    }

    #[test]
    fn a_delay_is_cut_to_what_fits() {
        let cut = |nanos| pieces(Duration::from_nanos(nanos)).collect::<Vec<_>>();
        assert_eq!(cut(0), []);
        assert_eq!(cut(1), [1]);
        assert_eq!(cut(65_535_000), [65_535]);
        assert_eq!(cut(65_535_001), [65_535, 1]);
        assert_eq!(cut(140_000_000), [65_535, 65_535, 8_930]);
    }
}
