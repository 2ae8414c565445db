//! What the host drops of its own rights before it starts a thread.
//!
//! Drivers are held by their own sandbox. This is for the day when one gets out
//! of it: the process that it would then be in can open few files and has few
//! system calls.

mod calls;
mod files;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crate::board_file::BoardFile;
use crate::cache::Cache;
use crate::crash;
use files::{Files, Rights};

/// Lowers the rights of this process for good, see [`Sandbox::enter`].
#[derive(Debug)]
pub struct Sandbox {
    files: Files,
}

/// What holds the host itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SandboxStatus {
    /// Which files it can open: `on`, with what the kernel can hold, or `off`,
    /// with the reason.
    pub landlock: String,
    /// Which system calls it has: `on`, or `off` with the reason.
    pub seccomp: String,
}

/// Why the host is not held as it was to be.
#[derive(Debug, thiserror::Error)]
#[error(
    "the host cannot be held by {what}: {cause}; `--sandbox try` runs it without where it must"
)]
pub struct SandboxError {
    what: &'static str,
    cause: String,
}

static ENTERED: OnceLock<SandboxStatus> = OnceLock::new();

impl Sandbox {
    /// For a host that runs this board: what the file names stays open, with
    /// `/dev` and the default cache.
    pub fn for_board(file: &BoardFile) -> Self {
        let mut files = Files::default();
        files.add(Rights::Devices, Path::new("/dev"));
        // The standard library and the unwinder read there what memory they have.
        files.add(Rights::Read, Path::new("/proc/self"));
        files.add_folder_of(Rights::Read, file.path());
        for play in &file.board.plays {
            files.add_folder_of(Rights::Read, &file.resolve(play.capture.get_ref()));
        }
        for driver in &file.drivers {
            files.add_folder_of(Rights::Read, &file.resolve(driver.component.get_ref()));
            for port in driver.serial.values() {
                if let Some(device) = &port.device {
                    files.add(Rights::Devices, Path::new(device.get_ref()));
                }
                if let Some(link) = &port.pty {
                    files.make_folder_of(Path::new(link.get_ref()));
                }
            }
        }
        let cache = Cache::default_directory();
        // One that cannot be used is reported when the board is built.
        if let Some(cache) = cache.filter(|directory| Cache::open(directory).is_ok()) {
            files.add(Rights::Write, &cache);
        }
        let reports = crash::default_directory(file.path());
        // Without it there are no reports, and the log says so.
        if let Some(reports) = reports.filter(|directory| crash::make(directory).is_ok()) {
            files.add(Rights::Write, &reports);
        }
        Self { files }
    }

    /// Leaves the folder of this file open, to make, write and remove files
    /// there; and the file itself, which may be a link to elsewhere.
    #[must_use]
    pub fn writes(mut self, file: impl Into<PathBuf>) -> Self {
        let file = file.into();
        self.files.add_folder_of(Rights::Write, &file);
        self.files.add(Rights::Write, &file);
        self
    }

    /// Drops every other right, of this thread and of those that it will start:
    /// call it before there is another one. There is no way back, and it holds
    /// for as long as the process lives.
    ///
    /// What the kernel does not have is left out, and said in what this returns
    /// and in every [`Status`](crate::Status) of a board; with `required` it is
    /// an error.
    ///
    /// # Errors
    ///
    /// With `required`, what is not held. Without, nothing.
    pub fn enter(self, required: bool) -> Result<SandboxStatus, SandboxError> {
        let alone = alone();
        let landlock = alone.clone().and_then(|()| self.files.restrict());
        // Later: the calls that Landlock takes are not among those that are left.
        let seccomp = alone.and_then(|()| calls::restrict());
        let said = |what, result: Result<String, String>| match result {
            Ok(how) => Ok(how),
            Err(cause) if required => Err(SandboxError { what, cause }),
            Err(cause) => {
                tracing::warn!("the host is not held by {what}: {cause}");
                Ok(format!("off: {cause}"))
            }
        };
        let status = SandboxStatus {
            landlock: said("Landlock", landlock)?,
            seccomp: said("seccomp", seccomp)?,
        };
        // Entered twice, the first time holds as well.
        let _ = ENTERED.set(status.clone());
        Ok(status)
    }
}

/// What the kernel can hold, tried on a thread that ends with it.
pub(crate) fn trial() -> SandboxStatus {
    let tried = |what: fn() -> Result<String, String>| {
        let thread = std::thread::Builder::new().spawn(what);
        let said = thread.map(std::thread::JoinHandle::join);
        let said = said.unwrap_or_else(|error| Ok(Err(format!("no thread for it: {error}"))));
        let said = said.unwrap_or_else(|_| Err("it cannot be tried".to_owned()));
        said.unwrap_or_else(|cause| format!("off: {cause}"))
    };
    SandboxStatus {
        landlock: tried(|| Files::default().restrict()),
        seccomp: tried(calls::restrict),
    }
}

/// What holds this process.
pub(crate) fn status() -> SandboxStatus {
    let off = || "off".to_owned();
    ENTERED.get().cloned().unwrap_or_else(|| SandboxStatus {
        landlock: off(),
        seccomp: off(),
    })
}

/// A refusal that the sandbox may be the cause of, said as such.
pub(crate) fn explain(cause: std::io::Error) -> std::io::Error {
    let refused = cause.kind() == std::io::ErrorKind::PermissionDenied;
    if !refused || ENTERED.get().is_none() {
        return cause;
    }
    let why = "or it lies outside of the folders that the host left itself when it started, \
               which a restart of the host opens";
    std::io::Error::new(cause.kind(), format!("{cause}, {why}"))
}

/// Rights are dropped thread by thread.
fn alone() -> Result<(), String> {
    let threads = std::fs::read_dir("/proc/self/task").map(Iterator::count);
    match threads {
        Ok(1) => Ok(()),
        Ok(many) => Err(format!("it has {many} threads already")),
        Err(error) => Err(format!("`/proc` does not show its threads ({error})")),
    }
}
