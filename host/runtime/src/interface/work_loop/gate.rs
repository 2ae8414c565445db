//! Command gates.

use super::Answer;
use crate::bindings::WitErrorCode;
use crate::bindings::loopgate::driver::work_loop::HostCommandGate;
use crate::guest::Guest;
use crate::staging::Change;
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
        if let Err(code) = self.may_open() {
            return Ok(Err(code.into()));
        }
        let adopted = self.staging().and_then(|staging| staging.gate(token));
        let (source, turns) = adopted
            .unwrap_or_else(|| (CommandGate::new(self.driver.scope(), None), Arc::default()));
        let handle = self.push(Gate {
            token,
            source: source.clone(),
        });
        Ok(handle.ok_or(WitErrorCode::NoResources).inspect(|_| {
            self.sources.gates.insert(token, (source, turns));
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
        let source = self.table.get(&this)?.source.clone();
        if !self.staged(&source, || Change::Enable)? {
            Context::with_current(|cx| source.enable(cx));
            self.signal_mail();
        }
        Ok(())
    }

    fn disable(&mut self, this: Resource<Gate>) -> wasmtime::Result<()> {
        let source = self.table.get(&this)?.source.clone();
        if !self.staged(&source, || Change::Disable)? {
            Context::with_current(|cx| source.disable(cx));
        }
        Ok(())
    }

    fn is_enabled(&mut self, this: Resource<Gate>) -> wasmtime::Result<bool> {
        let source = self.table.get(&this)?.source.clone();
        Ok(self.enabled(&source))
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
