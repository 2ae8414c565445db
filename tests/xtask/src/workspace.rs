//! What the workspace consists of, as cargo tells it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::process;

/// Facts from `cargo metadata`, which honours `CARGO_TARGET_DIR` and cargo's
/// configuration.
pub(crate) struct Workspace {
    /// The repository's root.
    pub(crate) root: PathBuf,
    /// Where cargo puts its output.
    pub(crate) target: PathBuf,
    /// The workspace's own packages, by name.
    pub(crate) members: Vec<Package>,
    /// Every package of the dependency graph with the features that any
    /// member turns on.
    pub(crate) resolved: Vec<Resolved>,
}

/// Packages that are built by one invocation of cargo.
///
/// Cargo unites the features of what it builds together. A crate that is
/// chosen alone one time and in company another is built twice, wasmtime
/// included: so it is always chosen in the same company.
#[derive(Clone, Copy)]
pub(crate) enum Selection {
    /// The host, its integration tests and benchmarks.
    Host,
    /// The SDK and the samples, natively.
    Guests,
    /// This program.
    Xtask,
}

/// The package whose examples are the probing and hostile drivers. They only
/// exist as components, and are in no selection.
pub(crate) const TEST_GUESTS: &str = "loopgate-test-guests";

/// The package whose examples are drivers with a seeded defect each; as that one.
pub(crate) const MUTANTS: &str = "loopgate-mutants";

/// A package of the workspace.
#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
    pub(crate) targets: Vec<Target>,
}

/// Something that a package's manifest names.
#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
}

/// A library, program, test or example of a package.
#[derive(Deserialize)]
pub(crate) struct Target {
    pub(crate) name: String,
    pub(crate) kind: Vec<String>,
    pub(crate) src_path: PathBuf,
}

/// A package of the graph and its enabled features.
#[derive(Deserialize)]
pub(crate) struct Resolved {
    pub(crate) id: String,
    pub(crate) features: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    workspace_root: PathBuf,
    target_directory: PathBuf,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Resolved>,
}

impl Workspace {
    pub(crate) fn load() -> Result<Self> {
        let output = process::cargo(Path::new(env!("CARGO_MANIFEST_DIR")))
            .args(["metadata", "--format-version", "1"])
            .stderr(Stdio::inherit())
            .output()
            .context("cannot run `cargo metadata`")?;
        let metadata: Metadata = serde_json::from_slice(&output.stdout)
            .context("cannot read what `cargo metadata` says; run it to see why")?;
        let mut members: Vec<Package> = metadata
            .packages
            .into_iter()
            .filter(|package| metadata.workspace_members.contains(&package.id))
            .collect();
        members.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self {
            root: metadata.workspace_root,
            target: metadata.target_directory,
            members,
            resolved: metadata.resolve.nodes,
        })
    }

    /// `cargo SUBCOMMAND --release` for the packages of `selection`.
    pub(crate) fn cargo(&self, subcommand: &str, selection: Selection) -> Command {
        let mut command = process::cargo(&self.root);
        command.args([subcommand, "--release"]);
        for package in self.selected(selection) {
            command.arg(format!("--package={}", package.name));
        }
        command
    }

    pub(crate) fn selected(&self, selection: Selection) -> impl Iterator<Item = &Package> {
        let folders: &[&str] = match selection {
            Selection::Host => &["host", "tests/integration", "tests/bench", "tests/devices"],
            Selection::Guests => &["guest-sdk", "sample-drivers"],
            Selection::Xtask => &["tests/xtask"],
        };
        folders.iter().flat_map(|folder| self.members_in(folder))
    }

    /// The members below the folder `folder`.
    pub(crate) fn members_in(&self, folder: &str) -> impl Iterator<Item = &Package> {
        let folder = self.root.join(folder);
        self.members
            .iter()
            .filter(move |package| package.folder().starts_with(&folder))
    }

    /// The member called `name`, where there is one.
    pub(crate) fn member(&self, name: &str) -> Option<&Package> {
        self.members.iter().find(|package| package.name == name)
    }

    /// `path` as a reader of the repository knows it.
    pub(crate) fn relative<'a>(&self, path: &'a Path) -> std::path::Display<'a> {
        path.strip_prefix(&self.root).unwrap_or(path).display()
    }
}

impl Package {
    /// The folder of the package's manifest.
    pub(crate) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new("/"))
    }

    pub(crate) fn manifest(&self) -> &Path {
        &self.manifest_path
    }
}

impl Target {
    /// A library or a program, not a test, an example or a build script.
    pub(crate) fn is_product(&self) -> bool {
        let product = ["lib", "cdylib", "rlib", "bin"];
        self.kind
            .iter()
            .any(|kind| product.contains(&kind.as_str()))
    }
}
