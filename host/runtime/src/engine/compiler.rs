//! What compiles components, and keeps what it has compiled.

use super::{cause_of, config, filter_config, invalid};
use crate::cache::Cache;
use crate::cost;
use crate::error::ComponentError;
use crate::target::Target;
use wasmtime::Engine;
use wasmtime::component::Component;

pub(super) struct Compiler(Option<Cache>);

impl Compiler {
    pub(super) fn new(cache: Option<Cache>) -> Self {
        Self(cache)
    }

    /// Compiles, or takes from the cache.
    pub(super) fn component(
        &self,
        engine: &Engine,
        name: &str,
        bytes: &[u8],
    ) -> Result<Component, ComponentError> {
        let compile = || {
            cost::bounded(name, bytes)?;
            Component::from_binary(engine, bytes).map_err(|error| invalid(name, &error))
        };
        match &self.0 {
            Some(cache) => cache.component(engine, name, bytes, compile),
            None => compile(),
        }
    }
}

/// The code of a component that was compiled here before, for handlers and, where it
/// has them, for filters: for any processor of the target's kind.
pub(super) fn code(
    name: &str,
    bytes: &[u8],
    target: &Target,
    has_filters: bool,
) -> Result<(Vec<u8>, Option<Vec<u8>>), ComponentError> {
    let code = |config| one(name, bytes, target, config);
    let filters = has_filters.then(|| code(filter_config()));
    Ok((code(config())?, filters.transpose()?))
}

fn one(
    name: &str,
    bytes: &[u8],
    target: &Target,
    mut config: wasmtime::Config,
) -> Result<Vec<u8>, ComponentError> {
    let engine = config.target(&target.triple());
    let engine = engine.and_then(|config| Engine::new(config));
    let engine = engine.map_err(|error| ComponentError::NoTarget {
        name: name.to_owned(),
        target: target.clone(),
        cause: cause_of(&error),
    })?;
    let code = engine.precompile_component(bytes);
    code.map_err(|error| invalid(name, &error))
}
