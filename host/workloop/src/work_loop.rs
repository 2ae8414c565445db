//! The work loop: a gate, a chain of event sources, and usually a thread.

mod chain;
mod run;
pub(crate) mod shared;
mod thread;

use std::io;
use std::sync::Arc;
use std::task::{Poll, ready};

use crate::clock::Clock;
use crate::context::Context;
use crate::error::{Error, Wake};
use crate::event_source::EventSource;
use crate::gate::{Entry, Event, Gate, Wakeups};
use crate::instant::Instant;
use crate::sync::Mutex;
use crate::sync::thread::{Builder, JoinHandle};
use crate::waits::Waits;
use chain::Chain;
use run::Run;
use shared::Shared;

/// Enough for native actions. Eight nested drivers of 128 KiB each do not fit:
/// who runs wasm here asks for more with `spawn_thread_with`.
const STACK_SIZE: usize = 512 * 1024;

/// Polls event sources with its gate closed, one after the other.
///
/// It runs on its own thread ([`spawn_thread`](WorkLoop::spawn_thread)), or
/// wherever [`run_event_sources`](WorkLoop::run_event_sources) is called, or
/// both. Dropping the last reference terminates it: its sources are detached,
/// its thread ends by itself, sleepers and stalled callers are aborted.
pub struct WorkLoop {
    shared: Arc<Shared>,
    chain: Chain,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl WorkLoop {
    /// A loop without a thread and without sources.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::with_waits(clock, Waits::new())
    }

    /// A loop whose gate can be waited for by who holds that of another loop
    /// with these `waits`, see [`close_gate_until`](WorkLoop::close_gate_until).
    pub fn with_waits(clock: Arc<dyn Clock>, waits: Arc<Waits>) -> Arc<Self> {
        Arc::new_cyclic(|weak| Self {
            shared: Arc::new(Shared::new(clock, waits, weak.clone())),
            chain: Chain::new(),
            thread: Mutex::new(None),
        })
    }

    /// Starts the loop's own thread, with a stack of 512 KiB.
    ///
    /// # Errors
    /// As [`spawn_thread_with`](WorkLoop::spawn_thread_with).
    pub fn spawn_thread(self: &Arc<Self>, name: &str) -> io::Result<()> {
        let builder = Builder::new().name(name.to_owned()).stack_size(STACK_SIZE);
        self.spawn_thread_with(name, builder)
    }

