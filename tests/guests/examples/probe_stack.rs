//! Part of a stack of drivers: opens the services that config `open` names
//! (words), offers `service` (`stack` unless told), and notes what it is told
//! of the drivers around it, in its log too.
//!
//! `answer`: what it does about a provider that goes. `ready` (unless told)
//! leaves it to the host, `close` closes at once, `closing` asks for time, and
//! closes after `close-ms`, or at an edge of the input that `edge` names; `trap`
//! panics. `start-ms` and `told-ms`: how long its `start` takes, and to be told
//! of a provider that goes.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;

/// What it was told, a line each.
const REPORT: u32 = 1;
/// Opens the service that the data names. The reply is what came of it.
const OPEN: u32 = 2;
/// Closes one that it has open of it.
const CLOSE: u32 = 3;
/// Asks the service that the data names, which it has open, for its report's
/// length; the reply is what came of it.
const ASK: u32 = 4;
/// Opens and closes it `scalars[0]` times.
const OFTEN: u32 = 5;
/// Takes its service back, or offers it again.
const WITHDRAW: u32 = 6;
const OFFER: u32 = 7;
/// Panics.
const TRAP: u32 = 8;
/// Answered when it closes what it has open.
const LATER: u32 = 9;

const REPORT_MAX: usize = 100;

struct Probe {
    name: String,
    open: Vec<(String, Client)>,
    answer: String,
    close_after: Option<u64>,
    told_takes: u64,
    timer: Timer,
    _edge: Option<Interrupt>,
    report: Vec<String>,
    pending: Vec<Pending>,
    service: Option<Service>,
    _control: Option<Service>,
}

impl Driver for Probe {
    fn start(cx: &Context) -> Result<Self> {
        info!("start");
        delay(cx.config_or("start-ms", 0)?.millis())?;
        let open = cx.config("open").unwrap_or_default().split_whitespace();
        let open = open.map(|service| Ok((service.to_owned(), cx.client(service)?)));
        let name = service_name(cx, "stack").to_owned();
        let edge = match cx.config("edge") {
            None => None,
            Some(pin) => Some(cx.interrupt(&cx.input(pin)?.edges(Edges::Both)?)?),
        };
        let control = cx.config("control").map(offer).transpose()?;
        Ok(Self {
            service: Some(offer(&name)?),
            open: open.collect::<Result<_>>()?,
            answer: cx.config("answer").unwrap_or("ready").into(),
            told_takes: cx.config_or("told-ms", 0)?,
            close_after: cx.config("close-ms").and_then(|text| text.parse().ok()),
            timer: cx.timer()?,
            _edge: edge,
            report: Vec::new(),
            pending: Vec::new(),
            _control: control,
            name,
        })
    }

    fn structural(&mut self, event: StructuralEvent, service: &str) -> Readiness {
        info!("{event:?} {service}");
        if self.report.len() < REPORT_MAX {
            self.report.push(format!("{event:?} {service}"));
        }
        if event != StructuralEvent::ProviderTerminated {
            return Readiness::Ready;
        }
        let _ = delay(self.told_takes.millis());
        match &*self.answer {
            "close" => self.open.retain(|(open, _)| open != service),
            "closing" => {
                if let Some(after) = self.close_after {
                    let _ = self.timer.set_timeout(after.millis());
                }
                return Readiness::Closing;
            }
            "trap" => panic!("told to"),
            _ => {}
        }
        Readiness::Ready
    }

    fn timeout(&mut self, _: TimerId, _: Timeout) -> Result<()> {
        self.close()
    }

    fn interrupt(&mut self, _: InterruptId, _: Interrupts) -> Result<()> {
        self.close()
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        let service = String::from_utf8_lossy(&request.data).into_owned();
        Ok(match request.selector {
            REPORT => self.report.join("\n").into(),
            OPEN => told(Client::open(&service).map(|client| self.open.push((service, client)))),
            CLOSE => {
                let index = self.open.iter().position(|(open, _)| *open == service);
                index.map(|index| self.open.remove(index));
                ().into()
            }
            ASK => {
                let client = self.open.iter().rfind(|(open, _)| *open == service);
                let (_, client) = client.ok_or(ErrorCode::NotReady)?;
                let ask = Ask {
                    selector: REPORT,
                    reply_max: 4096,
                    ..Ask::default()
                };
                told(client.run_command(&ask, 100.millis()).map(drop))
            }
            OFTEN => {
                for _ in 0..request.scalars[0] {
                    drop(Client::open(&service)?);
                }
                ().into()
            }
            WITHDRAW => {
                self.service = None;
                ().into()
            }
            OFFER => {
                self.service = Some(offer(&self.name)?);
                ().into()
            }
            LATER => {
                let (pending, reply) = request.defer();
                self.pending.push(pending);
                reply
            }
            _ => panic!("told to"),
        })
    }

    fn stop(&mut self) {
        info!("stop");
    }
}

impl Probe {
    fn close(&mut self) -> Result<()> {
        info!("closes");
        self.open.clear();
        let mut pending = self.pending.drain(..);
        pending.try_for_each(|pending| pending.complete(Ok(().into())))
    }
}

fn offer(name: &str) -> Result<Service> {
    ServiceBuilder::new(name)
        .concurrent()
        .input_max(64)
        .selector(REPORT, "report", "", "what it was told")
        .selector(OPEN, "open", "a service", "what came of it")
        .selector(CLOSE, "close", "a service", "")
        .selector(ASK, "ask", "a service", "what came of it")
        .selector(OFTEN, "often", "how often; a service", "")
        .selector(WITHDRAW, "withdraw", "", "")
        .selector(OFFER, "offer", "", "")
        .selector(TRAP, "trap", "", "nothing")
        .selector(LATER, "later", "", "")
        .publish()
}

fn told(result: Result<()>) -> Reply {
    let told = result.map_or_else(|error| error.code().name(), |()| "ok");
    told.into()
}

driver!(Probe);
