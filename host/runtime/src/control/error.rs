//! What can go wrong between a client and a host.

use std::path::PathBuf;

/// Why there is no way to a board, or none can be offered. The texts end in
/// the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The directory of the socket would let others interfere.
    #[error(
        "directory `{path}` is not safe for a control socket: {cause}; remove it, or name another socket with `--socket`"
    )]
    Unsafe {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// Another host serves this socket.
    #[error(
        "socket `{path}` is served by another loopgate{process}; stop that one, or name another socket with `--socket`"
    )]
    InUse {
        /// The socket.
        path: PathBuf,
        /// Which process, where that is known.
        process: String,
    },
    /// The path holds something else.
    #[error(
        "`{path}` exists and is not a socket; remove it, or name another socket with `--socket`"
    )]
    NotSocket {
        /// The path.
        path: PathBuf,
    },
    /// The operating system refuses.
    #[error(
        "cannot {action} `{path}`: {cause}; check the path, or name another socket with `--socket`"
    )]
    System {
        /// What was tried.
        action: &'static str,
        /// The socket or its directory.
        path: PathBuf,
        /// The reason.
        cause: std::io::Error,
    },
    /// Nobody answers at the socket.
    #[error(
        "no board is running at `{path}` ({cause}); start one with `loopgate run BOARD`, or name its socket with `--socket`"
    )]
    Nobody {
        /// The socket.
        path: PathBuf,
        /// The operating system's reason.
        cause: std::io::Error,
    },
    /// The other end belongs to somebody else.
    #[error(
        "socket `{path}` is served by user {uid}, who is neither you nor root; name your own with `--socket`"
    )]
    Foreign {
        /// The socket.
        path: PathBuf,
        /// Whose it is.
        uid: u32,
    },
    /// The conversation broke off.
    #[error("the host at `{path}` gave no answer: {cause}; see its log")]
    Broken {
        /// The socket.
        path: PathBuf,
        /// How.
        cause: String,
    },
}
