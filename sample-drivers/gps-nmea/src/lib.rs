//! A GPS receiver. See README.md.

#![forbid(unsafe_code)]

mod decoder;

use decoder::Decoder;
use loopgate_guest::prelude::*;

const POSITION: u32 = 1;
const NEXT_FIX: u32 = 2;

/// The event that requests for the next fix sleep on.
const FIX: u64 = 1;

/// How much is decoded in one go, in bytes: a handler has little time. What is
/// left makes the port interrupt again.
const CHUNK: u32 = 4096;

struct Gps {
    port: Port,
    lines: LineReader,
    decoder: Decoder,
    service: Service,
    _readable: Interrupt,
}

impl Driver for Gps {
    fn start(cx: &Context) -> Result<Self> {
        let port = cx.port("port", cx.config_or("baud", 0)?)?;
        let output = "the last fix, a JSON object; null where unknown";
        let service = cx
            .service("gps")
            // Many can wait for a fix, and others ask meanwhile.
            .concurrent()
            .selector(POSITION, "position", "", output)
            .selector(NEXT_FIX, "next-fix", "deadline in ms; 0: none", output);
        Ok(Self {
            lines: LineReader::new(nmea::SENTENCE_MAX_LEN).starting_with(b'$'),
            decoder: Decoder::default(),
            service: service.publish()?,
            _readable: cx.interrupt(&port.readable()?)?,
            port,
        })
    }

    fn interrupt(&mut self, _: InterruptId, _: Interrupts) -> Result<()> {
        let bytes = self.port.receive(CHUNK)?;
        let fixes = self.decoder.fixes();
        self.lines.push(&bytes, |line| self.decoder.line(line));
        if self.decoder.fixes() > fixes {
            self.service.wakeup_all(FIX);
        }
        Ok(())
    }
}

impl AsyncDriver for Gps {
    async fn command(this: Gated<Self>, request: Request) -> Result<Reply> {
        if request.selector == NEXT_FIX {
            next_fix(&this, request.scalars[0]).await?;
        }
        Ok(this.with(|gps| gps.decoder.to_string()).into())
    }
}

/// Sleeps until there is a fix that was not there when it was called;
/// `timed-out` after `limit` milliseconds, or never with 0.
async fn next_fix(this: &Gated<Gps>, limit: u64) -> Result<()> {
    let deadline = now() + limit.millis();
    let known = this.with(|gps| gps.decoder.fixes());
    while this.with(|gps| gps.decoder.fixes()) == known {
        match limit {
            0 => this.sleep(FIX).await?,
            _ => this.sleep_until(FIX, deadline).await?,
        }
    }
    Ok(())
}

driver!(async Gps);
