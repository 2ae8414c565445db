//! One host at a time on a board file.

use super::BoardFile;
use crate::error::BoardError;
use std::fs::{File, TryLockError};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The right to run a board file, until it is dropped. A second host would most
/// likely be a second one on the same hardware.
///
/// It is the file that is locked, whatever its names; the operating system
/// releases it however this process ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl BoardFile {
    /// Takes the right to run this board file.
    ///
    /// # Errors
    ///
    /// [`BoardError::InUse`] where another host, or this one, has it.
    pub fn lock(path: impl AsRef<Path>) -> Result<Lock, BoardError> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|cause| BoardError::Unreadable {
            path: path.to_owned(),
            cause,
        })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let process = holder(&file).map_or(String::new(), |id| format!(" (process {id})"));
                return Err(BoardError::InUse {
                    path: path.to_owned(),
                    process,
                });
            }
            // A file system without locks is no reason not to run.
            Err(TryLockError::Error(error)) => tracing::warn!(
                "board file `{}` cannot be locked ({error}): a second host on it would not be noticed",
                path.display()
            ),
        }
        Ok(Lock { file })
    }
}

impl Lock {
    /// The right to the file that is at `path` now; `None` where that is still
    /// this one.
    pub(crate) fn renew(&self, path: &Path) -> Result<Option<Self>, BoardError> {
        let file_of = |meta: std::fs::Metadata| (meta.dev(), meta.ino());
        let there = std::fs::metadata(path).map(file_of);
        let same = there.is_ok_and(|there| {
            let ours = self.file.metadata().map(file_of);
            ours.is_ok_and(|ours| ours == there)
        });
        if same {
            return Ok(None);
        }
        BoardFile::lock(path).map(Some)
    }
}

/// Who has locked it, for the message; where the kernel tells.
fn holder(file: &File) -> Option<u32> {
    let meta = file.metadata().ok()?;
    let mut locks = String::new();
    let listed = File::open("/proc/locks").ok()?;
    listed.take(1 << 20).read_to_string(&mut locks).ok()?;
    let (major, minor) = (rustix::fs::major(meta.dev()), rustix::fs::minor(meta.dev()));
    let place = format!("{major:02x}:{minor:02x}:{}", meta.ino());
    locks.lines().find_map(|line| {
        // `1: FLOCK  ADVISORY  WRITE 708 fd:00:1234 0 EOF`
        let fields: Vec<_> = line.split_whitespace().collect();
        match fields[..] {
            [_, "FLOCK", _, _, process, at, ..] if at == place => process.parse().ok(),
            _ => None,
        }
    })
}
