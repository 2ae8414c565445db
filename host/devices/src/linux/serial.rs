//! Opening a tty: claimed, raw, at the speed and with the framing that were
//! asked for.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, FlockOperation};
use rustix::io::Errno;
use rustix::termios::{ControlModes, InputModes, OptionalActions, SpecialCodeIndex, Termios};
use rustix::{fs, termios};

use crate::serial::{Error, FlowControl, Parity, PortRequest};

/// Makes a tty raw, with what the request says and `input` besides; returns its
/// modes before. After an error it is as it was.
pub(super) fn configure(
    fd: impl AsFd,
    request: &PortRequest,
    input: InputModes,
) -> Result<Termios, Error> {
    let failed = |operation| {
        move |errno: Errno| Error::Io {
            device: request.device.to_string(),
            operation,
            source: errno.into(),
        }
    };
    let before = termios::tcgetattr(&fd).map_err(failed("tell its modes"))?;
    let refused = |got| Error::BaudRefused {
        device: request.device.to_string(),
        asked: request.baud,
        got,
    };
    let Some(mut wanted) = raw(&before, request) else {
        return Err(refused(before.output_speed()));
    };
    wanted.input_modes |= input;
    match termios::tcsetattr(&fd, OptionalActions::Now, &wanted) {
        Ok(()) => {}
        Err(Errno::INVAL | Errno::RANGE) => return Err(refused(before.output_speed())),
        Err(errno) => return Err(failed("change its modes")(errno)),
    }
    let after = termios::tcgetattr(&fd).map_err(failed("tell its modes"))?;
    match what_it_lacks(request, &wanted, &after) {
        None => Ok(before),
        Some(error) => {
            let _ = termios::tcsetattr(&fd, OptionalActions::Now, &before);
            Err(error)
        }
    }
}

/// What the kernel has left out: it seldom says that it does.
fn what_it_lacks(request: &PortRequest, wanted: &Termios, after: &Termios) -> Option<Error> {
    let is_dropped =
        |modes: ControlModes| (wanted.control_modes ^ after.control_modes).intersects(modes);
    let speeds = [after.output_speed(), after.input_speed()];
    if let Some(got) = speeds.into_iter().find(|got| !is_near(request.baud, *got)) {
        return Some(Error::BaudRefused {
            device: request.device.to_string(),
            asked: request.baud,
            got,
        });
    }
    if is_dropped(framing_bits()) {
        return Some(request.lacks(format!("framing {}", request.framing)));
    }
    let xon_xoff = InputModes::IXON | InputModes::IXOFF;
    let is_dropped = is_dropped(ControlModes::CRTSCTS)
        || (wanted.input_modes ^ after.input_modes).intersects(xon_xoff);
    is_dropped.then(|| request.lacks(format!("flow control {}", request.flow)))
}

/// The bits that say how a byte is framed.
fn framing_bits() -> ControlModes {
    ControlModes::CSIZE
        | ControlModes::CSTOPB
        | ControlModes::PARENB
        | ControlModes::PARODD
        | ControlModes::CMSPAR
}

/// `None` where there cannot be such a speed; 0 would hang up.
fn raw(before: &Termios, request: &PortRequest) -> Option<Termios> {
    let mut modes = before.clone();
    modes.make_raw();
    modes.input_modes -= InputModes::IXON | InputModes::IXOFF | InputModes::IXANY;
    modes.input_modes -= InputModes::IGNPAR | InputModes::PARMRK | InputModes::INPCK;
    modes.control_modes -= framing_bits() | ControlModes::CRTSCTS;
    // CLOCAL: without it a port whose carrier drops is hung up.
    modes.control_modes |= framed(request) | ControlModes::CREAD | ControlModes::CLOCAL;
    match request.flow {
        FlowControl::None => {}
        FlowControl::RtsCts => modes.control_modes |= ControlModes::CRTSCTS,
        FlowControl::XonXoff => {
            modes.input_modes |= InputModes::IXON | InputModes::IXOFF;
            modes.special_codes[SpecialCodeIndex::VSTART] = 0x11;
            modes.special_codes[SpecialCodeIndex::VSTOP] = 0x13;
        }
    }
    // With a minimum of 0 "nothing yet" could not be told from "gone".
    modes.special_codes[SpecialCodeIndex::VMIN] = 1;
    modes.special_codes[SpecialCodeIndex::VTIME] = 0;
    if request.baud == 0 {
        return None;
    }
    modes.set_speed(request.baud).ok()?;
    Some(modes)
}

fn framed(request: &PortRequest) -> ControlModes {
    let framing = request.framing;
    let size = match framing.data_bits() {
        7 => ControlModes::CS7,
        _ => ControlModes::CS8,
    };
    let parity = match framing.parity() {
        Parity::None => ControlModes::empty(),
        Parity::Even => ControlModes::PARENB,
        Parity::Odd => ControlModes::PARENB | ControlModes::PARODD,
    };
    let stop = match framing.stop_bits() {
        2 => ControlModes::CSTOPB,
        _ => ControlModes::empty(),
    };
    size | parity | stop
}

/// Within 2 %, which a receiver tolerates: divisors seldom hit a speed exactly,
/// and drivers report what they hit.
fn is_near(asked: u32, got: u32) -> bool {
    asked.abs_diff(got) <= asked / 50
}

/// Both claims: the lock holds against root too and against programs that lock
/// as most do, the exclusive mode against those that do not.
pub(super) fn claim(fd: &OwnedFd, device: &str) -> Result<(), Error> {
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
pub(super) fn is_uart(fd: &OwnedFd) -> bool {
    fs::fstat(fd).is_ok_and(|stat| {
        let (major, minor) = (fs::major(stat.st_rdev), fs::minor(stat.st_rdev));
        Path::new(&format!("/sys/dev/char/{major}:{minor}/xmit_fifo_size")).exists()
    })
}

pub(super) fn cannot_open(device: &str, errno: Errno) -> Error {
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

pub(super) fn not_a_tty(device: String, fd: &OwnedFd) -> Error {
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
