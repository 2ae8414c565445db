//! A client: calls the service that config `target` names, and reports what
//! came of it as text: `ok`, `ok` and the reply's text, or the error code.
//!
//! `scalars`: the target's selector, the wait in milliseconds, and the first
//! two scalars of the request to the target. A chain or a cycle of these
//! drivers thus calls as deep as the scalars tell.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;

const RUN: u32 = 1;
const ATTEMPT: u32 = 2;

struct Calls {
    target: String,
    reply_max: u32,
    _service: Service,
}

impl Driver for Calls {
    fn start(cx: &Context) -> Result<Self> {
        let input = "target's selector, wait in ms, two scalars; data for the target";
        let service = cx
            .service(service_name(cx, "calls"))
            .input_max(4096)
            .selector(RUN, "run", input, "what came of it")
            .selector(ATTEMPT, "attempt", input, "what came of it");
        Ok(Self {
            target: cx.config("target").unwrap_or("echo").into(),
            reply_max: cx.config_or("reply-max", 4096)?,
            _service: service.publish()?,
        })
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        Ok(match self.ask(&request) {
            Ok(reply) if reply.data().is_empty() => Reply::new(reply.scalar(), "ok"),
            Ok(reply) => Reply::new(reply.scalar(), [b"ok ", reply.data()].concat()),
            Err(error) => error.code().name().into(),
        })
    }
}

impl Calls {
    fn ask(&self, request: &Request) -> Result<Reply> {
        let [selector, wait, first, second] = request.scalars;
        let ask = Ask {
            selector: u32::try_from(selector).unwrap_or(u32::MAX),
            scalars: [first, second, 0, 0],
            data: &request.data,
            reply_max: self.reply_max,
        };
        // Opened for each call: two of these can then name each other.
        let client = Client::open(&self.target)?;
        match request.selector {
            RUN => client.run_command(&ask, wait.millis()),
            _ => client.attempt_command(&ask),
        }
    }
}

driver!(Calls);
