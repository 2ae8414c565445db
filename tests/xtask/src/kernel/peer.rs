//! What is outside of the machine: who sends back what comes, and who plugs.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc;
use std::thread;

/// Sends back what comes through the first connection, until that ends. It reads
/// whether or not it can write: QEMU stands still where it does not.
pub(super) fn echo(listener: UnixListener) {
    thread::spawn(move || -> io::Result<()> {
        let (mut stream, _) = listener.accept()?;
        let mut back = stream.try_clone()?;
        let (sender, receiver) = mpsc::channel::<Vec<u8>>();
        thread::spawn(move || receiver.iter().try_for_each(|bytes| back.write_all(&bytes)));
        let mut piece = [0; 4096];
        loop {
            let count = stream.read(&mut piece)?;
            if count == 0 || sender.send(piece[..count].to_vec()).is_err() {
                return Ok(());
            }
        }
    });
}

/// QEMU's monitor.
pub(super) struct Monitor(UnixStream);

impl Monitor {
    pub(super) fn accept(listener: &UnixListener) -> io::Result<Self> {
        let (stream, _) = listener.accept()?;
        let mut answers = stream.try_clone()?;
        // Read, so that it never has to wait to say something.
        thread::spawn(move || io::copy(&mut answers, &mut io::sink()));
        Ok(Self(stream))
    }

    pub(super) fn plug(&mut self, there: bool) -> io::Result<()> {
        let command = if there {
            format!("device_add {ADAPTER}\n")
        } else {
            "device_del adapter\n".to_owned()
        };
        self.0.write_all(command.as_bytes())
    }
}

/// The USB adapter.
pub(super) const ADAPTER: &str = "usb-serial,chardev=usb,id=adapter,bus=xhci.0";
