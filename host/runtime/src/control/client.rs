//! The other end of the control socket.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::lines::{LineError, Lines};
use super::place::{Place, user};
use super::server::owner_of;
use super::{ControlError, Request, Response};

/// Longer than any response of a sane host: a status of a thousand drivers has
/// a megabyte.
const RESPONSE_MAX: usize = 16 << 20;

/// What the host may take to answer, beyond the time that the request allows.
const PATIENCE: Duration = Duration::from_secs(10);

/// A connection to a running board.
pub struct Client {
    stream: UnixStream,
    path: PathBuf,
}

impl Client {
    /// Connects, and makes sure that the host is this user's or root's.
    ///
    /// # Errors
    ///
    /// [`ControlError::Nobody`] where no board is running.
    pub fn connect(place: &Place) -> Result<Self, ControlError> {
        place.verify()?;
        let path = place.path().to_owned();
        let stream = match UnixStream::connect(&path) {
            Ok(stream) => stream,
            Err(cause) => return Err(ControlError::Nobody { path, cause }),
        };
        match owner_of(&stream) {
            Ok(0) => {}
            Ok(uid) if uid == user() => {}
            Ok(uid) => return Err(ControlError::Foreign { path, uid }),
            Err(cause) => {
                return Err(ControlError::System {
                    action: "look at",
                    path,
                    cause,
                });
            }
        }
        Ok(Self { stream, path })
    }

    /// Sends a request and waits for its response, for somewhat longer than
    /// the request itself allows the host to take.
    ///
    /// A request that failed is a [`Response::Error`]; an error of this
    /// function means that there was no response, and the connection is of no
    /// further use.
    pub fn ask(&mut self, request: &Request) -> Result<Response, ControlError> {
        let allowed = match request {
            Request::Call(call) if !call.attempt => Duration::from_millis(call.timeout_ms),
            Request::Logs { wait_ms, .. } => Duration::from_millis(*wait_ms),
            // Compiling may take a while, and a driver its time to start; who is to
            // stop may have to close something first.
            Request::Start { .. } | Request::Stop { .. } => Duration::from_mins(1),
            // Requests that have begun may take a minute to end.
            Request::Reload { .. } => Duration::from_mins(2),
            // A `start` on the driver's loop may take as long.
            Request::ReloadBoard | Request::Revoke { .. } => Duration::from_mins(10),
            // Each driver has its time for the change.
            Request::Power { .. } => super::TIMEOUT_MAX,
            _ => Duration::ZERO,
        };
        let deadline = Instant::now() + allowed.min(super::TIMEOUT_MAX) + PATIENCE;
        let line = serde_json::to_vec(request).map_err(|error| self.broken(error))?;
        let mut lines = Lines::new(&self.stream);
        // A host that is full says so and closes, perhaps before it has read
        // the request: its word counts more than the failure to write.
        let written = lines.write(&line, deadline);
        match lines.read(RESPONSE_MAX, deadline) {
            Ok(Some(line)) => serde_json::from_slice(&line).map_err(|error| self.broken(error)),
            Ok(None) => Err(self.broken(
                written
                    .err()
                    .map_or("it closed the connection".to_owned(), |error| {
                        error.to_string()
                    }),
            )),
            Err(LineError::TimedOut) => Err(self.broken("it took too long")),
            Err(error) => Err(self.broken(error)),
        }
    }

    fn broken(&self, cause: impl std::fmt::Display) -> ControlError {
        ControlError::Broken {
            path: self.path.clone(),
            cause: cause.to_string(),
        }
    }
}
