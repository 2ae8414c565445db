//! The host's log.

use crate::bindings::loopgate::driver::log as raw;

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Every step.
    Trace,
    /// For whoever works on the driver.
    Debug,
    /// For whoever runs it.
    Info,
    /// Something is odd, and the driver goes on.
    Warn,
    /// The driver could not do what it is there for.
    Error,
}

/// Writes a line to the host's log, which puts the driver's name before it.
///
/// The host leaves lines out past the driver's `log` limit, and says so. The
/// macros [`info!`](crate::info) and its like format the message.
pub fn log(level: Level, message: &str) {
    let level = match level {
        Level::Trace => raw::Level::Trace,
        Level::Debug => raw::Level::Debug,
        Level::Info => raw::Level::Info,
        Level::Warn => raw::Level::Warn,
        Level::Error => raw::Level::Error,
    };
    raw::log(level, message);
}

/// Logs a line for whoever follows every step; arguments as in `format!`.
#[macro_export]
macro_rules! trace {
    ($($message:tt)+) => { $crate::log($crate::Level::Trace, &::std::format!($($message)+)) };
}

/// Logs a line for whoever works on the driver; arguments as in `format!`.
#[macro_export]
macro_rules! debug {
    ($($message:tt)+) => { $crate::log($crate::Level::Debug, &::std::format!($($message)+)) };
}

/// Logs a line for whoever runs the driver; arguments as in `format!`.
#[macro_export]
macro_rules! info {
    ($($message:tt)+) => { $crate::log($crate::Level::Info, &::std::format!($($message)+)) };
}

/// Logs that something is odd; arguments as in `format!`.
#[macro_export]
macro_rules! warn {
    ($($message:tt)+) => { $crate::log($crate::Level::Warn, &::std::format!($($message)+)) };
}

/// Logs that something failed; arguments as in `format!`.
#[macro_export]
macro_rules! error {
    ($($message:tt)+) => { $crate::log($crate::Level::Error, &::std::format!($($message)+)) };
}
