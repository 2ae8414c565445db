//! Requests of a driver's own: submitted, completed on its own loop, exactly
//! once, whatever the two drivers do.
#![allow(unreachable_pub, reason = "a test program exports nothing")]

mod completion;
mod endings;
mod giving_up;
mod limits;
mod support;
mod turns;
