//! Runs device drivers as sandboxed WebAssembly components.
//!
//! This crate is the embedding API of Loopgate: it reads a board file, loads
//! the drivers it names, gives each what its entry grants, and calls their
//! handlers one at a time inside the gate of their work loop. The program
//! `loopgate` is a thin user of it.
//!
//! ```no_run
//! use loopgate::{Board, Request};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let board = Board::builder().board_file("sample-drivers/board.toml")?.build()?;
//! let reply = board.call("button-led", Request::named("presses"))?;
//! println!("pressed {} times", reply.scalar);
//! board.shutdown();
//! # Ok(())
//! # }
//! ```
//!
//! `examples/embed.rs` does all that the program does with a board: it checks a
//! component against a board file, reads status, limits and logs, calls, reloads
//! with state, stops and starts, looks at supervision, safe states and crash
//! reports, changes power and the board itself. For a service of one's own,
//! [`control`] has the socket, [`Sandbox`] drops rights, [`BoardFile::lock`] keeps
//! others from the same board, [`Watch`] reloads what was built anew, and
//! [`Board::stuck_loops`] is for a watchdog.
//!
//! A driver is hostile until proven otherwise: whatever it does ends itself at
//! most. What it may use is bounded by [`Limits`], what it may touch by its
//! entry in the [`BoardFile`]; the rest does not exist for it.
//!
//! Handlers run on the loop's thread, or on the thread that calls
//! [`Board::call`]. With `clock = "virtual"` there are no threads: time stands
//! still until [`Board::run_until`] moves it, from event to event.
#![deny(unsafe_code)]

mod bindings;
mod board;
pub mod board_file;
mod buses;
#[cfg_attr(not(feature = "compiler"), path = "cache/absent.rs")]
mod cache;
mod call_clock;
pub mod control;
#[cfg(feature = "compiler")]
mod cost;
mod counters;
mod crash;
mod death;
mod driver;
mod engine;
mod error;
mod facts;
mod file;
mod filter;
mod grants;
mod guest;
mod heritage;
mod inspect;
mod interface;
mod limits;
mod log;
mod mail;
mod mailbox;
mod memory;
mod ports;
mod precompiled;
mod published_pins;
mod random;
mod rate;
mod recording;
mod requests;
mod safe_state;
mod sandbox;
mod service;
mod shared_lines;
mod simulation;
mod stack;
mod staging;
pub mod status;
mod structural;
mod submission;
mod target;
mod text;
mod ticker;
mod time;
pub mod trace;
pub mod units;
mod watch;

pub use board::{Board, Builder, Cancel, Changes, Mode, Request, SelectorName, Submitted};
pub use board_file::BoardFile;
pub use crash::{CrashReport, HandlerCall, SetAside};
pub use engine::VirtualEngine;
pub use error::{BoardError, ComponentError, ErrorCode, RequestError};
pub use facts::{Directory, HostFacts};
pub use inspect::{Finding, Inspection, compile, inspect};
pub use limits::{LimitHit, Limits, LimitsEntry};
pub use log::LogLine;
pub use loopgate_devices as devices;
pub use loopgate_workloop as workloop;
pub use random::Random;
pub use recording::VcdFile;
pub use requests::Reply;
pub use sandbox::{Sandbox, SandboxError, SandboxStatus};
pub use service::Selector;
pub use stack::THREAD_STACK;
pub use status::{BusStatus, DriverStatus, Handed, PowerState, Reload, Revoked, State, Status};
pub use target::Target;
pub use text::{is_printable, printable, printable_json};
pub use watch::Watch;
