//! What a guest can call: one module for each interface of `wit/`.
#![expect(
    unreachable_pub,
    reason = "the generated bindings re-export the types behind handles"
)]

pub(crate) mod gpio;
pub(crate) mod interrupt;
pub(crate) mod log;
pub(crate) mod request;
pub(crate) mod serial;
pub(crate) mod wasi;
pub(crate) mod work_loop;

use crate::bindings::{self, Driver, PACKAGE, VERSION};
use crate::error::ComponentError;
use crate::guest::Guest;
use wasmtime::component::{Component, HasSelf, Linker};

/// A linker with every interface of the world `driver`; WASI is added for
/// each component, in the version it asks for.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    Driver::add_to_linker::<_, HasSelf<_>>(&mut linker, |guest| guest)?;
    Ok(linker)
}

impl bindings::loopgate::driver::types::Host for Guest {}

/// The imports of a component, by instance: `loopgate:driver/gpio@0.1.0`.
pub(crate) fn imports(engine: &wasmtime::Engine, component: &Component) -> Vec<String> {
    component
        .component_type()
        .imports(engine)
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Whether the world has an import of this name.
pub(crate) fn is_known(import: &str) -> bool {
    const OURS: [&str; 7] = [
        "types",
        "interrupt",
        "work-loop",
        "request",
        "gpio",
        "serial",
        "log",
    ];
    let ours = OURS
        .iter()
        .any(|name| import == format!("{PACKAGE}/{name}@{VERSION}"));
    ours || wasi::is_offered(import)
}

/// Refuses a component that imports what the world lacks, before the engine
/// would in its own words.
pub(crate) fn refuse_unknown_imports(
    engine: &wasmtime::Engine,
    name: &str,
    component: &Component,
) -> Result<(), ComponentError> {
    let unknown: Vec<String> = imports(engine, component)
        .into_iter()
        .filter(|import| !is_known(import))
        .collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let remedy = if unknown.iter().any(|import| import.starts_with(PACKAGE)) {
        format!("build it against `{PACKAGE}@{VERSION}`, the contract of this host")
    } else {
        "a driver reaches its devices through `loopgate:driver` alone; remove what needs these"
            .to_owned()
    };
    let imports = unknown
        .iter()
        .map(|import| format!("`{import}`"))
        .collect::<Vec<_>>()
        .join(", ");
    Err(ComponentError::UnknownImports {
        name: name.to_owned(),
        imports,
        remedy,
    })
}
