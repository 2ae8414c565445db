//! `work-loop`: the driver's sources on its loop.

use super::interrupt::{Feed, Line};
use crate::bindings::WitErrorCode;
use crate::bindings::loopgate::driver::work_loop::{
    EventSource as AnySource, Host, HostCommandGate, HostInterruptEventSource,
    HostTimerEventSource, HostWorkLoop, Occurrence,
};
use crate::driver::Driver;
use crate::error::ErrorCode;
use crate::filter::Filter;
use crate::guest::Guest;
use crate::heritage::{Fed, LineName, retire};
use crate::limits::LimitHit;
use crate::mailbox::Mailbox;
use crate::requests::Turns;
use crate::time::Time;
use loopgate_workloop::{
    CommandGate, Context, EventSource, Instant, InterruptEventSource, InterruptLine,
    TimerEventSource,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::time::Duration;
use wasmtime::component::Resource;

/// The driver's work loop as the guest holds it: there is only one.
pub struct Loop;

/// An interrupt source as the guest holds it.
pub struct Interrupt {
    token: u32,
    source: Arc<InterruptEventSource>,
    /// Whether a line feeds it.
    fed: bool,
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
    interrupts: HashMap<u32, (Arc<InterruptEventSource>, Option<Fed>)>,
    /// During `start`: those of the driver's last version that are on the loop,
    /// and whether this one has added them.
    inherited: HashMap<u32, bool>,
    timers: HashMap<u32, Arc<TimerEventSource>>,
    gates: HashMap<u32, (Arc<CommandGate>, Arc<Turns>)>,
    /// The host's.
    pub(crate) mailbox: Option<Arc<Mailbox>>,
}

impl Sources {
    /// The command gate with this token.
    pub(crate) fn gate(&self, token: u32) -> Option<(Arc<CommandGate>, Arc<Turns>)> {
        self.gates.get(&token).cloned()
    }

    /// How many have a filter that decides.
    fn filtered(&self) -> usize {
        let sources = self.interrupts.values();
        sources.filter(|(source, _)| source.is_filtered()).count()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.interrupts.len() + self.timers.len() + self.gates.len()
    }

    /// Takes every source off its loop, for good.
    pub(crate) fn remove_all(&mut self, cx: &Context, driver: &Driver) {
        for (_, (source, _)) in self.interrupts.drain() {
            retire(cx, driver, &source);
        }
        let mailbox = self.mailbox.take();
        let mailbox = mailbox.iter().flat_map(|mailbox| mailbox.sources());
        let timers = self
            .timers
            .drain()
            .map(|(_, source)| source as Arc<dyn EventSource>);
        let gates = self
            .gates
            .drain()
            .map(|(_, (source, _))| source as Arc<dyn EventSource>);
        for source in timers.chain(gates).chain(mailbox) {
            remove(cx, driver, &source);
        }
    }

    /// Gives away those that lines feed.
    pub(crate) fn take_fed(
        &mut self,
    ) -> impl Iterator<Item = (Fed, Arc<InterruptEventSource>)> + use<'_> {
        self.interrupts
            .extract_if(|_, (_, fed)| fed.is_some())
            .filter_map(|(_, (source, fed))| Some((fed?, source)))
    }

    /// `start` has returned: what this version has not added or not enabled is
    /// as if it were new.
    pub(crate) fn started(&mut self, cx: &Context, driver: &Driver) {
        for (token, added) in self.inherited.drain() {
            let Some((source, _)) = self.interrupts.get(&token) else {
                continue;
            };
            if !added {
                let source: Arc<dyn EventSource> = source.clone();
                remove(cx, driver, &source);
            } else if !source.is_enabled() {
                source.disable(cx);
            }
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
        let inherited = self.inherited(&source)?;
        let first = inherited.is_some_and(|added| !std::mem::replace(added, true));
        let source = self.any(&source)?;
        let added = Context::with_current(|cx| {
            // It is there already: it only has to go where this one adds it.
            if first && source.attachment().is_attached() {
                self.driver.work_loop.requeue_event_source(cx, &source)
            } else {
                self.driver.work_loop.add_event_source(cx, source)
            }
        });
        Ok(added.map_err(code))
    }

    fn remove_event_source(&mut self, _: Resource<Loop>, source: AnySource) -> Answer<()> {
        if self.handing_over && self.is_fed(&source)? {
            return Ok(Ok(()));
        }
        if let Some(added) = self.inherited(&source)? {
            *added = false;
            return Ok(Ok(()));
        }
        if let AnySource::CommandGate(handle) = &source {
            let token = self.table.get(handle)?.token;
            let behind = self
                .services
                .iter()
                .filter(|service| service.token == token);
            behind.for_each(|service| service.abort_waiting(ErrorCode::Aborted));
        }
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
        let feed = line
            .map(|line| self.table.get_mut(&line).map(Line::take))
            .transpose()?;
        let created = match feed {
            Some(None) => Err(ErrorCode::BadArgument),
            Some(Some(feed)) => self.fed(feed, token, None),
            None => self
                .source(None, token, None)
                .map(|(source, _)| (source, None)),
        };
        Ok(created
            .and_then(|created| self.keep(created, token))
            .map_err(Into::into))
    }

    fn create_filtered(&mut self, line: Resource<Line>, token: u32) -> Answer<Resource<Interrupt>> {
        if self.sources.interrupts.contains_key(&token) {
            return Ok(Err(WitErrorCode::BadArgument));
        }
        let created = match (self.filter(token), self.table.get_mut(&line)?) {
            (Ok(filter), line) => match line.take() {
                Some(feed) => self.fed(feed, token, Some(filter)),
                None => Err(ErrorCode::BadArgument),
            },
            (Err(code), _) => Err(code),
        };
        Ok(created
            .and_then(|created| self.keep(created, token))
            .map_err(Into::into))
    }

    fn set_filter_word(&mut self, this: Resource<Interrupt>, word: u64) -> wasmtime::Result<()> {
        let Interrupt { source, fed, .. } = self.table.get(&this)?;
        if !(self.handing_over && *fed) {
            source.set_filter_word(word);
        }
        Ok(())
    }

    fn is_filtered(&mut self, this: Resource<Interrupt>) -> wasmtime::Result<bool> {
        Ok(self.table.get(&this)?.source.is_filtered())
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
        let Interrupt { source, fed, .. } = self.table.get(&this)?;
        if !(self.handing_over && *fed) {
            Context::with_current(|cx| source.disable(cx));
        }
        Ok(())
    }

    fn is_enabled(&mut self, this: Resource<Interrupt>) -> wasmtime::Result<bool> {
        Ok(self.table.get(&this)?.source.is_enabled())
    }

    fn drop(&mut self, this: Resource<Interrupt>) -> wasmtime::Result<()> {
        let Interrupt { token, source, fed } = self.table.delete(this)?;
        if !(self.handing_over && fed) {
            self.sources.interrupts.remove(&token);
            Context::with_current(|cx| retire(cx, &self.driver, &source));
        }
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
            self.sources.gates.insert(token, (source, Arc::default()));
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
            self.signal_mail();
        }
        Ok(())
    }

    fn enable(&mut self, this: Resource<Gate>) -> wasmtime::Result<()> {
        let source = &self.table.get(&this)?.source;
        Context::with_current(|cx| source.enable(cx));
        self.signal_mail();
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
        self.services.retain(|service| service.token != token);
        let code = self.aborted();
        self.requests.end_all(Some(token), code);
        let services = &self.driver.services;
        services.unpublish(&self.driver, self.generation, Some(token), code);
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

    fn is_fed(&self, source: &AnySource) -> wasmtime::Result<bool> {
        Ok(match source {
            AnySource::Interrupt(handle) => self.table.get(handle)?.fed,
            AnySource::Timer(_) | AnySource::CommandGate(_) => false,
        })
    }

    /// Whether this version has added a source of the last one's.
    fn inherited(&mut self, source: &AnySource) -> wasmtime::Result<Option<&mut bool>> {
        Ok(match source {
            AnySource::Interrupt(handle) => {
                let token = self.table.get(handle)?.token;
                self.sources.inherited.get_mut(&token)
            }
            AnySource::Timer(_) | AnySource::CommandGate(_) => None,
        })
    }

    /// A filter for a new source.
    fn filter(&self, token: u32) -> Result<Arc<Filter>, ErrorCode> {
        let driver = &self.driver;
        let limit = driver.limits.filters;
        if self.sources.filtered() >= limit as usize {
            driver.log.host(&LimitHit::Filters(limit).to_string());
            return Err(ErrorCode::NoResources);
        }
        // It has imported this call, so it was compiled for filters.
        let program = self.filters.as_ref().ok_or(ErrorCode::Unsupported)?;
        Filter::new(driver, program, token, self.levels.clone()).map_err(|cause| {
            driver.log.host(&format!(
                "there can be no filter, which runs in an instance without imports: {cause}"
            ));
            ErrorCode::NotPermitted
        })
    }

    /// The source that a line feeds.
    fn fed(
        &mut self,
        line: Feed,
        token: u32,
        filter: Option<Arc<Filter>>,
    ) -> Result<(Arc<InterruptEventSource>, Option<Fed>), ErrorCode> {
        match line {
            Feed::Line(name, device, line) => {
                let (source, token) = self.source(Some(line), token, filter.clone())?;
                let by = Fed {
                    name,
                    _device: device,
                    token,
                    filter,
                };
                Ok((source, Some(by)))
            }
            Feed::Inherited(name) => {
                let inherited = self.heritage.source(&name);
                let (mut by, source) = inherited.ok_or(ErrorCode::BadArgument)?;
                by.token.store(token, Relaxed);
                by.refilter(&source, filter);
                if !matches!(name, LineName::Pin(..)) {
                    // A port tells again what is still true when its line is
                    // switched on: the last version may not have answered.
                    Context::with_current(|cx| source.disable(cx));
                }
                // A pin's line is on, or edges would go uncounted; but this
                // version has not said so yet.
                source.attachment().set_enabled(false);
                if source.attachment().is_attached() {
                    self.sources.inherited.insert(token, false);
                }
                Ok((source, Some(by)))
            }
        }
    }

    /// A new source, which calls itself `token` until that is changed.
    fn source(
        &self,
        line: Option<Arc<dyn InterruptLine>>,
        token: u32,
        filter: Option<Arc<Filter>>,
    ) -> Result<(Arc<InterruptEventSource>, Arc<AtomicU32>), ErrorCode> {
        let driver = self.driver.clone();
        let queue = line
            .as_ref()
            .map_or(0, |_| driver.limits.occurrences as usize);
        let token = Arc::new(AtomicU32::new(token));
        let called = token.clone();
        let action = Arc::new(move |cx: &Context, _: &InterruptEventSource, interrupts| {
            driver.interrupt_occurred(cx, called.load(Relaxed), interrupts);
        });
        let source = match (line, filter) {
            (Some(line), Some(filter)) => {
                InterruptEventSource::filtered(line, queue, filter, Some(action))
            }
            (line, _) => InterruptEventSource::new(line, queue, Some(action)),
        }?;
        self.driver.share_time(&*source);
        Ok((source, token))
    }

    /// Gives the guest a handle of it; a source without one ends.
    fn keep(
        &mut self,
        (source, fed): (Arc<InterruptEventSource>, Option<Fed>),
        token: u32,
    ) -> Result<Resource<Interrupt>, ErrorCode> {
        let handle = self.push(Interrupt {
            token,
            source: source.clone(),
            fed: fed.is_some(),
        });
        if handle.is_some() {
            self.sources.interrupts.insert(token, (source, fed));
        } else {
            self.sources.inherited.remove(&token);
            Context::with_current(|cx| retire(cx, &self.driver, &source));
        }
        handle.ok_or(ErrorCode::NoResources)
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
