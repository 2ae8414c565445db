//! Work loops, gates and event sources: the core of Loopgate, without wasm,
//! input or output.
//!
//! A [`WorkLoop`] is a recursive [`Gate`] and, usually, a thread. Event sources
//! are added to it; their actions run one at a time, with the gate closed:
//!
//! - an [`InterruptEventSource`] counts what an [`InterruptLine`] or software
//!   signals, and delivers it or reports it lost; an [`InterruptFilter`] can
//!   say, as it occurs, whether it counts, and a [`SharedLine`] has several
//!   sources fed by one line;
//! - a [`TimerEventSource`] calls once for each arming, never early;
//! - a [`CommandGate`] lets outside callers in, and can be disabled;
//! - a [`Mailbox`] brings what became of a [`Submission`], a request from one
//!   loop to another.
//!
//! ```
//! use std::sync::Arc;
//! use std::sync::atomic::{AtomicU32, Ordering};
//! use loopgate_workloop::{
//!     Clock, CommandGate, Context, InterruptEventSource, SystemClock, WorkLoop,
//! };
//!
//! let work_loop = WorkLoop::new(Arc::new(SystemClock));
//! work_loop.spawn_thread("example")?;
//!
//! // Only ever touched in the gate.
//! let presses = Arc::new(AtomicU32::new(0));
//! let count = presses.clone();
//! let button = InterruptEventSource::new(None, 0, Some(Arc::new(move |_, _, interrupts| {
//!     count.fetch_add(interrupts.count, Ordering::Relaxed);
//! })))?;
//! let commands = CommandGate::new(1, None);
//!
//! let cx = Context::current();
//! work_loop.add_event_source(&cx, button.clone())?;
//! work_loop.add_event_source(&cx, commands.clone())?;
//!
//! button.signal(SystemClock.now())?;
//! work_loop.run_event_sources(&cx); // here, where the thread has not done it
//! let seen = commands.run_action(&cx, || presses.load(Ordering::Relaxed))?;
//! assert_eq!(seen, 1);
//!
//! work_loop.terminate(&cx);
//! work_loop.join(&cx)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Contexts, and one thread for all
//!
//! The gate belongs to a [`Context`], which has an explicit id, and not to an
//! operating system thread. Whoever waits, stalls or sleeps is a record in the
//! gate: `poll_` functions leave it and return, the blocking forms park the
//! thread on it. So a scheduler can drive any number of loops and clients on
//! one thread, in the virtual time of a [`VirtualClock`], through the code
//! that runs with threads.
//!
//! # No source starves the others
//!
//! A run closes the gate once, and however its sources behave, each one that
//! the chain holds when its last pass begins is polled at least once before
//! the gate opens. A change of the chain starts the walk again at its head
//! (\[6\]), but at most 8 times in one closing; after that the walk goes on
//! behind the source just served, past what has left the chain, and what was
//! added meanwhile is served in the next closing (X17). A source that always
//! asks for more gets 64 passes (X16). How long the sources of one owner may
//! take in a closing is bounded by a [`Quota`], the one reason for which a
//! source is passed over.
//!
//! # Locks
//!
//! Beside the gate there are only leaf locks, held for a few instructions
//! and never while anything of a user's is called, but for the clock's `now`.
//! Signalling a loop takes no gate and allocates nothing.
//!
//! Numbers in brackets, as in \[61\], are rules of the I/O Kit catalogue that
//! this crate follows; `tests/README.md` lists where it deviates.
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
mod quota;
mod rate_cap;
mod shared_line;
mod submission;
mod sync;
mod timer_event_source;
mod waits;
mod work_loop;

pub use attachment::Attachment;
pub use clock::{Clock, SystemClock, VirtualClock};
pub use command_gate::{CommandAction, CommandGate, Inside};
pub use context::{Context, ContextId};
pub use error::{Error, Wake};
pub use event_source::{EventSource, Pass};
pub use gate::{Event, Gate, Wakeups};
pub use instant::Instant;
pub use interrupt::{
    FilterFault, InterruptFilter, InterruptLine, InterruptSink, Interrupts, Occurrence, Trigger,
    Verdict,
};
pub use interrupt_event_source::{InterruptAction, InterruptEventSource, Unhandled};
pub use quota::Quota;
pub use rate_cap::RateCapped;
pub use shared_line::{Share, SharedLine};
pub use submission::{Mailbox, Submission, SubmissionQueue};
pub use timer_event_source::{TimerAction, TimerEventSource};
pub use waits::Waits;
pub use work_loop::WorkLoop;
