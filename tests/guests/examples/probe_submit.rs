//! Submits requests to the service that config `target` names, and notes what
//! becomes of them, in the order in which it was called. Service: config
//! `service` (`submit` unless told).
//!
//! Contexts count from 1000. With config `stop` its `stop` submits `stop`'s
//! selector, and logs what it got.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;

/// `scalars`: the target's selector, two scalars for it, the deadline in ms (0
/// is none); the data goes along. The reply is the id, or the error's name.
const SUBMIT: u32 = 1;
/// `scalars[0]`: an id. The reply is what cancelling it gave.
const CANCEL: u32 = 2;
/// What was noted, a line each.
const REPORT: u32 = 3;
/// As `submit`, without end; the reply is how many went, and how it ended.
const FLOOD: u32 = 4;
/// As `submit`, and each completion submits it again, `scalars[3]` times.
const AGAIN: u32 = 5;
/// How many completions there were.
const COMPLETED: u32 = 6;
/// As `submit`, and cancels the request in the same handler, twice.
const CANCEL_AT_ONCE: u32 = 7;
/// Drops the client, and opens it again.
const REOPEN: u32 = 8;
/// The id that `scalars[0]` names is completed as if it had been received.
const COMPLETE: u32 = 9;
/// As `submit`, but through a second client; then cancels it through the first.
const CANCEL_OTHERS: u32 = 10;
/// Panics.
const TRAP: u32 = 11;
/// `immediate-command` of the target; the reply is its scalar.
const IMMEDIATE: u32 = 12;

const REPORT_MAX: usize = 300;
const CONTEXTS: u32 = 1000;

struct Probe {
    target: String,
    client: Client,
    second: Client,
    reply_max: u32,
    contexts: u32,
    completed: u64,
    /// What `again` submits, and how often still.
    again: Option<(Sent, u64)>,
    stop: Option<u32>,
    report: Vec<String>,
    _service: Service,
}

#[derive(Clone)]
struct Sent {
    selector: u32,
    scalars: [u64; 4],
    data: Vec<u8>,
    deadline: u64,
}

impl From<&Request> for Sent {
    fn from(request: &Request) -> Self {
        let [selector, first, second, deadline] = request.scalars;
        Self {
            selector: u32::try_from(selector).unwrap_or(u32::MAX),
            scalars: [first, second, 0, 0],
            data: request.data.clone(),
            deadline,
        }
    }
}

impl Driver for Probe {
    fn start(cx: &Context) -> Result<Self> {
        let target = cx.config("target").unwrap_or("pending");
        let mut probe = Self {
            target: target.into(),
            client: cx.client(target)?,
            second: cx.client(target)?,
            reply_max: cx.config_or("reply-max", 4096)?,
            contexts: CONTEXTS,
            completed: 0,
            again: None,
            stop: cx.config("stop").and_then(|selector| selector.parse().ok()),
            report: Vec::new(),
            _service: publish(cx)?,
        };
        if let Some(selector) = cx.config("start").and_then(|text| text.parse().ok()) {
            let sent = Sent {
                selector,
                scalars: [0; 4],
                data: Vec::new(),
                deadline: 0,
            };
            let told = told(probe.submit(&sent).map(RequestId::as_raw));
            probe.note(format!("start: {told}"));
        }
        Ok(probe)
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        let sent = Sent::from(&request);
        let id = RequestId::from_raw(request.scalars[0]);
        match request.selector {
            SUBMIT => {
                let id = self.submit(&sent)?;
                self.note(format!("submitted {}", id.as_raw()));
                Ok(id.as_raw().into())
            }
            CANCEL => Ok(self.cancel(id).into()),
            REPORT => Ok(self.report.join("\n").into()),
            FLOOD => Ok(self.flood(&sent)),
            AGAIN => {
                self.again = Some((
                    Sent {
                        deadline: 0,
                        ..sent.clone()
                    },
                    sent.deadline,
                ));
                Ok(self
                    .submit(&Sent {
                        deadline: 0,
                        ..sent
                    })?
                    .as_raw()
                    .into())
            }
            COMPLETED => Ok(self.completed.into()),
            CANCEL_AT_ONCE => {
                let id = self.submit(&sent)?;
                Ok(format!("{}, {}", self.cancel(id), self.cancel(id)).into())
            }
            REOPEN => {
                self.client = Client::open(&self.target)?;
                Ok(().into())
            }
            COMPLETE => Ok(told(loopgate_guest::complete(id, Ok(().into())).map(|()| 0)).into()),
            CANCEL_OTHERS => {
                let id = self.send(&self.second, &sent, 0)?;
                Ok(self.cancel(id).into())
            }
            IMMEDIATE => {
                let reply = self
                    .client
                    .immediate_command(&self.ask(&sent), 100.millis());
                Ok(told(reply.map(|reply| reply.scalar())).into())
            }
            _ => panic!("told to"),
        }
    }

