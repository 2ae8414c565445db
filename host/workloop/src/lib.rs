//! Work loops, gates and event sources: the core of Loopgate.
#![forbid(unsafe_code)]

mod action;
mod attachment;
mod clock;
mod command_gate;
mod context;
mod error;
mod event_source;
mod gate;
mod identity;
mod instant;
mod interrupt;
mod interrupt_event_source;
mod sync;
mod timer_event_source;
mod work_loop;

pub use attachment::Attachment;
pub use clock::{Clock, SystemClock, VirtualClock};
pub use command_gate::{CommandAction, CommandGate};
pub use context::{Context, ContextId};
pub use error::{Error, Wake};
pub use event_source::{EventSource, Pass};
pub use gate::{Event, Gate, Wakeups};
pub use instant::Instant;
pub use interrupt::{InterruptLine, InterruptSink, Interrupts, Occurrence, Trigger};
pub use interrupt_event_source::{InterruptAction, InterruptEventSource};
pub use timer_event_source::{TimerAction, TimerEventSource};
pub use work_loop::WorkLoop;
