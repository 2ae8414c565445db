//! The conformance kit: proves that a driver keeps the contract, before it touches
//! hardware.
//!
//! Everything runs on a simulated board in virtual time, on the calling thread: the
//! same component, board and seed give the same report on every machine.
#![forbid(unsafe_code)]

pub mod report;

pub use report::{Report, Style};
