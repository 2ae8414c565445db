//! The files for the machine.

use std::path::PathBuf;

use anyhow::Result;

use super::Options;
use crate::architecture::Architecture;
use crate::workspace::Workspace;
use crate::{dist, process};

/// Where the machine finds the program's archive.
const ARCHIVE: &str = "loopgate.tar.gz";

/// A file of the machine's, and where it is taken from.
pub(super) struct Files(pub(super) Vec<(&'static str, PathBuf)>);

impl Files {
    /// Where the machine finds it.
    pub(super) fn archive(&self) -> Option<&str> {
        let mut names = self.0.iter().map(|(name, _)| *name);
        names.find(|name| *name == ARCHIVE)
    }
}

/// Nothing where the compiler fails.
pub(super) fn files(
    workspace: &Workspace,
    architecture: Architecture,
    options: &Options,
) -> Result<Option<Files>> {
    let mut suite = architecture.cargo(workspace, "build");
    suite.args(["--package=loopgate-device-suite", "--features=init"]);
    if !process::passes(&mut suite)? {
        return Ok(None);
    }
    let mut files = vec![("init", architecture.built(workspace, "loopgate-init"))];
    if !options.only_devices {
        let Some(made) = dist::make(workspace, architecture)? else {
            return Ok(None);
        };
        files.push((ARCHIVE, made.path));
    }
    Ok(Some(Files(files)))
}
