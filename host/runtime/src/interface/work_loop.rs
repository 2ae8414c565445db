//! `work-loop`: the driver's sources on its loop.

use super::interrupt::Line;
use crate::bindings::WitErrorCode;
use crate::bindings::loopgate::driver::work_loop::{
    EventSource as AnySource, Host, HostCommandGate, HostInterruptEventSource,
    HostTimerEventSource, HostWorkLoop, Occurrence,
};
use crate::driver::Driver;
use crate::error::ErrorCode;
use crate::guest::Guest;
use crate::sleepers::Sleepers;
use crate::time::Time;
use loopgate_workloop::{
    CommandGate, Context, EventSource, Instant, InterruptEventSource, TimerEventSource,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Resource;

/// The driver's work loop as the guest holds it: there is only one.
pub struct Loop;

/// An interrupt source as the guest holds it.
pub struct Interrupt {
    token: u32,
    source: Arc<InterruptEventSource>,
}

/// A timer as the guest holds it.
pub struct Timer {
    token: u32,
    source: Arc<TimerEventSource>,
}

/// A command gate as the guest holds it.
pub struct Gate {
    token: u32,
    source: Arc<CommandGate>,
}

/// The sources of one instance by token: to keep tokens unique, to find a
/// service's gate, and to take all of them off the loop when the instance ends.
#[derive(Default)]
pub(crate) struct Sources {
    interrupts: HashMap<u32, Arc<InterruptEventSource>>,
    timers: HashMap<u32, Arc<TimerEventSource>>,
    gates: HashMap<u32, Arc<CommandGate>>,
    /// The host's, which resume parked requests.
    pub(crate) sleepers: Option<Sleepers>,
}

impl Sources {
    /// The command gate with this token.
    pub(crate) fn gate(&self, token: u32) -> Option<&Arc<CommandGate>> {
        self.gates.get(&token)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.interrupts.len() + self.timers.len() + self.gates.len()
    }

    /// Takes every source off its loop, for good.
    pub(crate) fn remove_all(&mut self, cx: &Context, driver: &Driver) {
        let sleepers = self.sleepers.take();
        let sleepers = sleepers.iter().flat_map(Sleepers::sources);
        let interrupts = self
            .interrupts
            .drain()
            .map(|(_, source)| source as Arc<dyn EventSource>);
        let timers = self
            .timers
            .drain()
            .map(|(_, source)| source as Arc<dyn EventSource>);
        let gates = self
            .gates
            .drain()
            .map(|(_, source)| source as Arc<dyn EventSource>);
        for source in interrupts.chain(timers).chain(gates).chain(sleepers) {
            remove(cx, driver, &source);
        }
    }
}

/// A source that the guest never added, or removed itself, is on no loop;
/// that is no fault here.
fn remove(cx: &Context, driver: &Driver, source: &Arc<dyn EventSource>) {
    let _ = driver.work_loop.withdraw_event_source(cx, source);
}

type Answer<T> = wasmtime::Result<Result<T, WitErrorCode>>;

impl Host for Guest {
    fn now(&mut self) -> wasmtime::Result<u64> {
        Ok(self.driver.time.now().as_nanos())
    }

    fn delay(&mut self, span: u64) -> Answer<()> {
        let span = Duration::from_nanos(span);
        if span > self.clock.left() {
            return Ok(Err(WitErrorCode::TimedOut));
        }
        let time = self.driver.time.clone();
        let elsewhere = matches!(time, Time::Virtual(_));
        self.clock.delay(span, elsewhere, || time.delay(span));
        Ok(Ok(()))
    }
}

impl HostWorkLoop for Guest {
    fn get(&mut self) -> wasmtime::Result<Resource<Loop>> {
        // There is only one, and it always succeeds: nothing is kept of it.
        Ok(Resource::new_own(0))
    }

    fn add_event_source(&mut self, _: Resource<Loop>, source: AnySource) -> Answer<()> {
        let source = self.any(&source)?;
        let added = Context::with_current(|cx| self.driver.work_loop.add_event_source(cx, source));
        Ok(added.map_err(code))
    }

    fn remove_event_source(&mut self, _: Resource<Loop>, source: AnySource) -> Answer<()> {
        let source = self.any(&source)?;
        let removed =
            Context::with_current(|cx| self.driver.work_loop.withdraw_event_source(cx, &source));
        Ok(removed.map_err(code))
    }

    fn in_gate(&mut self, _: Resource<Loop>) -> wasmtime::Result<bool> {
        Ok(Context::with_current(|cx| {
            self.driver.work_loop.in_gate(cx)
        }))
    }

    fn on_thread(&mut self, _: Resource<Loop>) -> wasmtime::Result<bool> {
        Ok(Context::with_current(|cx| {
            self.driver.work_loop.on_thread(cx)
        }))
    }

    fn drop(&mut self, _: Resource<Loop>) -> wasmtime::Result<()> {
        Ok(())
    }
}

impl HostInterruptEventSource for Guest {
    fn create(&mut self, line: Option<Resource<Line>>, token: u32) -> Answer<Resource<Interrupt>> {
        if self.sources.interrupts.contains_key(&token) {
            return Ok(Err(WitErrorCode::BadArgument));
        }
        let line = line
            .map(|line| self.table.get_mut(&line).map(Line::take))
            .transpose()?;
        let line = match line {
            Some(None) => return Ok(Err(WitErrorCode::BadArgument)),
            Some(line) => line,
            None => None,
        };
        let driver = self.driver.clone();
        let queue = if line.is_some() {
            driver.limits.occurrences as usize
        } else {
            0
        };
        let action = Arc::new(move |cx: &Context, _: &InterruptEventSource, interrupts| {
            driver.interrupt_occurred(cx, token, interrupts);
        });
        let source = match InterruptEventSource::new(line, queue, Some(action)) {
            Ok(source) => source,
            Err(error) => return Ok(Err(code(error))),
        };
        self.driver.share_time(&*source);
        let handle = self.push(Interrupt {
            token,
            source: source.clone(),
        });
        Ok(handle.ok_or(WitErrorCode::NoResources).inspect(|_| {
            self.sources.interrupts.insert(token, source);
        }))
    }

    fn interrupt_occurred(&mut self, this: Resource<Interrupt>) -> Answer<()> {
        let now = self.driver.time.now();
        Ok(self.table.get(&this)?.source.signal(now).map_err(code))
    }

    fn take_occurrences(
        &mut self,
        this: Resource<Interrupt>,
        max: u32,
    ) -> wasmtime::Result<Vec<Occurrence>> {
        let mut taken = Vec::new();
        self.table
            .get(&this)?
            .source
            .take_occurrences(max as usize, &mut taken);
        let occurrence = |o: loopgate_workloop::Occurrence| Occurrence {
            sequence: o.sequence,
            timestamp: o.timestamp.as_nanos(),
            high: o.high,
        };
        Ok(taken.into_iter().map(occurrence).collect())
    }

    fn enable(&mut self, this: Resource<Interrupt>) -> wasmtime::Result<()> {
        let source = &self.table.get(&this)?.source;
        Context::with_current(|cx| source.enable(cx));
        Ok(())
    }

    fn disable(&mut self, this: Resource<Interrupt>) -> wasmtime::Result<()> {
        let source = &self.table.get(&this)?.source;
        Context::with_current(|cx| source.disable(cx));
        Ok(())
    }

    fn is_enabled(&mut self, this: Resource<Interrupt>) -> wasmtime::Result<bool> {
        Ok(self.table.get(&this)?.source.is_enabled())
    }

    fn drop(&mut self, this: Resource<Interrupt>) -> wasmtime::Result<()> {
        let Interrupt { token, source } = self.table.delete(this)?;
        self.sources.interrupts.remove(&token);
        let source: Arc<dyn EventSource> = source;
        self.release(&source);
        Ok(())
    }
}

impl HostTimerEventSource for Guest {
    fn create(&mut self, token: u32) -> Answer<Resource<Timer>> {
        if self.sources.timers.contains_key(&token) {
            return Ok(Err(WitErrorCode::BadArgument));
        }
        let driver = self.driver.clone();
        let action = Arc::new(move |cx: &Context, _: &TimerEventSource, deadline, now| {
            driver.timeout_occurred(cx, token, deadline, now);
        });
        let source = TimerEventSource::new(self.driver.time.clock(), Some(action));
        self.driver.share_time(&*source);
        let handle = self.push(Timer {
            token,
            source: source.clone(),
        });
        Ok(handle.ok_or(WitErrorCode::NoResources).inspect(|_| {
            self.sources.timers.insert(token, source);
        }))
    }

    fn set_timeout(&mut self, this: Resource<Timer>, after: u64) -> Answer<()> {
        Ok(self
            .table
            .get(&this)?
            .source
            .set_timeout(Duration::from_nanos(after))
            .map_err(code))
    }

    fn wake_at(&mut self, this: Resource<Timer>, deadline: u64) -> Answer<()> {
        Ok(self
            .table
            .get(&this)?
            .source
            .wake_at(Instant::from_nanos(deadline))
            .map_err(code))
    }

    fn cancel_timeout(&mut self, this: Resource<Timer>) -> wasmtime::Result<()> {
        self.table.get(&this)?.source.cancel_timeout();
        Ok(())
    }

    fn enable(&mut self, this: Resource<Timer>) -> wasmtime::Result<()> {
        let source = &self.table.get(&this)?.source;
        Context::with_current(|cx| source.enable(cx));
        Ok(())
    }

    fn disable(&mut self, this: Resource<Timer>) -> wasmtime::Result<()> {
        let source = &self.table.get(&this)?.source;
        Context::with_current(|cx| source.disable(cx));
        Ok(())
    }

    fn is_enabled(&mut self, this: Resource<Timer>) -> wasmtime::Result<bool> {
        Ok(self.table.get(&this)?.source.is_enabled())
    }

    fn drop(&mut self, this: Resource<Timer>) -> wasmtime::Result<()> {
        let Timer { token, source } = self.table.delete(this)?;
        self.sources.timers.remove(&token);
        let source: Arc<dyn EventSource> = source;
        self.release(&source);
        Ok(())
    }
}

impl HostCommandGate for Guest {
    fn create(&mut self, token: u32) -> Answer<Resource<Gate>> {
        if self.sources.gates.contains_key(&token) {
            return Ok(Err(WitErrorCode::BadArgument));
        }
        let source = CommandGate::new(self.driver.scope(), None);
        let handle = self.push(Gate {
            token,
            source: source.clone(),
        });
        Ok(handle.ok_or(WitErrorCode::NoResources).inspect(|_| {
            self.sources.gates.insert(token, source);
        }))
    }

    fn command_wakeup(
        &mut self,
        this: Resource<Gate>,
        event: u64,
        one: bool,
    ) -> wasmtime::Result<()> {
        let token = self.table.get(&this)?.token;
        if self.requests.wake(token, event, one) {
            self.signal_woken();
        }
        Ok(())
    }

    fn enable(&mut self, this: Resource<Gate>) -> wasmtime::Result<()> {
        let source = &self.table.get(&this)?.source;
        Context::with_current(|cx| source.enable(cx));
        Ok(())
    }

    fn disable(&mut self, this: Resource<Gate>) -> wasmtime::Result<()> {
        let source = &self.table.get(&this)?.source;
        Context::with_current(|cx| source.disable(cx));
        Ok(())
    }

    fn is_enabled(&mut self, this: Resource<Gate>) -> wasmtime::Result<bool> {
        Ok(self.table.get(&this)?.source.is_enabled())
    }

    fn drop(&mut self, this: Resource<Gate>) -> wasmtime::Result<()> {
        let Gate { token, source } = self.table.delete(this)?;
        self.sources.gates.remove(&token);
        self.driver.services.unpublish(&self.driver, Some(token));
        self.requests.end_all(Some(token), ErrorCode::Aborted);
        let source: Arc<dyn EventSource> = source;
        self.release(&source);
        Ok(())
    }
}

impl Guest {
    fn any(&self, source: &AnySource) -> wasmtime::Result<Arc<dyn EventSource>> {
        Ok(match source {
            AnySource::Interrupt(handle) => self.table.get(handle)?.source.clone(),
            AnySource::Timer(handle) => self.table.get(handle)?.source.clone(),
            AnySource::CommandGate(handle) => self.table.get(handle)?.source.clone(),
        })
    }

    /// The guest dropped its handle: off the loop with it (deviates from
    /// [105e], where an armed timer keeps itself alive).
    fn release(&self, source: &Arc<dyn EventSource>) {
        Context::with_current(|cx| remove(cx, &self.driver, source));
    }
}

fn code(error: loopgate_workloop::Error) -> WitErrorCode {
    ErrorCode::from(error).into()
}
