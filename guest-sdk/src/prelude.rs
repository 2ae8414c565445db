//! Everything that an ordinary driver names, in one `use`.

pub use crate::{
    Ask, Cause, Client, CommandGate, Context, Driver, Duration, DurationExt, Edges, Error,
    ErrorCode, GateId, InputPin, Instant, Interrupt, InterruptId, Interrupts, Line, Occurrence,
    OutputPin, Pending, Queueing, Reply, Request, RequestId, Result, Selector, Service,
    ServiceBuilder, Timeout, Timer, TimerId, delay, driver, now,
};
pub use crate::{debug, error, info, trace, warn};
