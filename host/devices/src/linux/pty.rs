//! Making a pseudo-terminal, and the link by which others find its other end.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process;
use std::{fs, io};

use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;
use rustix::termios::InputModes;

use super::serial::{self, configure};
use crate::serial::{Error, FlowControl, PortRequest};

/// A pseudo-terminal; dropping it hangs up its other end and removes the link.
pub(super) struct Pty {
    ours: OwnedFd,
    /// The other end, open so that peers come and go without hanging up.
    _theirs: OwnedFd,
    _link: Link,
}

/// A symbolic link of ours.
struct Link {
    path: PathBuf,
    target: PathBuf,
}

impl Pty {
    pub(super) fn open(link: &Path, request: &PortRequest) -> Result<Self, Error> {
        // It holds whoever writes back by itself, and would take the others for
        // what the program at its other end wants.
        if request.flow != FlowControl::None {
            return Err(request.lacks_but(
                format!("flow control {}", request.flow),
                "take `flow` out of its entry, since a pseudo-terminal holds back by itself",
            ));
        }
        if request.rs485 {
            return Err(request.lacks("RS-485 mode"));
        }
        let device = link.display().to_string();
        let failed = |operation| {
            let device = &device;
            move |errno| serial::io(device, operation, errno)
        };
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let ours = rustix::pty::openpt(flags).map_err(failed("make a pseudo-terminal"))?;
        rustix::pty::grantpt(&ours).map_err(failed("grant its pseudo-terminal"))?;
        rustix::pty::unlockpt(&ours).map_err(failed("unlock its pseudo-terminal"))?;
        rustix::io::ioctl_fionbio(&ours, true).map_err(failed("become non-blocking"))?;
        let name = rustix::pty::ptsname(&ours, Vec::new()).map_err(failed("name itself"))?;
        let target = PathBuf::from(OsStr::from_bytes(name.as_bytes()));
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let theirs = rustix::fs::open(&target, flags, Mode::empty())
            .map_err(failed("open its other end"))?;
        configure(&theirs, request, InputModes::empty())?;
        Ok(Self {
            ours,
            _theirs: theirs,
            _link: Link::make(link, target, &device)?,
        })
    }

    pub(super) fn fd(&self) -> &OwnedFd {
        &self.ours
    }
}

impl Link {
    fn make(path: &Path, target: PathBuf, device: &str) -> Result<Self, Error> {
        let failed = |source| Error::Io {
            device: device.to_owned(),
            operation: "make its link",
            source,
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        match fs::symlink_metadata(path) {
            Ok(there) if !there.is_symlink() => {
                return Err(Error::LinkTaken {
                    link: device.to_owned(),
                });
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        // Renamed, so that at no time there is no link, or half a one.
        let new = path.with_added_extension(format!("{}.new", process::id()));
        let _ = fs::remove_file(&new);
        std::os::unix::fs::symlink(&target, &new).map_err(failed)?;
        fs::rename(&new, path).map_err(|error| {
            let _ = fs::remove_file(&new);
            failed(error)
        })?;
        Ok(Self {
            path: path.to_owned(),
            target,
        })
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Unless someone else's has replaced it.
        if fs::read_link(&self.path).is_ok_and(|target| target == self.target) {
            let _ = fs::remove_file(&self.path);
        }
    }
}
