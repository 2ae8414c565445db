//! What the host keeps beside one driver instance: the data of its store.

use crate::driver::Driver;
use crate::error::ErrorCode;
use crate::filter::{Levels, Program};
use crate::heritage::{Heritage, LineName, OpenPins};
use crate::interface::wasi_i2c::Connect;
use crate::interface::work_loop::Sources;
use crate::limits::{LimitHit, Limits};
use crate::log::LineBuffer;
use crate::published_pins::Offer;
use crate::rate::{CallRate, LoopShare};
use crate::requests::Requests;
use crate::service::Service;
use crate::staging::Phase;
use crate::status::{PowerState, Usage};
use crate::submission::Submissions;
use crate::ticker::TICK;
use crate::time::Time;
use crate::trace::Witness;
use loopgate_workloop::{Context, Trigger};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wasmtime::component::{Resource, ResourceTable};
use wasmtime::{ResourceLimiter, Store, UpdateDeadline};

/// Instructions of WebAssembly, where they are counted in place of time: a PC does
/// about twice as many.
const PER_NANOSECOND: u64 = 4;

/// What a call of the host counts for there.
const HOST_CALL: Duration = Duration::from_nanos(250);

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

/// Watches the time of the running handler.
///
/// Reading clocks costs a fifth of a whole call, so nothing is read unless a
/// call is still running at a tick; it is then measured from that tick on.
/// What was before is less than one tick.
#[derive(Default)]
pub(crate) struct CallClock {
    cpu: Duration,
    wall: Duration,
    starting: bool,
    since: Option<Reading>,
    /// Delays that the handler asked for, which virtual time does not show on
    /// the wall.
    delayed: Duration,
    /// Calls into other drivers, by the board's clock.
    down: Duration,
    /// Waits for what others had, a gate or a bus.
    waited: Duration,
    /// Whether instructions and calls of the host are counted, and no clock is read.
    is_counted: bool,
    /// What was executed, and by those that it called.
    executed: Duration,
    executed_down: Duration,
    /// What its calls of the host are taken to have cost.
    host: Duration,
}

/// Both clocks at one moment.
#[derive(Clone, Copy)]
pub(crate) struct Reading {
    cpu: Duration,
    wall: Instant,
}

impl Reading {
    fn now() -> Self {
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        let cpu = Duration::new(cpu.tv_sec.unsigned_abs(), cpu.tv_nsec.unsigned_abs() as u32);
        Self {
            cpu,
            wall: Instant::now(),
        }
    }
}

impl CallClock {
    fn new(is_counted: bool) -> Self {
        Self {
            is_counted,
            ..Self::default()
        }
    }

    /// A handler begins.
    pub(crate) fn begin(&mut self, limits: &Limits, starting: bool) {
        self.starting = starting;
        (self.cpu, self.wall) = if starting {
            (limits.start, limits.start)
        } else {
            (limits.handler_cpu, limits.handler_wall)
        };
        self.since = None;
        self.delayed = Duration::ZERO;
        self.down = Duration::ZERO;
        self.waited = Duration::ZERO;
        self.executed = Duration::ZERO;
        self.executed_down = Duration::ZERO;
        self.host = Duration::ZERO;
    }

    /// The host was called; whether that was once too often.
    fn host_called(&mut self) -> bool {
        if !self.is_counted {
            return false;
        }
        self.host += HOST_CALL;
        self.host >= self.cpu
    }

    /// What it has taken so far that no virtual clock shows.
    pub(crate) fn executed(&self) -> Duration {
        self.executed + self.host + self.executed_down
    }

    /// As [`called_down`](Self::called_down), for what no virtual clock shows.
    pub(crate) fn executed_down(&mut self, span: Duration) {
        self.executed_down += span;
        self.down += span;
    }

    pub(crate) fn is_counted(&self) -> bool {
        self.is_counted
    }

    /// As many as the handler may execute, where they are counted.
    pub(crate) fn instructions(&self) -> u64 {
        let limit = self.cpu.min(self.wall).as_nanos();
        u64::try_from(limit).map_or(u64::MAX, |nanos| nanos.saturating_mul(PER_NANOSECOND))
    }

    /// And so many of them it has not.
    pub(crate) fn left_over(&mut self, instructions: u64) {
        self.executed = Duration::from_nanos((self.instructions() - instructions) / PER_NANOSECOND);
    }

    /// It has executed all of them.
    pub(crate) fn exhausted(&self) -> LimitHit {
        if self.cpu > self.wall {
            return self.over();
        }
        self.spent()
    }

    fn spent(&self) -> LimitHit {
        if self.starting {
            LimitHit::Start(self.cpu)
        } else {
            LimitHit::HandlerCpu(self.cpu)
        }
    }

