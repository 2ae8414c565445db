//! `interrupt`: device lines that can feed an interrupt source.

use crate::bindings::loopgate::driver::interrupt::{Host, HostLine};
use crate::guest::Guest;
use loopgate_workloop::InterruptLine;
use std::sync::Arc;
use wasmtime::component::Resource;

/// A line as the guest holds it, until a source is created from it.
pub struct Line(Option<Arc<dyn InterruptLine>>);

impl Line {
    pub(crate) fn new(line: Arc<dyn InterruptLine>) -> Self {
        Self(Some(line))
    }

    /// For the one source that it may feed; nothing the second time.
    pub(crate) fn take(&mut self) -> Option<Arc<dyn InterruptLine>> {
        self.0.take()
    }
}

impl Host for Guest {}

impl HostLine for Guest {
    fn drop(&mut self, line: Resource<Line>) -> wasmtime::Result<()> {
        self.table.delete(line)?;
        Ok(())
    }
}