    /// Starts the loop's own thread. `name` is its context's.
    ///
    /// # Errors
    /// `AlreadyExists` where the loop has a runner; what the operating system
    /// says, after which this loop can have no thread any more.
    pub fn spawn_thread_with(self: &Arc<Self>, name: &str, builder: Builder) -> io::Result<()> {
        let cx = Context::detached(name);
        let mut thread = self.thread.lock();
        if !self.shared.set_runner(&cx) {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "the work loop has a thread or a runner already; make another loop",
            ));
        }
        let shared = Arc::clone(&self.shared);
        let work_loop = Arc::downgrade(self);
        *thread = Some(builder.spawn(move || thread::main(&work_loop, &shared, &cx))?);
        Ok(())
    }

    /// Makes `cx` stand in for the loop's thread: signals wake it, and
    /// [`on_thread`](WorkLoop::on_thread) is true for it. For schedulers that
    /// drive loops without threads.
    ///
    /// # Errors
    /// `NotPermitted` where the loop has a runner.
    pub fn set_runner(&self, cx: &Context) -> Result<(), Error> {
        if self.shared.set_runner(cx) {
            Ok(())
        } else {
            Err(Error::NotPermitted)
        }
    }

    /// Adds a source at the end of the chain, waiting for the gate. One that
    /// holds work already is served soon after; one that is on a loop already,
    /// this or another, stays where it is (\[19\]).
    ///
    /// # Errors
    /// `NotReady` while callers are still leaving it after its removal,
    /// `Aborted` after the loop's end, and what its device says.
    pub fn add_event_source(
        &self,
        cx: &Context,
        source: Arc<dyn EventSource>,
    ) -> Result<(), Error> {
        let _closed = self.gate().closed(cx);
        if self.shared.is_terminated() {
            return Err(Error::Aborted);
        }
        if !source.attachment().attach(&self.shared) {
            let leaving = source.attachment().is_leaving();
            return if leaving {
                Err(Error::NotReady)
            } else {
                Ok(())
            };
        }
        if let Err(error) = source.attached(cx) {
            source.attachment().detach();
            return Err(error);
        }
        self.chain.append(source);
        self.shared.mark_chain_changed();
        self.shared.signal();
        Ok(())
    }

    /// Takes a source off the chain, waiting for the gate: once this has
    /// returned none of its actions starts any more, and no caller is stalled
    /// in it. One that is on no loop stays so.
    ///
    /// # Errors
    /// `BadArgument` where the source is on another loop, and stays there.
    pub fn remove_event_source(
        &self,
        cx: &Context,
        source: &Arc<dyn EventSource>,
    ) -> Result<(), Error> {
        self.gate()
            .block(cx, || (self.poll_remove_event_source(cx, source), None))
    }

    /// As [`remove_event_source`](WorkLoop::remove_event_source), without
    /// blocking. `Pending` leaves a record in the gate.
    pub fn poll_remove_event_source(
        &self,
        cx: &Context,
        source: &Arc<dyn EventSource>,
    ) -> Poll<Result<(), Error>> {
        let gate = self.gate();
        let left = source.attachment().left();
        if gate.is_asleep_on(cx, left) {
            // Aborted or not: the callers are out or they are not.
            let _ = ready!(gate.poll_sleep_on(cx, left, None));
        } else {
            ready!(gate.poll_close(cx));
            if let Err(result) = self.unlink(cx, source) {
                let _closed = gate.adopt(cx);
                return Poll::Ready(result);
            }
        }
        while source.has_stalled_callers() {
            match gate.poll_sleep_on(cx, left, None) {
                Poll::Ready(Ok(_)) => {}
                // The loop's end aborts the callers; nothing to wait for.
                Poll::Ready(Err(_)) => break,
                Poll::Pending => {
                    // A caller that gives up does so without the gate. The last
                    // one may have told us before there was a sleeper to tell.
                    if !source.has_stalled_callers() {
                        gate.wakeup_on(left, Wakeups::All);
                    }
                    return Poll::Pending;
                }
            }
        }
        let _closed = gate.adopt(cx);
        Poll::Ready(Ok(()))
    }

    /// As [`remove_event_source`](WorkLoop::remove_event_source), but does not
    /// wait for stalled callers, who end `Aborted` by themselves: for who must
    /// not sleep in the gate, as a handler must not.
    ///
    /// # Errors
    /// As there.
    pub fn withdraw_event_source(
        &self,
        cx: &Context,
        source: &Arc<dyn EventSource>,
    ) -> Result<(), Error> {
        let _closed = self.gate().closed(cx);
        self.unlink(cx, source).or_else(|result| result)
    }

    /// As [`withdraw_event_source`](WorkLoop::withdraw_event_source) of each of
    /// these that is on this loop, in one walk over the chain: for who has many.
    pub fn withdraw_event_sources(&self, cx: &Context, sources: &[Arc<dyn EventSource>]) {
        let _closed = self.gate().closed(cx);
        let removed = self.chain.remove_all(sources);
        if removed.is_empty() {
            return;
        }
        self.shared.mark_chain_changed();
        for source in &removed {
            retire(cx, source);
        }
    }

    /// Moves a source of this loop to the end of the chain, waiting for the
    /// gate: as a removal and an addition, but its device does not notice, and
    /// nothing that happens meanwhile goes uncounted.
    ///
    /// # Errors
    /// `BadArgument` where the source is not on this loop.
    pub fn requeue_event_source(
        &self,
        cx: &Context,
        source: &Arc<dyn EventSource>,
    ) -> Result<(), Error> {
        let _closed = self.gate().closed(cx);
        if !self.chain.remove(source) {
            return Err(Error::BadArgument);
        }
        self.chain.append(Arc::clone(source));
        self.shared.mark_chain_changed();
        Ok(())
    }

    /// Does the pending work now, on the caller, with the gate closed
    /// throughout. Every source is polled at least once, unless its
    /// [`Quota`](crate::Quota) is used up. False where the loop has ended.
    pub fn run_event_sources(&self, cx: &Context) -> bool {
        self.gate()
            .block(cx, || (self.poll_run_event_sources(cx), None))
    }

    /// As [`run_event_sources`](WorkLoop::run_event_sources), without waiting
    /// for the gate.
    pub fn poll_run_event_sources(&self, cx: &Context) -> Poll<bool> {
        let Entry::Closed { depth, .. } = self.gate().poll_entry(cx) else {
            return Poll::Pending;
        };
        let _closed = self.gate().adopt(cx);
        if self.shared.is_terminated() {
            return Poll::Ready(false);
        }
        Poll::Ready(Run::new(self, cx, depth).run())
    }

    /// Has the loop run soon. Callable from anywhere: takes no gate, allocates
    /// nothing. Signals that come before the run are one.
    pub fn signal_work_available(&self) {
        self.shared.signal();
    }

    /// Whether a run would find something: a signal, or a timer that is due.
    pub fn has_work(&self) -> bool {
        self.shared.has_signal()
            || self
                .next_deadline()
                .is_some_and(|deadline| deadline <= self.clock().now())
    }

    /// When the earliest timer is due.
    pub fn next_deadline(&self) -> Option<Instant> {
        let active = self.chain.active();
        active.iter().filter_map(|s| s.next_deadline()).min()
    }

    /// Closes the gate.
    pub fn close_gate(&self, cx: &Context) {
        self.gate().close(cx);
    }

    /// Opens one level of the gate.
    ///
    /// # Errors
    /// `NotPermitted` where `cx` does not hold it.
    pub fn open_gate(&self, cx: &Context) -> Result<(), Error> {
        self.gate().open(cx)
    }

    /// Closes the gate if that needs no waiting.
    pub fn try_close_gate(&self, cx: &Context) -> bool {
        self.gate().try_close(cx)
    }

    /// Closes the gate, waiting at most until `deadline`. Whoever calls this may
    /// hold the gates of other loops: a wait that would never end is refused
    /// (I/O Kit's documents only warn of it).
    ///
    /// # Errors
    /// `WouldDeadlock` where the gate's owner waits for a gate that `cx` holds,
    /// through however many others with the same [`Waits`]; `TimedOut`.
    pub fn close_gate_until(&self, cx: &Context, deadline: Instant) -> Result<(), Error> {
        if self.gate().try_close(cx) {
            return Ok(());
        }
        let _waiting = self.shared.waits().begin(cx, &self.shared)?;
        self.gate().close_until(cx, deadline)
    }

    /// Whether `cx` holds the gate.
    pub fn in_gate(&self, cx: &Context) -> bool {
        self.gate().is_closed_by(cx)
    }

    /// Whether `cx` is the loop's own thread, or stands in for it.
    pub fn on_thread(&self, cx: &Context) -> bool {
        self.shared.is_runner(cx)
    }

    /// As [`Gate::sleep`].
    ///
    /// # Errors
    /// As there.
    pub fn sleep_gate(
        &self,
        cx: &Context,
        event: Event,
        deadline: Option<Instant>,
    ) -> Result<Wake, Error> {
        self.gate().sleep(cx, event, deadline)
    }

    /// As [`Gate::wakeup`].
    pub fn wakeup_gate(&self, event: Event, which: Wakeups) -> usize {
        self.gate().wakeup(event, which)
    }

    /// The gate.
    pub fn gate(&self) -> &Gate {
        self.shared.gate()
    }

    /// The clock that everything on this loop goes by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        self.gate().clock()
    }

    /// Calls `f` with the gate closed, whatever is disabled.
    pub fn run_action<R>(&self, cx: &Context, f: impl FnOnce() -> R) -> R {
        let _closed = self.gate().closed(cx);
        f()
    }

    /// Enables every source, the polled ones first. To be called in the gate.
    pub fn enable_all_event_sources(&self, cx: &Context) {
        self.for_each(|source| source.enable(cx));
    }

    /// Disables every source. To be called in the gate. Adding and removing
    /// still work.
    pub fn disable_all_event_sources(&self, cx: &Context) {
        self.for_each(|source| source.disable(cx));
    }

    /// Enables the interrupt sources alone. To be called in the gate.
    pub fn enable_all_interrupts(&self, cx: &Context) {
        self.for_each(|source| {
            if source.is_interrupt() {
                source.enable(cx);
            }
        });
    }

    /// Disables the interrupt sources alone. To be called in the gate.
    pub fn disable_all_interrupts(&self, cx: &Context) {
        self.for_each(|source| {
            if source.is_interrupt() {
                source.disable(cx);
            }
        });
    }

    /// Ends the loop, waiting for the gate; legal in its own actions. Its
    /// sources are detached and what is pending in them is discarded, sleepers
    /// are interrupted and stalled callers aborted. Its thread ends by itself.
    pub fn terminate(&self, cx: &Context) {
        let _closed = self.gate().closed(cx);
        self.end(cx);
    }

    /// Whether the loop has ended: nothing runs on it any more. So has one whose
    /// thread an action's panic has ended.
    pub fn is_terminated(&self) -> bool {
        self.shared.is_terminated()
    }

    /// Waits until the loop's thread has ended, after
    /// [`terminate`](WorkLoop::terminate). At once where there is none.
    ///
    /// # Errors
    /// `NotPermitted` on that thread and in the gate, where it would wait for
    /// itself; `Aborted` where an action had panicked.
    pub fn join(&self, cx: &Context) -> Result<(), Error> {
        if self.on_thread(cx) || self.in_gate(cx) {
            return Err(Error::NotPermitted);
        }
        let thread = self.thread.lock().take();
        thread.map_or(Ok(()), |thread| thread.join().map_err(|_| Error::Aborted))
    }

    /// In the gate: takes the source off the chain. The error is the result of
    /// a removal with nothing more to do.
    fn unlink(&self, cx: &Context, source: &Arc<dyn EventSource>) -> Result<(), Result<(), Error>> {
        if !self.chain.remove(source) {
            return Err(match source.attachment().shared() {
                Some(_) => Err(Error::BadArgument),
                None => Ok(()),
            });
        }
        self.shared.mark_chain_changed();
        retire(cx, source);
        Ok(())
    }

    fn end(&self, cx: &Context) {
        let sources = self.chain.take();
        self.shared.terminate();
        for source in sources.iter().flat_map(|list| list.iter()) {
            retire(cx, source);
        }
    }

    fn for_each(&self, f: impl Fn(&Arc<dyn EventSource>)) {
        self.chain.active().iter().for_each(&f);
        self.chain.passive().iter().for_each(f);
    }
}

impl Drop for WorkLoop {
    fn drop(&mut self) {
        // Without the gate: a client may be in it, and waiting here, perhaps on
        // the thread that the client waits for, would be the greater evil.
        Context::with_current(|cx| self.end(cx));
    }
}

/// Tells a source that it has left the chain. While callers are inside it
/// keeps its gate, in which they have to find their way out.
fn retire(cx: &Context, source: &Arc<dyn EventSource>) {
    source.attachment().leave();
    source.detached(cx);
    if !source.has_callers() {
        source.attachment().detach();
    }
}
