//! An open line: a descriptor that comes and goes with its chip.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, ThreadId};

use gpiocdev_uapi::v2::{self, LineEdgeEvent, LineValues};
use loopgate_workloop::{Clock, Instant, InterruptSink, Trigger};
use parking_lot::{Condvar, Mutex, MutexGuard};
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;

use super::chips::{Chips, Reserved};
use super::config::config;
use super::interrupt::Interrupt;
use super::{QUEUE, errno};
use crate::gpio::{Direction, Edges, Error, LineRequest};

/// How many edges are read in one go: other devices are served in between.
const BATCH: usize = 64;
/// An edge, in the words that the kernel is read in.
const WORDS: usize = size_of::<LineEdgeEvent>() / size_of::<u64>();
/// The kernel's number for an edge towards the active level.
const RISING: u32 = v2::LineEdgeEventKind::RisingEdge as u32;

type Words = [u64; BATCH * WORDS];

pub(in super::super) struct Line {
    id: u64,
    request: LineRequest,
    /// What its chip must be labelled when it is back.
    label: Option<String>,
    epoll: Arc<OwnedFd>,
    clock: Arc<dyn Clock>,
    /// The chip has vanished, and is looked for.
    gone: AtomicBool,
    // Held over system calls, which do not wait where the chip is the processor's own.
    // Those of a chip behind a bus (an expander on I2C, an adapter on USB) wait for that,
    // at worst for as long as the kernel's driver tries. Sinks are called without.
    state: Mutex<State>,
    /// Signalled when a call of the sink ends.
    called: Condvar,
}

struct State {
    /// `None` while the chip is gone, and after the release.
    file: Option<File>,
    released: bool,
    /// The level driven; `None` for an input.
    output: Option<bool>,
    /// What the kernel looks for.
    edges: Option<Edges>,
    /// The kernel's number of the edge that was read last.
    last: u32,
    /// How often an interrupt was switched on.
    times: u64,
    interrupt: Option<Interrupt>,
    /// The thread that is in the sink.
    calling: Option<ThreadId>,
}

/// What one read gave.
struct Batch {
    /// Which time the interrupt was on.
    time: u64,
    /// The kernel's number before the first of these.
    before: u32,
    count: usize,
}

impl Line {
    /// Finds the line, and keeps it as it is.
    pub(in super::super) fn reserve(request: &LineRequest) -> Result<Reserved, Error> {
        Chips::open().find(&request.line)?.reserve(request)
    }

    pub(in super::super) fn open(
        id: u64,
        request: &LineRequest,
        reserved: Reserved,
        epoll: &Arc<OwnedFd>,
        clock: &Arc<dyn Clock>,
    ) -> Result<Self, Error> {
        let line = Self {
            id,
            request: request.clone(),
            label: reserved.label.clone(),
            epoll: Arc::clone(epoll),
            clock: Arc::clone(clock),
            gone: AtomicBool::new(false),
            state: Mutex::new(State {
                file: None,
                released: false,
                output: match request.direction {
                    Direction::Input => None,
                    Direction::Output { initial } => Some(initial),
                },
                edges: request.edges,
                last: 0,
                times: 0,
                interrupt: None,
                calling: None,
            }),
            called: Condvar::new(),
        };
        let mut state = line.state.lock();
        let file = line.configured(reserved, state.output, state.edges)?;
        line.watch(&mut state, file)?;
        drop(state);
        Ok(line)
    }

    pub(in super::super) fn is_high(&self) -> Result<bool, Error> {
        let state = self.state.lock();
        self.level(&state)
    }

    pub(in super::super) fn set(&self, high: bool) -> Result<(), Error> {
        let mut state = self.state.lock();
        if state.output.is_none() {
            return Err(Error::NotOutput {
                line: self.request.line.clone(),
            });
        }
        // Also while it is gone: it comes back as it was left.
        state.output = Some(high);
        let file = state.file.as_ref().ok_or_else(|| self.vanished())?;
        v2::set_line_values(file, &LineValues::from_slice(&[high]))
            .map_err(|error| self.failed("be set", &error))
    }

