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
mod error;
mod hex;
mod lines;
mod place;
mod protocol;
mod server;
#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::board::{self, Board, Mode};
use crate::{Cancel, ErrorCode, RequestError};
use loopgate_devices::gpio::Direction;
use loopgate_devices::sim::{DrivenBy, SimLineState};

pub use claim::Claim;
pub use client::Client;
pub use error::ControlError;
pub use hex::{from_hex, to_hex};
pub use place::Place;
pub use protocol::{Call, DriverNow, Line, Request, Response, Selector};
pub use server::{Serve, Server};

/// The longest request, in bytes with its newline.
pub const REQUEST_MAX: usize = 1 << 20;

/// The longest reply that a [`Call`] can ask for, in bytes.
pub const REPLY_MAX: u32 = 1 << 20;

/// The longest that a [`Call`] waits: a client that went away unseen occupies
/// a connection for so long.
pub const TIMEOUT_MAX: Duration = Duration::from_hours(1);

const NOT_SIMULATED: &str = "this board's lines are the kernel's, and nobody drives them from \
                             outside but what is wired to them; `gpioinfo` shows them";

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
            Request::SimSet { .. } | Request::SimShow
                if !self.file().board.backend.is_simulated() =>
            {
                refuse(ErrorCode::NotPermitted, NOT_SIMULATED.to_owned())
            }
            Request::SimSet { line, high } => match self.sim().set(&line, high) {
                Ok(()) => Response::Done,
                Err(error) => refuse(ErrorCode::NoDevice, error.to_string()),
            },
            Request::SimShow => {
                Response::Lines(self.sim().show().into_iter().map(Line::from).collect())
            }
            Request::Start { driver } => changed(self, &driver, self.start_driver(&driver)),
            Request::Stop { driver } => changed(self, &driver, self.stop_driver(&driver)),
            Request::Reload { driver, force } => {
                let reload = if force {
                    self.force_reload(&driver)
                } else {
                    self.reload(&driver)
                };
                answer(reload.and_then(|reload| {
                    let (state, _) = self.driver_state(&driver)?;
                    Ok(Response::Reloaded {
                        name: driver,
                        state: state.name().to_owned(),
                        reload,
                    })
                }))
            }
            Request::Revoke { driver, grant } => {
                answer(self.revoke(&driver, &grant).map(Response::Revoked))
            }
            Request::ReloadBoard => match self.reread() {
                Ok(changes) => Response::Changes(changes),
                Err(error) => refuse(
                    ErrorCode::BadArgument,
                    format!("the board was not changed: {error}"),
                ),
            },
            Request::Power { state } => answer(self.power(state).map(|()| Response::Done)),
            Request::Logs {
                driver,
                after,
                wait_ms,
            } => {
                let wait = Duration::from_millis(wait_ms).min(TIMEOUT_MAX);
                answer(self.logs(&driver, after, wait, cancel).map(Response::Logs))
            }
        }
    }
}

/// `all` are the drivers that have changed.
fn changed<S>(board: &Board, driver: &str, all: Result<Vec<String>, RequestError>) -> Response<S> {
    answer(all.and_then(|all| {
        let others = all.iter().filter(|name| *name != driver);
        Ok(Response::Driver {
            driver: driver_now(board, driver)?,
            with: others
                .map(|name| driver_now(board, name))
                .collect::<Result<_, _>>()?,
        })
    }))
}

fn driver_now(board: &Board, name: &str) -> Result<DriverNow, RequestError> {
    let (state, generation) = board.driver_state(name)?;
    Ok(DriverNow {
        name: name.to_owned(),
        state: state.name().to_owned(),
        generation,
    })
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
            immediate: call.immediate,
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
