//! Leaves requests pending and ends them in every way, also in wrong ones. What
//! it got goes into a report, which a second service gives. A third one, which
//! config `beside` names, has the gate of the first.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;

/// Answered `scalars[1]` by the timer, `scalars[0]` ms later.
const LATER: u32 = 1;
/// Answered by the timer twice.
const TWICE: u32 = 2;
/// Never answered.
const NEVER: u32 = 3;
/// Ends the request whose id is `scalars[0]`, and tells what it got.
const UNKNOWN: u32 = 4;
/// Answered from the handler of a software interrupt.
const ON_INTERRUPT: u32 = 5;
/// Left pending, and dropped by the driver at once.
const DROP: u32 = 6;
/// Answered within the handler, which then says that it is pending.
const EARLY: u32 = 7;
/// All requests that are pending are answered `io`.
const FAIL_ALL: u32 = 8;
/// Answered 1 within the handler, and 2 by its return value.
const BOTH: u32 = 9;
/// Traps.
const TRAP: u32 = 10;
/// Answered `scalars[1]` at once, and noted.
const NOW: u32 = 11;

const REPORT: u32 = 100;
const REPORT_MAX: usize = 200;

struct Held {
    request: Pending,
    answer: u64,
    selector: u32,
}

struct Probe {
    timer: Timer,
    interrupt: Interrupt,
    held: Vec<Held>,
    report: Vec<String>,
    _gate: CommandGate,
    _report: Service,
}

impl Driver for Probe {
    fn start(cx: &Context) -> Result<Self> {
        let (gate, report) = publish(cx)?;
        Ok(Self {
            timer: cx.timer()?,
            interrupt: cx.software_interrupt()?,
            held: Vec::new(),
            report: Vec::new(),
            _gate: gate,
            _report: report,
        })
    }

    fn interrupt(&mut self, _: InterruptId, _: Interrupts) -> Result<()> {
        self.end(ON_INTERRUPT);
        Ok(())
    }

    fn timeout(&mut self, _: TimerId, _: Timeout) -> Result<()> {
        self.end(LATER);
        self.end(TWICE);
        Ok(())
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        match request.selector {
            REPORT => return Ok(self.report.join("\n").into()),
            UNKNOWN => {
                let id = RequestId::from_raw(request.scalars[0]);
                return Ok(told(loopgate_guest::complete(id, Ok(().into()))).into());
            }
            FAIL_ALL => {
                for held in std::mem::take(&mut self.held) {
                    let id = held.request.id().as_raw();
                    let got = held.request.complete(Err(ErrorCode::Io.into()));
                    self.note(format!("failed {id}: {}", told(got)));
                }
                return Ok(().into());
            }
            TRAP => panic!("told to"),
            NOW => {
                self.note(format!("now {}", request.id().as_raw()));
                return Ok(request.scalars[1].into());
            }
            _ => {}
        }
        self.defer(&request)
    }

    fn cancelled(&mut self, id: RequestId) {
        self.note(format!("cancelled {}", id.as_raw()));
        self.held.retain(|held| held.request.id() != id);
    }
}

impl Probe {
    fn defer(&mut self, request: &Request) -> Result<Reply> {
        let (pending, reply) = request.defer();
        match request.selector {
            LATER | TWICE => self.timer.set_timeout(request.scalars[0].millis())?,
            ON_INTERRUPT => self.interrupt.signal()?,
            EARLY => {
                let id = request.id().as_raw();
                let got = pending.complete(Ok(().into()));
                self.note(format!("early {id}: {}", told(got)));
                return Ok(reply);
            }
            BOTH => {
                pending.complete(Ok(1_u64.into()))?;
                return Ok(2_u64.into());
            }
            DROP => return Ok(reply),
            NEVER => {}
            _ => return Err(ErrorCode::BadArgument.into()),
        }
        self.held.push(Held {
            request: pending,
            answer: request.scalars[1],
            selector: request.selector,
        });
        Ok(reply)
    }

    /// Answers the requests of this selector.
    fn end(&mut self, selector: u32) {
        let ended = self.held.extract_if(.., |held| held.selector == selector);
        for held in ended.collect::<Vec<_>>() {
            let id = held.request.id();
            let got = held.request.complete(Ok(held.answer.into()));
            self.note(format!("completed {}: {}", id.as_raw(), told(got)));
            if selector == TWICE {
                let got = loopgate_guest::complete(id, Ok(held.answer.into()));
                self.note(format!("completed {} again: {}", id.as_raw(), told(got)));
            }
        }
    }

    fn note(&mut self, line: String) {
        if self.report.len() < REPORT_MAX {
            self.report.push(line);
        }
    }
}

fn publish(cx: &Context) -> Result<(CommandGate, Service)> {
    let name = service_name(cx, "pending");
    let report = format!("{name}-report");
    let pending = cx
        .service(name)
        .selector(LATER, "later", "after ms, answer", "the answer")
        .selector(TWICE, "twice", "after ms, answer", "the answer")
        .selector(NEVER, "never", "", "nothing, ever")
        .selector(ON_INTERRUPT, "on-interrupt", "0, answer", "the answer")
        .selector(DROP, "drop", "", "aborted")
        .selector(EARLY, "early", "", "whatever the host makes of it")
        .selector(BOTH, "both", "", "whatever the host makes of it")
        .selector(NOW, "now", "0, answer", "the answer");
    let pending = match cx.config("queueing") {
        Some("concurrent") => pending.concurrent(),
        _ => pending.serial(),
    };
    // A gate of its own: it answers while the other is held by a request.
    let report = cx
        .service(&report)
        .selector(REPORT, "report", "", "what the driver got, a line each")
        .selector(UNKNOWN, "unknown", "an id", "what completing it gave")
        .selector(FAIL_ALL, "fail-all", "", "nothing")
        .selector(TRAP, "trap", "", "nothing");
    let gate = cx.command_gate()?;
    pending.publish_through(&gate)?;
    if let Some(name) = cx.config("beside") {
        let beside = cx.service(name).serial();
        let beside = beside.selector(NOW, "now", "0, answer", "the answer");
        beside.publish_through(&gate)?;
    }
    Ok((gate, report.publish()?))
}

fn told(result: Result<()>) -> &'static str {
    result.map_or_else(|error| error.code().name(), |()| "ok")
}

driver!(Probe);
