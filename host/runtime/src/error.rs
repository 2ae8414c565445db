//! Errors of the embedding API.

use crate::target::Target;
use std::path::PathBuf;

/// What a request or a board operation can end with: the contract's
/// `error-code`, for clients outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorCode {
    /// An argument is outside what the operation accepts.
    BadArgument,
    /// The gate is not attached to a work loop.
    NotReady,
    /// The operation is not allowed here and now.
    NotPermitted,
    /// The board file grants no such resource or mode.
    NotGranted,
    /// The gate is closed by someone else and the caller would not wait.
    CannotLock,
    /// Waiting would never end.
    WouldDeadlock,
    /// A bounded resource is used up.
    NoResources,
    /// The device is in use, or the provider did not answer at once.
    Busy,
    /// The time that the caller allowed is over.
    TimedOut,
    /// Stopped, removed or cancelled before it could complete.
    Aborted,
    /// The device or the host cannot do this.
    Unsupported,
    /// There is no such device or service, or not now.
    NoDevice,
    /// The device, its bus or the provider reported a fault.
    Io,
    /// The driver at the other end failed, was stopped or was replaced.
    DriverDied,
}

impl ErrorCode {
    /// The contract's name of the code, for example `not-granted`.
    pub fn name(self) -> &'static str {
        match self {
            Self::BadArgument => "bad-argument",
            Self::NotReady => "not-ready",
            Self::NotPermitted => "not-permitted",
            Self::NotGranted => "not-granted",
            Self::CannotLock => "cannot-lock",
            Self::WouldDeadlock => "would-deadlock",
            Self::NoResources => "no-resources",
            Self::Busy => "busy",
            Self::TimedOut => "timed-out",
            Self::Aborted => "aborted",
            Self::Unsupported => "unsupported",
            Self::NoDevice => "no-device",
            Self::Io => "io",
            Self::DriverDied => "driver-died",
        }
    }
}

impl std::fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl From<loopgate_workloop::Error> for ErrorCode {
    fn from(error: loopgate_workloop::Error) -> Self {
        use loopgate_workloop::Error;
        match error {
            Error::BadArgument => Self::BadArgument,
            Error::NotReady => Self::NotReady,
            Error::NotPermitted => Self::NotPermitted,
            Error::CannotLock => Self::CannotLock,
            Error::WouldDeadlock => Self::WouldDeadlock,
            Error::TimedOut => Self::TimedOut,
            Error::Aborted => Self::Aborted,
            Error::NoResources => Self::NoResources,
            Error::Unsupported => Self::Unsupported,
        }
    }
}

/// Why a request failed: the code, and for people what it was about.
#[derive(Clone, Debug, thiserror::Error, serde::Serialize, serde::Deserialize)]
#[error("{code}: {message}")]
pub struct RequestError {
    /// The contract's code.
    pub code: ErrorCode,
    /// Thing, cause and remedy.
    pub message: String,
}

impl RequestError {
    pub(crate) fn new(code: impl Into<ErrorCode>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
        }
    }
}

