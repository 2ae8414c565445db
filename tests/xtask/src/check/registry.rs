//! Dependencies as they are published: the samples are to show what the crates of
//! crates.io do, not what someone has made of them.

use super::Failure;
use crate::workspace::Workspace;

/// As cargo begins the id of a package that it has from there.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index#";

/// A crate that is patched, or comes from a folder or a repository, has another
/// source.
pub(super) fn is_the_source(workspace: &Workspace) -> Vec<Failure> {
    let is_member = |id: &str| workspace.members.iter().any(|member| member.id == id);
    let ids = workspace.resolved.iter().map(|package| &package.id);
    let foreign = ids.filter(|id| !is_member(id) && !id.starts_with(REGISTRY));
    foreign
        .map(|id| {
            Failure::new(
                format!("`{id}` does not come from crates.io"),
                "name the published version in Cargo.toml, and patch nothing",
            )
        })
        .collect()
}
