//! A driver: its life, and the one way into its instance.

use crate::bindings::exports::loopgate::driver::handlers::{Readiness, StructuralEvent};
use crate::board_file::DriverEntry;
use crate::buses::Buses;
use crate::counters::Counters;
use crate::crash;
use crate::engine::{Digest, Engine, Loaded};
use crate::error::ErrorCode;
use crate::grants::Grants;
use crate::guest::Guest;
use crate::heritage::{OpenPort, WeakPort};
use crate::limits::{LimitHit, Limits};
use crate::log::DriverLog;
use crate::mail::Mail;
use crate::published_pins::PublishedPins;
use crate::rate::{Debt, ForAnother};
use crate::safe_state::{AtRest, Driven};
use crate::service::Services;
use crate::shared_lines::SharedLines;
use crate::stack;
use crate::status::{PortStatus, Reload, State};
use crate::time::Time;
use crate::trace::{Handlers, Traced};
use loopgate_devices::gpio::GpioController;
use loopgate_devices::serial::SerialController;
use loopgate_workloop::{
    Context, EventSource, Instant, InterruptEventSource, Interrupts, Quota, WorkLoop,
};
use parking_lot::{Mutex, RwLock};
use recent::Recent;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use supervision::{Death, Supervision};
use wasmtime::Store;

mod life;
mod power;
mod recent;
mod reload;
mod revoke;
mod supervision;

pub(crate) use life::{EndedWith, Life, Started, Version};
pub(crate) use power::{Part, PowerCall, PowerCalls, Progress, Target};
pub(crate) use reload::{Manner, Reloaded};

/// Where the code of a driver is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    /// The component's file, or one that was compiled of it.
    pub(crate) file: PathBuf,
    /// What it must have in it.
    pub(crate) digest: Option<Digest>,
}

/// A driver of the board, whichever instance of its component runs now.
pub(crate) struct Driver {
    pub(crate) name: String,
    pub(crate) entry: DriverEntry,
    code: RwLock<Arc<Code>>,
    /// The running version is not of that code, which was refused.
    code_refused: AtomicBool,
    pub(crate) limits: Limits,
    pub(crate) grants: Grants,
    /// Those whose services it uses, in the order of `uses`, each once. A change of
    /// the board may put others in their place, while it runs.
    providers: RwLock<Arc<[Arc<Driver>]>>,
    pub(crate) work_loop: Arc<WorkLoop>,
    pub(crate) devices: Devices,
    pub(crate) services: Arc<Services>,
    pub(crate) published_pins: Arc<PublishedPins>,
    pub(crate) time: Time,
    pub(crate) log: DriverLog,
    pub(crate) counters: Counters,
    pub(crate) power: Part,
    pub(crate) power_calls: Arc<PowerCalls>,
    /// What the board is set to.
    target: Arc<Target>,
    /// Filters that were switched off and not told of yet, in words.
    failed_filters: Mutex<Vec<String>>,
    has_failed_filters: AtomicBool,
    /// The instance whose interrupts were lost for want of room, in words.
    told_of_losses: AtomicU64,
    pub(crate) engine: Arc<Engine>,
    pub(crate) traced: Traced,
    generation: AtomicU64,
    life: Mutex<Life>,
    /// It is about to be stopped, with those above it: nothing of it can be
    /// opened any more.
    ending: AtomicBool,
    /// What the component's file had in it when it was last loaded, or tried
    /// to. Held by who starts, stops or reloads the driver, while guest code
    /// runs: nothing that runs there takes it.
    version: Mutex<Option<Digest>>,
    /// What its handlers may take of the loop before the gate is opened: one
    /// handler limit, however many sources it has (rule 13).
    quota: Arc<Quota>,
    /// Whether another driver asks it now. Touched with its gate closed.
    pub(crate) for_another: ForAnother,
    /// What others have done for it.
    pub(crate) debt: Arc<Debt>,
    /// New requests wait until those that have begun are over.
    draining: AtomicBool,
    /// When a reload has last kept it from its handlers, in nanoseconds; the end of
    /// time while one does.
    replaced: AtomicU64,
    last_reload: Mutex<Option<Reload>>,
    /// The pins of this generation that had to leave their shared lines, and why.
    left_lines: Mutex<BTreeMap<String, String>>,
    /// The ports that were opened last, for the status.
    ports: Mutex<BTreeMap<String, WeakPort>>,
    supervision: Supervision,
    /// Its outputs that an instance has open.
    pub(crate) driven: Driven,
    /// Its outputs that no instance has open.
    pub(crate) at_rest: AtRest,
    crashes: Option<Arc<crash::Crashes>>,
    latest_crash: crash::Latest,
    /// Only ever tried, and only with the gate closed: there it is free,
    /// unless a call came back into a driver that is on the stack. A component
    /// must never be re-entered, and this is what proves that it is not.
    instance: Mutex<Option<Instance>>,
}

