//! `interrupt`: device lines that can feed an interrupt source.

use crate::bindings::loopgate::driver::interrupt::{Host, HostLine};
use crate::error::ErrorCode;
use crate::grants::Named;
use crate::guest::Guest;
use crate::heritage::{Fed, Holder, LineName};
use loopgate_workloop::{Context, InterruptEventSource, InterruptLine};
use std::sync::Arc;
use wasmtime::component::Resource;

/// A line as the guest holds it, until a source is created from it.
pub struct Line(Option<Feed>);

/// What a source can be created from.
pub(crate) enum Feed {
    Line(LineName, Holder, Arc<dyn InterruptLine>),
    /// The line feeds a source already, which the driver's last version left.
    Inherited(LineName),
    /// The line feeds this source of the last version's, which stands by.
    Adopted(Arc<InterruptEventSource>, Fed),
    /// The grant of it was withdrawn.
    Withdrawn,
}

impl Line {
    /// For the one source that it may feed; nothing the second time.
    pub(crate) fn take(&mut self) -> Option<Feed> {
        match self.0 {
            Some(Feed::Withdrawn) => Some(Feed::Withdrawn),
            _ => self.0.take(),
        }
    }

    /// Takes away what is behind it, where it is one of these.
    pub(crate) fn withdraw(&mut self, grant: &Named) -> Option<Feed> {
        let feed = self.0.as_mut().filter(|feed| match feed {
            Feed::Line(name, ..) | Feed::Inherited(name) => grant.has_line(name),
            Feed::Adopted(_, fed) => grant.has_line(&fed.name),
            Feed::Withdrawn => false,
        })?;
        Some(std::mem::replace(feed, Feed::Withdrawn))
    }
}

impl Host for Guest {}

impl HostLine for Guest {
    fn drop(&mut self, line: Resource<Line>) -> wasmtime::Result<()> {
        let Line(feed) = self.table.delete(line)?;
        if let Some(Feed::Inherited(name)) = feed {
            self.give_back(&name);
        }
        Ok(())
    }
}

impl Guest {
    pub(super) fn line(&mut self, feed: Feed) -> Result<Resource<Line>, ErrorCode> {
        let inherited = match &feed {
            Feed::Inherited(name) => Some(name.clone()),
            Feed::Line(..) | Feed::Adopted(..) | Feed::Withdrawn => None,
        };
        let handle = self.push(Line(Some(feed)));
        if let (None, Some(name)) = (&handle, inherited) {
            self.give_back(&name);
        }
        handle.ok_or(ErrorCode::NoResources)
    }

    /// Whether the driver's last version left a source that this line feeds.
    pub(super) fn is_inherited(&mut self, name: &LineName) -> bool {
        Context::with_current(|cx| self.heritage.promise(cx, &self.driver, name))
    }

    fn give_back(&mut self, name: &LineName) {
        Context::with_current(|cx| self.heritage.give_back_line(cx, &self.driver, name));
    }
}
