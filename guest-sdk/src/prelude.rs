//! Everything that an ordinary driver names, in one `use`.

#[cfg(feature = "embedded-hal")]
pub use crate::Delay;
pub use crate::{
    Ask, AsyncDriver, Cause, Client, CommandGate, Context, Driver, Duration, DurationExt, Edges,
    Error, ErrorCode, FilterEvent, GateId, Gated, InputPin, Instant, Interrupt, InterruptId,
    Interrupts, Line, LineReader, Occurrence, OutputPin, Pending, Port, PowerChange, PowerState,
    PublishedPins, Queueing, Readiness, Reply, Request, RequestId, Result, Saved, Selector,
    Service, ServiceBuilder, StructuralEvent, Submission, Timeout, Timer, TimerId, Verdict, delay,
    driver, now, spawn, wait, wait_until,
};
pub use crate::{debug, error, info, trace, warn};
