//! `interrupt`: device lines that can feed an interrupt source.

use crate::bindings::loopgate::driver::interrupt::{Host, HostLine};
use crate::guest::Guest;
use loopgate_workloop::InterruptLine;
use std::sync::Arc;
use wasmtime::component::Resource;

/// A line as the guest holds it, until a source is created from it.
pub struct Line(pub(crate) Arc<dyn InterruptLine>);

impl Host for Guest {}

impl HostLine for Guest {
    fn drop(&mut self, line: Resource<Line>) -> wasmtime::Result<()> {
        self.table.delete(line)?;
        Ok(())
    }
}
