//! What the host keeps beside one driver instance: the data of its store.

use crate::call_clock::CallClock;
use crate::driver::Driver;
use crate::error::ErrorCode;
use crate::filter::{Levels, Program};
use crate::heritage::{Heritage, LineName, OpenPins};
use crate::interface::wasi_i2c::Connect;
use crate::interface::work_loop::Sources;
use crate::limits::LimitHit;
use crate::log::LineBuffer;
use crate::memory::MemoryLimiter;
use crate::published_pins::Offer;
use crate::random::Random;
use crate::rate::{CallRate, LoopShare};
use crate::requests::Requests;
use crate::service::Service;
use crate::staging::Phase;
use crate::status::{PowerState, Usage};
use crate::submission::Submissions;
use crate::trace::Witness;
use loopgate_workloop::{Context, Trigger};
use std::collections::BTreeSet;
use std::sync::Arc;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime::{Store, UpdateDeadline};

/// The data of a driver's store. All of it is reached with the gate closed.
pub(crate) struct Guest {
    pub(crate) driver: Arc<Driver>,
    /// Which instance of the driver it is.
    pub(crate) generation: u64,
    pub(crate) table: ResourceTable,
    pub(crate) sources: Sources,
    /// Those that it received, and those that it sent.
    pub(crate) requests: Requests,
    pub(crate) submissions: Submissions,
    /// What it offers.
    pub(crate) services: Vec<Arc<Service>>,
    /// Pins that it offers to other drivers.
    pub(crate) offer: Option<Offer>,
    /// Counts the looks for mail, so that each kind is looked at first in turn.
    pub(crate) looks: usize,
    pub(crate) clock: CallClock,
    pub(crate) calls: CallRate,
    share: Option<LoopShare>,
    pub(crate) memory: MemoryLimiter,
    pub(crate) random: Random,
    pub(crate) output: LineBuffer,
    /// Where it takes its devices so.
    pub(crate) wasi_i2c: Option<Arc<Connect>>,
    /// The component for filters, where it asks for any.
    pub(crate) filters: Option<Arc<Program>>,
    pub(crate) levels: Arc<Levels>,
    /// What it can reach.
    pub(crate) phase: Phase,
    /// For the version after it.
    pub(crate) pins: OpenPins,
    /// Its open devices on buses, by kind and name.
    pub(crate) on_buses: BTreeSet<(&'static str, String)>,
    /// What the version before it has left.
    pub(crate) heritage: Heritage,
    /// It is in its last `stop` before the next version takes over: the sources
    /// that lines feed are not its own any more.
    pub(crate) handing_over: bool,
    /// What it was told of the board's power; it starts awake.
    pub(crate) power: PowerState,
    /// It is in its last `stop`: nobody could be told of what it submits.
    pub(crate) stopping: bool,
    /// Where somebody looks at what crosses its boundary.
    pub(crate) witness: Option<Box<Witness>>,
}

impl Guest {
    /// A store for one instance of the driver, with every limit set.
    pub(crate) fn store(
        driver: Arc<Driver>,
        engine: &wasmtime::Engine,
        filters: Option<Arc<Program>>,
        generation: u64,
    ) -> Store<Guest> {
        let limits = driver.limits.clone();
        let mut table = ResourceTable::new();
        table.set_max_capacity(limits.handles as usize);
        let guest = Guest {
            generation,
            table,
            sources: Sources::default(),
            requests: Requests::new(limits.requests),
            submissions: Submissions::new(),
            services: Vec::new(),
            offer: None,
            looks: 0,
            clock: CallClock::new(driver.engine.is_counted()),
            calls: CallRate::new(limits.host_calls, driver.time.now()),
            share: LoopShare::new(limits.loop_share),
            memory: MemoryLimiter::new(&limits),
            random: Random::seeded(&driver.name, generation),
            output: LineBuffer::default(),
            wasi_i2c: None,
            filters,
            levels: Arc::new(Levels::new(&driver.entry)),
            phase: Phase::Aside,
            pins: OpenPins::default(),
            on_buses: BTreeSet::new(),
            heritage: Heritage::default(),
            handing_over: false,
            power: PowerState::On,
            stopping: false,
            witness: driver.traced.witness(),
            driver,
        };
        let mut store = Store::new(engine, guest);
        store.limiter(|guest| &mut guest.memory);
        store.set_hostcall_fuel(fuel(limits.payload));
        // Handles also exist without a table entry (`resource.new`, WASI's).
        store.set_max_component_handles(limits.handles as usize + 64);
        store.epoch_deadline_callback(|mut cx| {
            let guest = cx.data_mut();
            guest.calls_allowed()?;
            guest.clock.look()?;
            Ok(UpdateDeadline::Continue(1))
        });
        store
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage {
            memory: self.memory.in_use(),
            sources: self.sources.len(),
            requests: self.requests.len(),
            submissions: self.submissions.len(),
        }
    }

