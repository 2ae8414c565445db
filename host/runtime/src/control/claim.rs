//! The right to serve a socket: one host at a time.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::{ControlError, Place};

/// The right to serve a socket, until it is dropped.
///
/// Take it before the board touches any hardware: a second host on the same
/// socket most likely means a second host on the same lines.
pub struct Claim {
    pub(super) path: PathBuf,
    /// The operating system releases the lock however this process ends, so
    /// that what is locked has a living owner.
    _lock: File,
}

impl Claim {
    /// Takes the right, and removes the socket of a host that died.
    ///
    /// # Errors
    ///
    /// [`ControlError::InUse`] where another host serves the socket.
    pub fn take(place: &Place) -> Result<Self, ControlError> {
        place.prepare()?;
        let path = place.path().to_owned();
        let lock = lock(&path)?;
        remove_stale(&path)?;
        Ok(Self { path, _lock: lock })
    }
}

/// Locks the file beside the socket.
fn lock(path: &Path) -> Result<File, ControlError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let beside = PathBuf::from(name);
    let system = |action| {
        move |cause| ControlError::System {
            action,
            path: path.to_owned(),
            cause,
        }
    };
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        // In a directory that others can write, a link would be theirs.
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
        .open(&beside)
        .map_err(system("create the lock file of"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(fs::TryLockError::WouldBlock) => return Err(in_use(path, &mut file)),
        Err(fs::TryLockError::Error(cause)) => return Err(system("lock")(cause)),
    }
    let noted = file
        .set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()));
    noted.map_err(system("write the lock file of"))?;
    Ok(file)
}

fn in_use(path: &Path, lock: &mut File) -> ControlError {
    let mut noted = String::new();
    // Only for the message; the file may not be readable or not be written yet.
    let _ = lock.take(32).read_to_string(&mut noted);
    let process = noted
        .trim()
        .parse::<u32>()
        .map_or(String::new(), |id| format!(" (process {id})"));
    ControlError::InUse {
        path: path.to_owned(),
        process,
    }
}

/// With the lock held, a socket at `path` is a dead host's, unless somebody
/// answers there all the same.
fn remove_stale(path: &Path) -> Result<(), ControlError> {
    let Ok(meta) = path.symlink_metadata() else {
        return Ok(());
    };
    if !meta.file_type().is_socket() {
        return Err(ControlError::NotSocket {
            path: path.to_owned(),
        });
    }
    if UnixStream::connect(path).is_ok() {
        return Err(ControlError::InUse {
            path: path.to_owned(),
            process: String::new(),
        });
    }
    fs::remove_file(path).map_err(|cause| ControlError::System {
        action: "remove the stale socket",
        path: path.to_owned(),
        cause,
    })
}
