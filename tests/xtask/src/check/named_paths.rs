//! Documents name files that exist.

use anyhow::{Context, Result};

use super::Failure;
use crate::workspace::Workspace;

const DOCUMENTS: &[&str] = &[
    "README.md",
    "ARCHITECTURE.md",
    "sample-drivers/BOARD.md",
    "sample-drivers/RASPBERRY-PI.md",
    "wit/README.md",
    "host/conform/README.md",
    "host/conform/SCENARIOS.md",
    "fuzz/README.md",
];

/// Where what is meant as a path begins.
const FOLDERS: &[&str] = &[
    "wit/",
    "host/",
    "guest-sdk/",
    "sample-drivers/",
    "tests/",
    "fuzz/",
];

pub(super) fn exist(workspace: &Workspace) -> Result<Vec<Failure>> {
    let mut failures = Vec::new();
    for document in DOCUMENTS {
        let path = workspace.root.join(document);
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read `{document}`"))?;
        let missing = paths(&text).filter(|path| !workspace.root.join(path).exists());
        failures.extend(missing.map(|path| {
            Failure::new(
                format!("`{document}` names `{path}`, which does not exist"),
                "name what is there now",
            )
        }));
    }
    Ok(failures)
}

/// What stands in backticks and begins with one of our folders. Patterns, such
/// as `host/{a,b}` and `tests/*.rs`, and commands are no paths.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2).filter(|quoted| {
        let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        FOLDERS.iter().any(|folder| quoted.starts_with(folder)) && quoted.chars().all(plain)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_ours_are_looked_for() {
        let text = "`host/cli/`, then `tests/*.rs`, `cargo xtask` and host/none; `wit/gpio.wit`";
        assert_eq!(
            paths(text).collect::<Vec<_>>(),
            ["host/cli/", "wit/gpio.wit"]
        );
    }
}
