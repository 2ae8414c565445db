//! Drivers as components: the samples in `target/drivers`, the test guests in
//! `target/guests`, those with a seeded defect in `target/mutants`.

pub(crate) mod core_modules;
mod hostile_modules;
mod install;
mod random_components;
mod toolchain;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::workspace::{MUTANTS, Package, TEST_GUESTS, Workspace};
use crate::{Outcome, process};
use install::Folder;

/// What drivers are compiled for.
pub(crate) const TARGET: &str = "wasm32-wasip2";

/// Builds and installs every driver of the repository.
pub(crate) fn build(workspace: &Workspace) -> Result<Outcome> {
    toolchain::provide(workspace)?;
    let mut compile = command(workspace, "build");
    compile.arg("--message-format=json-render-diagnostics");
    let Some(components) = compiled(&mut compile)? else {
        return Ok(Outcome::Failed);
    };
    let mut samples = Folder::new(workspace.target.join("drivers"));
    let mut tests = Folder::new(workspace.target.join("guests"));
    for component in components {
        let test = workspace
            .member(TEST_GUESTS)
            .is_some_and(|package| package.id == component.package);
        let folder = if test { &mut tests } else { &mut samples };
        folder.add(&component.name, read(&component)?);
    }
    let made = [
        core_modules::components(workspace)?,
        hostile_modules::components(workspace)?,
        random_components::components(workspace)?,
    ];
    for (name, bytes) in made.into_iter().flatten() {
        tests.add(&name, bytes);
    }
    samples.install(workspace)?;
    tests.install(workspace)?;
    let mut compile = mutants(workspace, "build");
    compile.arg("--message-format=json-render-diagnostics");
    let Some(components) = compiled(&mut compile)? else {
        return Ok(Outcome::Failed);
    };
    let mut mutants = Folder::new(workspace.target.join("mutants"));
    for component in components {
        mutants.add(&component.name, read(&component)?);
    }
    mutants.install(workspace)?;
    Ok(Outcome::Passed)
}

/// The component of `package` with one of its features, which is not
/// installed; nothing where the compiler fails.
pub(crate) fn with_feature(
    workspace: &Workspace,
    package: &str,
    feature: &str,
) -> Result<Option<Vec<u8>>> {
    let mut compile = command(workspace, "build");
    compile.arg(format!("--features={package}/{feature}"));
    compile.arg("--message-format=json-render-diagnostics");
    let Some(components) = compiled(&mut compile)? else {
        return Ok(None);
    };
    let wanted = workspace.member(package).map(|package| &package.id);
    let component = components
        .iter()
        .find(|component| Some(&component.package) == wanted)
        .with_context(|| format!("cargo made no component of `{package}`"))?;
    read(component).map(Some)
}

/// `cargo SUBCOMMAND` for all guests, as they are built.
///
/// One invocation for all, so that the SDK is compiled once with one set of
/// features.
pub(crate) fn command(workspace: &Workspace, subcommand: &str) -> Command {
    let mut command = process::cargo(&workspace.root);
    command.args([subcommand, "--profile=guest", "--target", TARGET]);
    for package in packages(workspace) {
        command.arg(format!("--package={}", package.name));
    }
    command.args(["--lib", "--examples"]);
    command
}

/// As [`command`], for the drivers with a seeded defect: they are many, and have a
/// profile that costs less.
pub(crate) fn mutants(workspace: &Workspace, subcommand: &str) -> Command {
    let mut command = process::cargo(&workspace.root);
    command.args([subcommand, "--profile=mutant", "--target", TARGET]);
    command.args(["--package", MUTANTS, "--lib", "--examples"]);
    command
}

fn packages(workspace: &Workspace) -> impl Iterator<Item = &Package> {
    let samples = workspace.members_in("sample-drivers");
    samples.chain(workspace.member(TEST_GUESTS))
}

/// A component that cargo made.
struct Component {
    package: String,
    name: String,
    path: PathBuf,
}

/// Runs cargo and takes from its messages which components there are, fresh
/// ones included; nothing where it fails.
fn compiled(cargo: &mut Command) -> Result<Option<Vec<Component>>> {
    process::announce(cargo);
    let output = cargo
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run cargo")?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let components = messages.lines().filter_map(component).collect();
    Ok(output.status.success().then_some(components))
}

fn read(component: &Component) -> Result<Vec<u8>> {
    let path = &component.path;
    std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}

#[derive(Deserialize)]
struct Artifact {
    package_id: String,
    target: BTreeMap<String, serde_json::Value>,
    filenames: Vec<PathBuf>,
}

/// Cargo prints one JSON object a line, of which only some are artifacts.
fn component(message: &str) -> Option<Component> {
    let artifact: Artifact = serde_json::from_str(message).ok()?;
    let wasm = |path: &PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "wasm")
    };
    let path = artifact.filenames.into_iter().find(wasm)?;
    let name = artifact.target.get("name")?.as_str()?.to_owned();
    Some(Component {
        package: artifact.package_id,
        name,
        path,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_is_an_artifact_with_a_wasm_file() {
        let found = component(
            r#"{"reason":"compiler-artifact","package_id":"p","target":{"name":"blink"},
                "filenames":["/t/libblink.rlib","/t/blink.wasm"]}"#,
        )
        .unwrap();
        assert_eq!(found.package, "p");
        assert_eq!(found.name, "blink");
        assert_eq!(found.path, PathBuf::from("/t/blink.wasm"));
    }

    #[test]
    fn other_messages_are_passed_over() {
        let library = r#"{"package_id":"p","target":{"name":"sdk"},"filenames":["/t/sdk.rlib"]}"#;
        let end = r#"{"reason":"build-finished","success":true}"#;
        for message in [library, end, "a line of another kind"] {
            assert!(component(message).is_none(), "{message}");
        }
    }
}
