//! Pseudo-terminals: those that the host makes, and those that stand for a tty.

use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::AsFd;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::{fs, io};

use loopgate_devices::linux::KernelDevices;
use loopgate_devices::serial::{Device, SerialController};
use loopgate_workloop::SystemClock;
use parking_lot::Mutex;
use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;

use super::Bench;
use crate::Feature;

/// A pseudo-terminal of the host's, with a program at its other end.
pub struct Pty {
    folder: tempfile::TempDir,
    kernel: Arc<KernelDevices>,
    echo: Mutex<Echo>,
}

/// A tty, which is a pseudo-terminal of the suite's.
pub struct Tty {
    folder: tempfile::TempDir,
    kernel: Arc<KernelDevices>,
    echo: Mutex<Echo>,
}

/// Who sends back what comes.
#[derive(Default)]
struct Echo {
    end: Option<File>,
    pending: Vec<u8>,
}

impl Echo {
    fn with(end: File) -> Self {
        rustix::io::ioctl_fionbio(&end, true).unwrap();
        Self {
            end: Some(end),
            pending: Vec::new(),
        }
    }

    fn pass(&mut self) {
        let Some(mut end) = self.end.as_ref() else {
            return;
        };
        let mut piece = [0; 4096];
        if self.pending.is_empty() {
            let count = ready(end.read(&mut piece));
            self.pending.extend_from_slice(&piece[..count]);
        }
        let count = ready(end.write(&self.pending));
        self.pending.drain(..count);
    }
}

fn ready(count: io::Result<usize>) -> usize {
    match count {
        Ok(count) => count,
        Err(error) if error.kind() == ErrorKind::WouldBlock => 0,
        Err(error) => panic!("the other end: {error}"),
    }
}

fn kernel() -> Arc<KernelDevices> {
    Arc::new(KernelDevices::new(Arc::new(SystemClock)))
}

impl Pty {
    /// One of its own.
    #[must_use]
    pub fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            kernel: kernel(),
            echo: Mutex::default(),
        }
    }

    fn link(&self) -> PathBuf {
        self.folder.path().join("port")
    }
}

impl Default for Pty {
    fn default() -> Self {
        Self::new()
    }
}

impl Bench for Pty {
    fn controller(&self) -> Arc<dyn SerialController> {
        self.kernel.clone()
    }

    fn device(&self) -> Device {
        Device::Pty { link: self.link() }
    }

    fn has(&self, feature: Feature) -> bool {
        matches!(feature, Feature::Echo | Feature::NoWires)
    }

    /// Opens the link as another program does, once it is there.
    fn pass(&self) {
        let mut echo = self.echo.lock();
        if echo.end.is_none() {
            let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
            let Ok(end) = rustix::fs::open(self.link(), flags, Mode::empty()) else {
                return;
            };
            *echo = Echo::with(end.into());
        }
        echo.pass();
    }
}

impl Tty {
    /// One of its own.
    #[must_use]
    pub fn new() -> Self {
        let bench = Self {
            folder: tempfile::tempdir().unwrap(),
            kernel: kernel(),
            echo: Mutex::default(),
        };
        bench.plug(true);
        bench
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("tty")
    }
}

impl Default for Tty {
    fn default() -> Self {
        Self::new()
    }
}

impl Bench for Tty {
    fn controller(&self) -> Arc<dyn SerialController> {
        self.kernel.clone()
    }

    fn device(&self) -> Device {
        Device::Path(self.path())
    }

    fn has(&self, feature: Feature) -> bool {
        use Feature::{Echo, NoWires, Unplug};
        matches!(feature, Echo | Unplug | NoWires)
    }

    fn pass(&self) {
        self.echo.lock().pass();
    }

    fn plug(&self, there: bool) {
        let mut echo = self.echo.lock();
        if !there {
            // The name goes first: another terminal may get the number at once.
            fs::remove_file(self.path()).unwrap();
            *echo = Echo::default();
            return;
        }
        let end = rustix::pty::openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        rustix::pty::unlockpt(&end).unwrap();
        let name = rustix::pty::ptsname(end.as_fd(), Vec::new()).unwrap();
        symlink(name.to_str().unwrap(), self.path()).unwrap();
        *echo = Echo::with(end.into());
    }
}
