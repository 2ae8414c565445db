//! Where the control socket is, and that nobody else can stand in its place.

use std::ffi::OsString;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::ControlError;
use crate::facts::writable;

const NAME: &str = "loopgate.sock";

/// Where a control socket is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    path: PathBuf,
    /// A directory under `/tmp`, where others could have made it first: used
    /// only once it was found to be ours and closed to others.
    own_directory: Option<PathBuf>,
}

impl Place {
    /// A socket at `path`, which the caller answers for.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            own_directory: None,
        }
    }

    /// `$XDG_RUNTIME_DIR/loopgate.sock`; where that variable is absent,
    /// `/tmp/loopgate-UID/loopgate.sock`.
    pub fn default_for_user() -> Self {
        Self::from(std::env::var_os("XDG_RUNTIME_DIR"), Path::new("/tmp"))
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Why a host could not have its socket here, as far as can be told without it.
    pub(crate) fn problem(&self) -> Option<String> {
        if let Err(error) = self.verify() {
            return Some(error.to_string());
        }
        let folder = match &self.own_directory {
            Some(directory) if !directory.exists() => directory.parent(),
            _ => self.path.parent(),
        };
        // A file without a folder in its name is here.
        let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
        writable(folder.unwrap_or(Path::new(".")))
    }

    fn from(runtime_directory: Option<OsString>, temporary: &Path) -> Self {
        // The specification of that variable says to ignore a relative path.
        let runtime_directory = runtime_directory.map(PathBuf::from);
        if let Some(directory) = runtime_directory.filter(|path| path.is_absolute()) {
            return Self::at(directory.join(NAME));
        }
        let directory = temporary.join(format!("loopgate-{}", user()));
        Self {
            path: directory.join(NAME),
            own_directory: Some(directory),
        }
    }

    /// For the host: the directory exists and is safe.
    pub(super) fn prepare(&self) -> Result<(), ControlError> {
        let Some(directory) = &self.own_directory else {
            return Ok(());
        };
        match fs::DirBuilder::new().mode(0o700).create(directory) {
            Err(cause) if cause.kind() != ErrorKind::AlreadyExists => Err(ControlError::System {
                action: "create directory",
                path: directory.clone(),
                cause,
            }),
            _ => check(directory),
        }
    }

    /// For a client: the directory is safe, if there is one.
    pub(super) fn verify(&self) -> Result<(), ControlError> {
        match &self.own_directory {
            Some(directory) if directory.symlink_metadata().is_ok() => check(directory),
            _ => Ok(()),
        }
    }
}

/// The user that this process acts as.
pub(super) fn user() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Once it is found to be ours and closed to others, nobody but us can change
/// that: `/tmp` is sticky.
fn check(directory: &Path) -> Result<(), ControlError> {
    let path = directory.to_owned();
    let meta = directory
        .symlink_metadata()
        .map_err(|cause| ControlError::System {
            action: "look at",
            path: path.clone(),
            cause,
        })?;
    let (owner, mode) = (meta.uid(), meta.mode() & 0o7777);
    let cause = if !meta.is_dir() {
        "it is not a directory".to_owned()
    } else if owner != user() {
        format!("it belongs to user {owner}")
    } else if mode & 0o077 != 0 {
        format!("its mode {mode:o} admits others")
    } else {
        return Ok(());
    };
    Err(ControlError::Unsafe { path, cause })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn fallback(temporary: &Path) -> (Place, PathBuf) {
        let place = Place::from(None, temporary);
        let directory = place.own_directory.clone().unwrap();
        (place, directory)
    }

    #[test]
    fn the_runtime_directory_comes_first_unless_it_is_relative() {
        let temporary = Path::new("/tmp");
        assert_eq!(
            Place::from(Some("/run/user/7".into()), temporary).path(),
            Path::new("/run/user/7/loopgate.sock")
        );
        let expected = format!("/tmp/loopgate-{}/loopgate.sock", user());
        for absent in [None, Some("".into()), Some("here".into())] {
            assert_eq!(Place::from(absent, temporary).path(), Path::new(&expected));
        }
    }

    #[test]
    fn the_fallback_directory_is_made_closed_and_used_again() {
        let temporary = tempfile::tempdir().unwrap();
        let (place, directory) = fallback(temporary.path());
        place.verify().unwrap();
        place.prepare().unwrap();
        assert_eq!(directory.metadata().unwrap().mode() & 0o777, 0o700);
        place.prepare().unwrap();
        place.verify().unwrap();
    }

    #[test]
    fn a_directory_that_others_could_enter_is_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let (place, directory) = fallback(temporary.path());
        place.prepare().unwrap();
        for mode in [0o710, 0o701, 0o755, 0o777] {
            fs::set_permissions(&directory, fs::Permissions::from_mode(mode)).unwrap();
            let error = place.prepare().unwrap_err().to_string();
            assert!(
                error.contains(&format!("mode {mode:o}")) && error.contains("--socket"),
                "{error}"
            );
            assert!(place.verify().is_err());
        }
    }

    #[test]
    fn a_link_or_a_file_in_its_place_is_refused() {
        let temporary = tempfile::tempdir().unwrap();
        let (place, directory) = fallback(temporary.path());
        symlink(temporary.path(), &directory).unwrap();
        assert!(matches!(place.prepare(), Err(ControlError::Unsafe { .. })));
        assert!(matches!(place.verify(), Err(ControlError::Unsafe { .. })));
        fs::remove_file(&directory).unwrap();
        fs::write(&directory, "").unwrap();
        assert!(matches!(place.prepare(), Err(ControlError::Unsafe { .. })));
    }
}