    /// How long the handler has kept its loop, where it has seen a tick, or has
    /// counted as many instructions and delays, or has called another driver.
    pub(crate) fn spanned(&self) -> Option<Duration> {
        let own = self.since.map(|_| self.own() + TICK);
        let counted = self.executed + self.host + self.delayed;
        let own = own.or((counted >= TICK).then_some(counted));
        let down = (!self.down.is_zero()).then_some(self.down);
        own.map_or(down, |own| Some(own + self.down))
    }

    /// Its own time so far, from the first tick on.
    fn own(&self) -> Duration {
        let since = self.since.map(|since| since.wall.elapsed());
        since.unwrap_or_default() + self.delayed
    }

    /// The engine has interrupted the guest.
    fn look(&mut self) -> Result<(), LimitHit> {
        if !self.is_counted {
            return self.tick();
        }
        if self.host >= self.cpu {
            return Err(self.spent());
        }
        Ok(())
    }

    /// The engine's epoch moved on while guest code ran.
    fn tick(&mut self) -> Result<(), LimitHit> {
        let now = Reading::now();
        let Some(since) = self.since else {
            self.since = Some(now);
            return Ok(());
        };
        if now.cpu.saturating_sub(since.cpu) >= self.cpu {
            return Err(self.spent());
        }
        if now.wall.duration_since(since.wall) + self.delayed >= self.wall {
            return Err(self.over());
        }
        Ok(())
    }

    /// What is left for waiting in this handler.
    pub(crate) fn left(&mut self) -> Duration {
        let since = *self.since.get_or_insert_with(Reading::now);
        self.wall
            .saturating_sub(since.wall.elapsed() + self.delayed)
    }

    /// What is left for waiting for others in this handler. What they take is not
    /// its own time, but its loop waits along, as in [`may_call_down`](Self::may_call_down).
    pub(crate) fn room(&mut self) -> Duration {
        self.left().saturating_sub(self.down)
    }

    /// What is left for waiting in virtual time: to the nanosecond, whatever the
    /// machine does.
    pub(crate) fn undelayed(&self) -> Duration {
        self.wall.saturating_sub(self.delayed)
    }

    /// [`room`](Self::room) in virtual time.
    pub(crate) fn undelayed_room(&self) -> Duration {
        self.undelayed().saturating_sub(self.down)
    }

    /// What is left for waiting, in whichever time that passes.
    pub(crate) fn left_in(&mut self, time: &Time) -> Duration {
        match time {
            Time::Virtual(_) => self.undelayed(),
            Time::Real(_) => self.left(),
        }
    }

    /// Its time is over.
    pub(crate) fn over(&self) -> LimitHit {
        if self.starting {
            LimitHit::Start(self.wall)
        } else {
            LimitHit::HandlerWall(self.wall)
        }
    }

    /// Runs a delay, which counts as time on the wall and not as processor
    /// time, even where it spins; `elsewhere` if it passes in virtual time.
    pub(crate) fn delay(&mut self, span: Duration, elsewhere: bool, delay: impl FnOnce()) {
        let before = self.pause();
        delay();
        if let (Some(since), Some(before)) = (&mut self.since, before) {
            since.cpu += Reading::now().cpu.saturating_sub(before.cpu);
        }
        if elsewhere {
            self.delayed += span;
        }
    }

    /// Whether it may call another driver. That time is the other's own, and
    /// nobody ends this one for it; but its loop waits along, and calls without
    /// end would keep it for as long (rule 13).
    pub(crate) fn may_call_down(&self) -> bool {
        self.own() + self.down < self.wall
    }

    /// A call into another driver has kept the loop for so long.
    pub(crate) fn called_down(&mut self, span: Duration) {
        self.down += span;
    }

    /// Others had what this handler waited for.
    pub(crate) fn waited(&mut self, span: Duration) {
        self.waited += span;
    }

    /// Before a call into another driver, whose time is its own.
    pub(crate) fn pause(&self) -> Option<Reading> {
        self.since.map(|_| Reading::now())
    }

    /// After that call: what passed does not count here.
    pub(crate) fn resume(&mut self, paused: Option<Reading>) {
        if let (Some(since), Some(paused)) = (&mut self.since, paused) {
            let now = Reading::now();
            since.cpu += now.cpu.saturating_sub(paused.cpu);
            since.wall += now.wall.duration_since(paused.wall);
        }
    }
}

/// Sums the memories and the tables of an instance, and refuses what is over.
///
/// A growth past a memory's own maximum is refused here already, and never
/// counted. To count it and take it back in `memory_grow_failed` would be a way
/// past the limit: the engine calls that also for growths that it has not asked
/// about (a 64-bit table by 2^64 - 1), and what it would take back is then a
/// growth that was made. What fails after this, for want of the machine's
/// memory, stays counted.
pub(crate) struct MemoryLimiter {
    memory: Sum,
    tables: Sum,
    /// What was refused in the running call. The guest learns that its memory
    /// did not grow; if it ends over that, this was the cause.
    pub(crate) refused: Option<LimitHit>,
}

