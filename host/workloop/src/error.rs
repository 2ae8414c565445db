//! What can go wrong, and how a sleep ended.

/// Why an operation of the core did nothing.
///
/// Closed on purpose: these are the kinds that a driver and its clients have
/// to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Error {
    /// An argument is outside what the operation accepts, or names nothing
    /// that is there.
    #[error("an argument is outside what the operation accepts or names nothing here; correct it")]
    BadArgument,
    /// The event source is on no work loop.
    #[error("the event source is on no work loop; add it to one first")]
    NotReady,
    /// The caller does not hold the gate, or the command gate is disabled.
    #[error(
        "not permitted here and now: the gate is not the caller's, or is disabled; close or enable it first"
    )]
    NotPermitted,
    /// The gate is closed by another context and the caller would not wait.
    #[error("the gate is closed by another context; wait for it, or try again")]
    CannotLock,
    /// Whoever holds the gate waits for the caller, through however many
    /// others.
    #[error(
        "waiting would never end: who holds the gate waits for the caller; call the other way round, or later"
    )]
    WouldDeadlock,
    /// The time that the caller allowed is over.
    #[error("the time allowed for waiting is over; allow more, or look who holds the gate")]
    TimedOut,
    /// The command gate was removed, its work loop terminated, or the wait
    /// aborted.
    #[error("aborted before it could complete: the gate is gone, or the wait was given up")]
    Aborted,
    /// A bounded resource is used up, or there is no action to call.
    #[error(
        "a resource that this needs is missing or used up; set an action, or release something"
    )]
    NoResources,
    /// The device cannot do this.
    #[error("the device cannot do this; choose another line or mode")]
    Unsupported,
}

/// How a sleep ended. In every case the gate is closed again, as deep as
/// before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wake {
    /// By a wake-up of its event.
    Awakened,
    /// By its deadline.
    TimedOut,
    /// By an abort, or the end of the work loop.
    Interrupted,
}
