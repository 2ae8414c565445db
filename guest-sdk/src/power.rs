//! The power of the board.

use crate::bindings::exports::loopgate::driver::handlers;
use crate::bindings::loopgate::driver::power;
use crate::{Duration, Result};

/// How much of the board has power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerState {
    /// It sleeps.
    Sleep,
    /// All of it.
    On,
}

/// How far a change of power is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerChange {
    /// It is made.
    Made,
    /// [`acknowledge_set_power_state`] follows, within this time; at least 10 s
    /// are waited, and at most a minute. Then it counts as made.
    Later(Duration),
}

/// The change for which [`Driver::set_power_state`](crate::Driver::set_power_state)
/// answered [`PowerChange::Later`], or is about to, is made. One that nobody
/// waits for does nothing.
pub fn acknowledge_set_power_state() {
    power::acknowledge_set_power_state();
}

impl From<handlers::PowerState> for PowerState {
    fn from(state: handlers::PowerState) -> Self {
        match state {
            handlers::PowerState::Sleep => Self::Sleep,
            handlers::PowerState::On => Self::On,
        }
    }
}

/// As the host is told it. A driver without an instance has nothing to change.
pub(crate) fn answer(change: Option<Result<PowerChange>>) -> handlers::PowerChange {
    match change {
        None | Some(Ok(PowerChange::Made)) => handlers::PowerChange::Made,
        Some(Ok(PowerChange::Later(within))) => {
            handlers::PowerChange::Later(u64::try_from(within.as_nanos()).unwrap_or(u64::MAX))
        }
        Some(Err(error)) => handlers::PowerChange::Failed(error.code().into()),
    }
}
