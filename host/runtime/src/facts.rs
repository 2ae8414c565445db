//! What this host has on this machine, looked at before it runs a board.

use crate::board_file::{BoardFile, DriverEntry};
use crate::cache::Cache;
use crate::control::Place;
use crate::engine;
use crate::error::ComponentError;
use crate::sandbox::{self, SandboxStatus};
use std::path::{Path, PathBuf};

/// What this host has on this machine.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct HostFacts {
    /// The host's version.
    pub version: &'static str,
    /// Whether it compiles components, or loads only what was compiled before.
    pub compiler: bool,
    /// What the kernel can hold of the host's rights.
    pub sandbox: SandboxStatus,
    /// Where compiled components are kept; nothing where the user has no folder for
    /// such.
    pub cache: Option<Directory>,
    /// Where the control socket will be.
    pub control: Directory,
}

/// A directory that the host needs.
#[derive(Clone, Debug, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Directory {
    /// Where it is.
    pub path: PathBuf,
    /// Why it cannot be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl HostFacts {
    /// Looks. The socket of a board will be at `socket`.
    pub fn of(socket: &Place) -> Self {
        let cache = Cache::default_directory();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            compiler: cfg!(feature = "compiler"),
            sandbox: sandbox::trial(),
            cache: cache.map(|path| Directory {
                problem: cache_problem(&path),
                path,
            }),
            control: Directory {
                path: socket.path().to_owned(),
                problem: socket.problem(),
            },
        }
    }

    /// Looks at a driver's component without loading it.
    ///
    /// # Errors
    /// Why this host would not load it, as far as that can be told.
    pub fn look_at(&self, file: &BoardFile, entry: &DriverEntry) -> Result<(), ComponentError> {
        let code = file.code(entry);
        engine::look_at(&code.file, code.digest, self.compiler)
    }
}

fn cache_problem(directory: &Path) -> Option<String> {
    if directory.exists() {
        return Cache::open(directory).err();
    }
    writable(directory.ancestors().find(|folder| folder.exists())?)
}

/// Why nothing can be made there.
pub(crate) fn writable(folder: &Path) -> Option<String> {
    use rustix::fs::Access;
    let error = rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK).err()?;
    let error = std::io::Error::from(error);
    Some(format!("`{}`: {error}", folder.display()))
}
