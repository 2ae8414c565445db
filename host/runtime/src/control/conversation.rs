//! What is said over one connection of the control socket.

use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};

use super::lines::{LineError, Lines};
use super::server::Serve;
use super::{REQUEST_MAX, Response, refuse};
use crate::{Cancel, ErrorCode};

/// From the end of one response to the end of the next request.
const IDLE_MAX: Duration = Duration::from_secs(30);

/// For a client to take its response.
const WRITE_MAX: Duration = Duration::from_secs(10);

/// Answers requests until the client has no more, or breaks a bound.
pub(super) fn converse(stream: &UnixStream, served: &dyn Serve) {
    let mut lines = Lines::new(stream);
    loop {
        let (response, last) = match lines.read(REQUEST_MAX, Instant::now() + IDLE_MAX) {
            Ok(Some(line)) => (
                watched(stream, |cancel| respond(&line, served, cancel)),
                false,
            ),
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

/// Cancels what `serve` does when the client goes: a request that waits must
/// not outlive the one who waits for it.
fn watched<R>(stream: &UnixStream, serve: impl FnOnce(&Cancel) -> R) -> R {
    let cancel = Cancel::default();
    let Ok((done, served)) = rustix::pipe::pipe() else {
        // No file descriptors left: served all the same, to the end.
        return serve(&cancel);
    };
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut watched = [
                PollFd::new(stream, PollFlags::RDHUP),
                PollFd::new(&done, PollFlags::IN),
            ];
            // An interruption would end the watch, not the request.
            while rustix::event::poll(&mut watched, None) == Err(rustix::io::Errno::INTR) {}
            if !watched[0].revents().is_empty() {
                cancel.cancel();
            }
        });
        let response = serve(&cancel);
        // Closing it ends the watch.
        drop(served);
        response
    })
}

/// Never waits for the client: a new connection has room for this line.
pub(super) fn turn_away(stream: &UnixStream, why: &str) {
    if stream.set_nonblocking(true).is_ok() {
        let line = written(&refuse(ErrorCode::NoResources, why));
        // A client that has gone already needs no answer.
        let _ = Lines::new(stream).write(&line, Instant::now() + WRITE_MAX);
    }
}

fn respond(line: &[u8], served: &dyn Serve, cancel: &Cancel) -> Response<crate::Status> {
    match serde_json::from_slice(line) {
        Ok(request) => served.serve(request, cancel),
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
