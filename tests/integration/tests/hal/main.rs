//! `embedded-hal`: the SDK's traits, and the drivers made of other people's crates.

mod buses;
mod digits;
mod display;
mod expander;
mod sensors;
mod support;
mod tasks;