    fn completed(&mut self, context: u32, id: RequestId, outcome: Result<Reply>) -> Result<()> {
        self.completed += 1;
        let outcome = match outcome {
            Ok(reply) => format!("ok {} {}", reply.scalar(), reply.data().len()),
            Err(error) => error.code().name().into(),
        };
        self.note(format!("completed {} as {context}: {outcome}", id.as_raw()));
        if let Some((sent, left)) = self.again.take()
            && left > 0
        {
            self.submit(&sent)?;
            self.again = Some((sent, left - 1));
        }
        Ok(())
    }

    fn stop(&mut self) {
        if let Some(selector) = self.stop {
            let sent = Sent {
                selector,
                scalars: [0; 4],
                data: Vec::new(),
                deadline: 0,
            };
            let submitted = self.submit(&sent).map(RequestId::as_raw);
            info!("submitted in stop: {}", told(submitted));
        }
    }
}

impl Probe {
    fn submit(&mut self, sent: &Sent) -> Result<RequestId> {
        let context = self.contexts;
        self.contexts += 1;
        self.send(&self.client, sent, context)
    }

    fn send(&self, client: &Client, sent: &Sent, context: u32) -> Result<RequestId> {
        let deadline = (sent.deadline > 0).then(|| now() + sent.deadline.millis());
        client.submit_with_context(&self.ask(sent), deadline, context)
    }

    fn ask<'a>(&self, sent: &'a Sent) -> Ask<'a> {
        Ask {
            selector: sent.selector,
            scalars: sent.scalars,
            data: &sent.data,
            reply_max: self.reply_max,
        }
    }

    fn cancel(&self, id: RequestId) -> String {
        told(self.client.cancel(id).map(|()| 0))
    }

    fn flood(&mut self, sent: &Sent) -> Reply {
        for count in 0.. {
            if let Err(error) = self.submit(sent) {
                return Reply::new(count, error.code().name());
            }
        }
        ().into()
    }

    fn note(&mut self, line: String) {
        if self.report.len() < REPORT_MAX {
            self.report.push(line);
        }
    }
}

fn publish(cx: &Context) -> Result<Service> {
    let asked = "target's selector, two scalars, deadline in ms; data for the target";
    cx.service(service_name(cx, "submit"))
        .input_max(4096)
        .selector(SUBMIT, "submit", asked, "its id")
        .selector(CANCEL, "cancel", "an id", "what it gave")
        .selector(REPORT, "report", "", "what happened, a line each")
        .selector(FLOOD, "flood", asked, "how many; what ended it")
        .selector(AGAIN, "again", "the same, but how often", "the first id")
        .selector(COMPLETED, "completed", "", "how many")
        .selector(
            CANCEL_AT_ONCE,
            "cancel-at-once",
            asked,
            "what it gave, twice",
        )
        .selector(REOPEN, "reopen", "", "")
        .selector(COMPLETE, "complete", "an id", "what it gave")
        .selector(CANCEL_OTHERS, "cancel-others", asked, "what it gave")
        .selector(TRAP, "trap", "", "nothing")
        .selector(IMMEDIATE, "immediate", asked, "what it gave")
        .publish()
}

fn told(result: Result<u64>) -> String {
    result.map_or_else(
        |error| error.code().name().into(),
        |value| format!("ok {value}"),
    )
}

driver!(Probe);
