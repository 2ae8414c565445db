//! Expected failures.

use std::borrow::Cow;
use std::fmt;

use crate::bindings::loopgate::driver::types;

/// The result of nearly everything that a driver asks of the host.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What failed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: ErrorCode,
    what: Cow<'static, str>,
}

impl Error {
    /// A failure of `what`: lower case, no final stop.
    pub fn new(code: ErrorCode, what: impl Into<Cow<'static, str>>) -> Self {
        Self {
            code,
            what: what.into(),
        }
    }

    /// The part of it that a program can act on; all that a client sees.
    pub fn code(&self) -> ErrorCode {
        self.code
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.what.is_empty() {
            write!(f, "{}", self.code)
        } else {
            write!(f, "{}: {}", self.what, self.code)
        }
    }
}

impl std::error::Error for Error {}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Self {
        Self::new(code, "")
    }
}

impl PartialEq<ErrorCode> for Error {
    fn eq(&self, code: &ErrorCode) -> bool {
        self.code == *code
    }
}

/// Names `what` failed, where the code alone would not say it.
pub(crate) fn named<T>(
    result: Result<T, types::ErrorCode>,
    what: impl FnOnce() -> String,
) -> Result<T> {
    result.map_err(|code| Error::new(code.into(), what()))
}

/// Defines [`ErrorCode`], the contract's names and texts for it in one place.
macro_rules! error_codes {
    ($($code:ident $name:literal $text:literal, #[doc = $doc:literal])*) => {
        /// The contract's `error-code`: a closed set of kinds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode {
            $(#[doc = $doc] $code,)*
        }

        impl ErrorCode {
            /// The contract's name for it, such as `bad-argument`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$code => $name,)* }
            }

            fn text(self) -> &'static str {
                match self { $(Self::$code => $text,)* }
            }
        }

        impl From<types::ErrorCode> for ErrorCode {
            fn from(code: types::ErrorCode) -> Self {
                match code { $(types::ErrorCode::$code => Self::$code,)* }
            }
        }

        impl From<ErrorCode> for types::ErrorCode {
            fn from(code: ErrorCode) -> Self {
                match code { $(ErrorCode::$code => Self::$code,)* }
            }
        }
    };
}

error_codes! {
    BadArgument "bad-argument" "an argument is not accepted, or names nothing that exists",
    #[doc = "The caller's fault: an argument is not accepted, or names nothing that exists."]
    NotReady "not-ready" "the source or gate is not attached to a work loop",
    #[doc = "The caller's fault: the source or gate is not attached to a work loop."]
    NotPermitted "not-permitted" "not allowed here and now",
    #[doc = "Not allowed here and now, for example an attempt on a disabled gate."]
    NotGranted "not-granted" "the board file does not grant it to this driver",
    #[doc = "The board file grants no such resource or mode to this driver."]
    CannotLock "cannot-lock" "the gate is closed by someone else",
    #[doc = "The gate is closed by someone else, and the caller would not wait."]
    WouldDeadlock "would-deadlock" "it would come back into a driver that is waiting for it",
    #[doc = "It would come back into a driver on the stack, or never end."]
    NoResources "no-resources" "a limit of this driver is used up; the host's log names it",
    #[doc = "A bounded resource of this driver is used up; the host's log names it."]
    Busy "busy" "the device is in use, or did not answer at once",
    #[doc = "The device is in use, or the provider did not answer at once."]
    TimedOut "timed-out" "the time allowed for it is over",
    #[doc = "The time that the caller allowed is over."]
    Aborted "aborted" "stopped, removed or cancelled before it could complete",
    #[doc = "Stopped, removed or cancelled before it could complete."]
    Unsupported "unsupported" "the device, the driver or the host cannot do this",
    #[doc = "The device, the driver or the host cannot do this."]
    NoDevice "no-device" "there is no such device or service, or not yet",
    #[doc = "There is no such device or service, or not yet."]
    Io "io" "the device, its bus or the provider reported a fault",
    #[doc = "The device, its bus or the provider reported a fault."]
    DriverDied "driver-died" "the driver at the other end trapped, was stopped or was replaced",
    #[doc = "The driver at the other end trapped, was stopped or was replaced."]
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`, {}", self.name(), self.text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_thing_and_the_cause() {
        let error = Error::new(ErrorCode::NotGranted, "pin `ir` as an input");
        assert_eq!(
            error.to_string(),
            "pin `ir` as an input: `not-granted`, the board file does not grant it to this driver"
        );
    }

    #[test]
    fn a_bare_code_stands_for_itself() {
        let error = Error::from(ErrorCode::Busy);
        assert_eq!(error.to_string(), ErrorCode::Busy.to_string());
        assert_eq!(error, ErrorCode::Busy);
    }
}
