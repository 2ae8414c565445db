//! A driver in a process of its own: this program again, which answers 64
//! bytes over a Unix socket.

use anyhow::{Context as _, Result};
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};

/// The argument that makes this program one.
pub(crate) const ARGUMENT: &str = "--driver-process";

const SIZE: usize = 64;

/// Ends with its socket.
///
/// It shares a processor with the thread that started it, as long as it lives:
/// that is the best a socket can do. Left alone the kernel changes its mind
/// from run to run, and a wake-up on another processor takes three times as long.
pub(crate) struct DriverProcess {
    socket: Option<UnixStream>,
    child: Child,
    /// Where the thread could run before.
    processors: CpuSet,
}

impl DriverProcess {
    pub(crate) fn start() -> Result<Self> {
        let (ours, theirs) = UnixStream::pair()?;
        let processors = sched_getaffinity(None)?;
        let mut shared = CpuSet::new();
        shared.set(sched_getcpu());
        sched_setaffinity(None, &shared)?;
        let child = Command::new(std::env::current_exe()?)
            .arg(ARGUMENT)
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()
            .context("the driver process")?;
        Ok(Self {
            socket: Some(ours),
            child,
            processors,
        })
    }

    /// One request and its reply.
    pub(crate) fn call(&mut self) -> Result<()> {
        let mut socket = self.socket.as_ref().context("it was stopped")?;
        let mut bytes = [7; SIZE];
        socket.write_all(&bytes)?;
        socket.read_exact(&mut bytes)?;
        std::hint::black_box(bytes);
        Ok(())
    }
}

impl Drop for DriverProcess {
    fn drop(&mut self) {
        self.socket = None;
        let _ = self.child.wait();
        let _ = sched_setaffinity(None, &self.processors);
    }
}

/// Answers what comes in over standard input, which is the socket, to its end.
pub(crate) fn answer() -> Result<()> {
    let socket = std::io::stdin().as_fd().try_clone_to_owned()?;
    let mut socket = UnixStream::from(socket);
    let mut bytes = [0; SIZE];
    loop {
        match socket.read_exact(&mut bytes) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        }
        socket.write_all(&bytes)?;
    }
}
