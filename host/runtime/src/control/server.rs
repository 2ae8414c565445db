//! The host's end of the control socket: a thread that accepts, and one for
//! each connection.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::net::Shutdown;

use super::conversation::{converse, turn_away};
use super::place::user;
use super::{Claim, ControlError, Request, Response};
use crate::Cancel;
use crate::stack::THREAD_STACK;

/// At a time. A client needs one.
const CONNECTIONS_MAX: usize = 128;

/// What a control socket gives access to.
pub trait Serve: Send + Sync + 'static {
    /// Answers a request, on the connection's own thread. May take as long as
    /// the request allows, and is cancelled when the client goes.
    fn serve(&self, request: Request, cancel: &Cancel) -> Response<crate::Status>;
}

/// An open control socket.
///
/// Dropping it closes the socket, waits for the requests that are being
/// answered, and closes every connection. Stop the board first, which ends
/// those requests.
pub struct Server {
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
    claim: Claim,
}

struct Shared {
    served: Arc<dyn Serve>,
    listener: UnixListener,
    closing: AtomicBool,
    connections: Mutex<Connections>,
}

#[derive(Default)]
struct Connections {
    latest: u64,
    open: BTreeMap<u64, Connection>,
    /// Of connections that ended; joining them takes no time.
    ended: Vec<JoinHandle<()>>,
}

struct Connection {
    stream: Arc<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Opens the socket.
    ///
    /// # Errors
    ///
    /// [`ControlError::System`] where the operating system refuses.
    pub fn open(claim: Claim, served: Arc<dyn Serve>) -> Result<Self, ControlError> {
        let path = claim.path.clone();
        let system = |action| {
            let path = path.clone();
            move |cause| ControlError::System {
                action,
                path,
                cause,
            }
        };
        let listener = UnixListener::bind(&path).map_err(system("open socket"))?;
        // For kernels and tools that look at the mode; what counts is who the
        // peer is, which every connection is asked.
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .map_err(system("close to others"))?;
        let shared = Arc::new(Shared {
            served,
            listener,
            closing: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        let accepting = shared.clone();
        let acceptor = Builder::new()
            .name("control".into())
            .spawn(move || accept(&accepting))
            .map_err(system("start a thread for"))?;
        Ok(Self {
            shared,
            acceptor: Some(acceptor),
            claim,
        })
    }

    /// The socket.
    pub fn path(&self) -> &Path {
        &self.claim.path
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.closing.store(true, Relaxed);
        // What fails here is gone already. Shutting a listener down makes
        // `accept` return.
        let _ = fs::remove_file(&self.claim.path);
        let _ = rustix::net::shutdown(&self.shared.listener, Shutdown::Both);
        let acceptor = self.acceptor.take().map(JoinHandle::join);
        debug_assert!(!matches!(acceptor, Some(Err(_))), "the acceptor panicked");
        let threads: Vec<_> = {
            let mut connections = self.shared.connections.lock();
            for connection in connections.open.values() {
                // Only this way: an answer that is ready still goes out.
                let _ = connection.stream.shutdown(std::net::Shutdown::Read);
            }
            let open = connections
                .open
                .values_mut()
                .filter_map(|connection| connection.thread.take())
                .collect::<Vec<_>>();
            connections.ended.drain(..).chain(open).collect()
        };
        for thread in threads {
            // A panic in it was printed, and ended that connection alone.
            let _ = thread.join();
        }
    }
}

/// The user at the other end.
pub(super) fn owner_of(stream: &UnixStream) -> io::Result<u32> {
    Ok(rustix::net::sockopt::socket_peercred(stream)?.uid.as_raw())
}

fn accept(shared: &Arc<Shared>) {
    while !shared.closing.load(Relaxed) {
        match shared.listener.accept() {
            Ok((stream, _)) => admit(shared, stream),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted
                ) => {}
            Err(_) if shared.closing.load(Relaxed) => {}
            Err(error) => {
                // Most likely this process has no file descriptors left: the
                // client stays in the queue until there are some.
                tracing::warn!("control socket: cannot accept a connection: {error}");
                std::thread::sleep(Duration::from_millis(200));
            }
        }
    }
}

/// Gives the connection a thread, unless it is a stranger's or one too many.
fn admit(shared: &Arc<Shared>, stream: UnixStream) {
    match owner_of(&stream) {
        Ok(peer) if may_control(peer, user()) => {}
        Ok(peer) => return tracing::warn!("control socket: user {peer} was turned away"),
        Err(error) => return tracing::warn!("control socket: cannot tell who connects: {error}"),
    }
    let mut connections = shared.connections.lock();
    for ended in connections.ended.drain(..) {
        // A panic in it was printed, and ended that connection alone.
        let _ = ended.join();
    }
    if connections.open.len() >= CONNECTIONS_MAX {
        return turn_away(
            &stream,
            &format!("there are {CONNECTIONS_MAX} connections already; close some, or try later"),
        );
    }
    connections.latest += 1;
    let id = connections.latest;
    let stream = Arc::new(stream);
    connections.open.insert(
        id,
        Connection {
            stream: stream.clone(),
            thread: None,
        },
    );
    let conversation = {
        let (shared, stream) = (shared.clone(), stream.clone());
        move || {
            let _registered = Registered {
                shared: &shared,
                id,
            };
            converse(&stream, &*shared.served);
        }
    };
    // Room for handlers: a call runs on the thread that brings it.
    match Builder::new()
        .name("control-client".into())
        .stack_size(THREAD_STACK)
        .spawn(conversation)
    {
        // It waits for our lock before it takes itself off the list.
        Ok(thread) => {
            if let Some(connection) = connections.open.get_mut(&id) {
                connection.thread = Some(thread);
            }
        }
        Err(error) => {
            connections.open.remove(&id);
            turn_away(
                &stream,
                &format!("no thread for another connection: {error}"),
            );
        }
    }
}

/// Takes a connection off the list, also when its thread panics.
struct Registered<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        let mut connections = self.shared.connections.lock();
        let thread = connections
            .open
            .remove(&self.id)
            .and_then(|connection| connection.thread);
        connections.ended.extend(thread);
    }
}

fn may_control(peer: u32, me: u32) -> bool {
    peer == me || peer == 0
}

#[cfg(test)]
mod tests {
    use super::may_control;

    #[test]
    fn its_user_and_root_may_control_a_host_and_nobody_else() {
        for (peer, me, may) in [(7, 7, true), (0, 7, true), (8, 7, false), (7, 0, false)] {
            assert_eq!(may_control(peer, me), may, "{peer} {me}");
        }
    }
}
