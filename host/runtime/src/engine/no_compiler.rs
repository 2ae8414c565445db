//! A host that was built without a compiler.

use crate::cache::Cache;
use crate::error::ComponentError;
use crate::target::Target;
use wasmtime::Engine;
use wasmtime::component::Component;

pub(super) struct Compiler;

impl Compiler {
    pub(super) fn new(_: Option<Cache>) -> Self {
        Self
    }

    #[expect(clippy::unused_self, reason = "one that compiles has a cache")]
    pub(super) fn component(
        &self,
        _: &Engine,
        name: &str,
        _: &[u8],
    ) -> Result<Component, ComponentError> {
        Err(absent(name))
    }
}

pub(super) fn code(
    name: &str,
    _: &[u8],
    _: &Target,
    _: bool,
) -> Result<(Vec<u8>, Option<Vec<u8>>), ComponentError> {
    Err(absent(name))
}

fn absent(name: &str) -> ComponentError {
    ComponentError::NoCompiler {
        name: name.to_owned(),
        here: Target::here(),
    }
}
