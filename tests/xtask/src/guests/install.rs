//! Putting components where boards find them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::workspace::Workspace;

/// A folder that holds exactly the components that were added.
pub(super) struct Folder {
    path: PathBuf,
    components: BTreeMap<PathBuf, Vec<u8>>,
}

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            components: BTreeMap::new(),
        }
    }

    pub(super) fn add(&mut self, name: &str, bytes: Vec<u8>) {
        let path = self.path.join(name).with_extension("wasm");
        self.components.insert(path, bytes);
    }

    /// Writes what changed and removes components whose source is gone: a
    /// test must not pass on a driver that nobody can build any more.
    pub(super) fn install(&self, workspace: &Workspace) -> Result<()> {
        fs::create_dir_all(&self.path)
            .with_context(|| format!("cannot create `{}`", self.path.display()))?;
        let mut changed = 0;
        for (path, bytes) in &self.components {
            changed += usize::from(write_if_changed(path, bytes)?);
        }
        self.remove_strangers()?;
        eprintln!(
            "{}: {} components, {changed} changed",
            workspace.relative(&self.path),
            self.components.len(),
        );
        Ok(())
    }

    fn remove_strangers(&self) -> Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let path = entry?.path();
            let wasm = path
                .extension()
                .is_some_and(|extension| extension == "wasm");
            if wasm && !self.components.contains_key(&path) {
                fs::remove_file(&path)
                    .with_context(|| format!("cannot remove `{}`", path.display()))?;
            }
        }
        Ok(())
    }
}

/// Whether it wrote. A running host may watch the file: an unchanged one is
/// not touched, and a changed one appears whole, by renaming.
fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<bool> {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return Ok(false);
    }
    let half_written = path.with_extension("wasm.part");
    fs::write(&half_written, bytes)
        .and_then(|()| fs::rename(&half_written, path))
        .with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_change_touches_the_file() {
        let folder = std::env::temp_dir().join(format!("xtask-install-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("blink.wasm");
        assert!(write_if_changed(&path, b"one").unwrap());
        assert!(!write_if_changed(&path, b"one").unwrap());
        assert!(write_if_changed(&path, b"two").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        fs::remove_dir_all(&folder).unwrap();
    }
}