    /// This, which a call of the host is for.
    #[inline]
    pub(crate) fn counted(&mut self) -> &mut Self {
        let one_too_many = self.calls.count(|| self.driver.time.now());
        if self.clock.host_called() || one_too_many {
            self.driver.engine.look_at_calls();
        }
        self
    }

    fn calls_allowed(&self) -> Result<(), LimitHit> {
        if self.calls.is_exceeded() {
            return Err(LimitHit::HostCalls(self.driver.limits.host_calls));
        }
        Ok(())
    }

    /// When a handler begins, where its time counts.
    pub(crate) fn begun(&self) -> Option<loopgate_workloop::Instant> {
        self.share.as_ref().map(|_| self.driver.time.now())
    }

    /// A handler has returned: whether it was one too many, by what all of them
    /// have done in the last second.
    pub(crate) fn returned(
        &mut self,
        begun: Option<loopgate_workloop::Instant>,
    ) -> Result<(), LimitHit> {
        let (calls, time) = self.driver.debt.take();
        if calls > 0 {
            self.calls.count_all(calls, self.driver.time.now());
        }
        self.calls_allowed()?;
        let Some(share) = &mut self.share else {
            return Ok(());
        };
        if !time.is_zero() {
            share.owe(time, self.driver.time.now());
        }
        // Others were at work while it waited for them.
        let begun = begun.map(|begun| begun.saturating_add(self.clock.waited));
        if let Some(begun) = begun
            && !share.charge(begun, self.driver.time.now())
        {
            return Err(LimitHit::LoopShare(self.driver.limits.loop_share));
        }
        Ok(())
    }

    /// Events that wait for a handler.
    pub(crate) fn waiting(&self, now: loopgate_workloop::Instant) -> u64 {
        self.sources.waiting(now) + u64::from(self.sources.post.waiting())
    }

    /// What the next version takes over; this one's `stop` follows.
    pub(crate) fn hand_over(&mut self) -> Heritage {
        self.handing_over = true;
        let ports = self.driver.open_ports();
        // A pin that had to leave its line begins anew with the next version.
        let left = self.driver.left_lines();
        let fed = self.sources.take_fed(|pin| !left.contains_key(pin));
        Heritage::new(&self.pins, ports.into_iter(), fed)
    }

    /// It has died: what the next one takes over.
    pub(crate) fn bequeath(&mut self) -> Heritage {
        let left = self.driver.left_lines();
        let counts = |line: &LineName| match line {
            LineName::Pin(pin, edges) => {
                edges.trigger() == Trigger::Edge && !left.contains_key(pin)
            }
            LineName::Readable(_) | LineName::Writable(_) => false,
        };
        let mut heritage = std::mem::take(&mut self.heritage);
        heritage.bequeath(&self.pins, self.sources.take_fed_by(counts));
        heritage
    }

    /// It has ended: its outputs become what the board file wants.
    pub(crate) fn rest_outputs(&mut self) {
        let open = self.pins.open().filter(|(_, (output, _))| *output);
        for (name, (_, line)) in open.filter(|_| !self.handing_over) {
            self.driver.rest(&name, line);
        }
        self.rest_untaken();
    }

    fn rest_untaken(&mut self) {
        for (name, line) in self.heritage.take_outputs() {
            self.driver.rest(&name, line);
        }
    }

    /// Its `start` has returned: what it has not taken over is closed, and its
    /// pins can be opened.
    pub(crate) fn started(&mut self, cx: &Context) {
        self.begin_offer();
        self.sources.started(cx, &self.driver);
        self.rest_untaken();
        self.heritage.started(cx, &self.driver);
    }

    /// Before its commit it was refused, and is not called again.
    pub(crate) fn let_go(&mut self) {
        self.phase = Phase::Aside;
        self.table = ResourceTable::new();
        self.sources = Sources::default();
    }

    /// A list from the guest, where its store lets more pass than that: see
    /// `save-state`.
    pub(crate) fn within_payload(&self, bytes: usize) -> Result<(), LimitHit> {
        let payload = self.driver.limits.payload;
        if bytes <= fuel(payload) {
            return Ok(());
        }
        Err(LimitHit::Payload(payload))
    }

    /// What clients are told of what this driver ends unanswered. What it lets
    /// go of in its last `stop` ends with it.
    pub(crate) fn aborted(&self) -> ErrorCode {
        if self.stopping {
            ErrorCode::DriverDied
        } else {
            ErrorCode::Aborted
        }
    }

    /// Enters something into the handle table, `None` where it is full.
    pub(crate) fn push<T: Send + 'static>(&mut self, entry: T) -> Option<Resource<T>> {
        let handle = self.table.push(entry).ok();
        if handle.is_none() {
            self.driver.log.host(&format!(
                "{}",
                LimitHit::Handles(self.driver.limits.handles)
            ));
        }
        handle
    }
}

/// Lists are copied before host code sees them, so this is what bounds them;
/// the slack is for the rest of a call's arguments.
pub(crate) fn fuel(bytes: u64) -> usize {
    bytes as usize + (8 << 10)
}