impl MemoryLimiter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            memory: Sum::new(limits.memory),
            tables: Sum::new(limits.table_elements),
            refused: None,
        }
    }

    /// Bytes of linear memory in use.
    pub(crate) fn in_use(&self) -> u64 {
        self.memory.used
    }
}

/// What several memories, or tables, use together.
struct Sum {
    used: u64,
    limit: u64,
}

impl Sum {
    fn new(limit: u64) -> Self {
        Self { used: 0, limit }
    }

    /// Whether one of them may grow; the error is the sum that would be past
    /// the limit.
    fn grow(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, u64> {
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        // Two 64-bit tables can ask for more than there are numbers.
        let asked = self.used.saturating_add((desired - current) as u64);
        if asked > self.limit {
            return Err(asked);
        }
        self.used = asked;
        Ok(true)
    }
}

impl ResourceLimiter for MemoryLimiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let limit = self.memory.limit;
        let grown = self.memory.grow(current, desired, maximum);
        Ok(grown.unwrap_or_else(|asked| {
            self.refused = Some(LimitHit::Memory { asked, limit });
            false
        }))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let limit = self.tables.limit;
        let grown = self.tables.grow(current, desired, maximum);
        Ok(grown.unwrap_or_else(|asked| {
            self.refused = Some(LimitHit::Tables { asked, limit });
            false
        }))
    }

    fn instances(&self) -> usize {
        64
    }

    fn tables(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        16
    }
}

/// The random numbers of WASI, the same for the same driver and generation: a
/// driver's hash tables need them, nobody's secrets do.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn seeded(name: &str, generation: u64) -> Self {
        // FNV-1a.
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(hash ^ generation)
    }

    /// The generator `SplitMix64`.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wasmtime::{Engine, Instance, Module};

    /// What of the limits is in use, bytes and elements, after each of these
    /// growths was tried a hundred times in turn.
    fn grown(memory: &str, table: &str, pages: &[i32], elements: &[i64]) -> (u64, u64) {
        let module = format!(
            "(module (memory {memory}) (table i64 {table} funcref)
               (func (export \"memory\") (param i32)
                 (drop (memory.grow (local.get 0))))
               (func (export \"table\") (param i64)
                 (drop (table.grow (ref.null func) (local.get 0)))))"
        );
        let engine = Engine::default();
        let module = Module::new(&engine, wat::parse_str(module).unwrap()).unwrap();
        let mut store = Store::new(&engine, MemoryLimiter::new(&Limits::default()));
        store.limiter(|limiter| limiter);
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        let memory = instance
            .get_typed_func::<i32, ()>(&mut store, "memory")
            .unwrap();
        let table = instance
            .get_typed_func::<i64, ()>(&mut store, "table")
            .unwrap();
        for _ in 0..100 {
            for &pages in pages {
                memory.call(&mut store, pages).unwrap();
            }
            for &elements in elements {
                table.call(&mut store, elements).unwrap();
            }
        }
        let limiter = store.data();
        (limiter.memory.used, limiter.tables.used)
    }

    #[test]
    fn a_growth_past_its_own_maximum_is_not_charged() {
        assert_eq!(grown("1 2", "1 5", &[3], &[9]), (64 << 10, 1));
        assert_eq!(grown("1 2", "1 5", &[3, 1], &[9, 4]), (128 << 10, 5));
    }

    #[test]
    fn growths_that_cannot_be_give_nothing_back() {
        let (memory, tables) = grown("1", "1", &[1, -1], &[1000, -1]);
        assert_eq!(memory, Limits::default().memory);
        assert_eq!(tables, 19_001);
    }

    #[test]
    fn what_two_tables_ask_for_together_does_not_wrap() {
        let mut tables = Sum::new(10);
        assert_eq!(tables.grow(0, 4, None), Ok(true));
        assert_eq!(tables.grow(0, 4, None), Ok(true));
        assert_eq!(tables.grow(4, usize::MAX, None), Err(u64::MAX));
        assert_eq!(tables.used, 8);
    }

    #[test]
    fn a_delay_is_no_processor_time() {
        let limits = Limits {
            handler_cpu: Duration::from_millis(10),
            handler_wall: Duration::from_hours(1),
            ..Limits::default()
        };
        let time = Time::Real(Arc::default());
        let mut clock = CallClock::default();
        clock.begin(&limits, false);
        let short = Duration::from_micros(90);
        for _ in 0..1000 {
            assert!(clock.left() > short);
            clock.delay(short, false, || time.delay(short));
        }
        assert!(clock.tick().is_ok());
        assert!(clock.spanned().unwrap() >= 1000 * short);
    }
}
