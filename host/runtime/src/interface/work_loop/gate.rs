//! Command gates.

use super::Answer;
use crate::bindings::WitErrorCode;
use crate::bindings::loopgate::driver::work_loop::HostCommandGate;
use crate::guest::Guest;
use loopgate_workloop::{CommandGate, Context, EventSource};
use std::sync::Arc;
use wasmtime::component::Resource;

/// A command gate as the guest holds it.
pub struct Gate {
    pub(super) token: u32,
    pub(super) source: Arc<CommandGate>,
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
