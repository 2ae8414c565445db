//! `interrupt`: device lines that can feed an interrupt source.

use crate::bindings::loopgate::driver::interrupt::{Host, HostLine};
use crate::guest::Guest;
use crate::heritage::{Holder, LineName};
use loopgate_workloop::InterruptLine;
use std::sync::Arc;
use wasmtime::component::Resource;

/// A line as the guest holds it, until a source is created from it.
pub struct Line(Option<Feed>);

/// What a source can be created from.
pub(crate) enum Feed {
    Line(LineName, Holder, Arc<dyn InterruptLine>),
    /// The line feeds a source already, which the driver's last version left.
    Inherited(LineName),
}

impl Line {
    pub(crate) fn new(feed: Feed) -> Self {
        Self(Some(feed))
    }

    /// For the one source that it may feed; nothing the second time.
    pub(crate) fn take(&mut self) -> Option<Feed> {
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
