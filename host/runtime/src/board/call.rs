//! A client's way into a driver: through the gate, on the client's thread.

use super::Board;
use super::request::{Cancel, Mode, Request, SelectorName};
use super::virtual_time::Stepped;
use crate::bindings::loopgate::driver::request::Arguments;
use crate::driver::Driver;
use crate::error::{ErrorCode, RequestError};
use crate::requests::{Reply, Requests};
use crate::service::{Answer, Circumstances, Service};
use crate::status::State;
use crate::time::Time;
use loopgate_workloop::{Clock as _, Context, Inside, Instant, Wake};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Poll;

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
        let circumstances = Circumstances {
            may_wait,
            immediate: request.immediate,
            reply_max: request.reply_max,
        };
        let mode = request.mode;
        let arguments = arguments(&service, request)?;
        let outcome = Context::with_current(|cx| match mode {
            Mode::Attempt => service.attempt(cx, circumstances, &arguments),
            Mode::Run(_) => {
                if let Some(cancel) = cancel {
                    cancel.begin(cx);
                }
                Client {
                    board: self,
                    cx,
                    deadline,
                    cancel,
                    service: &service,
                }
                .run(circumstances, &arguments)
            }
        });
        let cancelled = || cancel.is_some_and(Cancel::is_cancelled);
        outcome.map_err(|code| describe(code, &service, cancelled()))
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

    pub(super) fn no_service(&self, name: &str) -> RequestError {
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

/// A call that may wait, on its way.
struct Client<'a> {
    board: &'a Board,
    cx: &'a Context,
    deadline: Option<Instant>,
    cancel: Option<&'a Cancel>,
    service: &'a Service,
}

impl Client<'_> {
    fn run(&self, circumstances: Circumstances, arguments: &Arguments) -> Result<Reply, ErrorCode> {
        let _inside = self.enter()?;
        self.inside(circumstances, arguments)
    }

    /// With the gate closed. Whoever leaves lets the next one in the queue of
    /// a serial service go, for that one may have been woken in its stead.
    fn inside(
        &self,
        circumstances: Circumstances,
        arguments: &Arguments,
    ) -> Result<Reply, ErrorCode> {
        let turn = if circumstances.immediate {
            Ok(())
        } else {
            self.turn()
        };
        let outcome = turn.and_then(|()| self.ask(circumstances, arguments));
        self.service.next_turn();
        outcome
    }

    /// Waits until no other request of a serial service is pending.
    fn turn(&self) -> Result<(), ErrorCode> {
        while self.service.is_busy() {
            let waiting = &self.service.turns.outside;
            waiting.fetch_add(1, Relaxed);
            let slept = self.sleep(Requests::turn(self.service.token));
            waiting.fetch_sub(1, Relaxed);
            slept?;
        }
        Ok(())
    }

    fn ask(&self, circumstances: Circumstances, arguments: &Arguments) -> Result<Reply, ErrorCode> {
        let (id, pending) = match self.service.command(self.cx, circumstances, arguments)? {
            Answer::Done(outcome) => return outcome,
            Answer::Pending(id, pending) => (id, pending),
            Answer::Later => return Err(ErrorCode::Busy),
        };
        loop {
            let slept = self.sleep(Requests::event(id));
            if let Some(mut outcome) = pending.take() {
                self.service.bound(&mut outcome, circumstances.reply_max);
                return outcome;
            }
            if let Err(code) = slept {
                self.service.cancel(self.cx, id);
                return Err(code);
            }
        }
    }

    /// Closes the gate, waiting for it and for it to be enabled.
    fn enter(&self) -> Result<Inside<'_>, ErrorCode> {
        let gate = &self.service.gate;
        self.wait(|stop| match (gate.poll_inside(self.cx), stop) {
            (Poll::Ready(entered), _) => Poll::Ready(entered.map_err(Into::into)),
            (Poll::Pending, None) => Poll::Pending,
            (Poll::Pending, Some(stop)) => {
                gate.abandon(self.cx);
                Poll::Ready(Err(stop))
            }
        })
    }

    /// Sleeps in the gate until the event. The gate is closed again whatever
    /// ends the sleep, so nothing is given up here: a sleep that is to end is
    /// interrupted, and polled on.
    fn sleep(&self, event: u64) -> Result<(), ErrorCode> {
        let gate = &self.service.gate;
        let mut stopped = None;
        self.wait(|stop| {
            let mut slept = gate.poll_sleep(self.cx, event, self.deadline);
            if slept.is_pending() && stop.is_some() && stopped.is_none() {
                stopped = stop;
                gate.abort(self.cx);
                slept = gate.poll_sleep(self.cx, event, self.deadline);
            }
            slept.map(|wake| match wake? {
                Wake::Awakened => Ok(()),
                Wake::TimedOut => Err(ErrorCode::TimedOut),
                Wake::Interrupted => Err(stopped.unwrap_or(ErrorCode::Aborted)),
            })
        })
    }

    /// Polls until there is an answer; `poll` is told when the wait is to end.
    /// In real time the thread parks between two polls, in virtual time the
    /// board goes on.
    fn wait<T>(&self, mut poll: impl FnMut(Option<ErrorCode>) -> Poll<T>) -> T {
        let mut stop = None;
        loop {
            // Before each wait, too: its wake may have ended one that the call
            // was in before, or have come before the call.
            stop = stop.or_else(|| self.cancelled());
            if let Poll::Ready(answer) = poll(stop) {
                return answer;
            }
            let deadline = if stop.is_none() { self.deadline } else { None };
            match &self.board.time {
                Time::Real(clock) => clock.park(self.cx, deadline),
                Time::Virtual(clock) => {
                    if self.board.step(clock, deadline) == Stepped::Never {
                        stop = Some(ErrorCode::TimedOut);
                    }
                }
            }
            stop = stop.or_else(|| self.cancelled()).or_else(|| self.late());
        }
    }

    fn cancelled(&self) -> Option<ErrorCode> {
        let cancelled = self.cancel.is_some_and(Cancel::is_cancelled);
        cancelled.then_some(ErrorCode::Aborted)
    }

    fn late(&self) -> Option<ErrorCode> {
        let late = self
            .deadline
            .is_some_and(|deadline| deadline <= self.board.time.now());
        late.then_some(ErrorCode::TimedOut)
    }
}

/// What the driver is told of a request that the service takes.
pub(super) fn arguments(service: &Service, request: Request) -> Result<Arguments, RequestError> {
    let arguments = Arguments {
        selector: select(service, &request.selector)?,
        scalars: request.scalars.into(),
        data: request.data,
    };
    let checked = service.check(&arguments);
    checked.map_err(|(code, message)| RequestError::new(code, message))?;
    Ok(arguments)
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

pub(super) fn describe(code: ErrorCode, service: &Service, cancelled: bool) -> RequestError {
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
