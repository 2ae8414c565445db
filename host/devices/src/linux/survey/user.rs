//! Whose rights count.

use std::path::Path;

use serde::Serialize;

use super::text;

/// The user that this process acts as.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct User {
    /// Its name, or its number where it has none.
    pub name: String,
    /// The groups that it has now.
    pub groups: Vec<String>,
    /// Groups that it will have when it logs in again.
    pub coming: Vec<String>,
}

impl User {
    pub(super) fn of(root: &Path) -> Self {
        let id = rustix::process::geteuid().as_raw();
        let name = named(root, "etc/passwd", id);
        let mut ids = vec![rustix::process::getegid().as_raw()];
        let further = rustix::process::getgroups().unwrap_or_default();
        ids.extend(further.iter().map(|group| group.as_raw()));
        ids.sort_unstable();
        ids.dedup();
        let groups: Vec<_> = ids.into_iter().map(|id| group(root, id)).collect();
        let mut coming = listed(root, &name);
        coming.retain(|name| !groups.contains(name));
        Self {
            name,
            groups,
            coming,
        }
    }
}

/// A group by its name, or its number where it has none.
pub(super) fn group(root: &Path, id: u32) -> String {
    named(root, "etc/group", id)
}

/// The name with this number in a file of lines `NAME:x:NUMBER:...`.
fn named(root: &Path, file: &str, id: u32) -> String {
    let lines = text(&root.join(file)).unwrap_or_default();
    let found = lines.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then_some(name)
    });
    found.map_or_else(|| id.to_string(), str::to_owned)
}

/// The groups whose line names this user.
fn listed(root: &Path, user: &str) -> Vec<String> {
    let lines = text(&root.join("etc/group")).unwrap_or_default();
    let names = lines.lines().filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        let mut members = fields.nth(2)?.split(',');
        members.any(|member| member == user).then_some(name)
    });
    names.map(str::to_owned).collect()
}
