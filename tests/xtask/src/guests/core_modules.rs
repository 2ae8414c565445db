//! Hand-written WAT against the contract: proof that a driver needs no SDK.

use std::path::Path;

use anyhow::{Context, Result};
use wit_component::{ComponentEncoder, StringEncoding};
use wit_parser::{ManglingAndAbi, Resolve, WorldId};

use crate::workspace::Workspace;

pub(super) const SOURCES: &str = "tests/guests/wat";
const WORLD: &str = "driver";

/// `tests/guests/wat/NAME.wat` as the component `wat_NAME`.
pub(crate) fn components(workspace: &Workspace) -> Result<Vec<(String, Vec<u8>)>> {
    names(workspace)?
        .into_iter()
        .map(|name| {
            let path = workspace
                .root
                .join(SOURCES)
                .join(&name)
                .with_extension("wat");
            let bytes = component(&workspace.root.join("wit"), &path)
                .with_context(|| format!("cannot make a component of `{}`", path.display()))?;
            Ok((format!("wat_{name}"), bytes))
        })
        .collect()
}

/// The names of the WAT guests, sorted.
pub(crate) fn names(workspace: &Workspace) -> Result<Vec<String>> {
    let folder = workspace.root.join(SOURCES);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).context("cannot list the WAT guests")? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "wat") {
            names.extend(
                path.file_stem()
                    .map(|stem| stem.to_string_lossy().into_owned()),
            );
        }
    }
    names.sort();
    Ok(names)
}

fn component(wit: &Path, source: &Path) -> Result<Vec<u8>> {
    Contract::read(wit)?.component(wat::parse_file(source)?)
}

/// The world that core modules become components of.
pub(super) struct Contract {
    resolve: Resolve,
    world: WorldId,
}

impl Contract {
    pub(super) fn read(wit: &Path) -> Result<Self> {
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(wit)?;
        let world = resolve.select_world(&[package], Some(WORLD))?;
        Ok(Self { resolve, world })
    }

    /// The core module as a component of the world.
    pub(super) fn component(&self, mut module: Vec<u8>) -> Result<Vec<u8>> {
        let (resolve, utf8) = (&self.resolve, StringEncoding::UTF8);
        wit_component::embed_component_metadata(&mut module, resolve, self.world, utf8)?;
        ComponentEncoder::default()
            .validate(true)
            .module(&module)?
            .encode()
    }

    /// A core module with every import and every export of the world.
    pub(super) fn dummy(&self) -> Vec<u8> {
        let mangling = ManglingAndAbi::Standard32;
        wit_component::dummy_module(&self.resolve, self.world, mangling)
    }
}