/// The hardware that drivers reach.
#[derive(Clone)]
pub(crate) struct Devices {
    pub(crate) gpio: Arc<dyn GpioController>,
    pub(crate) serial: Arc<dyn SerialController>,
    pub(crate) buses: Arc<Buses>,
    /// Where the board file has any.
    pub(crate) shared: Option<Arc<SharedLines>>,
}

/// What a driver runs on, besides its own entry in the board file.
pub(crate) struct Surroundings {
    pub(crate) engine: Arc<Engine>,
    pub(crate) devices: Devices,
    pub(crate) services: Arc<Services>,
    pub(crate) published_pins: Arc<PublishedPins>,
    pub(crate) time: Time,
    pub(crate) providers: Vec<Arc<Driver>>,
    pub(crate) work_loop: Arc<WorkLoop>,
    /// Of that loop.
    pub(crate) power_calls: Arc<PowerCalls>,
    pub(crate) target: Arc<Target>,
    pub(crate) code: Code,
    pub(crate) crashes: Option<Arc<crash::Crashes>>,
    pub(crate) traced: Traced,
}

/// Calls from the mailbox in one pass.
const MAIL_MAX: u32 = 64;

struct Instance {
    store: Store<Guest>,
    bindings: crate::bindings::Driver,
    /// What it was made of.
    loaded: Arc<Loaded>,
    recent: Recent,
}

/// What a handler is called for.
#[derive(Clone, Copy, Default)]
pub(crate) struct Subject<'a> {
    pub(crate) token: Option<u32>,
    /// Whose interrupts.
    pub(crate) source: Option<&'a InterruptEventSource>,
}

/// The handlers, as the logs name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Handler {
    Start,
    Stop,
    SaveState,
    RestoreState,
    Interrupt,
    Timeout,
    Command,
    Resume,
    Cancelled,
    Completed,
    PinRead,
    PinWrite,
    PinConfigure,
    Structural,
    AllowPowerChange,
    SetPowerState,
    PowerStateDidChange,
}

impl Handler {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::SaveState => "save-state",
            Self::RestoreState => "restore-state",
            Self::Interrupt => "interrupt-occurred",
            Self::Timeout => "timeout-occurred",
            Self::Command => "command",
            Self::Resume => "resume",
            Self::Cancelled => "cancelled",
            Self::Completed => "completed",
            Self::PinRead => "pin-read",
            Self::PinWrite => "pin-write",
            Self::PinConfigure => "pin-configure",
            Self::Structural => "structural",
            Self::AllowPowerChange => "allow-power-change",
            Self::SetPowerState => "set-power-state",
            Self::PowerStateDidChange => "power-state-did-change",
        }
    }
}

impl Driver {
    pub(crate) fn new(entry: &DriverEntry, around: Surroundings) -> Arc<Self> {
        let name = entry.name.get_ref().clone();
        let limits = entry.limits();
        Arc::new(Self {
            grants: Grants::new(entry),
            log: DriverLog::new(&name, around.time.clock(), limits.log),
            entry: entry.clone(),
            code: RwLock::new(around.code.into()),
            code_refused: AtomicBool::new(false),
            providers: RwLock::new(around.providers.into()),
            work_loop: around.work_loop,
            devices: around.devices,
            services: around.services,
            published_pins: around.published_pins,
            time: around.time,
            counters: Counters::default(),
            power: Part::default(),
            power_calls: around.power_calls,
            target: around.target,
            failed_filters: Mutex::default(),
            has_failed_filters: AtomicBool::new(false),
            told_of_losses: AtomicU64::new(0),
            engine: around.engine,
            traced: around.traced,
            generation: AtomicU64::new(0),
            life: Mutex::new(Life {
                state: State::Stopped,
                cause: None,
                ended_with: None,
            }),
            ending: AtomicBool::new(false),
            version: Mutex::default(),
            quota: Arc::new(Quota::new(limits.handler_wall)),
            for_another: ForAnother::default(),
            debt: Arc::default(),
            draining: AtomicBool::new(false),
            replaced: AtomicU64::new(0),
            last_reload: Mutex::default(),
            left_lines: Mutex::default(),
            ports: Mutex::default(),
            supervision: Supervision::new(entry.restart()),
            driven: Driven::default(),
            at_rest: AtRest::default(),
            crashes: around.crashes,
            latest_crash: crash::Latest::default(),
            instance: Mutex::new(None),
            limits,
            name,
        })
    }

