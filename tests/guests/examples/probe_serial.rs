//! Opens (at the start, if config `open` is `start`) and uses its serial port
//! `port` as it is asked to, and says what came of it; counts what `readable`
//! tells.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_guest::{LineErrors, ModemLines, WorkLoop};
use loopgate_test_guests::service_name;

const OPEN: u32 = 1;
const READ: u32 = 2;
const LINES: u32 = 3;
const DTR: u32 = 4;
const RTS: u32 = 5;
const BREAK: u32 = 6;
const HEARD: u32 = 7;

struct Probe {
    port: Option<Port>,
    readable: Option<Interrupt>,
    heard: u64,
    _service: Service,
}

impl Driver for Probe {
    fn start(cx: &Context) -> Result<Self> {
        let service = cx
            .service(service_name(cx, "serial"))
            .selector(OPEN, "open", "", "")
            .selector(READ, "read", "", "the bytes, and what came after them")
            .selector(LINES, "lines", "", "the active ones")
            .selector(DTR, "dtr", "0 or 1", "")
            .selector(RTS, "rts", "0 or 1", "")
            .selector(BREAK, "break", "how long, in ns", "")
            .selector(HEARD, "heard", "", "how often `readable` told");
        let mut probe = Self {
            port: None,
            readable: None,
            heard: 0,
            _service: service.publish()?,
        };
        if cx.config("open") == Some("start") {
            probe.open()?;
        }
        Ok(probe)
    }

    fn interrupt(&mut self, _: InterruptId, event: Interrupts) -> Result<()> {
        self.heard += u64::from(event.count);
        Ok(())
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        if request.selector == OPEN {
            return self.open().map(Into::into);
        }
        if request.selector == HEARD {
            return Ok(self.heard.into());
        }
        let port = self.port.as_mut().ok_or(ErrorCode::NotReady)?;
        let active = request.scalars[0] == 1;
        match request.selector {
            READ => read(port),
            LINES => Ok(shown(port.modem_lines()?).into()),
            DTR => Ok(port.set_dtr(active)?.into()),
            RTS => Ok(port.set_rts(active)?.into()),
            BREAK => Ok(port
                .send_break(Duration::from_nanos(request.scalars[0]))?
                .into()),
            _ => Err(ErrorCode::BadArgument.into()),
        }
    }
}

impl Probe {
    fn open(&mut self) -> Result<()> {
        let port = Port::open("port", 0)?;
        let readable = Interrupt::create(Some(&port.readable()?))?;
        WorkLoop::get().add_event_source(&readable)?;
        readable.enable();
        (self.port, self.readable) = (Some(port), Some(readable));
        Ok(())
    }
}

fn read(port: &mut Port) -> Result<Reply> {
    let bytes = port.receive(100)?;
    let LineErrors {
        breaks,
        damaged,
        lost,
    } = port.take_line_errors()?;
    let bytes = String::from_utf8_lossy(&bytes);
    Ok(format!("{bytes} {breaks} {damaged} {lost}").into())
}

fn shown(lines: ModemLines) -> String {
    let ModemLines { cts, dsr, dcd, ri } = lines;
    let all = [(cts, "cts"), (dsr, "dsr"), (dcd, "dcd"), (ri, "ri")];
    let active: Vec<_> = all.into_iter().filter(|line| line.0).collect();
    active
        .iter()
        .map(|line| line.1)
        .collect::<Vec<_>>()
        .join(" ")
}

driver!(Probe);
