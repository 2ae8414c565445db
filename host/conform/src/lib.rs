//! The conformance kit: proves that a driver keeps the contract, before it touches
//! hardware.
//!
//! Everything runs on a simulated board in virtual time, on the calling thread: the
//! same component, board and seed give the same report on every machine.
#![forbid(unsafe_code)]

mod action;
mod check;
mod error;
mod file;
mod grants;
mod ground;
mod kit;
pub mod report;
mod reproduce;
pub mod scenario;
mod schedule;
mod subject;
mod world;

pub use error::Error;
pub use kit::Kit;
pub use report::{Report, Style};
pub use scenario::Scenario;
pub use subject::Subject;
