//! Timers.

use super::{Answer, code};
use crate::bindings::WitErrorCode;
use crate::bindings::loopgate::driver::work_loop::HostTimerEventSource;
use crate::guest::Guest;
use crate::staging::{Change, Phase};
use loopgate_workloop::{Context, EventSource, Instant, TimerEventSource};
use std::sync::Arc;
use std::time::Duration;
use wasmtime::component::Resource;

/// A timer as the guest holds it.
pub struct Timer {
    pub(super) token: u32,
    pub(super) source: Arc<TimerEventSource>,
}

impl HostTimerEventSource for Guest {
    fn create(&mut self, token: u32) -> Answer<Resource<Timer>> {
        if self.sources.timers.contains_key(&token) {
            return Ok(Err(WitErrorCode::BadArgument));
        }
        if let Err(code) = self.may_open() {
            return Ok(Err(code.into()));
        }
        let adopted = self.staging().and_then(|staging| staging.timer(token));
        let source = adopted.unwrap_or_else(|| self.timer(token));
        let handle = self.push(Timer {
            token,
            source: source.clone(),
        });
        Ok(handle.ok_or(WitErrorCode::NoResources).inspect(|_| {
            self.sources.timers.insert(token, source);
        }))
    }

    fn set_timeout(&mut self, this: Resource<Timer>, after: u64) -> Answer<()> {
        let after = Duration::from_nanos(after);
        let source = &self.table.get(&this)?.source;
        if let Phase::Live = self.phase {
            return Ok(source.set_timeout(after).map_err(code));
        }
        let source = source.clone();
        let deadline = self.driver.time.now().saturating_add(after);
        self.staged(&source, || Change::Arm(source.clone(), Some(deadline)))?;
        Ok(Ok(()))
    }

    fn wake_at(&mut self, this: Resource<Timer>, deadline: u64) -> Answer<()> {
        let deadline = Instant::from_nanos(deadline);
        let source = &self.table.get(&this)?.source;
        if let Phase::Live = self.phase {
            return Ok(source.wake_at(deadline).map_err(code));
        }
        let source = source.clone();
        self.staged(&source, || Change::Arm(source.clone(), Some(deadline)))?;
        Ok(Ok(()))
    }

    fn cancel_timeout(&mut self, this: Resource<Timer>) -> wasmtime::Result<()> {
        let source = self.table.get(&this)?.source.clone();
        if !self.staged(&source, || Change::Arm(source.clone(), None))? {
            source.cancel_timeout();
        }
        Ok(())
    }

    fn enable(&mut self, this: Resource<Timer>) -> wasmtime::Result<()> {
        let source = self.table.get(&this)?.source.clone();
        if !self.staged(&source, || Change::Enable)? {
            Context::with_current(|cx| source.enable(cx));
        }
        Ok(())
    }

    fn disable(&mut self, this: Resource<Timer>) -> wasmtime::Result<()> {
        let source = self.table.get(&this)?.source.clone();
        if !self.staged(&source, || Change::Disable)? {
            Context::with_current(|cx| source.disable(cx));
        }
        Ok(())
    }

    fn is_enabled(&mut self, this: Resource<Timer>) -> wasmtime::Result<bool> {
        let source = self.table.get(&this)?.source.clone();
        Ok(self.enabled(&source))
    }

    fn drop(&mut self, this: Resource<Timer>) -> wasmtime::Result<()> {
        let Timer { token, source } = self.table.delete(this)?;
        self.sources.timers.remove(&token);
        let source: Arc<dyn EventSource> = source;
        self.release(&source);
        Ok(())
    }
}

impl Guest {
    fn timer(&self, token: u32) -> Arc<TimerEventSource> {
        let driver = self.driver.clone();
        let action = Arc::new(move |cx: &Context, _: &TimerEventSource, deadline, now| {
            driver.timeout_occurred(cx, token, deadline, now);
        });
        let source = TimerEventSource::new(self.driver.time.clock(), Some(action));
        self.driver.share_time(&*source);
        source
    }
}
