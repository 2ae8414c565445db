//! Published services, and the handing of requests to the drivers behind them.

use crate::bindings::exports::loopgate::driver::handlers as wit;
use crate::bindings::loopgate::driver::request::{self as wit_request, Arguments};
use crate::driver::{Driver, Handler, Subject};
use crate::error::ErrorCode;
use crate::guest::Guest;
use crate::limits::LimitHit;
use crate::requests::{Client, Outcome, Pending, Reply, Requests, Turns};
use crate::submission::{Queue, Submission};
use crate::trace::Handlers;
use loopgate_workloop::{CommandGate, Context, EventSource as _, Wakeups};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};
use wasmtime::Store;

mod directory;
mod queue;

pub(crate) use directory::Services;

/// A service that an instance of a driver published.
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) driver: Arc<Driver>,
    /// Of the instance that published it, or that has taken it over.
    pub(crate) generation: AtomicU64,
    pub(crate) gate: Arc<CommandGate>,
    pub(crate) token: u32,
    pub(crate) serial: bool,
    pub(crate) input_max: u32,
    pub(crate) selectors: Vec<Selector>,
    /// Taken back by its driver, while clients may still wait for it.
    pub(crate) withdrawn: AtomicBool,
    pub(crate) turns: Arc<Turns>,
    /// Requests of other drivers that were not handed over yet; none where no
    /// other driver may open it.
    pub(crate) queue: OnceLock<Arc<Queue>>,
}

/// One thing that a service can be asked.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Selector {
    /// What the driver knows it by.
    pub number: u32,
    /// What people call it.
    pub name: String,
    /// What goes in.
    pub input: String,
    /// What comes out.
    pub output: String,
}

/// How a driver answered.
pub(crate) enum Answer {
    Done(Outcome),
    /// Not yet: the client sleeps until the request's event.
    Pending(u64, Arc<Pending>),
    /// Not yet: the other driver is told when it is.
    Later,
}

/// A pending request: for the driver's list, and for its client.
fn pending(id: u64, submission: Option<&Arc<Submission>>) -> (Client, Answer) {
    if let Some(submission) = submission {
        return (Client::Driver(submission.clone()), Answer::Later);
    }
    let pending = Arc::<Pending>::default();
    let client = Client::Outside(pending.clone());
    (client, Answer::Pending(id, pending))
}

/// What the client can do.
#[derive(Clone, Copy)]
pub(crate) struct Circumstances {
    pub(crate) may_wait: bool,
    pub(crate) immediate: bool,
    pub(crate) reply_max: u32,
}

impl Circumstances {
    /// Whether what the driver leaves pending can stay so.
    fn can_wait(self) -> bool {
        self.may_wait && !self.immediate
    }
}

impl From<Circumstances> for wit::Circumstances {
    fn from(circumstances: Circumstances) -> Self {
        Self {
            may_wait: circumstances.can_wait(),
            immediate: circumstances.immediate,
            reply_max: circumstances.reply_max,
        }
    }
}

impl Service {
    /// Refuses what must not reach the driver.
    pub(crate) fn check(&self, arguments: &Arguments) -> Result<(), (ErrorCode, String)> {
        let name = &self.name;
        if !self
            .selectors
            .iter()
            .any(|selector| selector.number == arguments.selector)
        {
            return Err((
                ErrorCode::BadArgument,
                format!(
                    "service `{name}` has no selector {}; `loopgate status {name}` lists them",
                    arguments.selector
                ),
            ));
        }
        let (size, most) = (arguments.data.len(), self.input_max);
        if size > most as usize {
            return Err((
                ErrorCode::BadArgument,
                format!("service `{name}` takes at most {most} bytes, the request has {size}"),
            ));
        }
        Ok(())
    }