/// Why a component cannot be used as a driver. The texts end in the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// The file cannot be read.
    #[error(
        "component `{path}` cannot be read: {cause}; check the path, which in a board file is relative to that file"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        cause: std::io::Error,
    },
    /// The file is larger than the host compiles.
    #[error(
        "component `{path}` has {size} bytes, more than the {limit} that are accepted; build it in release mode and strip it"
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// The file is not the one that the board file means.
    #[error(
        "component `{path}` has the SHA-256 {found}, the board file wants {expected}; put the component that was meant there, or, where this one is, its digest into `sha256`"
    )]
    WrongDigest {
        /// The file.
        path: PathBuf,
        /// What the board file says, in hexadecimal digits.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// The file was compiled before, and nobody answers for it.
    #[error(
        "`{path}` is compiled code, which runs as the host: it is loaded only where the board file has its digest; put that of a file that you have made yourself into `sha256` of its entry"
    )]
    Untrusted {
        /// The file.
        path: PathBuf,
    },
    /// What was compiled before is to be compiled.
    #[error("`{path}` is compiled code already; name the component that it was made of")]
    Compiled {
        /// The file.
        path: PathBuf,
    },
    /// The file was compiled before, for another kind of machine.
    #[error(
        "`{path}` was compiled for `{target}`, and this host runs `{here}`; make it with `loopgate compile --target {here}`, and put its digest into `sha256` of its entry"
    )]
    OtherTarget {
        /// The file.
        path: PathBuf,
        /// What it is for.
        target: String,
        /// What this host runs.
        here: Target,
    },
    /// A component, and the host has no compiler.
    #[error(
        "`{name}` is a component, and this host was built without a compiler; on another machine, `loopgate compile {name} --target {here} -o OUT`, then name OUT in the board file, with its digest as `sha256`"
    )]
    NoCompiler {
        /// The component.
        name: String,
        /// What this host runs.
        here: Target,
    },
    /// The compiler has no such target.
    #[error(
        "`{name}` cannot be compiled for `{target}` by this host: {cause}; {}", .target.compiled_by()
    )]
    NoTarget {
        /// The component.
        name: String,
        /// What it was to be compiled for.
        target: Target,
        /// What the compiler says.
        cause: String,
    },
    /// The file was compiled before, for something else.
    #[error(
        "`{path}` is compiled code for another host: {cause}; compile the component again, with `loopgate compile` of this host"
    )]
    OtherEngine {
        /// The file.
        path: PathBuf,
        /// What is different.
        cause: String,
    },
    /// Compiled code that does not count its instructions, for a board that does.
    #[error(
        "`{path}` is compiled code for boards with a real clock, and this one's is virtual; name the component itself"
    )]
    RealClock {
        /// The file.
        path: PathBuf,
    },
    /// The file is no WebAssembly at all.
    #[error(
        "`{name}` is not WebAssembly ({found}); build the driver with `--target wasm32-wasip2`"
    )]
    NotWasm {
        /// The component.
        name: String,
        /// What the file begins with.
        found: String,
    },
    /// A core module where a component is needed.
    #[error(
        "`{name}` is a core module, not a component; build the driver with `--target wasm32-wasip2`, or wrap the module with a componentizer"
    )]
    CoreModule {
        /// The component.
        name: String,
    },
    /// The engine refuses it.
    #[error("`{name}` is not a valid component: {cause}; rebuild the driver")]
    Invalid {
        /// The component.
        name: String,
        /// The engine's reason.
        cause: String,
    },
    /// Compiling it would take too long.
    #[error("`{name}` would take too long to compile: {cause}")]
    TooCostly {
        /// The component.
        name: String,
        /// Which bound is crossed, and where; and what to do.
        cause: String,
    },
    /// It imports what the world `driver` lacks.
    #[error("`{name}` imports {imports}, which this host does not have; {remedy}")]
    UnknownImports {
        /// The component.
        name: String,
        /// The imports, each in backticks.
        imports: String,
        /// What to do about it.
        remedy: String,
    },
    /// It does not export what the world `driver` requires, or with other types.
    #[error(
        "`{name}` is not a driver of `loopgate:driver@{version}`: {cause}; rebuild it against this host's contract"
    )]
    WrongWorld {
        /// The component.
        name: String,
        /// The contract's version that this host has.
        version: &'static str,
        /// What is missing or different.
        cause: String,
    },
}

/// Why a board cannot be built. A driver that cannot be loaded is none of
/// these: it stands as failed in the board's status and the others run.
#[derive(Debug, thiserror::Error)]
pub enum BoardError {
    /// The board file cannot be read.
    #[error("board file `{path}` cannot be read: {cause}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        cause: std::io::Error,
    },
    /// The board file is larger than what is read.
    #[error(
        "board file `{path}` has more than the {limit} bytes that are read; name a board file, or divide it into several boards"
    )]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read, in bytes.
        limit: usize,
    },
    /// Another host runs this board file.
    #[error(
        "board file `{path}` is run by another loopgate{process}; stop that one, or run a board file of its own"
    )]
    InUse {
        /// The file.
        path: PathBuf,
        /// Which process, where that is known.
        process: String,
    },
    /// The board file says something that cannot be.
    #[error("{place}: {message}")]
    Invalid {
        /// File and line.
        place: String,
        /// Thing, cause and remedy.
        message: String,
    },
    /// A capture cannot be played.
    #[error("{place}: {cause}")]
    Capture {
        /// File and line of the `[[board.play]]`.
        place: String,
        /// The capture reader's error.
        cause: loopgate_devices::capture::Error,
    },
    /// A recording cannot be written.
    #[error(
        "recording `{path}` cannot be written: {cause}; check the path, its permissions and the room on its disk"
    )]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        cause: std::io::Error,
    },
    /// The board was stopped.
    #[error("the board was stopped, and nothing of it changes any more; run it again")]
    Stopped,
    /// The engine or a thread cannot be set up on this machine.
    #[error("the host cannot start: {0}")]
    Host(String),
}
