//! The port: it answers each line with its length and the line.

use crate::{Defect, Porch};
use loopgate_guest::prelude::*;

/// The longest line that is understood.
const LINE_MAX: usize = 64;

/// The most that waits to be sent; more answers are left out.
const UNSENT_MAX: usize = 4096;

/// What is read at once.
const CHUNK: u32 = 256;

#[derive(Debug)]
pub(crate) struct Wire {
    port: Port,
    _sources: [Interrupt; 2],
    /// What has come of a line; one byte more than the longest tells a longer one.
    pub(crate) line: Vec<u8>,
    pub(crate) unsent: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(cx: &Context, port: Port) -> Result<Self> {
        Ok(Self {
            _sources: [
                cx.interrupt(&port.readable()?)?,
                cx.interrupt(&port.writable()?)?,
            ],
            line: Vec::new(),
            unsent: Vec::new(),
            port,
        })
    }

    fn send(&mut self) -> Result<()> {
        while !self.unsent.is_empty() {
            let sent = self.port.send(&self.unsent)?;
            if sent == 0 {
                break;
            }
            self.unsent.drain(..sent);
        }
        Ok(())
    }
}

impl Porch {
    /// Reads what is there, and sends what there is room for.
    pub(crate) fn talk(&mut self) -> Result<()> {
        loop {
            let read = self.wire.port.receive(CHUNK);
            if self.has(Defect::UnwrapsRead) {
                read.as_ref().unwrap();
            }
            let bytes = read?;
            if bytes.is_empty() {
                return self.wire.send();
            }
            let from = usize::from(self.has(Defect::ForgetsAByte) && !self.wire.line.is_empty());
            for &byte in &bytes[from..] {
                self.hear(byte)?;
            }
        }
    }

    fn hear(&mut self, byte: u8) -> Result<()> {
        if byte != b'\n' {
            if self.wire.line.len() <= LINE_MAX {
                self.wire.line.push(byte);
            }
            return Ok(());
        }
        let line = std::mem::take(&mut self.wire.line);
        let mut answer = match line.len() {
            length if length > LINE_MAX => b"too long".to_vec(),
            length => [format!("{length} ").as_bytes(), &line].concat(),
        };
        let end: &[u8] = if self.has(Defect::WrongReply) {
            b"\r\n"
        } else {
            b"\n"
        };
        answer.extend(end);
        if self.wire.unsent.len() + answer.len() <= UNSENT_MAX {
            self.wire.unsent.extend(answer);
        }
        self.tell(line.len() as u64, &line)
    }
}
