//! A break on its way out.
//!
//! The kernel begins one when it has sent what it was given before, and has its
//! caller wait for that, however long a peer holds it back; so a break has a
//! thread, for as long as it takes. That thread has the tty claimed meanwhile.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use super::port::Port;
use super::tty::{ClaimedTty, retried};

/// Dropping it ends the break.
pub(super) struct SendingBreak {
    /// How many bytes the kernel is to be given before it.
    after: usize,
    turn: Sender<()>,
}

impl SendingBreak {
    pub(super) fn start(
        port: &Arc<Port>,
        tty: Arc<ClaimedTty>,
        after: usize,
        length: Duration,
    ) -> io::Result<Self> {
        let (turn, turns) = mpsc::channel();
        let port = Arc::downgrade(port);
        thread::Builder::new()
            .name("serial-break".to_owned())
            .spawn(move || run(&port, &tty, &turns, length))?;
        let mut sending = Self { after, turn };
        sending.has_sent(0);
        Ok(sending)
    }

    /// How many bytes may be sent before it is over.
    pub(super) fn after(&self) -> usize {
        self.after
    }

    /// The kernel was given so many of them.
    pub(super) fn has_sent(&mut self, count: usize) {
        self.after -= count;
        if self.after == 0 {
            // Where the thread has ended it is over.
            let _ = self.turn.send(());
        }
    }
}

fn run(port: &Weak<Port>, tty: &Arc<ClaimedTty>, turns: &Receiver<()>, length: Duration) {
    let sent = send(|active| tty.lines().set_break(active), turns, length);
    if let Some(port) = port.upgrade() {
        port.break_is_over(tty, sent.err());
    }
}

fn send(
    mut set: impl FnMut(bool) -> io::Result<()>,
    turns: &Receiver<()>,
    length: Duration,
) -> io::Result<()> {
    if turns.recv().is_err() {
        return Ok(());
    }
    retried(|| set(true))?;
    // Nobody has a second turn: this is over at the end of the one or the other.
    let _ = turns.recv_timeout(length);
    retried(|| set(false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_does_not_end_a_break_and_a_fault_is_told() {
        let (turn, turns) = mpsc::channel();
        turn.send(()).unwrap();
        drop(turn);
        let (mut calls, mut interrupted) = (Vec::new(), false);
        let set = |active| {
            calls.push(active);
            interrupted = !interrupted;
            if interrupted {
                return Err(io::ErrorKind::Interrupted.into());
            }
            Ok(())
        };
        send(set, &turns, Duration::from_mins(1)).unwrap();
        assert_eq!(calls, [true, true, false, false]);

        let (turn, turns) = mpsc::channel();
        turn.send(()).unwrap();
        let refused = |_| Err(io::ErrorKind::Unsupported.into());
        let error = send(refused, &turns, Duration::from_mins(1)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
    }
}
