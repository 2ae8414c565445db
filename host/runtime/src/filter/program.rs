//! A component, compiled for filters.

use super::INITIALISERS;
use crate::bindings::{Driver as Bindings, DriverPre};
use crate::engine::cause_of;
use crate::interface;
use crate::limits::{LimitHit, Limits};
use crate::memory::MemoryLimiter;
use crate::text::printable_within;
use std::sync::OnceLock;
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, LinkerInstance, ResourceType};
use wasmtime::{Store, Trap};

/// Stack of a filter's call: it comes on top of whatever the primary context
/// interrupts.
pub(crate) const STACK: usize = 32 << 10;

/// What one import may be handed before it traps.
const PAYLOAD: usize = 8 << 10;

/// A component in the engine for filters, every import a trap.
pub(crate) struct Program {
    pre: DriverPre<State>,
    /// Why it can have no filters, found out at the first.
    refused: OnceLock<Option<String>>,
}

/// The data of a filter's store.
pub(crate) struct State(MemoryLimiter);

impl State {
    /// A call begins.
    pub(super) fn forget_refusals(&mut self) {
        self.0.refused = None;
    }
}

/// An import was called.
#[derive(Debug, thiserror::Error)]
#[error("it called the import `{0}`, and a filter has none; to panic is to print")]
struct Imported(String);

impl Program {
    pub(crate) fn new(engine: &wasmtime::Engine, component: &Component) -> wasmtime::Result<Self> {
        let mut linker = Linker::new(engine);
        let imports = component.component_type();
        for (name, item) in imports.imports(engine) {
            trap_if_called(engine, &mut linker.root(), name, &item.ty, "")?;
        }
        Ok(Self {
            pre: DriverPre::new(linker.instantiate_pre(component)?)?,
            refused: OnceLock::new(),
        })
    }

    /// # Errors
    /// Why there can be no instance, for the log.
    pub(super) fn instantiate(&self, limits: &Limits) -> Result<(Store<State>, Bindings), String> {
        match self.refused.get_or_init(|| self.trial(limits).err()) {
            Some(cause) => Err(cause.clone()),
            None => self.instance(limits),
        }
    }

    fn instance(&self, limits: &Limits) -> Result<(Store<State>, Bindings), String> {
        let mut store = Store::new(self.pre.engine(), State(MemoryLimiter::new(limits)));
        store.limiter(|state| &mut state.0);
        store.set_hostcall_fuel(PAYLOAD);
        store.set_max_component_handles(limits.handles as usize);
        // Without fuel accounting there would be no such engine.
        let _ = store.set_fuel(INITIALISERS);
        match self.pre.instantiate(&mut store) {
            Ok(bindings) => Ok((store, bindings)),
            Err(error) => Err(format!(
                "its initialisers fail there: {}",
                cause(&store, limits, &error)
            )),
        }
    }

    /// Toolchains run initialisers in the first call of any export. So one call
    /// is tried, in an instance that is thrown away: what matters is whether it
    /// comes to an import. A filter that fails otherwise fails in its own time.
    fn trial(&self, limits: &Limits) -> Result<(), String> {
        let (mut store, bindings) = self.instance(limits)?;
        let handlers = bindings.loopgate_driver_handlers();
        let tried = handlers.call_filter(&mut store, 0, 0, 0, 0, 0, false);
        match tried.as_ref().map_err(|error| error.downcast_ref()) {
            Err(Some(imported @ Imported(_))) => Err(format!(
                "its initialisers, or `filter`, fail there: {imported}"
            )),
            Err(None) | Ok(_) => Ok(()),
        }
    }
}

/// Whether the component can ask for a filter at all.
pub(crate) fn is_wanted(engine: &wasmtime::Engine, component: &Component) -> bool {
    const CREATE: &str = "[static]interrupt-event-source.create-filtered";
    interface::can_call(engine, component, CREATE)
}

/// Why a filter fails, in the words of the limit or trap.
pub(super) fn cause(store: &Store<State>, limits: &Limits, error: &wasmtime::Error) -> String {
    // What is refused memory gives up in its own way.
    if let Some(hit) = &store.data().0.refused {
        return hit.to_string();
    }
    if let Some(imported) = error.downcast_ref::<Imported>() {
        return imported.to_string();
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::OutOfFuel) => LimitHit::FilterFuel(limits.filter_fuel).to_string(),
        Some(Trap::StackOverflow) => LimitHit::FilterStack.to_string(),
        Some(trap) => format!(
            "trap: {}",
            trap.to_string().trim_start_matches("wasm trap: ")
        ),
        None => format!("trap: {}", cause_of(error)),
    }
}

fn trap_if_called(
    engine: &wasmtime::Engine,
    linker: &mut LinkerInstance<'_, State>,
    name: &str,
    item: &ComponentItem,
    within: &str,
) -> wasmtime::Result<()> {
    match item {
        ComponentItem::ComponentFunc(_) => {
            let shown = printable_within(&format!("{within}{name}"), 128);
            linker.func_new(name, move |_, _, _, _| Err(Imported(shown.clone()).into()))?;
        }
        ComponentItem::ComponentInstance(instance) => {
            let mut inner = linker.instance(name)?;
            let within = format!("{name}#");
            for (name, item) in instance.exports(engine) {
                trap_if_called(engine, &mut inner, name, &item.ty, &within)?;
            }
        }
        ComponentItem::Resource(_) => {
            linker.resource(name, ResourceType::host::<()>(), |_, _| Ok(()))?;
        }
        _ => {}
    }
    Ok(())
}
