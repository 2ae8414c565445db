//! The licences of all that is linked into the program and the drivers, which ask
//! to be passed on with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::architecture::Architecture;
use crate::process;
use crate::workspace::Workspace;

/// How the files' names begin, in any case.
const BEGINNINGS: [&str; 4] = ["licen", "copying", "copyright", "notice"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

/// None for what is linked; others are for tests and for building.
#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
}

pub(super) fn text(workspace: &Workspace, target: Architecture) -> Result<String> {
    let metadata = metadata(workspace, target)?;
    let ours: Vec<_> = workspace.members.iter().map(|member| &member.id).collect();
    let program = workspace.member("loopgate-cli").into_iter();
    let roots = program.chain(workspace.members_in("sample-drivers"));
    let linked = linked(&metadata, roots.map(|root| root.id.as_str()).collect());
    let mut packages: Vec<_> = metadata.packages.iter().collect();
    packages.retain(|package| linked.contains(&*package.id) && !ours.contains(&&package.id));
    packages.sort_by_key(|package| (&package.name, &package.version));
    let mut text = "The program and the drivers have these in them:\n\n".to_owned();
    let mut licences = BTreeMap::<_, Vec<_>>::new();
    for package in packages {
        let name = format!("{} {}", package.name, package.version);
        let licence = package.license.as_deref().unwrap_or("see below");
        let _ = writeln!(text, "    {name}: {licence}");
        for licence in files(package)? {
            licences.entry(licence).or_default().push(name.clone());
        }
    }
    for (licence, names) in licences {
        let _ = write!(text, "\n\n==== {}\n\n{licence}", names.join(", "));
    }
    Ok(text)
}

fn metadata(workspace: &Workspace, target: Architecture) -> Result<Metadata> {
    let output = process::cargo(&workspace.root)
        .args(["metadata", "--format-version=1", "--filter-platform"])
        .arg(target.target())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run `cargo metadata`")?;
    serde_json::from_slice(&output.stdout).context("cannot read what `cargo metadata` says")
}

/// What the roots are linked with, themselves included.
fn linked<'a>(metadata: &'a Metadata, roots: Vec<&'a str>) -> BTreeSet<&'a str> {
    let nodes = metadata.resolve.nodes.iter();
    let nodes: HashMap<_, _> = nodes.map(|node| (&*node.id, &node.deps)).collect();
    let mut known = BTreeSet::new();
    let mut next = roots;
    while let Some(id) = next.pop() {
        if known.insert(id) {
            let dependencies = nodes.get(id).into_iter().flat_map(|deps| deps.iter());
            let is_linked =
                |dep: &&Dependency| dep.dep_kinds.iter().any(|kind| kind.kind.is_none());
            next.extend(dependencies.filter(is_linked).map(|dep| &*dep.pkg));
        }
    }
    known
}

/// Their texts.
fn files(package: &Package) -> Result<Vec<String>> {
    let folder = package.manifest_path.parent().unwrap_or(Path::new("/"));
    let mut texts = Vec::new();
    for entry in
        fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?
    {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_lowercase();
        let is_licence = BEGINNINGS.iter().any(|begin| name.starts_with(begin));
        if is_licence && entry.path().is_file() {
            let bytes = fs::read(entry.path())?;
            texts.push(String::from_utf8_lossy(&bytes).trim().to_owned() + "\n");
        }
    }
    Ok(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_linked_is_followed() {
        let metadata = r#"{ "packages": [], "resolve": { "nodes": [
            { "id": "program", "deps": [
                { "pkg": "library", "dep_kinds": [{ "kind": null }, { "kind": "dev" }] },
                { "pkg": "tester", "dep_kinds": [{ "kind": "dev" }] }] },
            { "id": "library", "deps": [{ "pkg": "core", "dep_kinds": [{ "kind": null }] }] },
            { "id": "tester", "deps": [{ "pkg": "builder", "dep_kinds": [{ "kind": null }] }] }
        ] } }"#;
        let metadata: Metadata = serde_json::from_str(metadata).unwrap();
        let found = linked(&metadata, vec!["program"]);
        assert_eq!(found, BTreeSet::from(["core", "library", "program"]));
    }
}