    pub(in super::super) fn make_input(&self) -> Result<(), Error> {
        let mut state = self.state.lock();
        if state.output.take().is_none() {
            return Ok(());
        }
        self.configure(&state)
    }

    pub(in super::super) fn add_interrupt(&self, edges: Edges) -> Result<(), Error> {
        let mut state = self.state.lock();
        let line = || self.request.line.clone();
        if state.output.is_some() {
            return Err(Error::NotInput { line: line() });
        }
        if state.interrupt.is_some() {
            return Err(Error::HasInterrupt { line: line() });
        }
        let before = state.edges.replace(edges);
        if before != Some(edges)
            && let Err(error) = self.configure(&state)
        {
            state.edges = before;
            return Err(error);
        }
        state.interrupt = Some(Interrupt::new(edges));
        Ok(())
    }

    pub(in super::super) fn remove_interrupt(&self) {
        self.unregister();
        self.state.lock().interrupt = None;
    }

    pub(in super::super) fn register(
        &self,
        sink: Arc<dyn InterruptSink>,
    ) -> Result<(), loopgate_workloop::Error> {
        let mut state = self.state.lock();
        let interrupt = state.interrupt.as_mut();
        let interrupt = interrupt.ok_or(loopgate_workloop::Error::NotReady)?;
        if interrupt.sink.is_some() {
            return Err(loopgate_workloop::Error::NoResources);
        }
        interrupt.sink = Some(sink);
        Ok(())
    }

    pub(in super::super) fn unregister(&self) {
        let sink = self.switch_off(|interrupt| interrupt.sink.take());
        // With no lock held: this may be its last owner.
        drop(sink);
    }

    pub(in super::super) fn enable(&self) {
        let mut state = self.state.lock();
        let registered = |interrupt: &&Interrupt| interrupt.sink.is_some();
        let Some(interrupt) = state.interrupt.as_ref().filter(registered) else {
            return;
        };
        let is_level = interrupt.edges.trigger() == Trigger::Level;
        if interrupt.time().is_none() {
            state.discard();
            state.times += 1;
            let (time, now) = (state.times, self.clock.now());
            if let Some(interrupt) = &mut state.interrupt {
                interrupt.switch_on(time, now);
            }
            self.listen(&state);
        }
        // Edges are told by the controller's thread alone: a second one in the sink
        // would keep it from telling each before the next.
        if is_level {
            self.look(&mut state);
            drop(state);
            self.deliver();
        }
    }

    pub(in super::super) fn disable(&self) {
        self.switch_off(|_| None);
    }

    pub(in super::super) fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// The controller's: `epoll` has told of the descriptor. Whether the chip
    /// was found to have vanished.
    pub(in super::super) fn serve(&self, flags: EventFlags) -> bool {
        let mut words: Words = [0; BATCH * WORDS];
        let mut state = self.state.lock();
        let Ok(batch) = state.read(flags, &mut words) else {
            self.vanish(state);
            return true;
        };
        drop(state);
        if let Some(batch) = batch {
            self.tell(&batch, &words);
        }
        false
    }

    /// The controller's: tries whether the chip is back.
    pub(in super::super) fn retry(&self) {
        let (output, edges) = {
            let state = self.state.lock();
            (state.output, state.edges)
        };
        // With no lock held: it looks through all chips.
        let reserved = Self::reserve(&self.request).ok();
        let reserved = reserved.filter(|reserved| reserved.label == self.label);
        let file = reserved.and_then(|reserved| self.configured(reserved, output, edges).ok());
        let Some(file) = file else {
            return;
        };
        let mut state = self.state.lock();
        if state.released || self.watch(&mut state, file).is_err() {
            return;
        }
        self.gone.store(false, Ordering::Release);
        if (state.output, state.edges) != (output, edges) {
            // What fails here fails again for whoever uses it.
            let _ = self.configure(&state);
        }
        state.lose(1);
        self.look(&mut state);
        drop(state);
        self.deliver();
    }

