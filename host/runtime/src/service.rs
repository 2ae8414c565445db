//! Published services, and the handing of requests to the drivers behind them.

use crate::bindings::exports::loopgate::driver::handlers as wit;
use crate::bindings::loopgate::driver::request::{self as wit_request, Arguments};
use crate::driver::{Driver, Handler};
use crate::error::ErrorCode;
use crate::guest::Guest;
use crate::requests::{Outcome, Pending, Reply, Requests};
use loopgate_workloop::{CommandGate, Context, EventSource as _, Wakeups};
use parking_lot::RwLock;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use wasmtime::Store;

/// A service that an instance of a driver published.
pub(crate) struct Service {
    pub(crate) name: String,
    pub(crate) driver: Arc<Driver>,
    /// Of the instance that published it; a later one publishes anew.
    pub(crate) generation: u64,
    pub(crate) gate: Arc<CommandGate>,
    pub(crate) token: u32,
    pub(crate) serial: bool,
    pub(crate) input_max: u32,
    pub(crate) selectors: Vec<Selector>,
    /// Taken back by its driver, while clients may still wait for it.
    pub(crate) withdrawn: AtomicBool,
}

/// One thing that a service can be asked.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
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
}

/// What the client can do.
#[derive(Clone, Copy)]
pub(crate) struct Circumstances {
    pub(crate) may_wait: bool,
    pub(crate) reply_max: u32,
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
        self.driver.generation() != self.generation
            || self.driver.life().state != crate::State::Running
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
            if self.is_busy() {
                return Err(ErrorCode::Busy);
            }
            self.command(cx, circumstances, arguments)
        });
        match answer {
            Ok(Ok(Answer::Done(outcome))) => outcome,
            Ok(Ok(Answer::Pending(..))) => Err(ErrorCode::Busy),
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
        self.serial && self.driver.counters.has_pending() && pending().unwrap_or(false)
    }

    /// Hands a request to the driver. The gate is closed by `cx`. An error is
    /// the host's; the driver's own stands in the answer.
    pub(crate) fn command(
        &self,
        cx: &Context,
        circumstances: Circumstances,
        arguments: &Arguments,
    ) -> Result<Answer, ErrorCode> {
        if self.driver.generation() != self.generation {
            return Err(ErrorCode::DriverDied);
        }
        if self.withdrawn.load(Relaxed) {
            return Err(ErrorCode::Aborted);
        }
        self.driver.counters.command();
        self.driver.call(cx, Handler::Command, |store, handlers| {
            self.hand_over(store, handlers, circumstances, arguments)
        })
    }

    fn hand_over(
        &self,
        store: &mut Store<Guest>,
        handlers: &wit::Guest,
        circumstances: Circumstances,
        arguments: &Arguments,
    ) -> wasmtime::Result<Answer> {
        let id = store.data_mut().requests.begin();
        let Circumstances {
            may_wait,
            reply_max,
        } = circumstances;
        let told = wit::Circumstances {
            may_wait,
            reply_max,
        };
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
                let requests = &mut store.data_mut().requests;
                let kept = may_wait
                    .then(|| requests.keep(id, self.token, &self.gate, &ended))
                    .flatten();
                if let Some(pending) = kept {
                    return Ok(Answer::Pending(id, pending));
                }
                handlers.call_cancelled(&mut *store, id)?;
                Err(if may_wait {
                    ErrorCode::NoResources
                } else {
                    ErrorCode::Busy
                })
            }
        };
        self.bound(&mut answered, reply_max);
        Ok(Answer::Done(answered))
    }

    /// The client of a pending request gives up: tells the driver, unless the
    /// request ended meanwhile.
    pub(crate) fn cancel(&self, cx: &Context, id: u64) {
        if self.driver.generation() != self.generation {
            return;
        }
        // Whatever became of the driver in it, the request is over.
        let _ = self.driver.call(cx, Handler::Cancelled, |store, handlers| {
            if store.data_mut().requests.forget(id) {
                store.data().signal_woken();
                handlers.call_cancelled(&mut *store, id)?;
            }
            Ok(())
        });
    }

    /// Whether a client waits for its turn at this gate is counted by the
    /// driver: every client that leaves asks, and there is hardly ever one.
    pub(crate) fn next_turn(&self) {
        if self.driver.turns.load(Relaxed) > 0 {
            self.gate.wakeup(Requests::turn(self.token), Wakeups::One);
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

/// The services of a board by name.
#[derive(Default)]
pub(crate) struct Services(RwLock<BTreeMap<String, Arc<Service>>>);

impl Services {
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Service>> {
        self.0.read().get(name).cloned()
    }

    /// Fails where the name is taken.
    pub(crate) fn publish(&self, service: Service) -> Result<(), ErrorCode> {
        use std::collections::btree_map::Entry;
        match self.0.write().entry(service.name.clone()) {
            Entry::Occupied(_) => Err(ErrorCode::BadArgument),
            Entry::Vacant(place) => {
                place.insert(Arc::new(service));
                Ok(())
            }
        }
    }

    /// Takes back what a driver published: through one gate, or all of it.
    /// Clients that wait for their turn there find out.
    pub(crate) fn unpublish(&self, driver: &Arc<Driver>, token: Option<u32>) {
        let of = |service: &Service| {
            Arc::ptr_eq(&service.driver, driver) && token.is_none_or(|token| token == service.token)
        };
        let mut services = self.0.write();
        for (_, service) in services.extract_if(.., |_, service| of(service)) {
            service.withdrawn.store(true, Relaxed);
            service
                .gate
                .wakeup(Requests::turn(service.token), Wakeups::All);
        }
    }

    /// What a driver publishes now.
    pub(crate) fn of(&self, driver: &Arc<Driver>) -> Vec<Arc<Service>> {
        self.0
            .read()
            .values()
            .filter(|service| Arc::ptr_eq(&service.driver, driver))
            .cloned()
            .collect()
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