    /// Whether the instance that published it has ended. Its gate is off the
    /// loop then, which must not look like a gate that was never on one.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_of_another() || self.driver.life().state != crate::State::Running
    }

    fn is_of_another(&self) -> bool {
        self.driver.generation() != self.generation.load(Relaxed)
    }

    /// Whether a client of this one would not notice that it is the other one.
    pub(crate) fn is_offered_as(&self, other: &Self) -> bool {
        self.name == other.name
            && Arc::ptr_eq(&self.gate, &other.gate)
            && (self.serial, self.input_max) == (other.serial, other.input_max)
            && self.selectors == other.selectors
            && !self.withdrawn.load(Relaxed)
    }

    /// Another instance of the driver offers it from now on.
    pub(crate) fn go_on(&self, generation: u64) {
        self.generation.store(generation, Relaxed);
    }

    /// Hands a request over if nothing has to be waited for.
    pub(crate) fn attempt(
        &self,
        cx: &Context,
        circumstances: Circumstances,
        arguments: &Arguments,
    ) -> Outcome {
        let answer = self.gate.attempt_action(cx, || {
            // The loop's own thread would be let in: that is for its events,
            // not for the clients among its drivers.
            if !self.gate.is_enabled() {
                return Err(ErrorCode::NotPermitted);
            }
            if !circumstances.immediate && self.is_busy() {
                return Err(ErrorCode::Busy);
            }
            self.command(cx, circumstances, arguments)
        });
        match answer {
            Ok(Ok(Answer::Done(outcome))) => outcome,
            Ok(Ok(Answer::Pending(..) | Answer::Later)) => Err(ErrorCode::Busy),
            Ok(Err(code)) => Err(code),
            Err(_) if self.is_gone() => Err(ErrorCode::DriverDied),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether a client must wait for its turn.
    pub(crate) fn is_busy(&self) -> bool {
        let pending = || {
            self.driver
                .with_guest(|guest| guest.requests.is_busy(self.token))
        };
        let turn = || self.driver.counters.has_pending() && pending().unwrap_or(false);
        !self.withdrawn.load(Relaxed) && (self.driver.is_draining() || self.serial && turn())
    }

    /// Taken back by its driver: clients that wait for it find out.
    fn withdraw(&self, code: ErrorCode) {
        self.withdrawn.store(true, Relaxed);
        self.gate.wakeup(Requests::turn(self.token), Wakeups::All);
        self.close_queue(code);
    }

    /// Hands a request to the driver. The gate is closed by `cx`. An error is
    /// the host's; the driver's own stands in the answer.
    pub(crate) fn command(
        &self,
        cx: &Context,
        circumstances: Circumstances,
        arguments: &Arguments,
    ) -> Result<Answer, ErrorCode> {
        self.hand_over(cx, circumstances, arguments, None)
    }

    fn hand_over(
        &self,
        cx: &Context,
        circumstances: Circumstances,
        arguments: &Arguments,
        submission: Option<&Arc<Submission>>,
    ) -> Result<Answer, ErrorCode> {
        if self.is_of_another() {
            return Err(ErrorCode::DriverDied);
        }
        if self.withdrawn.load(Relaxed) {
            return Err(ErrorCode::Aborted);
        }
        self.driver.counters.command();
        let driver_was_last = &self.turns.driver_was_last;
        driver_was_last.store(submission.is_some(), Relaxed);
        let subject = Subject {
            token: Some(self.token),
            source: None,
        };
        let driver = &self.driver;
        driver.call_for(cx, Handler::Command, subject, |store, handlers| {
            self.call_command(store, handlers, circumstances, arguments, submission)
        })
    }

    fn call_command(
        &self,
        store: &mut Store<Guest>,
        handlers: Handlers<'_>,
        circumstances: Circumstances,
        arguments: &Arguments,
        submission: Option<&Arc<Submission>>,
    ) -> wasmtime::Result<Answer> {
        let id = store.data_mut().requests.begin(circumstances.immediate);
        if submission.is_some_and(|submission| !submission.hand_over(id)) {
            store.data_mut().requests.end();
            return Ok(Answer::Done(Err(ErrorCode::Aborted)));
        }
        let told = circumstances.into();
        let outcome = handlers.call_command(&mut *store, self.token, id, told, arguments)?;
        let mut ended = store.data_mut().requests.end();
        let mut answered = match (ended.early.take(), outcome) {
            (Some(early), outcome) => {
                if matches!(outcome, wit::Outcome::Done(_)) {
                    self.driver.log.host(&format!("answered request {id} twice, by `io-command-is-complete` and by its return value; the first counts"));
                }
                early
            }
            (None, wit::Outcome::Done(outcome)) => outcome.map(Into::into).map_err(Into::into),
            (None, wit::Outcome::Pending) => {
                let can_wait = circumstances.can_wait();
                let requests = &mut store.data_mut().requests;
                if can_wait && requests.has_room() {
                    let (client, answer) = pending(id, submission);
                    requests.keep(id, self.token, &self.gate, &ended, client);
                    return Ok(answer);
                }
                handlers.call_cancelled(&mut *store, id)?;
                Err(if can_wait {
                    let hit = LimitHit::Pending(self.driver.limits.requests);
                    self.driver.log.host(&hit.to_string());
                    ErrorCode::NoResources
                } else {
                    ErrorCode::Busy
                })
            }
        };
        self.bound(&mut answered, circumstances.reply_max);
        Ok(Answer::Done(answered))
    }

    /// The client of a pending request gives up: tells the driver, unless the
    /// request ended meanwhile.
    pub(crate) fn cancel(&self, cx: &Context, id: u64) {
        if self.is_of_another() {
            return;
        }
        self.driver.cancelled(cx, id);
    }

    /// Whether anybody waits for a turn at this gate is counted: every client
    /// that leaves asks, and there is hardly ever one.
    pub(crate) fn next_turn(&self) {
        if self.turns.outside.load(Relaxed) > 0 {
            self.gate.wakeup(Requests::turn(self.token), Wakeups::One);
        }
        if let Some(mailbox) = self.turns.mailbox.get()
            && mailbox.has_waiting()
        {
            mailbox.signal();
        }
    }

    /// Refuses a reply that its client did not make room for: lowering it
    /// into a guest would kill the client for the provider's fault.
    pub(crate) fn bound(&self, outcome: &mut Outcome, reply_max: u32) {
        if let Ok(reply) = outcome
            && reply.data.len() > reply_max as usize
        {
            let (size, name) = (reply.data.len(), &self.name);
            self.driver.log.host(&format!("service `{name}` answered with {size} bytes where the client takes {reply_max}; the client gets `io`"));
            *outcome = Err(ErrorCode::Io);
        }
    }
}

impl From<wit_request::Reply> for Reply {
    fn from(reply: wit_request::Reply) -> Self {
        Self {
            scalar: reply.scalar,
            data: reply.data,
        }
    }
}

impl From<Reply> for wit_request::Reply {
    fn from(reply: Reply) -> Self {
        Self {
            scalar: reply.scalar,
            data: reply.data,
        }
    }
}
