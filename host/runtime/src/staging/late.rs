//! Parts of pins that are had at the commit only.

use loopgate_devices::gpio::{Edges, Error, GpioController, GpioLine, LineRequest, Reservation};
use loopgate_workloop::{InterruptLine, InterruptSink, Trigger};
use parking_lot::Mutex;
use std::sync::{Arc, OnceLock};

/// An output that is nobody else's, and driven at the commit. Until then it reads
/// as what it will be driven to.
pub(crate) struct LateLine {
    name: String,
    initial: bool,
    /// Until it is driven.
    reserved: Mutex<Option<Box<dyn Reservation>>>,
    line: OnceLock<Arc<dyn GpioLine>>,
}

impl LateLine {
    pub(crate) fn new(
        controller: &dyn GpioController,
        wanted: &LineRequest,
        initial: bool,
    ) -> Result<Arc<Self>, Error> {
        Ok(Arc::new(Self {
            name: wanted.line.clone(),
            initial,
            reserved: Mutex::new(Some(controller.reserve(wanted)?)),
            line: OnceLock::new(),
        }))
    }

    /// Drives it. Asked once.
    pub(super) fn open(&self) -> Result<(), Error> {
        let reserved = self.reserved.lock().take();
        if let Some(reserved) = reserved {
            let _ = self.line.set(reserved.open()?);
        }
        Ok(())
    }

    fn line(&self) -> Result<&Arc<dyn GpioLine>, Error> {
        self.line.get().ok_or_else(|| Error::NotOutput {
            line: self.name.clone(),
        })
    }
}

impl GpioLine for LateLine {
    fn is_high(&self) -> Result<bool, Error> {
        match self.line.get() {
            Some(line) => line.is_high(),
            None => Ok(self.initial),
        }
    }

    fn set(&self, high: bool) -> Result<(), Error> {
        self.line()?.set(high)
    }

    fn interrupt(&self, edges: Edges) -> Result<Arc<dyn InterruptLine>, Error> {
        self.line()?.interrupt(edges)
    }

    fn make_input(&self) -> Result<(), Error> {
        self.line()?.make_input()
    }
}

/// The interrupts of a pin that the last version has and takes elsewhere, or at
/// other edges: had at the commit.
pub(crate) struct LateInterrupt {
    pin: Arc<dyn GpioLine>,
    edges: Edges,
    line: OnceLock<Arc<dyn InterruptLine>>,
}

impl LateInterrupt {
    pub(crate) fn new(pin: Arc<dyn GpioLine>, edges: Edges) -> Arc<Self> {
        Arc::new(Self {
            pin,
            edges,
            line: OnceLock::new(),
        })
    }
}

impl InterruptLine for LateInterrupt {
    fn trigger(&self) -> Trigger {
        self.edges.trigger()
    }

    fn register(&self, sink: Arc<dyn InterruptSink>) -> Result<(), loopgate_workloop::Error> {
        if let Some(line) = self.line.get() {
            return line.register(sink);
        }
        let line = self.pin.interrupt(self.edges);
        let line = line.map_err(|_| loopgate_workloop::Error::NoResources)?;
        // In the gate: nobody else makes one.
        self.line.get_or_init(|| line).register(sink)
    }

    fn unregister(&self) {
        if let Some(line) = self.line.get() {
            line.unregister();
        }
    }

    fn enable(&self) {
        if let Some(line) = self.line.get() {
            line.enable();
        }
    }

    fn disable(&self) {
        if let Some(line) = self.line.get() {
            line.disable();
        }
    }

    fn mask(&self) {
        if let Some(line) = self.line.get() {
            line.mask();
        }
    }
}
