//! What is said over one connection of the control socket.

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::lines::{LineError, Lines};
use super::server::Serve;
use super::{REQUEST_MAX, Response, refuse};
use crate::ErrorCode;

/// From the end of one response to the end of the next request.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// For a client to take its response.
const WRITE_MAX: Duration = Duration::from_secs(10);

/// Answers requests until the client has no more, or breaks a bound.
pub(super) fn converse(stream: &UnixStream, served: &dyn Serve) {
    let mut lines = Lines::new(stream);
    loop {
        let (response, last) = match lines.read(REQUEST_MAX, Instant::now() + IDLE_MAX) {
            Ok(Some(line)) => (respond(&line, served), false),
            Err(LineError::TooLong(most)) => {
                let why = format!("the request is longer than {most} bytes; send less data");
                (refuse(ErrorCode::BadArgument, why), true)
            }
            Ok(None) | Err(LineError::TimedOut | LineError::Stream(_)) => return,
        };
        let sent = lines.write(&written(&response), Instant::now() + WRITE_MAX);
        if last || sent.is_err() {
            return;
        }
    }
}

/// Never waits for the client: a new connection has room for this line.
pub(super) fn turn_away(stream: &UnixStream, why: &str) {
    if stream.set_nonblocking(true).is_ok() {
        let line = written(&refuse(ErrorCode::NoResources, why));
        // A client that has gone already needs no answer.
        let _ = Lines::new(stream).write(&line, Instant::now() + WRITE_MAX);
    }
}

fn respond(line: &[u8], served: &dyn Serve) -> Response<crate::Status> {
    match serde_json::from_slice(line) {
        Ok(request) => served.serve(request),
        Err(error) => refuse(
            ErrorCode::BadArgument,
            format!(
                "the request cannot be read: {error}; send one JSON object a line, for example {{\"request\":\"status\"}}"
            ),
        ),
    }
}

fn written(response: &Response<crate::Status>) -> Vec<u8> {
    let lost = |error| {
        serde_json::to_vec(&refuse::<()>(
            ErrorCode::Io,
            format!("the response cannot be written: {error}"),
        ))
    };
    // A response of one text always can.
    serde_json::to_vec(response)
        .or_else(lost)
        .unwrap_or_default()
}
