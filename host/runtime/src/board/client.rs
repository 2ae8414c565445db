//! A request's way to its driver: through the gate, in turn, and a sleep until it
//! is answered.

use super::request::Cancel;
use crate::bindings::loopgate::driver::request::Arguments;
use crate::error::ErrorCode;
use crate::requests::{Reply, Requests};
use crate::service::{Answer, Circumstances, Service};
use crate::time::Time;
use loopgate_workloop::{Context, Inside, Instant, Wake};
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::Poll;

/// A call that may wait, on its way. Nothing wakes its futures, as gates and events
/// wake the context: whoever polls does it again when that is woken, or when
/// virtual time has gone on.
pub(super) struct Client<'a> {
    pub(super) time: &'a Time,
    pub(super) cx: &'a Context,
    pub(super) deadline: Option<Instant>,
    pub(super) cancel: Option<&'a Cancel>,
    pub(super) service: &'a Service,
    /// Nothing would ever happen, so the wait is over.
    pub(super) is_hopeless: &'a AtomicBool,
}

impl Client<'_> {
    pub(super) async fn run(
        &self,
        circumstances: Circumstances,
        arguments: &Arguments,
    ) -> Result<Reply, ErrorCode> {
        let _inside = self.enter().await?;
        self.inside(circumstances, arguments).await
    }

    /// With the gate closed. Whoever leaves lets the next one in the queue of
    /// a serial service go, for that one may have been woken in its stead.
    async fn inside(
        &self,
        circumstances: Circumstances,
        arguments: &Arguments,
    ) -> Result<Reply, ErrorCode> {
        let turn = if circumstances.immediate {
            Ok(())
        } else {
            self.turn().await
        };
        let outcome = match turn {
            Ok(()) => self.ask(circumstances, arguments).await,
            Err(code) => Err(code),
        };
        self.service.next_turn();
        outcome
    }

    /// Waits until no other request of a serial service is pending.
    async fn turn(&self) -> Result<(), ErrorCode> {
        while self.service.is_busy() {
            let waiting = &self.service.turns.outside;
            waiting.fetch_add(1, Relaxed);
            let slept = self.sleep(Requests::turn(self.service.token)).await;
            waiting.fetch_sub(1, Relaxed);
            slept?;
        }
        Ok(())
    }

    async fn ask(
        &self,
        circumstances: Circumstances,
        arguments: &Arguments,
    ) -> Result<Reply, ErrorCode> {
        let (id, pending) = match self.service.command(self.cx, circumstances, arguments)? {
            Answer::Done(outcome) => return outcome,
            Answer::Pending(id, pending) => (id, pending),
            Answer::Later => return Err(ErrorCode::Busy),
        };
        loop {
            let slept = self.sleep(Requests::event(id)).await;
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
    async fn enter(&self) -> Result<Inside<'_>, ErrorCode> {
        let gate = &self.service.gate;
        let entered = |stop| match (gate.poll_inside(self.cx), stop) {
            (Poll::Ready(entered), _) => Poll::Ready(entered.map_err(Into::into)),
            (Poll::Pending, None) => Poll::Pending,
            (Poll::Pending, Some(stop)) => {
                gate.abandon(self.cx);
                Poll::Ready(Err(stop))
            }
        };
        self.wait(entered).await
    }

    /// Sleeps in the gate until the event. The gate is closed again whatever
    /// ends the sleep, so nothing is given up here: a sleep that is to end is
    /// interrupted, and polled on.
    async fn sleep(&self, event: u64) -> Result<(), ErrorCode> {
        let gate = &self.service.gate;
        let mut stopped = None;
        let slept = |stop: Option<ErrorCode>| {
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
        };
        self.wait(slept).await
    }

    /// Polls until there is an answer; `poll` is told when the wait is to end.
    async fn wait<T>(&self, mut poll: impl FnMut(Option<ErrorCode>) -> Poll<T>) -> T {
        let (mut stop, mut is_first) = (None, true);
        poll_fn(|_| {
            // Before the first wait, too: its wake may have ended one that the call
            // was in before, or have come before the call.
            stop = stop.or_else(|| self.cancelled());
            if !std::mem::take(&mut is_first) {
                stop = stop.or_else(|| self.late());
            }
            poll(stop)
        })
        .await
    }

    fn cancelled(&self) -> Option<ErrorCode> {
        let cancelled = self.cancel.is_some_and(Cancel::is_cancelled);
        cancelled.then_some(ErrorCode::Aborted)
    }

    fn late(&self) -> Option<ErrorCode> {
        let is_past = |deadline| deadline <= self.time.now();
        let late = self.is_hopeless.load(Relaxed) || self.deadline.is_some_and(is_past);
        late.then_some(ErrorCode::TimedOut)
    }
}
