//! The licences of all that is linked into the program and the drivers, which ask
//! to be passed on with it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::Deserialize;

use crate::architecture::Architecture;
use crate::process;
use crate::workspace::Workspace;

/// Of the C libraries that the toolchain links, of which it has no texts: as Debian has
/// collected them.
const C_LIBRARIES: [(&str, &str); 2] = [
    ("musl, in the program", include_str!("copyright/musl")),
    (
        "wasi-libc, in the drivers",
        include_str!("copyright/wasi-libc"),
    ),
];

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
    #[serde(default)]
    authors: Vec<String>,
    repository: Option<String>,
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

/// The toolchain's page about its standard library.
pub(super) fn of_rust() -> Result<Vec<u8>> {
    let path = documentation()?.join("COPYRIGHT-library.html");
    fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))
}

fn documentation() -> Result<PathBuf> {
    let root = process::output_of(Command::new("rustc").args(["--print", "sysroot"]));
    let root = root.context("cannot run `rustc`")?;
    Ok(Path::new(&root).join("share/doc/rust"))
}

/// The C libraries', and those of the crates.
pub(super) fn text(workspace: &Workspace, target: Architecture) -> Result<String> {
    let metadata = metadata(workspace, target)?;
    let ours: Vec<_> = workspace.members.iter().map(|member| &member.id).collect();
    let program = workspace.member("loopgate-cli").into_iter();
    let roots = program.chain(workspace.members_in("sample-drivers"));
    let linked = linked(&metadata, roots.map(|root| root.id.as_str()).collect());
    let mut packages: Vec<_> = metadata.packages.iter().collect();
    packages.retain(|package| linked.contains(&*package.id) && !ours.contains(&&package.id));
    packages.sort_by_key(|package| (&package.name, &package.version));
    let mut text = "The program and the drivers have these in them, and Rust's standard library, \
                    of which LICENSES-OF-RUST.html is:\n\n"
        .to_owned();
    let stock = documentation()?.join("licenses");
    let mut licences = BTreeMap::<_, Vec<_>>::new();
    for (name, licence) in C_LIBRARIES {
        let _ = writeln!(text, "    {name}: see below");
        licences.insert(licence.to_owned(), vec![name.to_owned()]);
    }
    for package in &packages {
        let name = format!("{} {}", package.name, package.version);
        let licence = package.license.as_deref().unwrap_or("see below");
        let _ = write!(text, "    {name}: {licence}");
        let by =
            (!package.authors.is_empty()).then(|| format!(", by {}", package.authors.join(", ")));
        let _ = writeln!(text, "{}", by.unwrap_or_default());
        for licence in texts(package, &packages, &stock)? {
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

/// A crate's own; else those of one of the same repository, or stock ones.
fn texts(package: &Package, all: &[&Package], stock: &Path) -> Result<Vec<String>> {
    let own = files(package)?;
    if !own.is_empty() {
        return Ok(own);
    }
    let is_sibling = |other: &&&Package| {
        other.repository.is_some()
            && other.repository == package.repository
            && other.license == package.license
    };
    for sibling in all.iter().filter(is_sibling) {
        let texts = files(sibling)?;
        if !texts.is_empty() {
            return Ok(texts);
        }
    }
    let licence = package.license.as_deref().unwrap_or_default();
    let names = licence.split(|c: char| c.is_whitespace() || "/()".contains(c));
    let names = names.filter(|name| !name.is_empty());
    let texts = names.map(|name| fs::read_to_string(stock.join(format!("{name}.txt"))));
    let texts: Vec<_> = texts.filter_map(Result::ok).collect();
    if texts.is_empty() {
        bail!(
            "`{}` has no file with its licence (`{licence}`), and `{}` none of that name; \
             take another crate, or a toolchain with its documents",
            package.name,
            stock.display()
        );
    }
    Ok(texts)
}

/// What stands in a crate's folder.
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
    fn a_crate_without_a_text_has_its_siblings_or_a_stock_one() {
        let folder = tempfile::tempdir().unwrap();
        let package = |name: &str, license: &str, repository: Option<&str>| {
            fs::create_dir(folder.path().join(name)).unwrap();
            Package {
                id: name.to_owned(),
                name: name.to_owned(),
                version: "1.0.0".to_owned(),
                license: Some(license.to_owned()),
                authors: Vec::new(),
                repository: repository.map(str::to_owned),
                manifest_path: folder.path().join(name).join("Cargo.toml"),
            }
        };
        let write = |path: &str, text: &str| fs::write(folder.path().join(path), text).unwrap();
        let own = package("own", "MIT", Some("there"));
        let sibling = package("sibling", "MIT", Some("there"));
        let alone = package("alone", "MIT/Apache-2.0 WITH LLVM-exception", None);
        let unknown = package("unknown", "Vax", Some("there"));
        fs::create_dir(folder.path().join("stock")).unwrap();
        write("own/LICENSE", "its own");
        write("stock/MIT.txt", "stock");
        write("stock/LLVM-exception.txt", "exception");
        let all = [&own, &sibling, &alone, &unknown];
        let found = |package| texts(package, &all, &folder.path().join("stock"));
        assert_eq!(found(&own).unwrap(), ["its own\n"]);
        assert_eq!(found(&sibling).unwrap(), ["its own\n"]);
        assert_eq!(found(&alone).unwrap(), ["stock", "exception"]);
        let error = found(&unknown).unwrap_err().to_string();
        assert!(error.starts_with("`unknown` has no file with its licence (`Vax`)"));
    }

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
