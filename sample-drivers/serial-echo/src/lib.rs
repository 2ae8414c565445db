//! A serial port that answers with what it hears. See README.md.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;

/// How much is read before it is written, in bytes: all that is ever held.
const CHUNK: u32 = 8 * 1024;

/// Chunks in one go. A fast peer would keep the handler busy past its time.
const ROUNDS: usize = 4;

struct SerialEcho {
    port: Port,
    /// Read and not yet written.
    held: Vec<u8>,
    echoed: u64,
    /// Goes on where a handler stopped before there was nothing left to do.
    more: Interrupt,
    _lines: [Interrupt; 2],
    _service: Service,
}

impl Driver for SerialEcho {
    fn start(cx: &Context) -> Result<Self> {
        let port = cx.port("port", cx.config_or("baud", 0)?)?;
        let service = cx.service("serial-echo");
        Ok(Self {
            held: Vec::new(),
            echoed: 0,
            more: cx.software_interrupt()?,
            _lines: [
                cx.interrupt(&port.readable()?)?,
                cx.interrupt(&port.writable()?)?,
            ],
            _service: service
                .selector(1, "bytes", "", "how many bytes were sent back")
                .publish()?,
            port,
        })
    }

    fn interrupt(&mut self, _: InterruptId, _: Interrupts) -> Result<()> {
        for _ in 0..ROUNDS {
            if self.held.is_empty() {
                self.held = self.port.receive(CHUNK)?;
            }
            let sent = self.port.send(&self.held)?;
            self.echoed += sent as u64;
            self.held.drain(..sent);
            // Nothing came: `readable` follows. No room: `writable` follows,
            // and until then nothing is read, so that the host's buffer fills
            // up and the peer is slowed instead of losing bytes.
            if sent == 0 || !self.held.is_empty() {
                return Ok(());
            }
        }
        self.more.signal()
    }

    fn command(&mut self, _: Request) -> Result<Reply> {
        Ok(Reply::new(self.echoed, self.echoed.to_string()))
    }
}

driver!(SerialEcho);
