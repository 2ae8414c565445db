//! Features of wasmtime that cost every call.

use super::Failure;
use crate::workspace::{Resolved, Workspace};

/// Each feature, and what it costs when it is merely compiled in.
const UNWANTED: &[(&str, &str)] = &[
    (
        "component-model-async",
        "it makes each synchronous call three times slower",
    ),
    ("async", "nothing needs it, and it brings fibers"),
];

/// Cargo's resolution unites what every member and dependency asks for, so a
/// feature that is absent from it is absent from every build.
pub(super) fn are_lean(workspace: &Workspace) -> Vec<Failure> {
    let mut failures = Vec::new();
    for package in &workspace.resolved {
        if package.name() != "wasmtime" {
            continue;
        }
        for (feature, cost) in UNWANTED {
            if package.features.iter().any(|enabled| enabled == feature) {
                failures.push(Failure::new(
                    format!("wasmtime's feature `{feature}` is on: {cost}"),
                    format!(
                        "find who asks for it: cargo tree -e features -i wasmtime | grep {feature}"
                    ),
                ));
            }
        }
    }
    failures
}

impl Resolved {
    /// `registry+https://...#NAME@VERSION`.
    fn name(&self) -> &str {
        let fragment = self.id.rsplit('#').next().unwrap_or_default();
        fragment.split('@').next().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_found_in_a_package_id() {
        let package = Resolved {
            id: "registry+https://github.com/rust-lang/crates.io-index#wasmtime@48.0.8".to_owned(),
            features: Vec::new(),
        };
        assert_eq!(package.name(), "wasmtime");
    }
}
