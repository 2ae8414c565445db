//! What is generated from `wit/`, and its translation to our own types.

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "driver",
    imports: { default: trappable },
    with: {
        "loopgate:driver/interrupt.line": crate::interface::interrupt::Line,
        "loopgate:driver/work-loop.work-loop": crate::interface::work_loop::Loop,
        "loopgate:driver/work-loop.interrupt-event-source": crate::interface::work_loop::Interrupt,
        "loopgate:driver/work-loop.timer-event-source": crate::interface::work_loop::Timer,
        "loopgate:driver/work-loop.command-gate": crate::interface::work_loop::Gate,
        "loopgate:driver/request.client": crate::interface::request::Client,
        "loopgate:driver/gpio.pin": crate::interface::gpio::Pin,
        "loopgate:driver/serial.port": crate::interface::serial::Port,
        "loopgate:driver/i2c.device": crate::interface::i2c::Device,
        "loopgate:driver/spi.device": crate::interface::spi::Device,
    },
});

/// The package that drivers import, and its version in `wit/`.
pub(crate) const PACKAGE: &str = "loopgate:driver";
pub(crate) const VERSION: &str = "0.1.0";

// `self`, since in doc tests `loopgate` is this crate as well.
pub(crate) use self::loopgate::driver::types::ErrorCode as WitErrorCode;

impl From<crate::ErrorCode> for WitErrorCode {
    fn from(code: crate::ErrorCode) -> Self {
        use crate::ErrorCode;
        match code {
            ErrorCode::BadArgument => Self::BadArgument,
            ErrorCode::NotReady => Self::NotReady,
            ErrorCode::NotPermitted => Self::NotPermitted,
            ErrorCode::NotGranted => Self::NotGranted,
            ErrorCode::CannotLock => Self::CannotLock,
            ErrorCode::WouldDeadlock => Self::WouldDeadlock,
            ErrorCode::NoResources => Self::NoResources,
            ErrorCode::Busy => Self::Busy,
            ErrorCode::TimedOut => Self::TimedOut,
            ErrorCode::Aborted => Self::Aborted,
            ErrorCode::Unsupported => Self::Unsupported,
            ErrorCode::NoDevice => Self::NoDevice,
            ErrorCode::Io => Self::Io,
            ErrorCode::DriverDied => Self::DriverDied,
        }
    }
}

impl From<WitErrorCode> for crate::ErrorCode {
    fn from(code: WitErrorCode) -> Self {
        match code {
            WitErrorCode::BadArgument => Self::BadArgument,
            WitErrorCode::NotReady => Self::NotReady,
            WitErrorCode::NotPermitted => Self::NotPermitted,
            WitErrorCode::NotGranted => Self::NotGranted,
            WitErrorCode::CannotLock => Self::CannotLock,
            WitErrorCode::WouldDeadlock => Self::WouldDeadlock,
            WitErrorCode::NoResources => Self::NoResources,
            WitErrorCode::Busy => Self::Busy,
            WitErrorCode::TimedOut => Self::TimedOut,
            WitErrorCode::Aborted => Self::Aborted,
            WitErrorCode::Unsupported => Self::Unsupported,
            WitErrorCode::NoDevice => Self::NoDevice,
            WitErrorCode::Io => Self::Io,
            WitErrorCode::DriverDied => Self::DriverDied,
        }
    }
}
