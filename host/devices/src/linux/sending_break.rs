//! A break on its way out.
//!
//! The kernel begins one when it has sent what it was given before, and has its
//! caller wait for that; so a break has a thread, for as long as it takes.

use std::io;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use serial2::SerialPort as Lines;

use super::port::Port;

/// Dropping it ends the break.
pub(super) struct SendingBreak {
    /// How many bytes the kernel is to be given before it.
    after: usize,
    turn: Sender<()>,
}

impl SendingBreak {
    pub(super) fn start(
        port: &Arc<Port>,
        lines: Arc<Lines>,
        after: usize,
        length: Duration,
    ) -> io::Result<Self> {
        let (turn, turns) = mpsc::channel();
        let port = Arc::downgrade(port);
        thread::Builder::new()
            .name("serial-break".to_owned())
            .spawn(move || send(&port, &lines, &turns, length))?;
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

fn send(port: &Weak<Port>, lines: &Arc<Lines>, turns: &Receiver<()>, length: Duration) {
    // What fails has vanished, which whoever reads from it finds.
    if turns.recv().is_ok() && lines.set_break(true).is_ok() {
        // Nobody has a second turn: this is over at the end of the one or the other.
        let _ = turns.recv_timeout(length);
        let _ = lines.set_break(false);
    }
    if let Some(port) = port.upgrade() {
        port.break_is_over(lines);
    }
}