    /// Closes the line, for good.
    pub(in super::super) fn release(&self) {
        let mut state = self.state.lock();
        state.released = true;
        let file = self.forget(&mut state);
        drop(state);
        self.gone.store(false, Ordering::Release);
        // With no lock held: the kernel waits for its own threads.
        drop(file);
    }

    fn configured(
        &self,
        reserved: Reserved,
        output: Option<bool>,
        edges: Option<Edges>,
    ) -> Result<File, Error> {
        reserved.open(&self.request, config(&self.request, output, edges))
    }

    fn configure(&self, state: &State) -> Result<(), Error> {
        let file = state.file.as_ref().ok_or_else(|| self.vanished())?;
        let config = config(&self.request, state.output, state.edges);
        v2::set_line_config(file, config).map_err(|error| self.failed("be configured", &error))
    }

    fn level(&self, state: &State) -> Result<bool, Error> {
        let file = state.file.as_ref().ok_or_else(|| self.vanished())?;
        let mut values = LineValues { bits: 0, mask: 1 };
        v2::get_line_values(file, &mut values).map_err(|error| self.failed("be read", &error))?;
        Ok(values.bits & 1 != 0)
    }

    /// Tells of a level that is active now.
    fn look(&self, state: &mut State) {
        let level = self.level(state);
        if let (Some(interrupt), Ok(high)) = (&mut state.interrupt, level)
            && interrupt.edges.trigger() == Trigger::Level
            && interrupt.edges.contains(high)
            && interrupt.time().is_some()
        {
            interrupt.found(self.clock.now(), high);
        }
    }

    fn tell(&self, batch: &Batch, words: &Words) {
        let mut before = batch.before;
        for words in words.chunks_exact(WORDS).take(batch.count) {
            let Ok(edge) = LineEdgeEvent::from_slice(words) else {
                return;
            };
            let missed = edge.line_seqno.wrapping_sub(before).wrapping_sub(1);
            before = edge.line_seqno;
            let mut state = self.state.lock();
            match &mut state.interrupt {
                Some(interrupt) if interrupt.time() == Some(batch.time) => {
                    let at = Instant::from_nanos(edge.timestamp_ns);
                    interrupt.edge(at, edge.kind == RISING, missed);
                }
                // Switched off meanwhile.
                _ => return,
            }
            drop(state);
            self.deliver();
        }
    }

    /// Calls the sink with all that is due. With no lock held.
    fn deliver(&self) {
        let mut state = self.state.lock();
        // Whoever is in the sink looks again when it comes out.
        while state.calling.is_none() {
            let interrupt = state.interrupt.as_mut();
            let Some((sink, call)) = interrupt.and_then(Interrupt::next_call) else {
                return;
            };
            state.calling = Some(thread::current().id());
            drop(state);
            let running = Running(self);
            call.make(&*sink);
            // Before the call counts as over: it may be all that keeps the line
            // open, which who has waited for the call's end may want to open.
            drop(sink);
            drop(running);
            state = self.state.lock();
        }
    }

    /// Waits until no other thread is in the sink.
    fn switch_off(
        &self,
        f: impl FnOnce(&mut Interrupt) -> Option<Arc<dyn InterruptSink>>,
    ) -> Option<Arc<dyn InterruptSink>> {
        let this = thread::current().id();
        let mut state = self.state.lock();
        let sink = state.interrupt.as_mut().and_then(|interrupt| {
            interrupt.switch_off();
            f(interrupt)
        });
        self.listen(&state);
        while state.calling.is_some_and(|thread| thread != this) {
            self.called.wait(&mut state);
        }
        sink
    }

