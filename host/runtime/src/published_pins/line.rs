//! A published pin as its user has it: a line like the board's own.
//!
//! Nothing in here calls a guest, since filters and primary contexts look at
//! levels, too. What calls one is in `call.rs`.

use super::PublishedPin;
use super::pin::Interrupt;
use loopgate_devices::gpio::{Edges, Error, GpioLine};
use loopgate_workloop::{InterruptLine, InterruptSink, Trigger};
use std::sync::Arc;

/// Holds the pin; shared by its interrupt.
pub(super) struct OpenPin(Arc<PublishedPin>);

/// The one interrupt of an open pin.
struct PinInterrupt {
    line: Arc<OpenPin>,
    trigger: Trigger,
}

/// The open pin as a line.
struct Line(Arc<OpenPin>);

impl PublishedPin {
    /// What its user has, once the provider knows it to be open.
    pub(super) fn as_line(self: &Arc<Self>) -> Arc<dyn GpioLine> {
        Arc::new(Line(Arc::new(OpenPin(self.clone()))))
    }
}

impl Line {
    fn pin(&self) -> &Arc<PublishedPin> {
        &self.0.0
    }
}

impl GpioLine for Line {
    /// Of an input: as the provider told last.
    fn is_high(&self) -> Result<bool, Error> {
        let state = self.pin().state.lock();
        let output = state.open.as_ref().and_then(|open| open.output);
        Ok(output.unwrap_or(state.high) != self.pin().active_low)
    }

    /// The provider is told later, by its own loop.
    fn set(&self, high: bool) -> Result<(), Error> {
        let pin = self.pin();
        let mut is_output = false;
        pin.reopen(|open| {
            if let Some(output) = open.as_mut().and_then(|open| open.output.as_mut()) {
                *output = high != pin.active_low;
                is_output = true;
            }
        });
        let line = pin.line.clone();
        is_output.then_some(()).ok_or(Error::NotOutput { line })
    }

    fn interrupt(&self, edges: Edges) -> Result<Arc<dyn InterruptLine>, Error> {
        let pin = self.pin();
        let line = || pin.line.clone();
        let mut state = pin.state.lock();
        if state
            .open
            .as_ref()
            .is_some_and(|open| open.output.is_some())
        {
            return Err(Error::NotInput { line: line() });
        }
        if state.interrupt.is_some() {
            return Err(Error::HasInterrupt { line: line() });
        }
        state.interrupt = Some(Interrupt {
            edges,
            sink: None,
            enabled: false,
            sequence: 0,
        });
        Ok(Arc::new(PinInterrupt {
            line: self.0.clone(),
            trigger: edges.trigger(),
        }))
    }

    /// The provider is told later, by its own loop.
    fn make_input(&self) -> Result<(), Error> {
        self.pin().reopen(|open| {
            if let Some(open) = open {
                open.output = None;
            }
        });
        Ok(())
    }
}

impl Drop for OpenPin {
    fn drop(&mut self) {
        drop(self.0.reopen(Option::take));
    }
}

impl PinInterrupt {
    fn pin(&self) -> &PublishedPin {
        &self.line.0
    }
}

impl InterruptLine for PinInterrupt {
    fn trigger(&self) -> Trigger {
        self.trigger
    }

    fn register(&self, sink: Arc<dyn InterruptSink>) -> Result<(), loopgate_workloop::Error> {
        use loopgate_workloop::Error;
        let mut state = self.pin().state.lock();
        let interrupt = state.interrupt.as_mut().ok_or(Error::NotReady)?;
        if interrupt.sink.is_some() {
            return Err(Error::NoResources);
        }
        interrupt.sink = Some(sink);
        Ok(())
    }

    fn unregister(&self) {
        let mut state = self.pin().state.lock();
        let sink = state
            .interrupt
            .as_mut()
            .and_then(|interrupt| interrupt.sink.take());
        drop(state);
        self.pin().switch_off();
        // With no lock held: this may be its last owner.
        drop(sink);
    }

    fn enable(&self) {
        if let Some(interrupt) = &mut self.pin().state.lock().interrupt
            && interrupt.sink.is_some()
        {
            interrupt.enabled = true;
        }
        if self.trigger == Trigger::Level {
            self.pin().post_level();
        }
    }

    fn disable(&self) {
        self.pin().switch_off();
    }
}

impl Drop for PinInterrupt {
    fn drop(&mut self) {
        self.unregister();
        self.pin().state.lock().interrupt = None;
    }
}
