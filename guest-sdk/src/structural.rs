//! The drivers around this one.

use crate::bindings::exports::loopgate::driver::handlers;

/// What the drivers around this one did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StructuralEvent {
    /// A service, or pins, that the board entry's `uses` names can be opened.
    /// Not told of what could be opened when this driver started.
    ProviderPublished,
    /// They cannot be opened any more. Where the provider is stopped in order,
    /// what is open works on for now; where it has died, it is `driver-died`.
    ProviderTerminated,
    /// Another driver has opened a service, or a pin, of this one.
    ClientOpened,
    /// And has closed the last thing that it had open of it.
    ClientClosed,
}

/// Whether this driver can be stopped, with a provider that goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Readiness {
    /// It can, whatever it has open.
    #[default]
    Ready,
    /// When it has closed all that it has open of that provider, at the latest
    /// after the driver's limit `closing`.
    Closing,
}

impl From<handlers::StructuralEvent> for StructuralEvent {
    fn from(event: handlers::StructuralEvent) -> Self {
        match event {
            handlers::StructuralEvent::ProviderPublished => Self::ProviderPublished,
            handlers::StructuralEvent::ProviderTerminated => Self::ProviderTerminated,
            handlers::StructuralEvent::ClientOpened => Self::ClientOpened,
            handlers::StructuralEvent::ClientClosed => Self::ClientClosed,
        }
    }
}

impl From<Readiness> for handlers::Readiness {
    fn from(readiness: Readiness) -> Self {
        match readiness {
            Readiness::Ready => Self::Ready,
            Readiness::Closing => Self::Closing,
        }
    }
}
