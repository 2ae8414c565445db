//! Who may name whom.
//!
//! Separate crates let the compiler hold the layers apart, as long as nobody
//! adds a dependency: that is what this looks at.

use super::Failure;
use crate::workspace::{Package, Workspace};

/// For each of our host-side crates, which of ours it may name: `cli ->
/// {runtime, conform} -> {devices, workloop}`. The devices know the work
/// loop's clock and interrupt lines; the work loop knows nothing of ours.
const HOST: &[(&str, &[&str])] = &[
    ("loopgate-workloop", &[]),
    ("loopgate-devices", &["loopgate-workloop"]),
    ("loopgate", &["loopgate-devices", "loopgate-workloop"]),
    ("loopgate-conform", &["loopgate"]),
    ("loopgate-cli", &["loopgate", "loopgate-conform"]),
];

const SDK: &str = "loopgate-guest";

pub(super) fn holds(workspace: &Workspace) -> Vec<Failure> {
    let mut failures = Vec::new();
    for package in &workspace.members {
        let Some(allowed) = allowed(workspace, package) else {
            failures.push(unplaced(package));
            continue;
        };
        for dependency in &package.dependencies {
            let name = dependency.name.as_str();
            let ours = workspace.member(name).is_some();
            if ours && !allowed.contains(&name) {
                failures.push(misplaced(package, name, &allowed));
            }
            if name.starts_with("wasmtime") && !may_name_wasmtime(workspace, package) {
                failures.push(Failure::new(
                    format!("`{}` depends on `{name}`", package.name),
                    "reach the engine through the crate `loopgate`: only host/runtime and tests/ \
                     name wasmtime",
                ));
            }
        }
    }
    failures
}

/// Which of our crates `package` may name, by the folder that it lives in.
fn allowed<'a>(workspace: &'a Workspace, package: &Package) -> Option<Vec<&'a str>> {
    let folder = package.folder();
    let is_in = |part: &str| folder.starts_with(workspace.root.join(part));
    if is_in("host") {
        let row = HOST.iter().find(|(name, _)| *name == package.name)?;
        Some(row.1.to_vec())
    } else if is_in("guest-sdk") || is_in("tests/xtask") {
        Some(Vec::new())
    } else if is_in("sample-drivers") || is_in("tests/guests") {
        Some(vec![SDK])
    } else if is_in("tests") {
        // Tests meet guests as components only.
        Some(
            workspace
                .members_in("host")
                .map(|host| host.name.as_str())
                .collect(),
        )
    } else {
        None
    }
}

fn may_name_wasmtime(workspace: &Workspace, package: &Package) -> bool {
    ["host/runtime", "tests"]
        .iter()
        .any(|part| package.folder().starts_with(workspace.root.join(part)))
}

fn unplaced(package: &Package) -> Failure {
    Failure::new(
        format!("`{}` has no place in the layers", package.name),
        "give it a row in tests/xtask/src/check/layering.rs and in ARCHITECTURE.md",
    )
}

fn misplaced(package: &Package, name: &str, allowed: &[&str]) -> Failure {
    let may = match allowed {
        [] => "none of our crates".to_owned(),
        names => names.join(", "),
    };
    Failure::new(
        format!("`{}` depends on `{name}`", package.name),
        format!("remove that dependency: `{}` may name {may}", package.name),
    )
}
