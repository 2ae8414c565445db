//! Telling systemd, or whoever started this program in its manner, how it fares
//! (`sd_notify(3)`). Where nobody asks to be told, nothing happens.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, Result};
use loopgate::Board;

/// For the manager to make room for a message.
const PATIENCE: Duration = Duration::from_secs(1);

/// The connection to who started this program.
pub(super) struct ServiceManager {
    socket: Option<Arc<UnixDatagram>>,
    /// It gives this program up when it has heard nothing for so long.
    watchdog: Option<Duration>,
}

/// Says regularly that the board is alive, for as long as it is.
pub(super) struct Watchdog {
    /// Dropped to end the thread.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ServiceManager {
    /// By what it has put into the environment.
    pub(super) fn from_environment() -> Result<Self> {
        let Some(address) = std::env::var_os("NOTIFY_SOCKET") else {
            return Ok(Self {
                socket: None,
                watchdog: None,
            });
        };
        let socket = connect(&address)
            .with_context(|| format!("cannot reach `NOTIFY_SOCKET` {}", address.display()))?;
        let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
        let for_us = number("WATCHDOG_PID").is_none_or(|id| id == u64::from(std::process::id()));
        let watchdog = number("WATCHDOG_USEC").filter(|&span| for_us && span > 0);
        Ok(Self {
            socket: Some(Arc::new(socket)),
            watchdog: watchdog.map(Duration::from_micros),
        })
    }

    pub(super) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={status}\n"));
    }

    pub(super) fn reloading(&self) {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let micros = Duration::try_from(now).unwrap_or_default().as_micros();
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={micros}\n"));
    }

    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1\nSTATUS=stopping the drivers\n");
    }

    /// Begins to say that the board is alive, where somebody wants to hear it.
    pub(super) fn watch(&self, board: &Arc<Board>) -> io::Result<Option<Watchdog>> {
        let (Some(socket), Some(limit)) = (&self.socket, self.watchdog) else {
            return Ok(None);
        };
        let (end, ended) = channel();
        let (socket, board) = (socket.clone(), board.clone());
        let thread = Builder::new()
            .name("watchdog".into())
            .spawn(move || keep_alive(&socket, &board, limit, &ended))?;
        Ok(Some(Watchdog {
            end: Some(end),
            thread: Some(thread),
        }))
    }

    /// What cannot be told is told in the log: the board runs all the same.
    fn tell(&self, state: &str) {
        if let Some(socket) = &self.socket {
            send(socket, state);
        }
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            // A panic in it was printed.
            let _ = thread.join();
        }
    }
}

/// Twice in the time that is allowed, as is advised: half of it to see whether
/// the loops are alive, half to wait.
fn keep_alive(socket: &UnixDatagram, board: &Board, limit: Duration, ended: &Receiver<()>) {
    let mut silent = false;
    loop {
        let stuck = board.stuck_loops(limit / 4);
        if stuck.is_empty() {
            send(socket, "WATCHDOG=1\n");
        } else if !silent {
            let stuck = stuck.join("`, `");
            tracing::error!("no word to the watchdog: the work loop `{stuck}` does not go on");
        }
        silent = !stuck.is_empty();
        if ended.recv_timeout(limit / 4) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

fn send(socket: &UnixDatagram, state: &str) {
    if let Err(error) = socket.send(state.as_bytes()) {
        tracing::warn!(
            "the service manager cannot be told `{}`: {error}",
            state.trim()
        );
    }
}

fn connect(address: &OsStr) -> io::Result<UnixDatagram> {
    let socket = UnixDatagram::unbound()?;
    match address.as_bytes() {
        [b'@', name @ ..] => socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?,
        _ => socket.connect(address)?,
    }
    // A manager that does not read must not hold the board up.
    socket.set_write_timeout(Some(PATIENCE))?;
    Ok(socket)
}
