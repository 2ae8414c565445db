//! The loop that the driver runs on.

use std::cell::Cell;

use crate::bindings::loopgate::driver::work_loop as raw;
use crate::error::named;
use crate::{ErrorCode, Result};

/// This driver's work loop. Sources are on it from their creation, so that
/// most drivers never name it.
#[derive(Clone, Copy, Debug)]
pub struct WorkLoop(());

thread_local! {
    /// One handle for the driver's life. With one for each use, a driver that
    /// has used up its handles would be ended by asking for its loop, where it
    /// should be told `no-resources` by what it really asks for.
    static HANDLE: raw::WorkLoop = raw::WorkLoop::get();
}

impl WorkLoop {
    /// The loop that this driver runs on; always the same.
    pub fn get() -> Self {
        Self(())
    }

    /// Adds a source at the end of the chain, in which sources are served.
    /// Adding one that is on the loop does nothing.
    ///
    /// # Errors
    ///
    /// `no-resources` past the driver's limit of sources.
    pub fn add_event_source(&self, source: &impl EventSource) -> Result<()> {
        let added = HANDLE.with(|raw| raw.add_event_source(&source.source()));
        named(added, || "adding a source to the work loop".into())
    }

    /// Takes a source off the loop: once this has returned none of its events
    /// is delivered any more. A removed timer or gate comes back disabled.
    ///
    /// # Errors
    ///
    /// None that the contract names today.
    pub fn remove_event_source(&self, source: &impl EventSource) -> Result<()> {
        let removed = HANDLE.with(|raw| raw.remove_event_source(&source.source()));
        Ok(removed.map_err(ErrorCode::from)?)
    }

    /// Whether the caller is the loop's own thread: true in handlers of
    /// events, false in a command that a client brought on its own thread.
    pub fn on_thread(&self) -> bool {
        HANDLE.with(raw::WorkLoop::on_thread)
    }

    /// Whether the caller holds the gate. True in every handler.
    pub fn in_gate(&self) -> bool {
        HANDLE.with(raw::WorkLoop::in_gate)
    }
}

/// What can be on a work loop: [`Interrupt`](crate::Interrupt),
/// [`Timer`](crate::Timer), [`CommandGate`](crate::CommandGate).
pub trait EventSource: sealed::Source {}

pub(crate) mod sealed {
    use super::raw;

    pub trait Source {
        fn source(&self) -> raw::EventSource<'_>;
    }
}

/// A new source as drivers get it: on the loop.
pub(crate) fn added<S: EventSource>(source: S) -> Result<S> {
    WorkLoop::get().add_event_source(&source)?;
    Ok(source)
}

/// Tokens for the sources of one kind, which no two of them share. Counting is
/// enough: 2^31 sources are far past any limit of the host. Each kind counts for
/// itself, since the next version's source with the same token takes over: one
/// more timer must not change what the gates are called.
pub(crate) struct Tokens(Cell<u32>);

impl Tokens {
    pub(crate) const fn from(first: u32) -> Self {
        Self(Cell::new(first))
    }

    pub(crate) fn next(&self) -> u32 {
        self.0.replace(self.0.get().wrapping_add(1))
    }
}
