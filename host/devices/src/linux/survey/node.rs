//! A device's file, and who may open it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use rustix::fs::Access as Wanted;
use serde::Serialize;

use super::{below, user};

/// A device's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Node {
    /// Where it is, for example `/dev/gpiochip0`.
    pub path: String,
    /// Whether this user may read and write it.
    pub access: Access,
    /// Its group, by name or number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Whether those of its group may.
    pub group_may: bool,
}

/// Whether this user may read and write a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// It may.
    Granted,
    /// It may not.
    Denied,
    /// There is no such file.
    Absent,
}

impl Node {
    pub(super) fn of(root: &Path, path: &str) -> Self {
        const READ_AND_WRITE: u32 = 0o060;
        let file = below(root, Path::new(path));
        let meta = fs::metadata(&file).ok();
        let wanted = Wanted::READ_OK | Wanted::WRITE_OK;
        let access = match &meta {
            None => Access::Absent,
            Some(_) if rustix::fs::access(&file, wanted).is_ok() => Access::Granted,
            Some(_) => Access::Denied,
        };
        Self {
            path: path.to_owned(),
            access,
            group: meta.as_ref().map(|meta| user::group(root, meta.gid())),
            group_may: meta.is_some_and(|meta| meta.mode() & READ_AND_WRITE == READ_AND_WRITE),
        }
    }
}
