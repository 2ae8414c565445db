//! `work-loop`: the driver's sources on its loop.

mod gate;
mod interrupt;
mod timer;

pub use gate::Gate;
pub use interrupt::Interrupt;
pub use timer::Timer;

use crate::bindings::WitErrorCode;
use crate::bindings::loopgate::driver::work_loop::{EventSource as AnySource, Host, HostWorkLoop};
use crate::driver::Driver;
use crate::error::ErrorCode;
use crate::grants::Named;
use crate::guest::Guest;
use crate::heritage::{Fed, LineName, retire};
use crate::mailbox::Post;
use crate::requests::Turns;
use crate::staging::Change;
use crate::time::Time;
use loopgate_workloop::{
    CommandGate, Context, EventSource, Instant, InterruptEventSource, TimerEventSource,
};
use std::collections::BTreeMap;
use std::mem::take;
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Resource;

/// The driver's work loop as the guest holds it: there is only one.
pub struct Loop;

/// The sources of one instance by token: to keep tokens unique, to find a
/// service's gate, and to take all of them off the loop when the instance ends.
#[derive(Default)]
pub(crate) struct Sources {
    pub(crate) interrupts: BTreeMap<u32, (Arc<InterruptEventSource>, Option<Fed>)>,
    /// During `start`: those of the driver's last version that are on the loop,
    /// and whether this one has added them.
    inherited: BTreeMap<u32, bool>,
    pub(crate) timers: BTreeMap<u32, Arc<TimerEventSource>>,
    pub(crate) gates: BTreeMap<u32, (Arc<CommandGate>, Arc<Turns>)>,
    /// The host's.
    pub(crate) post: Post,
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

    /// Whether this instance gave the source a filter.
    fn has_filter(&self, token: u32) -> bool {
        let source = self.interrupts.get(&token);
        let fed = source.and_then(|(_, fed)| fed.as_ref());
        fed.is_some_and(|fed| fed.filter.is_some())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.interrupts.len() + self.timers.len() + self.gates.len()
    }

    /// Interrupts that were counted, and timers that are due.
    pub(crate) fn waiting(&self, now: Instant) -> u64 {
        let interrupts = self.interrupts.values();
        let due =
            |timer: &&Arc<TimerEventSource>| timer.next_deadline().is_some_and(|at| at <= now);
        interrupts.map(|(source, _)| source.pending()).sum::<u64>()
            + self.timers.values().filter(due).count() as u64
    }

    /// Takes every source off its loop, for good.
    pub(crate) fn remove_all(&mut self, cx: &Context, driver: &Driver) {
        let interrupts: Vec<_> = take(&mut self.interrupts)
            .into_iter()
            .map(|(_, (s, _))| s)
            .collect();
        let counting = interrupts.iter().map(|s| s.clone() as Arc<dyn EventSource>);
        let timers = take(&mut self.timers)
            .into_values()
            .map(|s| s as Arc<dyn EventSource>);
        let gates = take(&mut self.gates).into_iter();
        let gates = gates.map(|(_, (s, _))| s as Arc<dyn EventSource>);
        let others = timers.chain(gates).chain(self.post.take());
        // There can be tens of thousands, each of which would be looked for.
        let all: Vec<_> = counting.chain(others).collect();
        driver.work_loop.withdraw_event_sources(cx, &all);
        driver.tell_of_filters();
        for source in &interrupts {
            driver.counters.lost(source.discard_pending());
        }
    }

    /// Takes those off the loop, for good, that such lines feed.
    pub(crate) fn withdraw(
        &mut self,
        cx: &Context,
        driver: &Driver,
        grant: &Named,
    ) -> Vec<Arc<InterruptEventSource>> {
        let sources = self.take_fed_by(|line| grant.has_line(line));
        let sources: Vec<_> = sources.map(|(_, source)| source).collect();
        for source in &sources {
            retire(cx, driver, source);
        }
        sources
    }

    /// Gives away those that lines feed, of pins only those that are `good`.
    pub(crate) fn take_fed<F: Fn(&str) -> bool>(
        &mut self,
        good: F,
    ) -> impl Iterator<Item = (Fed, Arc<InterruptEventSource>)> + use<'_, F> {
        self.take_fed_by(move |line| line.pin().is_none_or(&good))
    }

    /// Gives away those that such lines feed.
    pub(crate) fn take_fed_by<F: Fn(&LineName) -> bool>(
        &mut self,
        which: F,
    ) -> impl Iterator<Item = (Fed, Arc<InterruptEventSource>)> + use<'_, F> {
        let is_it = move |fed: &Fed| which(&fed.name);
        self.interrupts
            .extract_if(.., move |_, (_, fed)| fed.as_ref().is_some_and(&is_it))
            .filter_map(|(_, (source, fed))| Some((fed?, source)))
    }

    /// `start` has returned: what this version has not added or not enabled is
    /// as if it were new.
    pub(crate) fn started(&mut self, cx: &Context, driver: &Driver) {
        for (token, added) in take(&mut self.inherited) {
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
        let time = self.driver.time.clone();
        if span > self.clock.left_in(&time) {
            return Ok(Err(WitErrorCode::TimedOut));
        }
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
        if let AnySource::Interrupt(handle) = &source
            && self.table.get(handle)?.withdrawn
        {
            return Ok(Err(WitErrorCode::NotGranted));
        }
        let any = self.any(&source)?;
        if self.staged_any(|| any, || Change::Add)? {
            return Ok(Ok(()));
        }
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
        let any = self.any(&source)?;
        if self.staged_any(|| any, || Change::Remove)? {
            return Ok(Ok(()));
        }
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

    /// The guest dropped its handle: off the loop with it (deviates from
    /// [105e], where an armed timer keeps itself alive).
    fn release(&mut self, source: &Arc<dyn EventSource>) {
        if !self.unstaged(source) {
            Context::with_current(|cx| remove(cx, &self.driver, source));
        }
    }

    /// What `enable` and `disable` have done to it last, or will have.
    fn enabled<S: EventSource>(&mut self, source: &Arc<S>) -> bool {
        let any: Arc<dyn EventSource> = source.clone();
        let staged = self.staging().and_then(|staging| staging.is_enabled(&any));
        staged.unwrap_or_else(|| source.is_enabled())
    }
}

fn code(error: loopgate_workloop::Error) -> WitErrorCode {
    ErrorCode::from(error).into()
}
