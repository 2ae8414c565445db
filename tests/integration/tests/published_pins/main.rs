//! Pins that one driver publishes and another opens: `probe_publish` and
//! `probe_pins`, on one loop and on two.
#![allow(unreachable_pub, reason = "a test program exports nothing")]

mod board_file;
mod lines;
mod neighbours;
mod support;
mod threads;
mod trust;
mod versions;
