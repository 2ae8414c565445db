//! The conformance kit: proves that a driver keeps the contract, before it touches
//! hardware.
//!
//! Everything runs on a simulated board in virtual time, on the calling thread: the
//! same component, board and seed give the same report on every machine.
#![forbid(unsafe_code)]

mod error;
pub mod report;
pub mod scenario;
mod subject;

pub use error::Error;
pub use report::Report;
pub use scenario::Scenario;
pub use subject::Subject;
