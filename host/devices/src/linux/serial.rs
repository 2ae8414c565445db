//! Opening a tty: claimed, raw, at the speed that was asked for.

use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::termios::{
    ControlModes, InputModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios,
};
use rustix::{fs, termios};

use crate::serial::Error;

/// A tty that this process has claimed. Dropping it discards what it has not
/// sent: the kernel would otherwise make `close` wait for that, up to 30
/// seconds, in a gate.
pub(super) struct Tty {
    fd: OwnedFd,
    is_uart: bool,
}

impl Tty {
    pub(super) fn open(path: &Path, baud: u32) -> Result<Self, Error> {
        let device = path.display().to_string();
        // Without O_NONBLOCK an open waits for the carrier.
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd =
            fs::open(path, flags, Mode::empty()).map_err(|errno| cannot_open(&device, errno))?;
        if !termios::isatty(&fd) {
            return Err(not_a_tty(device, &fd));
        }
        claim(&fd, &device)?;
        // From here on dropping it gives up the claim.
        let is_uart = is_uart(&fd);
        let tty = Self { fd, is_uart };
        configure(&tty.fd, &device, baud)?;
        Ok(tty)
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Whether it is a bare UART, whose peer sends however full we are.
    pub(super) fn is_uart(&self) -> bool {
        self.is_uart
    }
}

impl Drop for Tty {
    fn drop(&mut self) {
        // A device that is gone refuses both, and needs neither. The exclusive
        // mode would outlive this descriptor where someone else has the device
        // open.
        let _ = termios::tcflush(&self.fd, QueueSelector::OFlush);
        let _ = termios::ioctl_tiocnxcl(&self.fd);
    }
}

/// Makes a tty raw with 8 data bits, no parity, one stop bit and no flow
/// control, at `baud` bits a second. After an error it is as it was.
pub(super) fn configure(fd: &OwnedFd, device: &str, baud: u32) -> Result<(), Error> {
    let failed = |operation| {
        move |errno: Errno| Error::Io {
            device: device.to_owned(),
            operation,
            source: errno.into(),
        }
    };
    let before = termios::tcgetattr(fd).map_err(failed("tell its modes"))?;
    let refused = |got| Error::BaudRefused {
        device: device.to_owned(),
        asked: baud,
        got,
    };
    let Some(wanted) = raw(&before, baud) else {
        return Err(refused(before.output_speed()));
    };
    match termios::tcsetattr(fd, OptionalActions::Now, &wanted) {
        Ok(()) => {}
        Err(Errno::INVAL | Errno::RANGE) => return Err(refused(before.output_speed())),
        Err(errno) => return Err(failed("change its modes")(errno)),
    }
    let after = termios::tcgetattr(fd).map_err(failed("tell its modes"))?;
    let speeds = [after.output_speed(), after.input_speed()];
    match speeds.into_iter().find(|got| !is_near(baud, *got)) {
        None => Ok(()),
        Some(got) => {
            let _ = termios::tcsetattr(fd, OptionalActions::Now, &before);
            Err(refused(got))
        }
    }
}

/// `None` where there cannot be such a speed; 0 would hang up.
fn raw(before: &Termios, baud: u32) -> Option<Termios> {
    let mut modes = before.clone();
    modes.make_raw();
    modes.input_modes -= InputModes::IXOFF | InputModes::IXANY | InputModes::INPCK;
    modes.control_modes -= ControlModes::CSTOPB | ControlModes::CRTSCTS | ControlModes::PARENB;
    // CLOCAL: without it a port whose carrier drops is hung up.
    modes.control_modes |= ControlModes::CS8 | ControlModes::CREAD | ControlModes::CLOCAL;
    // With a minimum of 0 "nothing yet" could not be told from "gone".
    modes.special_codes[SpecialCodeIndex::VMIN] = 1;
    modes.special_codes[SpecialCodeIndex::VTIME] = 0;
    if baud == 0 {
        return None;
    }
    modes.set_speed(baud).ok()?;
    Some(modes)
}

/// Within 2 %, which a receiver tolerates: divisors seldom hit a speed exactly,
/// and drivers report what they hit.
fn is_near(asked: u32, got: u32) -> bool {
    asked.abs_diff(got) <= asked / 50
}

/// Both claims: the lock holds against root too and against programs that lock
/// as most do, the exclusive mode against those that do not.
fn claim(fd: &OwnedFd, device: &str) -> Result<(), Error> {
    match fs::flock(fd, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(Errno::WOULDBLOCK) => {
            return Err(Error::Busy {
                device: device.to_owned(),
                consumer: None,
            });
        }
        Err(errno) => return Err(io(device, "be locked", errno)),
    }
    termios::ioctl_tiocexcl(fd).map_err(|errno| io(device, "become exclusive", errno))
}

/// The kernel's serial core shows the depth of its FIFO, and nobody else does.
fn is_uart(fd: &OwnedFd) -> bool {
    fs::fstat(fd).is_ok_and(|stat| {
        let (major, minor) = (fs::major(stat.st_rdev), fs::minor(stat.st_rdev));
        Path::new(&format!("/sys/dev/char/{major}:{minor}/xmit_fifo_size")).exists()
    })
}

fn cannot_open(device: &str, errno: Errno) -> Error {
    let device = device.to_owned();
    match errno {
        Errno::NOENT | Errno::NOTDIR | Errno::NXIO | Errno::NODEV | Errno::IO => Error::NoDevice {
            device,
            cause: std::io::Error::from(errno).to_string(),
            remedy: "plug it in, or name one that `ls /dev/serial/by-id /dev/tty*` shows",
        },
        Errno::BUSY => Error::Busy {
            device,
            consumer: None,
        },
        Errno::ACCESS | Errno::PERM => Error::Denied { device },
        Errno::ISDIR => Error::NotATty {
            device,
            found: "a folder",
        },
        _ => io(&device, "open", errno),
    }
}

fn not_a_tty(device: String, fd: &OwnedFd) -> Error {
    let kind = fs::fstat(fd).map(|stat| FileType::from_raw_mode(stat.st_mode));
    Error::NotATty {
        device,
        found: match kind {
            Ok(FileType::RegularFile) => "a file",
            Ok(FileType::Fifo) => "a pipe",
            _ => "another device",
        },
    }
}

pub(super) fn io(device: &str, operation: &'static str, errno: Errno) -> Error {
    Error::Io {
        device: device.to_owned(),
        operation,
        source: errno.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::is_near;

    #[test]
    fn a_speed_counts_as_taken_within_two_percent() {
        for (asked, got) in [(9_600, 9_600), (115_200, 115_384), (50, 51), (110, 110)] {
            assert!(is_near(asked, got), "{asked} {got}");
        }
        for (asked, got) in [(9_600, 38_400), (115_200, 117_700), (9_600, 0), (50, 52)] {
            assert!(!is_near(asked, got), "{asked} {got}");
        }
    }
}
