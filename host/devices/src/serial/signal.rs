//! The `readable` and `writable` lines: what is true of a port, told once until
//! it is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ThreadId};

use loopgate_workloop::{Clock, InterruptLine, InterruptSink, Occurrence, Trigger};
use parking_lot::{Condvar, Mutex};

/// Both lines of a port.
#[derive(Clone)]
pub(crate) struct Signals {
    pub(crate) readable: Arc<Signal>,
    pub(crate) writable: Arc<Signal>,
}

/// One line's state. It is changed under the port's lock, so that it always
/// tells what the port's last change left, and delivered after that.
pub(crate) struct Signal {
    clock: Arc<dyn Clock>,
    /// A [`Line`] lives.
    taken: AtomicBool,
    // Lock order: a port's lock before this one. Nothing is called under it.
    state: Mutex<State>,
    /// Signalled when a call of the sink ends.
    called: Condvar,
}

#[derive(Default)]
struct State {
    sink: Option<Arc<dyn InterruptSink>>,
    enabled: bool,
    /// There is something to tell of.
    due: bool,
    /// It was told, and nobody has answered.
    told: bool,
    sequence: u64,
    /// The thread that is in the sink.
    calling: Option<ThreadId>,
}

/// The line that a holder of the port was given.
struct Line(Arc<Signal>);

impl Signals {
    pub(crate) fn new(clock: &Arc<dyn Clock>) -> Self {
        Self {
            readable: Signal::new(clock),
            writable: Signal::new(clock),
        }
    }

    /// Calls the sinks that are to be called. With no lock held.
    pub(crate) fn deliver(&self) {
        self.readable.deliver();
        self.writable.deliver();
    }

    /// Silences both, for good.
    pub(crate) fn end(&self) {
        self.readable.answer(false);
        self.writable.answer(false);
    }
}

impl Signal {
    fn new(clock: &Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            clock: Arc::clone(clock),
            taken: AtomicBool::new(false),
            state: Mutex::default(),
            called: Condvar::new(),
        })
    }

    /// The line; `None` while another lives.
    pub(crate) fn line(self: &Arc<Self>) -> Option<Arc<dyn InterruptLine>> {
        if self.taken.swap(true, Ordering::AcqRel) {
            return None;
        }
        self.state.lock().sequence = 0;
        Some(Arc::new(Line(Arc::clone(self))))
    }

    /// Something has happened to the port.
    pub(super) fn set_due(&self, due: bool) {
        self.state.lock().due = due;
    }

    /// The holder has looked, and this is what it left.
    pub(super) fn answer(&self, due: bool) {
        let mut state = self.state.lock();
        state.due = due;
        state.told = false;
    }

    fn deliver(&self) {
        let mut state = self.state.lock();
        // Whoever is in the sink looks again when it comes out.
        while state.calling.is_none() {
            let Some((sink, sequence)) = state.tell() else {
                return;
            };
            state.calling = Some(thread::current().id());
            drop(state);
            let call = Call(self, sink);
            call.1.interrupt_occurred(Occurrence {
                sequence,
                timestamp: self.clock.now(),
                high: true,
            });
            drop(call);
            state = self.state.lock();
        }
    }

    /// Changes the state, then waits until no other thread is in the sink.
    fn quiesce<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        let this = thread::current().id();
        let mut state = self.state.lock();
        let result = f(&mut state);
        while state.calling.is_some_and(|thread| thread != this) {
            self.called.wait(&mut state);
        }
        result
    }
}

impl State {
    fn tell(&mut self) -> Option<(Arc<dyn InterruptSink>, u64)> {
        if !self.enabled || !self.due || self.told {
            return None;
        }
        let sink = Arc::clone(self.sink.as_ref()?);
        self.told = true;
        self.sequence += 1;
        Some((sink, self.sequence))
    }
}

/// A running call of a sink; over on drop, also by a panic. The sink is
/// dropped after that: it may be the last of its kind and unregister itself.
struct Call<'a>(&'a Signal, Arc<dyn InterruptSink>);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.0.state.lock().calling = None;
        self.0.called.notify_all();
    }
}

impl InterruptLine for Line {
    fn trigger(&self) -> Trigger {
        // Not a level line: that would be masked until the action returns, and
        // an action that reads in small pieces would be told no more.
        Trigger::Edge
    }

    fn register(&self, sink: Arc<dyn InterruptSink>) -> Result<(), loopgate_workloop::Error> {
        let mut state = self.0.state.lock();
        if state.sink.is_some() {
            return Err(loopgate_workloop::Error::NoResources);
        }
        state.sink = Some(sink);
        Ok(())
    }

    fn unregister(&self) {
        let sink = self.0.quiesce(|state| {
            state.enabled = false;
            state.sink.take()
        });
        // With no lock held: this may be its last owner.
        drop(sink);
    }

    fn enable(&self) {
        let mut state = self.0.state.lock();
        if state.sink.is_some() && !state.enabled {
            state.enabled = true;
            // What was told before may have been lost with a predecessor.
            state.told = false;
        }
        drop(state);
        self.0.deliver();
    }

    fn disable(&self) {
        self.0.quiesce(|state| state.enabled = false);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.unregister();
        self.0.taken.store(false, Ordering::Release);
    }
}
