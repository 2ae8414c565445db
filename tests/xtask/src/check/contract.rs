//! The contract is well-formed before anything generates code from it.

use wit_parser::Resolve;

use super::Failure;
use crate::workspace::Workspace;

pub(super) fn parses(workspace: &Workspace) -> Vec<Failure> {
    let failure = Resolve::default()
        .push_dir(workspace.root.join("wit"))
        .err()
        .map(|error| Failure::new(format!("{error:#}"), "mend the WIT file at that place"));
    failure.into_iter().collect()
}
