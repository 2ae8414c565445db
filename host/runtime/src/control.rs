//! The control socket: a running board, reached from other programs.
//!
//! A client connects to a Unix stream socket and writes one [`Request`] a
//! line, as JSON; for each it gets one line with a [`Response`]. By hand:
//!
//! ```text
//! $ echo '{"request": "sim-set", "line": "GPIO17", "high": false}' | nc -U "$XDG_RUNTIME_DIR/loopgate.sock"
//! "done"
//! ```
//!
//! The socket admits its owner and root, and nobody else: see [`Place`]. Even
//! those cannot block the host or make it grow without bound: lines, connections
//! and waiting times are limited, and each connection has a thread of its own.
//! These limits are of real time, whatever clock the board has.

mod claim;
mod client;
mod conversation;
mod hex;
mod lines;
mod place;
mod server;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::board::{self, Board, Mode};
use crate::{Cancel, ErrorCode, RequestError};
use loopgate_devices::gpio::Direction;
use loopgate_devices::sim::{DrivenBy, SimLineState};

pub use claim::Claim;
pub use client::Client;
pub use hex::{from_hex, to_hex};
pub use place::Place;
pub use server::{Serve, Server};

/// The longest request, in bytes with its newline.
pub const REQUEST_MAX: usize = 1 << 20;

/// The longest reply that a [`Call`] can ask for, in bytes.
pub const REPLY_MAX: u32 = 1 << 20;

/// The longest that a [`Call`] waits: a client that went away unseen occupies
/// a connection for so long.
pub const TIMEOUT_MAX: Duration = Duration::from_hours(1);

/// What a client asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// The state of the board and its drivers: [`Response::Status`].
    Status,
    /// A request to a driver's service: [`Response::Reply`].
    Call(Call),
    /// Drives a line of the simulated board from outside: [`Response::Done`].
    SimSet {
        /// The line, as the board file names it.
        line: String,
        /// The voltage.
        high: bool,
    },
    /// Every line of the simulated board: [`Response::Lines`].
    SimShow,
}

/// A request to a driver's service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Call {
    /// The service.
    pub service: String,
    /// What to ask it.
    pub selector: Selector,
    /// Up to four numbers; zero where one is absent.
    #[serde(default)]
    pub scalars: Vec<u64>,
    /// Bytes; hexadecimal in JSON.
    #[serde(default, with = "hex")]
    pub data: Vec<u8>,
    /// Whether to fail at once where the answer would take a wait.
    #[serde(default)]
    pub attempt: bool,
    /// The longest wait in milliseconds, at most [`TIMEOUT_MAX`].
    pub timeout_ms: u64,
    /// The longest reply that is taken, in bytes, at most [`REPLY_MAX`].
    pub reply_max: u32,
}

/// A selector by number or by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Selector {
    /// By number.
    Number(u32),
    /// By the name that the service gave it.
    Name(String),
}

/// What the host answers. `S` is how the status appears: the host writes its
/// own type, and a client passes on what it gets, so that it need not know
/// every field.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Response<S = serde_json::Value> {
    /// To [`Request::Status`].
    Status(S),
    /// To [`Request::Call`].
    Reply {
        /// A number, its meaning up to the selector.
        scalar: u64,
        /// Bytes, their meaning up to the selector; hexadecimal in JSON.
        #[serde(with = "hex")]
        data: Vec<u8>,
    },
    /// To [`Request::SimShow`].
    Lines(Vec<Line>),
    /// To [`Request::SimSet`].
    Done,
    /// The request failed, or could not be read.
    Error(RequestError),
}

/// A line of the simulated board. Levels are voltages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Line {
    /// What the board file calls it.
    pub name: String,
    /// Its level now.
    pub high: bool,
    /// What makes it so: `output`, `outside`, `pull` or `nothing`.
    pub driven_by: String,
    /// `input` or `output`, for whoever holds it.
    pub direction: String,
    /// Whether output and outside drive against each other.
    pub contention: bool,
    /// The driver that holds it.
    pub consumer: Option<String>,
    /// How often its level has changed.
    pub edges: u64,
}

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

/// A board answers on the calling thread, as for [`Board::call`].
impl Serve for Board {
    fn serve(&self, request: Request, cancel: &Cancel) -> Response<crate::Status> {
        match request {
            Request::Status => Response::Status(self.status()),
            Request::Call(call) => answer(call.try_into().and_then(|(service, request)| {
                let reply = self.call_cancellable(&service, request, cancel)?;
                Ok(Response::Reply {
                    scalar: reply.scalar,
                    data: reply.data,
                })
            })),
            Request::SimSet { line, high } => match self.sim().set(&line, high) {
                Ok(()) => Response::Done,
                Err(error) => refuse(ErrorCode::NoDevice, error.to_string()),
            },
            Request::SimShow => {
                Response::Lines(self.sim().show().into_iter().map(Line::from).collect())
            }
        }
    }
}

fn answer<S>(result: Result<Response<S>, RequestError>) -> Response<S> {
    result.unwrap_or_else(Response::Error)
}

fn refuse<S>(code: ErrorCode, message: impl Into<String>) -> Response<S> {
    Response::Error(RequestError {
        code,
        message: message.into(),
    })
}

/// The service and the request, if they are within the socket's bounds.
impl TryFrom<Call> for (String, board::Request) {
    type Error = RequestError;

    fn try_from(call: Call) -> Result<Self, RequestError> {
        let refuse = |message| {
            Err(RequestError {
                code: ErrorCode::BadArgument,
                message,
            })
        };
        let given = call.scalars.len();
        let mut scalars = [0; 4];
        let Some(places) = scalars.get_mut(..given) else {
            return refuse(format!(
                "a request takes at most 4 numbers, this one has {given}"
            ));
        };
        places.copy_from_slice(&call.scalars);
        let timeout = Duration::from_millis(call.timeout_ms);
        if timeout > TIMEOUT_MAX {
            return refuse(format!(
                "a timeout is at most {} s, this one has {} s",
                TIMEOUT_MAX.as_secs(),
                timeout.as_secs()
            ));
        }
        if call.reply_max > REPLY_MAX {
            return refuse(format!(
                "a reply has at most {REPLY_MAX} bytes, this request takes {}",
                call.reply_max
            ));
        }
        let request = board::Request {
            selector: call.selector.into(),
            scalars,
            data: call.data,
            reply_max: call.reply_max,
            mode: if call.attempt {
                Mode::Attempt
            } else {
                Mode::Run(Some(timeout))
            },
        };
        Ok((call.service, request))
    }
}

impl From<Selector> for board::SelectorName {
    fn from(selector: Selector) -> Self {
        match selector {
            Selector::Number(number) => Self::Number(number),
            Selector::Name(name) => Self::Name(name),
        }
    }
}

impl From<SimLineState> for Line {
    fn from(line: SimLineState) -> Self {
        Self {
            name: line.name,
            high: line.high,
            driven_by: match line.driven_by {
                DrivenBy::Output => "output",
                DrivenBy::Outside => "outside",
                DrivenBy::Pull => "pull",
                DrivenBy::Nothing => "nothing",
            }
            .to_owned(),
            direction: match line.direction {
                Direction::Input => "input",
                Direction::Output { .. } => "output",
            }
            .to_owned(),
            contention: line.contention,
            consumer: line.consumer,
            edges: line.edges,
        }
    }
}
