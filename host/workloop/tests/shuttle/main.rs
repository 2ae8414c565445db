//! The core with threads, under schedules that shuttle chooses.
//!
//! `cargo xtask shuttle` explores a hundred thousand of each scenario, `cargo
//! xtask test` a few thousand; `LOOPGATE_SCHEDULES` says how many.
#![cfg(feature = "shuttle")]
#![allow(unreachable_pub, reason = "a test program exports nothing")]

mod command_gate;
mod filter;
mod gate;
mod interrupt;
mod shared_line;
mod sleep;
mod submission;
mod support;
mod timer;
mod waits;
mod work_loop;