    fn watch(&self, state: &mut State, file: File) -> Result<(), Error> {
        epoll::add(
            &*self.epoll,
            &file,
            EventData::new_u64(self.id),
            state.interest(),
        )
        .map_err(|errno| Error::Io {
            line: self.request.line.clone(),
            operation: "be watched",
            source: errno.into(),
        })?;
        state.file = Some(file);
        state.last = 0;
        Ok(())
    }

    /// Has `epoll` tell of edges while the interrupt is on. That the chip has
    /// vanished it tells always.
    fn listen(&self, state: &State) {
        if let Some(file) = &state.file {
            let data = EventData::new_u64(self.id);
            // It fails for no descriptor that is there already.
            let _ = epoll::modify(&*self.epoll, file, data, state.interest());
        }
    }

    /// What was missed meanwhile is unknown: one stands for it.
    fn vanish(&self, mut state: MutexGuard<'_, State>) {
        let file = self.forget(&mut state);
        self.gone.store(true, Ordering::Release);
        state.lose(1);
        drop(state);
        drop(file);
        self.deliver();
    }

    fn forget(&self, state: &mut State) -> Option<File> {
        let file = state.file.take()?;
        // Closing it does the same, but not where a child has inherited it.
        let _ = epoll::delete(&*self.epoll, &file);
        Some(file)
    }

    fn vanished(&self) -> Error {
        Error::Gone {
            line: self.request.line.clone(),
        }
    }

    fn failed(&self, operation: &'static str, error: &gpiocdev_uapi::Error) -> Error {
        let source = errno(error);
        if Errno::from_io_error(&source) == Some(Errno::NODEV) {
            return self.vanished();
        }
        Error::Io {
            line: self.request.line.clone(),
            operation,
            source,
        }
    }
}

/// The chip does not answer any more.
struct Vanished;

impl State {
    fn interest(&self) -> EventFlags {
        let on = self.interrupt.as_ref().and_then(Interrupt::time);
        if on.is_some() {
            EventFlags::IN
        } else {
            EventFlags::empty()
        }
    }

    fn read(&mut self, flags: EventFlags, words: &mut Words) -> Result<Option<Batch>, Vanished> {
        let Some(file) = &self.file else {
            return Ok(None);
        };
        if flags.intersects(EventFlags::HUP | EventFlags::ERR) {
            return Err(Vanished);
        }
        let Some(time) = self.interrupt.as_ref().and_then(Interrupt::time) else {
            return Ok(None);
        };
        let before = self.last;
        let (count, last) = read(file, words)?;
        self.last = last.unwrap_or(before);
        Ok(Some(Batch {
            time,
            before,
            count,
        }))
    }

    /// What came while nobody listened.
    fn discard(&mut self) {
        let mut words: Words = [0; BATCH * WORDS];
        // As much as the kernel keeps, and no more: edges may come faster than
        // they can be read.
        for _ in 0..=QUEUE as usize / BATCH {
            let Some(file) = &self.file else { return };
            match read(file, &mut words) {
                Ok((_, Some(last))) => self.last = last,
                Ok((_, None)) | Err(Vanished) => return,
            }
        }
    }

    fn lose(&mut self, count: u32) {
        if let Some(interrupt) = &mut self.interrupt {
            interrupt.lose(count);
        }
    }
}

/// How many edges there were, and the number of the last.
fn read(file: &File, words: &mut Words) -> Result<(usize, Option<u32>), Vanished> {
    let count = match gpiocdev_uapi::read_event(file, words) {
        Ok(words) => words / WORDS,
        Err(error) => match Errno::from_io_error(&errno(&error)) {
            Some(Errno::AGAIN | Errno::INTR) => 0,
            _ => return Err(Vanished),
        },
    };
    let last = words[..count * WORDS].rchunks_exact(WORDS).next();
    let last = last.and_then(|words| LineEdgeEvent::from_slice(words).ok());
    Ok((count, last.map(|edge| edge.line_seqno)))
}

/// A running call of a sink; over on drop, also by a panic.
struct Running<'a>(&'a Line);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.state.lock().calling = None;
        self.0.called.notify_all();
    }
}
