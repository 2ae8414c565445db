//! A tty in the hands of its port, and how that lets go of it.

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;

use rustix::fs::{self, FlockOperation, Mode, OFlags};
use rustix::termios::{self, InputModes, OptionalActions, QueueSelector};
use serial2::SerialPort as Lines;
use serial2::rs4xx::{Rs485Config, TransceiverMode};

use super::serial::{cannot_open, claim, configure, is_uart, not_a_tty};
use crate::bus::GRACE;
use crate::serial::{Error, PortRequest};

/// Errors are marked in the input, see [`Marks`](super::marks::Marks).
/// `INPCK`: without it bytes with errors come as if they were sound.
const MARKED: InputModes = InputModes::PARMRK.union(InputModes::INPCK);

/// A port's hold on its tty.
pub(super) struct Tty {
    claimed: Arc<ClaimedTty>,
    closed: Receiver<()>,
}

/// A tty that this process has claimed, for as long as anyone has it: its port,
/// whoever asks for its lines, the thread that sends its break.
pub(super) struct ClaimedTty {
    lines: Lines,
    is_uart: bool,
    has_wires: bool,
    is_rs485: bool,
    /// The mode of its transceiver, where that was changed.
    before: Option<TransceiverMode>,
    /// Dropped last: the device is closed then.
    _open: Sender<()>,
}

/// A tty that somebody has, or the kernel, though its port has let go of it.
pub(super) struct Closing(Receiver<()>);

impl Tty {
    pub(super) fn open(path: &Path, request: &PortRequest) -> Result<Self, Error> {
        let (open, closed) = mpsc::channel();
        let claimed = Arc::new(ClaimedTty::open(path, request, open)?);
        Ok(Self { claimed, closed })
    }

    pub(super) fn claimed(&self) -> &Arc<ClaimedTty> {
        &self.claimed
    }

    /// Discards what was not sent, and closes the device as soon as nobody has
    /// it. The kernel can wait up to 30 s for what an adapter has not sent, so a
    /// thread does that.
    pub(super) fn close(self) -> Closing {
        let claimed = self.claimed;
        let close = move || {
            let _ = termios::tcflush(&claimed.lines, QueueSelector::OFlush);
            drop(claimed);
        };
        // Where there is no thread it is closed here.
        let _ = thread::Builder::new()
            .name("serial-close".to_owned())
            .spawn(close);
        Closing(self.closed)
    }
}

impl Closing {
    /// Waits a moment, in which most are closed.
    pub(super) fn wait(self) -> Option<Self> {
        let waited = self.0.recv_timeout(GRACE);
        (waited == Err(RecvTimeoutError::Timeout)).then_some(self)
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.try_recv() == Err(mpsc::TryRecvError::Disconnected)
    }
}

impl ClaimedTty {
    fn open(path: &Path, request: &PortRequest, open: Sender<()>) -> Result<Self, Error> {
        let device = path.display().to_string();
        // Without O_NONBLOCK an open waits for the carrier.
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let fd =
            fs::open(path, flags, Mode::empty()).map_err(|errno| cannot_open(&device, errno))?;
        if !termios::isatty(&fd) {
            return Err(not_a_tty(device, &fd));
        }
        claim(&fd, &device)?;
        let is_uart = is_uart(&fd);
        // From here on dropping it gives up the claim.
        let mut tty = Self {
            lines: Lines::from(fd),
            is_uart,
            has_wires: false,
            is_rs485: false,
            before: None,
            _open: open,
        };
        let before = configure(&tty.lines, request, MARKED)?;
        // What came before was not marked, and maybe at another speed.
        let _ = termios::tcflush(&tty.lines, QueueSelector::IFlush);
        tty.has_wires = retried(|| tty.lines.read_cts()).is_ok();
        tty.is_rs485 = tty.is_in_rs485_mode();
        if request.rs485 && !tty.becomes_rs485() {
            let _ = termios::tcsetattr(&tty.lines, OptionalActions::Now, &before);
            return Err(request.lacks("RS-485 mode"));
        }
        Ok(tty)
    }

    pub(super) fn lines(&self) -> &Lines {
        &self.lines
    }

    /// Whether it is a bare UART, whose peer sends however full we are.
    pub(super) fn is_uart(&self) -> bool {
        self.is_uart
    }

    /// Whether it has modem lines and breaks: a pseudo-terminal takes a break and
    /// does nothing.
    pub(super) fn has_wires(&self) -> bool {
        self.has_wires
    }

    /// Whether RTS switches the driver of an RS-485 pair, also where nobody asked
    /// for that but the device tree.
    pub(super) fn is_rs485(&self) -> bool {
        self.is_rs485
    }

    fn is_in_rs485_mode(&self) -> bool {
        matches!(self.lines.get_rs4xx_mode(), Ok(TransceiverMode::Rs485(_)))
    }

    /// One that is in the mode is left as it is, with the delays and the polarity
    /// of its device tree. Some take the request and leave it out.
    fn becomes_rs485(&mut self) -> bool {
        if !self.is_rs485 {
            self.before = self.lines.get_rs4xx_mode().ok();
            let wanted = TransceiverMode::Rs485(Rs485Config::new());
            let is_set = self.lines.set_rs4xx_mode(wanted).is_ok();
            self.is_rs485 = is_set && self.is_in_rs485_mode();
        }
        self.is_rs485
    }
}

impl Drop for ClaimedTty {
    fn drop(&mut self) {
        // A device that is gone refuses all of this, and needs none. Others
        // who open it do not expect marks. The claims would outlive this
        // descriptor where someone else has the device open.
        if let Some(before) = self.before.take() {
            let _ = self.lines.set_rs4xx_mode(before);
        }
        if let Ok(mut modes) = termios::tcgetattr(&self.lines)
            && modes.input_modes.intersects(MARKED)
        {
            modes.input_modes -= MARKED;
            let _ = termios::tcsetattr(&self.lines, OptionalActions::Now, &modes);
        }
        let _ = termios::ioctl_tiocnxcl(&self.lines);
        let _ = fs::flock(&self.lines, FlockOperation::Unlock);
    }
}

/// Makes a call until no signal interrupts it.
pub(super) fn retried<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
