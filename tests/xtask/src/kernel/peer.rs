//! What is outside of the machine: who sends back what comes, and who plugs.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

/// Sends back what comes through the first connection, until that ends. It reads
/// whether or not it can write: QEMU stands still where it does not.
pub(super) fn echo(listener: UnixListener) {
    thread::spawn(move || -> std::io::Result<()> {
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

/// The USB adapter, as QEMU's options have it.
pub(super) const ADAPTER: &str = "usb-serial,chardev=usb,id=adapter,bus=xhci.0";

/// QEMU's monitor, by the protocol for machines.
pub(super) struct Monitor(BufReader<UnixStream>);

impl Monitor {
    pub(super) fn accept(listener: &UnixListener) -> Result<Self> {
        const PATIENCE: Duration = Duration::from_mins(1);
        let (stream, _) = listener.accept()?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut monitor = Self(BufReader::new(stream));
        monitor.execute("qmp_capabilities", &json!({}))?;
        Ok(monitor)
    }

    /// A break comes to the 16550.
    pub(super) fn send_break(&mut self) -> Result<()> {
        let sent = self.execute("chardev-send-break", &json!({ "id": "uart" }))?;
        sent.map_or(Ok(()), |refused| bail!("sending a break: {refused}"))
    }

    pub(super) fn plug(&mut self, there: bool) -> Result<()> {
        if !there {
            let unplugged = self.execute("device_del", &json!({ "id": "adapter" }))?;
            return unplugged.map_or(Ok(()), |refused| bail!("unplugging: {refused}"));
        }
        let adapter = json!({
            "driver": "usb-serial", "chardev": "usb", "id": "adapter", "bus": "xhci.0",
        });
        // The last one keeps its name until the machine has let go of it.
        let began = Instant::now();
        while let Some(refused) = self.execute("device_add", &adapter)? {
            if began.elapsed() > Duration::from_secs(30) {
                bail!("plugging in: {refused}");
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Why it was refused.
    fn execute(&mut self, command: &str, arguments: &Value) -> Result<Option<String>> {
        let command = json!({ "execute": command, "arguments": arguments });
        writeln!(self.0.get_mut(), "{command}")?;
        loop {
            let mut line = String::new();
            let read = self.0.read_line(&mut line);
            if read.context("the emulator's monitor does not answer")? == 0 {
                bail!("the emulator has ended");
            }
            let said: Value = serde_json::from_str(&line)?;
            if said.get("return").is_some() {
                return Ok(None);
            }
            if let Some(error) = said.get("error") {
                return Ok(Some(error["desc"].to_string()));
            }
        }
    }
}