    pub(crate) fn code(&self) -> Arc<Code> {
        self.code.read().clone()
    }

    /// Its next version is to be loaded from there; whether that is another place, or
    /// another version, or was refused before. The running one goes on.
    pub(crate) fn is_to_load(&self, code: Code) -> bool {
        let mut current = self.code.write();
        let is_other = **current != code;
        *current = Arc::new(code);
        is_other || self.code_refused.load(Relaxed)
    }

    /// Whether the version that is to run was refused, or has begun.
    pub(crate) fn code_was_refused(&self, refused: bool) {
        self.code_refused.store(refused, Relaxed);
    }

    /// Those whose services it uses, in the order of `uses`, each once.
    pub(crate) fn providers(&self) -> Arc<[Arc<Driver>]> {
        self.providers.read().clone()
    }

    /// Others provide what it uses from now on.
    pub(crate) fn set_providers(&self, providers: Vec<Arc<Driver>>) {
        *self.providers.write() = providers.into();
    }

    /// Calls into the instance. The gate is closed by `cx`.
    ///
    /// A trap, a deadline or a limit ends the instance before this returns.
    pub(crate) fn call<R>(
        self: &Arc<Self>,
        cx: &Context,
        handler: Handler,
        f: impl FnOnce(&mut Store<Guest>, Handlers<'_>) -> wasmtime::Result<R>,
    ) -> Result<R, ErrorCode> {
        self.call_for(cx, handler, Subject::default(), f)
    }

    /// As [`call`](Self::call), where the handler is called for something.
    pub(crate) fn call_for<R>(
        self: &Arc<Self>,
        cx: &Context,
        handler: Handler,
        subject: Subject,
        f: impl FnOnce(&mut Store<Guest>, Handlers<'_>) -> wasmtime::Result<R>,
    ) -> Result<R, ErrorCode> {
        let mut guard = self.instance.try_lock().ok_or(ErrorCode::WouldDeadlock)?;
        let Some(instance) = guard.as_mut() else {
            return Err(ErrorCode::DriverDied);
        };
        let called = self.enter(instance, handler, subject, f)?;
        let guest = instance.store.data();
        self.counters.usage(guest.usage());
        match called {
            Ok(result) => {
                if self.is_draining() && guest.requests.len() == 0 {
                    self.drained();
                }
                Ok(result)
            }
            Err(death) => {
                drop(guard);
                self.die(cx, &death);
                Err(ErrorCode::DriverDied)
            }
        }
    }

    /// Calls into an instance, the driver's or one that is to be. What it dies
    /// of is the inner error: it must not be called again then.
    fn enter<'a, R>(
        &self,
        instance: &mut Instance,
        handler: Handler,
        subject: Subject<'a>,
        f: impl FnOnce(&mut Store<Guest>, Handlers<'_>) -> wasmtime::Result<R>,
    ) -> Result<Result<R, Death<'a>>, ErrorCode> {
        let _nested = stack::enter().ok_or(ErrorCode::NoResources)?;
        instance.recent.note(handler, subject.token);
        let store = &mut instance.store;
        let guest = store.data_mut();
        guest.clock.begin(&self.limits, handler == Handler::Start);
        guest.memory.refused = None;
        let for_others = self.for_another.is_on();
        let own = for_others.then(|| store.data_mut().calls.lend());
        // `start` has a limit of its own.
        let counts = handler != Handler::Start && !for_others;
        let begun = store.data().begun().filter(|_| counts);
        let timing = self.counters.begin();
        let in_flight = self.engine.enter(store);
        let result = f(store, Handlers::of(&instance.bindings));
        drop(in_flight);
        self.engine.leave(store);
        let spanned = store.data().clock.spanned();
        if let Some(length) = spanned {
            self.quota.charge(length);
        }
        let clock = &store.data().clock;
        if clock.is_counted() {
            // `start` has a limit of its own.
            let counts = handler != Handler::Start;
            self.counters.counted(clock.executed_itself(), counts);
        } else {
            self.counters.end(timing, spanned);
        }
        if let Some(own) = own {
            let calls = store.data_mut().calls.give_back(own);
            self.for_another.add(calls);
        }
        let result = result.and_then(|result| {
            store.data_mut().returned(begun)?;
            Ok(result)
        });
        Ok(result.map_err(|error| {
            tracing::debug!("{}: {error:?}", self.name);
            Death::in_handler(store.data(), &error, handler, subject.source)
        }))
    }

    pub(crate) fn interrupt_occurred(
        self: &Arc<Self>,
        cx: &Context,
        source: &InterruptEventSource,
        token: u32,
        interrupts: Interrupts,
    ) {
        self.tell_of_filters();
        self.tell_of_losses(interrupts);
        self.counters.interrupts(interrupts.count, interrupts.lost);
        let Interrupts {
            count,
            lost,
            latest,
        } = interrupts;
        let subject = Subject {
            token: Some(token),
            source: Some(source),
        };
        self.deliver_for(cx, Handler::Interrupt, subject, |store, handlers| {
            handlers.call_interrupt_occurred(
                store,
                token,
                count,
                lost,
                latest.sequence,
                latest.timestamp.as_nanos(),
                latest.high,
            )
        });
    }

    pub(crate) fn timeout_occurred(
        self: &Arc<Self>,
        cx: &Context,
        token: u32,
        deadline: Instant,
        now: Instant,
    ) {
        self.counters.timeout();
        let subject = Subject {
            token: Some(token),
            source: None,
        };
        self.deliver_for(cx, Handler::Timeout, subject, |store, handlers| {
            handlers.call_timeout_occurred(store, token, deadline.as_nanos(), now.as_nanos())
        });
    }

    /// A filter was switched off, as an interrupt occurred. What is said of it
    /// waits for the gate: a primary context writes no log.
    pub(crate) fn filter_failed(&self, token: u32, cause: &str) {
        self.counters.filter_off();
        let mut failed = self.failed_filters.lock();
        failed.push(format!(
            "the filter of interrupt source {token} is switched off, and every interrupt counts from now on: {cause}"
        ));
        self.has_failed_filters.store(true, Relaxed);
    }

    /// Also of a source that goes before its next interrupt is delivered: else
    /// what is to be said could pile up. In the gate.
    pub(crate) fn tell_of_filters(&self) {
        if self.has_failed_filters.swap(false, Relaxed) {
            let failed = std::mem::take(&mut *self.failed_filters.lock());
            for text in failed {
                self.log.host(&text);
            }
        }
    }

    /// Once for each instance: where a source is full, it is so again soon.
    fn tell_of_losses(&self, interrupts: Interrupts) {
        let limit = self.limits.occurrences;
        let generation = self.generation();
        if interrupts.lost > 0
            && interrupts.count >= limit
            && self.told_of_losses.swap(generation, Relaxed) != generation
        {
            self.log.host(&LimitHit::Occurrences(limit).to_string());
        }
    }

    /// Parked requests whose deadline has come go on, own ones end.
    pub(crate) fn expire_requests(self: &Arc<Self>, cx: &Context, now: Instant) {
        self.with_guest(|guest| {
            guest.requests.expire(now);
            guest.submissions.expire(now);
            guest.arm_deadline(None);
        });
        self.deliver_mail(cx);
    }

    /// Makes the calls that the instance is owed, but only so many in one pass,
    /// and within its share of time: others have their turn in between.
    pub(crate) fn deliver_mail(self: &Arc<Self>, cx: &Context) {
        for _ in 0..MAIL_MAX {
            let Some(mail) = self.with_guest(Guest::next_mail).flatten() else {
                return;
            };
            self.deliver_one(cx, mail);
            if self.quota.is_spent() {
                break;
            }
        }
        self.with_guest(|guest| guest.signal_mail());
    }

    fn deliver_one(self: &Arc<Self>, cx: &Context, mail: Mail) {
        match mail {
            Mail::Resume(id, wake) => self.deliver(cx, Handler::Resume, |store, handlers| {
                handlers.call_resume(store, id, wake.into())
            }),
            Mail::Cancelled(id) => self.cancelled(cx, id),
            Mail::Completed(context, id, outcome) => {
                let outcome = outcome.map(Into::into).map_err(Into::into);
                self.deliver(cx, Handler::Completed, |store, handlers| {
                    handlers.call_completed(
                        store,
                        context,
                        id,
                        outcome.as_ref().map_err(|&code| code),
                    )
                });
            }
            Mail::Structural(event, service) => self.structural(cx, event, &service),
            Mail::Command(submission) => submission.request.service.serve(cx, &submission),
            Mail::Pin(pin) => pin.serve(cx),
        }
    }

    /// The client of a received request has given up: tells the driver, unless
    /// the request ended meanwhile. Whatever becomes of the driver in it, the
    /// request is over.
    pub(crate) fn cancelled(self: &Arc<Self>, cx: &Context, id: u64) {
        self.deliver(cx, Handler::Cancelled, |store, handlers| {
            if store.data_mut().requests.forget(id) {
                store.data().signal_mail();
                handlers.call_cancelled(&mut *store, id)?;
            }
            Ok(())
        });
    }

    /// Something has changed around the driver, which may ask for time to close
    /// what it has open.
    fn structural(self: &Arc<Self>, cx: &Context, event: StructuralEvent, service: &str) {
        let answer = self.call(cx, Handler::Structural, |store, handlers| {
            handlers.call_structural(store, event, service)
        });
        debug_assert_ne!(answer, Err(ErrorCode::WouldDeadlock));
        self.with_guest(|guest| {
            if let Some(neighbours) = guest.sources.post.neighbours() {
                neighbours.told(answer == Ok(Readiness::Closing));
            }
        });
    }

    /// A call that nobody waits for. If it ends the driver, that was reported;
    /// and the loop's sources are never served while the driver is on the stack.
    fn deliver(
        self: &Arc<Self>,
        cx: &Context,
        handler: Handler,
        f: impl FnOnce(&mut Store<Guest>, Handlers<'_>) -> wasmtime::Result<()>,
    ) {
        self.deliver_for(cx, handler, Subject::default(), f);
    }

    fn deliver_for(
        self: &Arc<Self>,
        cx: &Context,
        handler: Handler,
        subject: Subject,
        f: impl FnOnce(&mut Store<Guest>, Handlers<'_>) -> wasmtime::Result<()>,
    ) {
        let delivered = self.call_for(cx, handler, subject, f);
        debug_assert_ne!(delivered, Err(ErrorCode::WouldDeadlock));
    }

    /// It has masked the shared line of a pin for too long, and is told nothing of
    /// that line any more. From any thread but a primary context.
    pub(crate) fn left_line(&self, pin: &str) {
        let cause = LimitHit::LineHold(self.limits.line_hold).to_string();
        self.log.failure(&format!(
            "pin `{pin}` interrupts no more: {cause}; mend the driver and reload it, or raise the limit"
        ));
        self.left_lines.lock().insert(pin.to_owned(), cause);
    }

    /// The pins that had to leave their shared lines, and why.
    pub(crate) fn left_lines(&self) -> BTreeMap<String, String> {
        self.left_lines.lock().clone()
    }

    /// Why a pin may not interrupt in this generation.
    pub(crate) fn why_left(&self, pin: &str) -> Option<String> {
        self.left_lines.lock().get(pin).cloned()
    }

    /// Remembers an open port, without keeping it open.
    pub(crate) fn opened_port(&self, name: &str, port: &OpenPort) {
        self.ports.lock().insert(name.to_owned(), port.downgrade());
    }

    /// The ports that are open, by name.
    pub(crate) fn open_ports(&self) -> BTreeMap<String, OpenPort> {
        let ports = self.ports.lock();
        let open = ports.iter();
        open.filter_map(|(name, port)| Some((name.clone(), port.upgrade()?)))
            .collect()
    }

    pub(crate) fn port_status(&self) -> BTreeMap<String, PortStatus> {
        let ports = self.open_ports().into_iter();
        ports
            .filter_map(|(name, open)| {
                let device = self.entry.serial.get(&name)?.place()?.get_ref().clone();
                // Read first: what arrives meanwhile then counts as waiting.
                let bytes_in = open.taken.load(Relaxed);
                let counts = open.port.counts();
                let status = PortStatus {
                    device,
                    bytes_in,
                    bytes_waiting: counts.input.saturating_sub(bytes_in),
                    bytes_out: counts.output,
                    bytes_lost: counts.lost,
                    bytes_damaged: counts.damaged,
                    breaks: counts.breaks,
                };
                Some((name, status))
            })
            .collect()
    }

    /// Looks at the instance's host side. With the gate closed, as everything
    /// that takes the instance's lock: else a handler would find it taken.
    pub(crate) fn with_guest<R>(&self, f: impl FnOnce(&mut Guest) -> R) -> Option<R> {
        let mut guard = self.instance.try_lock()?;
        guard.as_mut().map(|instance| f(instance.store.data_mut()))
    }

    /// The scope of this driver's sleep events: nobody else's has this number.
    pub(crate) fn scope(self: &Arc<Self>) -> u64 {
        Arc::as_ptr(self) as u64
    }

    /// Has a new source take part in the driver's share of the loop's time.
    pub(crate) fn share_time(&self, source: &dyn EventSource) {
        // Refused to a source that is on a loop or has a share, which a new
        // one is and has not.
        let _ = source.attachment().set_quota(self.quota.clone());
    }

    /// Counts the instances; the first is 1.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }
}
