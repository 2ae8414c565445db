//! A client's way into a driver: through the gate, on the client's thread.

use super::Board;
use super::client::Client;
use super::request::{Cancel, Mode, Request, SelectorName};
use super::virtual_time::Stepped;
use crate::bindings::loopgate::driver::request::Arguments;
use crate::driver::Driver;
use crate::error::{ErrorCode, RequestError};
use crate::requests::Reply;
use crate::service::{Circumstances, Service};
use crate::status::State;
use crate::time::Time;
use loopgate_workloop::{Clock as _, Context, Instant};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{self, Poll, Waker};

impl Board {
    /// Asks a service, on the calling thread: the driver's handler runs on
    /// it, with the loop's gate closed. May be called from any thread, but
    /// not from within a handler.
    ///
    /// A thread whose stack has no room for a guest gets `no-resources`.
    pub fn call(&self, service: &str, request: Request) -> Result<Reply, RequestError> {
        self.call_with(service, request, None)
    }

    /// As [`Board::call`], and another thread can end the wait: the call then
    /// fails with `aborted`. What the driver has begun by then it is told.
    pub fn call_cancellable(
        &self,
        service: &str,
        request: Request,
        cancel: &Cancel,
    ) -> Result<Reply, RequestError> {
        self.call_with(service, request, Some(cancel))
    }

    fn call_with(
        &self,
        service: &str,
        request: Request,
        cancel: Option<&Cancel>,
    ) -> Result<Reply, RequestError> {
        let prepared = self.prepare(service, request)?;
        Context::with_current(|cx| {
            if let Some(cancel) = cancel {
                cancel.begin(cx);
            }
            let is_hopeless = AtomicBool::new(false);
            let client = prepared.client(&self.time, cx, cancel, &is_hopeless);
            self.wait_for(prepared.ask(&client), &client)
        })
    }

    /// What can be refused before anybody waits for anything.
    pub(super) fn prepare(
        &self,
        service: &str,
        request: Request,
    ) -> Result<Prepared, RequestError> {
        let may_wait = request.mode != Mode::Attempt;
        let deadline = match request.mode {
            Mode::Run(Some(span)) => Some(self.time.now().saturating_add(span)),
            Mode::Run(None) | Mode::Attempt => None,
        };
        let once_started = || {
            may_wait
                .then(|| self.once_started(service, deadline))
                .flatten()
        };
        let Some(service) = self.services.get(service).or_else(once_started) else {
            return Err(self.no_service(service));
        };
        let arguments = Arguments {
            selector: select(&service, &request.selector)?,
            scalars: request.scalars.into(),
            data: request.data,
        };
        service
            .check(&arguments)
            .map_err(|(code, message)| RequestError::new(code, message))?;
        let circumstances = Circumstances {
            may_wait,
            immediate: request.immediate,
            reply_max: request.reply_max,
        };
        Ok(Prepared {
            service,
            arguments,
            circumstances,
            deadline,
        })
    }

    /// In real time the thread parks between two polls, in virtual time the board
    /// goes on.
    fn wait_for<T>(&self, future: impl Future<Output = T>, client: &Client<'_>) -> T {
        let mut future = pin!(future);
        let mut nobody = task::Context::from_waker(Waker::noop());
        loop {
            if let Poll::Ready(outcome) = future.as_mut().poll(&mut nobody) {
                return outcome;
            }
            let is_ahead = |deadline: &Instant| *deadline > self.time.now();
            let deadline = client.deadline.filter(is_ahead);
            match &self.time {
                Time::Real(clock) => clock.park(client.cx, deadline),
                Time::Virtual(clock) => {
                    if self.step(clock, deadline) == Stepped::Never {
                        client.is_hopeless.store(true, Relaxed);
                    }
                }
            }
        }
    }

    /// A service that its driver is about to publish, be it anew: the gate is
    /// closed until that has happened.
    fn once_started(&self, name: &str, deadline: Option<Instant>) -> Option<Arc<Service>> {
        let driver = self.provider(name)?;
        if driver.life().state != State::Starting {
            return None;
        }
        Context::with_current(|cx| {
            let gate = driver.work_loop.gate();
            if let Some(deadline) = deadline {
                gate.close_until(cx, deadline).ok()?;
            } else {
                gate.close(cx);
            }
            gate.open(cx).ok()
        })?;
        self.services.get(name)
    }

