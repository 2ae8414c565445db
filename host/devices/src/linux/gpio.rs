//! GPIO lines of the kernel's, by its character devices (uAPI v2).

mod chips;
mod config;
mod interrupt;
mod line;

pub(super) use crate::gpio::Error;
pub(super) use chips::{Chips, Reserved, consumer, text};
pub(super) use line::Line;

/// How many edges of a line the kernel keeps until they are read; more is not to
/// be had. When it is full it drops the oldest.
pub const QUEUE: u32 = 1024;

/// How the kernel says it.
fn errno(error: &gpiocdev_uapi::Error) -> std::io::Error {
    match error {
        gpiocdev_uapi::Error::Os(errno) => std::io::Error::from_raw_os_error(errno.0),
        gpiocdev_uapi::Error::UnderRead(error) => std::io::Error::other(error.to_string()),
    }
}
