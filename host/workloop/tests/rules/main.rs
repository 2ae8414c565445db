//! The catalogue's rules, by group: each test is named after its rule.
//!
//! One program, so that it links once. All but a few tests drive detached
//! contexts on one thread in virtual time; those that need threads wait for
//! conditions.
#![cfg(not(feature = "shuttle"))]
#![allow(unreachable_pub, reason = "a test program exports nothing")]

mod chain;
mod command_gate;
mod event_source;
mod filter;
mod gate;
mod interrupt;
mod one_thread;
mod quota;
mod races;
mod rate_cap;
mod shared_line;
mod support;
mod timer;
mod work_loop;