    fn provider(&self, service: &str) -> Option<Arc<Driver>> {
        self.roster().provider(service).cloned()
    }

    fn no_service(&self, name: &str) -> RequestError {
        if let Some(driver) = self.provider(name) {
            let why = match driver.life().state {
                State::Running if !driver.is_ending() => {
                    "the driver does not publish it".to_owned()
                }
                _ => driver.whereabouts(),
            };
            return RequestError::new(
                ErrorCode::NoDevice,
                format!(
                    "service `{name}` of driver `{}` is not there: {why}",
                    driver.name
                ),
            );
        }
        RequestError::new(
            ErrorCode::NoDevice,
            format!(
                "no driver provides the service `{name}`; `loopgate status` lists what there is"
            ),
        )
    }
}

/// A request that its service takes.
pub(super) struct Prepared {
    service: Arc<Service>,
    arguments: Arguments,
    circumstances: Circumstances,
    pub(super) deadline: Option<Instant>,
}

impl Prepared {
    fn client<'a>(
        &'a self,
        time: &'a Time,
        cx: &'a Context,
        cancel: Option<&'a Cancel>,
        is_hopeless: &'a AtomicBool,
    ) -> Client<'a> {
        Client {
            time,
            cx,
            deadline: self.deadline,
            cancel,
            service: &self.service,
            is_hopeless,
        }
    }

    async fn ask(&self, client: &Client<'_>) -> Result<Reply, RequestError> {
        let Self {
            service,
            arguments,
            circumstances,
            ..
        } = self;
        let outcome = if circumstances.may_wait {
            client.run(*circumstances, arguments).await
        } else {
            service.attempt(client.cx, *circumstances, arguments)
        };
        let cancelled = client.cancel.is_some_and(Cancel::is_cancelled);
        outcome.map_err(|code| describe(code, service, cancelled))
    }

    /// As [`Board::call`] does it, but for whoever polls.
    pub(super) async fn run(self, time: Time, cx: Context) -> Result<Reply, RequestError> {
        let is_hopeless = AtomicBool::new(false);
        self.ask(&self.client(&time, &cx, None, &is_hopeless)).await
    }
}

fn select(service: &Service, wanted: &SelectorName) -> Result<u32, RequestError> {
    let name = match wanted {
        SelectorName::Number(number) => return Ok(*number),
        SelectorName::Name(name) => name,
    };
    service
        .selectors
        .iter()
        .find(|selector| selector.name == *name)
        .map(|selector| selector.number)
        .ok_or_else(|| {
            let known = service
                .selectors
                .iter()
                .map(|selector| format!("`{}`", selector.name))
                .collect::<Vec<_>>()
                .join(", ");
            RequestError::new(
                ErrorCode::BadArgument,
                format!(
                    "service `{}` has no selector `{name}`; it has {known}",
                    service.name
                ),
            )
        })
}

fn describe(code: ErrorCode, service: &Service, cancelled: bool) -> RequestError {
    let (name, driver) = (&service.name, &service.driver.name);
    // A gate that left its loop did so because its driver ended; a client that
    // was cancelled ended before.
    let died = matches!(
        code,
        ErrorCode::DriverDied | ErrorCode::Aborted | ErrorCode::NotReady
    ) && service.is_gone()
        && !(cancelled && code == ErrorCode::Aborted);
    if died {
        return RequestError::new(
            ErrorCode::DriverDied,
            format!(
                "driver `{driver}` of service `{name}` ended: {}",
                service.driver.whereabouts()
            ),
        );
    }
    let why = match code {
        ErrorCode::TimedOut => {
            "there was no answer in time; allow more, or see `loopgate status` for what the driver does"
        }
        ErrorCode::Aborted => "the call was cancelled",
        ErrorCode::CannotLock => "its gate is closed by someone else; call without attempting",
        ErrorCode::NotPermitted => {
            "its gate is disabled; call without attempting to wait until it is enabled"
        }
        ErrorCode::Busy => "an answer would take a wait; call without attempting",
        ErrorCode::NoResources => {
            "a limit is reached: too many requests pending, or no stack left on the calling thread"
        }
        _ => "that is the driver's answer",
    };
    RequestError::new(
        code,
        format!("service `{name}` of driver `{driver}`: {why}"),
    )
}
