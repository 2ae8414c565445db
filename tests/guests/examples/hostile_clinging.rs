//! Uses all that it has, each millisecond and whenever it is asked, whatever comes
//! of it: for grants that are withdrawn. What it has are the pins `in` and `out`,
//! the port `port` and the service `target`, as far as its entry grants them when
//! it starts. The reply has the outcome of each call, one a line.

#![forbid(unsafe_code)]

use loopgate_guest::WorkLoop;
use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;

const USE: u32 = 1;
const HEARD: u32 = 2;
const DROP: u32 = 3;
const SUBMIT: u32 = 4;
const COMPLETED: u32 = 5;
const TOLD: u32 = 6;

/// Of the service behind `target`.
const WAIT: u32 = 3;

#[derive(Default)]
struct Had {
    input: Option<InputPin>,
    line: Option<Line>,
    source: Option<Interrupt>,
    output: Option<OutputPin>,
    port: Option<Port>,
    readable: Option<Interrupt>,
    client: Option<Client>,
}

struct Clinging {
    had: Had,
    heard: u64,
    completed: Vec<String>,
    told: Vec<String>,
    timer: Timer,
    _service: Service,
}

impl Driver for Clinging {
    fn start(cx: &Context) -> Result<Self> {
        let service = cx
            .service(service_name(cx, "clinging"))
            .concurrent()
            .selector(USE, "use", "", "what each call gave")
            .selector(
                HEARD,
                "heard",
                "",
                "interrupts of `in`, and readings of `port`",
            )
            .selector(DROP, "drop", "", "")
            .selector(SUBMIT, "submit", "", "what it gave")
            .selector(COMPLETED, "completed", "", "how its requests ended")
            .selector(TOLD, "told", "", "what it was told of its providers");
        let mut had = Had {
            input: cx.input("in").ok(),
            output: cx.output_high("out").ok(),
            port: cx.port("port", 0).ok(),
            client: cx.client("target").ok(),
            ..Had::default()
        };
        had.source = match &had.input {
            Some(input) => Some(cx.interrupt(&input.edges(Edges::Both)?)?),
            None => None,
        };
        had.readable = match &had.port {
            Some(port) => {
                had.line = Some(port.writable()?);
                Some(cx.interrupt(&port.readable()?)?)
            }
            None => None,
        };
        let timer = cx.timer()?;
        timer.set_timeout(1.millis())?;
        Ok(Self {
            had,
            heard: 0,
            completed: Vec::new(),
            told: Vec::new(),
            timer,
            _service: service.publish()?,
        })
    }

    fn interrupt(&mut self, source: InterruptId, event: Interrupts) -> Result<()> {
        self.heard += u64::from(event.count);
        if let (Some(port), Some(readable)) = (&mut self.had.port, &self.had.readable)
            && source == *readable
        {
            port.receive(1)?;
        }
        Ok(())
    }

    fn timeout(&mut self, _: TimerId, _: Timeout) -> Result<()> {
        self.had.use_all();
        self.timer.set_timeout(1.millis())
    }

    fn completed(&mut self, _: u32, _: RequestId, outcome: Result<Reply>) -> Result<()> {
        self.completed.push(told(outcome));
        Ok(())
    }

    fn structural(&mut self, event: StructuralEvent, service: &str) -> Readiness {
        self.told.push(format!("{event:?} {service}"));
        Readiness::Ready
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        match request.selector {
            USE => Ok(self.had.use_all().join("\n").into()),
            HEARD => Ok(self.heard.into()),
            DROP => {
                self.had = Had::default();
                Ok(().into())
            }
            SUBMIT => Ok(self.had.submit().into()),
            COMPLETED => Ok(self.completed.join("\n").into()),
            TOLD => Ok(self.told.join("\n").into()),
            _ => Err(ErrorCode::BadArgument.into()),
        }
    }
}

impl Had {
    fn use_all(&mut self) -> Vec<String> {
        let mut outcomes = Vec::new();
        let mut note = |what: &str, outcome: String| outcomes.push(format!("{what}: {outcome}"));
        if let Some(input) = &self.input {
            note("in is-high", told(input.is_high()));
            note("in interrupt", told(input.edges(Edges::Both)));
            note("in open", told(InputPin::open("in")));
        }
        if let Some(source) = &self.source {
            source.enable();
            source.take_occurrences(10);
            note("in source signal", told(source.signal()));
            note(
                "in source add",
                told(WorkLoop::get().add_event_source(source)),
            );
        }
        if let Some(output) = &self.output {
            note("out set", told(output.set(true)));
            note("out is-high", told(output.is_high()));
            note("out open", told(OutputPin::open("out", true)));
        }
        if let Some(port) = &mut self.port {
            note("port read", told(port.receive(1)));
            note("port write", told(port.send(b"x")));
            note("port errors", told(port.take_line_errors()));
            note("port break", told(port.send_break(1.millis())));
            note("port lines", told(port.modem_lines()));
            note("port dtr", told(port.set_dtr(true)));
            note("port rts", told(port.set_rts(true)));
            note("port readable", told(port.readable()));
            note("port open", told(Port::open("port", 0)));
        }
        if let Some(line) = &self.line {
            note("port line", told(Interrupt::create(Some(line))));
        }
        if let Some(client) = &self.client {
            let ask = Ask::default();
            note("client run", told(client.run_command(&ask, 1.millis())));
            note("client attempt", told(client.attempt_command(&ask)));
            note(
                "client immediate",
                told(client.immediate_command(&ask, 1.millis())),
            );
            note("client open", told(Client::open("target")));
        }
        outcomes
    }

    fn submit(&self) -> String {
        let ask = Ask {
            selector: WAIT,
            ..Ask::default()
        };
        let submitted = self.client.as_ref().ok_or(ErrorCode::NotReady.into());
        told(submitted.and_then(|client| client.submit_with_context(&ask, None, 0)))
    }
}

fn told<T>(outcome: Result<T>) -> String {
    outcome.map_or_else(|error| error.code().name().into(), |_| "ok".into())
}

driver!(Clinging);
