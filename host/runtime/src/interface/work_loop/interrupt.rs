//! Interrupt sources.

use super::{Answer, code};
use crate::bindings::WitErrorCode;
use crate::bindings::loopgate::driver::work_loop::{HostInterruptEventSource, Occurrence};
use crate::driver::Driver;
use crate::error::ErrorCode;
use crate::filter::Filter;
use crate::guest::Guest;
use crate::heritage::{Fed, LineName, retire};
use crate::interface::interrupt::{Feed, Line};
use crate::limits::LimitHit;
use crate::staging::Change;
use loopgate_workloop::{
    Context, EventSource, InterruptAction, InterruptEventSource, InterruptLine,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use wasmtime::component::Resource;

/// An interrupt source as the guest holds it.
pub struct Interrupt {
    pub(super) token: u32,
    pub(super) source: Arc<InterruptEventSource>,
    /// Whether a line feeds it.
    pub(super) fed: bool,
    /// The grant of its line was withdrawn.
    pub(super) withdrawn: bool,
}

impl Interrupt {
    /// Puts one that nothing feeds in the place of the source, where it is one of
    /// these.
    pub(crate) fn withdraw(
        &mut self,
        withdrawn: &[Arc<InterruptEventSource>],
        nothing: &Arc<InterruptEventSource>,
    ) {
        if withdrawn
            .iter()
            .any(|source| Arc::ptr_eq(source, &self.source))
        {
            self.source = nothing.clone();
            (self.fed, self.withdrawn) = (false, true);
        }
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
            None => self.software(token).map(|source| (source, None)),
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
        let &Interrupt {
            ref source, fed, ..
        } = self.table.get(&this)?;
        let source = source.clone();
        let staged = self.staged(&source, || Change::FilterWord(source.clone(), word))?;
        if !(staged || self.handing_over && fed) {
            source.set_filter_word(word);
        }
        Ok(())
    }

    fn is_filtered(&mut self, this: Resource<Interrupt>) -> wasmtime::Result<bool> {
        let &Interrupt {
            token, ref source, ..
        } = self.table.get(&this)?;
        let source = source.clone();
        Ok(match self.staging() {
            Some(_) => self.sources.has_filter(token),
            None => source.is_filtered(),
        })
    }

    fn interrupt_occurred(&mut self, this: Resource<Interrupt>) -> Answer<()> {
        let now = self.driver.time.now();
        let this = self.table.get(&this)?;
        if this.withdrawn {
            return Ok(Err(WitErrorCode::NotGranted));
        }
        let source = this.source.clone();
        if self.staged(&source, || Change::Signal(source.clone(), now))? {
            return Ok(Ok(()));
        }
        Ok(source.signal(now).map_err(code))
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
        let source = self.table.get(&this)?.source.clone();
        if !self.staged(&source, || Change::SwitchOn(source.clone()))? {
            Context::with_current(|cx| source.enable(cx));
        }
        Ok(())
    }

    fn disable(&mut self, this: Resource<Interrupt>) -> wasmtime::Result<()> {
        let &Interrupt {
            ref source, fed, ..
        } = self.table.get(&this)?;
        let source = source.clone();
        let staged = self.staged(&source, || Change::Disable)?;
        if !(staged || self.handing_over && fed) {
            Context::with_current(|cx| source.disable(cx));
        }
        Ok(())
    }

    fn is_enabled(&mut self, this: Resource<Interrupt>) -> wasmtime::Result<bool> {
        let source = self.table.get(&this)?.source.clone();
        Ok(self.enabled(&source))
    }

    fn drop(&mut self, this: Resource<Interrupt>) -> wasmtime::Result<()> {
        let Interrupt {
            token,
            source,
            fed,
            withdrawn,
        } = self.table.delete(this)?;
        // The token of one that was withdrawn may be another's by now.
        if withdrawn {
            return Ok(());
        }
        if !(self.handing_over && fed) {
            self.sources.interrupts.remove(&token);
            self.retire(&source);
        }
        Ok(())
    }
}

/// Calls the driver with the token that the source has then.
fn action(driver: Arc<Driver>, token: Arc<AtomicU32>) -> InterruptAction {
    Arc::new(move |cx, source, interrupts| {
        driver.interrupt_occurred(cx, source, token.load(Relaxed), interrupts);
    })
}

impl Guest {
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
            Feed::Adopted(source, by) => Ok((source, Some(Fed { filter, ..by }))),
            Feed::Withdrawn => Err(ErrorCode::NotGranted),
            Feed::Inherited(name) => {
                let inherited = self.heritage.source(&name);
                let (mut by, source) = inherited.ok_or(ErrorCode::BadArgument)?;
                by.token.store(token, Relaxed);
                // None where the last version has died.
                source.set_action(Some(action(self.driver.clone(), by.token.clone())));
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

    /// The source without a line that has this token.
    fn software(&mut self, token: u32) -> Result<Arc<InterruptEventSource>, ErrorCode> {
        self.may_open()?;
        match self.staging().and_then(|staging| staging.software(token)) {
            Some(source) => Ok(source),
            None => self.source(None, token, None).map(|(source, _)| source),
        }
    }

    /// Lets a source go for good, with what it has counted.
    fn retire(&mut self, source: &Arc<InterruptEventSource>) {
        let any: Arc<dyn EventSource> = source.clone();
        if !self.unstaged(&any) {
            Context::with_current(|cx| retire(cx, &self.driver, source));
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
        let action = action(driver, token.clone());
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
            withdrawn: false,
        });
        if handle.is_some() {
            self.sources.interrupts.insert(token, (source, fed));
        } else {
            self.sources.inherited.remove(&token);
            self.retire(&source);
        }
        handle.ok_or(ErrorCode::NoResources)
    }
}
