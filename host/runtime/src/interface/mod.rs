//! What a guest can call: one module for each interface of `wit/`.
#![expect(
    unreachable_pub,
    reason = "the generated bindings re-export the types behind handles"
)]

mod buses;
mod down_call;
pub(crate) mod gpio;
pub(crate) mod i2c;
pub(crate) mod interrupt;
pub(crate) mod log;
pub(crate) mod power;
pub(crate) mod published_pins;
pub(crate) mod request;
pub(crate) mod serial;
pub(crate) mod spi;
pub(crate) mod wasi;
pub(crate) mod wasi_i2c;
pub(crate) mod work_loop;

use crate::bindings::{self, Driver, PACKAGE, VERSION};
use crate::error::ComponentError;
use crate::guest::Guest;
use crate::text::printable_within;
use crate::trace::{Crossing, Replayed, called};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, HasSelf, Linker};

/// A linker with every interface of the world `driver`; WASI is added for
/// each component, in the version it asks for.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Guest>> {
    let mut linker = Linker::new(engine);
    Driver::add_to_linker::<_, Crossing<'static>>(&mut linker, called)?;
    wasi_i2c::add_to_linker::<_, Crossing<'static>>(&mut linker, called)?;
    Ok(linker)
}

/// The same, where a trace stands in for the host.
pub(crate) fn replayed(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<Replayed>> {
    let mut linker = Linker::new(engine);
    Driver::add_to_linker::<_, HasSelf<_>>(&mut linker, |replayed| replayed)?;
    wasi_i2c::add_to_linker::<_, HasSelf<_>>(&mut linker, |replayed| replayed)?;
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

/// Whether a component can call this function of the world's at all: linkers
/// leave out what is not called.
pub(crate) fn can_call(engine: &wasmtime::Engine, component: &Component, function: &str) -> bool {
    let component = component.component_type();
    component.imports(engine).any(|(_, item)| match &item.ty {
        ComponentItem::ComponentInstance(instance) => {
            instance.exports(engine).any(|(name, _)| name == function)
        }
        _ => false,
    })
}

/// Whether the world has an import of this name.
pub(crate) fn is_known(import: &str) -> bool {
    const OURS: [&str; 11] = [
        "types",
        "interrupt",
        "work-loop",
        "request",
        "gpio",
        "published-pins",
        "serial",
        "i2c",
        "spi",
        "power",
        "log",
    ];
    let ours = OURS
        .iter()
        .any(|name| import == format!("{PACKAGE}/{name}@{VERSION}"));
    ours || wasi::is_offered(import) || wasi_i2c::is_offered(import)
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
    Err(ComponentError::UnknownImports {
        name: name.to_owned(),
        imports: listed(&unknown),
        remedy,
    })
}

/// Imports, each in backticks: a component can have any number of them, and
/// give them names without end.
fn listed(imports: &[String]) -> String {
    let shown = imports.iter().take(8);
    let shown = shown.map(|import| format!("`{}`", printable_within(import, 128)));
    let mut shown: Vec<_> = shown.collect();
    if imports.len() > shown.len() {
        shown.push(format!("{} more", imports.len() - shown.len()));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_listed_as_far_as_anybody_reads() {
        let import = |name: &str| name.to_owned();
        let few = [import("a:b/c"), import("url=<\u{9b}2J>")];
        assert_eq!(listed(&few), "`a:b/c`, `url=<\\u{9b}2J>`");
        let many = vec![import(&"x".repeat(9999)); 10_000];
        let text = listed(&many);
        assert!(
            text.len() < 2000 && text.ends_with("`, 9992 more"),
            "{text}"
        );
    }
}
