//! Timers.

use super::{Answer, code};
use crate::bindings::WitErrorCode;
use crate::bindings::loopgate::driver::work_loop::HostTimerEventSource;
use crate::guest::Guest;
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
