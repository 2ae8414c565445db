//! Stacks of drivers: what each is told of those around it, and how they end.
#![allow(unreachable_pub, reason = "a test program exports nothing")]

mod delays;
mod order;
mod placing;
mod races;
mod support;
