//! What becomes of a driver whose instance dies: it is started again, until its
//! budget is used up, and its inputs lose no edge meanwhile (rule 4).
//!
//! The starts are events on the driver's own loop, whose gate they need anyway:
//! nothing waits for a gate, and virtual time has them in its order.

use super::{Driver, Handler, Instance};
use crate::bindings::exports::loopgate::driver::handlers::Cause;
use crate::board_file::{Budget, Restart};
use crate::crash::{CrashReport, HandlerCall, SetAside};
use crate::death;
use crate::engine::Loaded;
use crate::grants::Named;
use crate::guest::Guest;
use crate::heritage::Heritage;
use crate::status::{Restarts, State};
use crate::text::printable_within;
use crate::units::show_span;
use loopgate_workloop::{
    Context, EventSource, Instant, InterruptEventSource, TimerAction, TimerEventSource,
};
use parking_lot::Mutex;
use std::sync::{Arc, Weak};
use std::time::Duration;
use wasmtime::{Store, WasmBacktrace};

/// When to look again, where people start, stop or reload the driver just now.
const BUSY: Duration = Duration::from_millis(1);

/// Functions of a backtrace in a report, and bytes of each.
const FRAMES_MAX: usize = 32;
const FRAME_MAX: usize = 256;

/// A driver's restarts. Its locks are leaves.
pub(super) struct Supervision {
    restart: Restart,
    /// On the loop from a death on, until people have the driver in hand.
    timer: Mutex<Option<Arc<TimerEventSource>>>,
    progress: Mutex<Progress>,
    /// What the next instance takes over from the last one, which has died.
    estate: Mutex<Heritage>,
}

#[derive(Default)]
struct Progress {
    /// Of the budget.
    used: u32,
    made: u64,
    running_since: Option<Instant>,
    next: Option<Next>,
}

/// The start that is to come.
struct Next {
    at: Instant,
    /// What died. A new version is for a reload.
    loaded: Arc<Loaded>,
}

/// What becomes of the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Failed,
    Again(Duration),
    Quarantined,
}

/// How an instance came to its end.
pub(super) struct Death<'a> {
    pub(super) cause: String,
    handler: Option<Handler>,
    backtrace: Vec<String>,
    /// Whose interrupt it died over.
    source: Option<&'a InterruptEventSource>,
}

/// What is left of it.
pub(super) struct Remains {
    store: Option<Store<Guest>>,
    loaded: Arc<Loaded>,
    calls: Vec<HandlerCall>,
}

impl Remains {
    /// Of an instance that never was.
    pub(super) fn of(loaded: &Arc<Loaded>) -> Self {
        Self {
            store: None,
            loaded: loaded.clone(),
            calls: Vec::new(),
        }
    }
}

impl Death<'_> {
    /// Of no handler's trap.
    pub(super) fn of(cause: String) -> Self {
        Self {
            cause,
            handler: None,
            backtrace: Vec::new(),
            source: None,
        }
    }

    pub(super) fn instantiating(guest: &Guest, error: &wasmtime::Error) -> Self {
        let cause = death::cause(guest, error);
        Self {
            backtrace: backtrace(error),
            ..Self::of(format!("while it was instantiated: {cause}"))
        }
    }
}

impl<'a> Death<'a> {
    pub(super) fn in_handler(
        guest: &Guest,
        error: &wasmtime::Error,
        handler: Handler,
        source: Option<&'a InterruptEventSource>,
    ) -> Self {
        let cause = death::cause(guest, error);
        Self {
            cause: format!("{cause} (in `{}`)", handler.name()),
            handler: Some(handler),
            backtrace: backtrace(error),
            source,
        }
    }
}

/// The names are the component's.
fn backtrace(error: &wasmtime::Error) -> Vec<String> {
    let Some(backtrace) = error.downcast_ref::<WasmBacktrace>() else {
        return Vec::new();
    };
    let text = backtrace.to_string();
    let frames = text.lines().skip(1).take(FRAMES_MAX);
    frames
        .map(|frame| printable_within(frame.trim(), FRAME_MAX))
        .collect()
}

impl Supervision {
    pub(super) fn new(restart: Restart) -> Self {
        Self {
            restart,
            timer: Mutex::default(),
            progress: Mutex::default(),
            estate: Mutex::default(),
        }
    }

    fn verdict(&self, now: Instant, loaded: &Arc<Loaded>) -> Verdict {
        let mut progress = self.progress.lock();
        let since = progress.running_since.take();
        if since.is_some_and(|since| now.saturating_since(since) >= self.restart.healthy) {
            progress.used = 0;
        }
        match self.restart.budget {
            Budget::Times(0) => return Verdict::Failed,
            Budget::Times(times) if progress.used >= times => return Verdict::Quarantined,
            Budget::Times(_) | Budget::Unlimited => {}
        }
        let wait = self.restart.wait(progress.used);
        progress.used = progress.used.saturating_add(1);
        progress.next = Some(Next {
            at: now.saturating_add(wait),
            loaded: loaded.clone(),
        });
        Verdict::Again(wait)
    }

    /// The start that is due, which begins now.
    fn begin(&self, now: Instant) -> Option<Arc<Loaded>> {
        let mut progress = self.progress.lock();
        let next = progress.next.take_if(|next| next.at <= now)?;
        progress.made += 1;
        Some(next.loaded)
    }

    /// Its `start` has returned.
    pub(super) fn runs(&self, now: Instant) {
        self.progress.lock().running_since = Some(now);
    }

    /// People have it in hand: no start comes, and the budget is whole.
    pub(super) fn reset(&self) {
        let mut progress = self.progress.lock();
        progress.used = 0;
        progress.next = None;
        drop(progress);
        if let Some(timer) = &*self.timer.lock() {
            timer.cancel_timeout();
        }
    }

    pub(super) fn take_estate(&self) -> Heritage {
        std::mem::take(&mut *self.estate.lock())
    }

    /// What the next instance is not to have.
    pub(super) fn withdraw(&self, cx: &Context, driver: &Driver, grant: &Named) {
        let mut estate = self.take_estate();
        estate.withdraw(cx, driver, grant);
        *self.estate.lock() = estate;
    }

    fn next_at(&self) -> Option<Instant> {
        self.progress.lock().next.as_ref().map(|next| next.at)
    }
}

impl Driver {
    /// Has it started again then. The gate is closed by `cx`.
    fn restart_at(self: &Arc<Self>, cx: &Context, at: Instant) {
        let mut timer = self.supervision.timer.lock();
        let timer = timer.get_or_insert_with(|| self.restart_timer()).clone();
        if !timer.attachment().is_attached() {
            // Refused after the loop's end only.
            let _ = self.work_loop.add_event_source(cx, timer.clone());
        }
        // It has an action.
        let _ = timer.wake_at(at);
    }

    fn restart_timer(self: &Arc<Self>) -> Arc<TimerEventSource> {
        let driver: Weak<Self> = Arc::downgrade(self);
        let action: TimerAction = Arc::new(move |cx: &Context, _: &TimerEventSource, _, _| {
            if let Some(driver) = driver.upgrade() {
                driver.restart(cx);
            }
        });
        TimerEventSource::new(self.time.clock(), Some(action))
    }

    /// The instance, if there is one, ends by its own fault. The gate is closed
    /// by `cx`.
    pub(super) fn die(self: &Arc<Self>, cx: &Context, death: &Death) {
        let taken = self.instance.try_lock().and_then(|mut guard| guard.take());
        if let Some(Instance {
            store,
            loaded,
            recent,
            ..
        }) = taken
        {
            let calls = recent.all();
            let remains = Remains {
                store: Some(store),
                loaded,
                calls,
            };
            self.bury(cx, remains, death);
        }
    }

    /// As [`die`](Self::die), for an instance that may not have begun.
    pub(super) fn bury(self: &Arc<Self>, cx: &Context, remains: Remains, death: &Death) {
        self.counters.died();
        let Remains {
            mut store,
            loaded,
            calls,
        } = remains;
        let mut guest = store.as_mut().map(Store::data_mut);
        if let Some(guest) = &mut guest {
            guest.rest_outputs();
        }
        let replaced = |guest: &&mut Guest| guest.stopping || guest.handing_over;
        let now = self.time.now();
        let verdict = if guest.as_ref().is_some_and(replaced) || self.is_ending() {
            Verdict::Failed
        } else {
            self.supervision.verdict(now, &loaded)
        };
        let mut set_aside = None;
        match (verdict, guest) {
            (Verdict::Again(_), Some(guest)) => {
                let estate = guest.bequeath();
                set_aside = death
                    .source
                    .and_then(|source| self.set_aside(&estate, source));
                *self.supervision.estate.lock() = estate;
            }
            // It stays as it is.
            (Verdict::Again(_), None) => {}
            (Verdict::Failed | Verdict::Quarantined, _) => {
                self.supervision.take_estate().end(cx, self);
            }
        }
        let then = self.pronounce(verdict, &death.cause);
        self.report(&loaded, death, then, calls, set_aside);
        if let Some(store) = &mut store {
            self.release(cx, store);
        }
        self.ended();
        if let Verdict::Again(wait) = verdict {
            self.restart_at(cx, now.saturating_add(wait));
        }
    }

    /// Keeps the interrupt that the instance has died over for the next one,
    /// unless it was kept before.
    fn set_aside(&self, estate: &Heritage, source: &InterruptEventSource) -> Option<SetAside> {
        let pin = estate.pin_of(source)?;
        let unhandled = source.keep_unhandled();
        self.counters.unhandled(&unhandled);
        let occurrence = unhandled.set_aside?;
        self.log.failure(&format!(
            "interrupt {} of pin `{pin}` is set aside, and counts as lost: it failed over that one twice",
            occurrence.sequence
        ));
        Some(SetAside {
            pin: pin.to_owned(),
            sequence: occurrence.sequence,
            timestamp_ns: occurrence.timestamp.as_nanos(),
            high: occurrence.high,
        })
    }

    /// For the status and the log; and in short.
    fn pronounce(&self, verdict: Verdict, cause: &str) -> String {
        let name = &self.name;
        let then = match verdict {
            Verdict::Failed => "failed".to_owned(),
            Verdict::Again(wait) => format!("failed, started again in {}", show_span(wait)),
            Verdict::Quarantined => "quarantined, its budget of restarts is used up".to_owned(),
        };
        let (state, text) = match verdict {
            Verdict::Failed => (State::Failed, format!("failed: {cause}")),
            Verdict::Again(_) => (State::Failed, format!("{then}: {cause}")),
            Verdict::Quarantined => (
                State::Quarantined,
                format!("{then}: {cause}; mend it, and `loopgate start {name}`"),
            ),
        };
        // First: who reads of it finds it so in the status.
        self.live(state, Some(cause.to_owned()));
        self.log.failure(&text);
        then
    }

    fn report(
        &self,
        loaded: &Loaded,
        death: &Death,
        then: String,
        calls: Vec<HandlerCall>,
        set_aside: Option<SetAside>,
    ) {
        let Some(crashes) = &self.crashes else {
            return;
        };
        let report = CrashReport {
            schema: 1,
            host: env!("CARGO_PKG_VERSION"),
            driver: self.name.clone(),
            component: self.code().file.display().to_string(),
            sha256: crate::control::to_hex(&loaded.digest),
            generation: self.generation(),
            time_ns: self.time.now().as_nanos(),
            cause: death.cause.clone(),
            then,
            handler: death.handler.map(Handler::name),
            backtrace: death.backtrace.clone(),
            calls,
            set_aside,
            limits: self.limits.clone(),
            usage: self.counters.used(),
            counts: self.counters.counts(),
        };
        if !crashes.report(report, &self.latest_crash) {
            self.log
                .host("no crash report: too many wait for the disk already");
        }
    }

    /// Its time has come, on its loop, with the gate closed.
    fn restart(self: &Arc<Self>, cx: &Context) {
        let supervision = &self.supervision;
        let now = self.time.now();
        // Never waited for: whoever has it may wait for the gate.
        let Some(_version) = self.version.try_lock() else {
            if supervision.next_at().is_some() {
                self.restart_at(cx, now.saturating_add(BUSY));
            }
            return;
        };
        let Some(loaded) = supervision.begin(now) else {
            return;
        };
        if let Some(provider) = self.missing() {
            self.log.failure(&format!(
                "not started again: `{0}`, which it uses, is stopped; `loopgate start {0}` first",
                provider.name
            ));
            self.give_up(cx);
            return;
        }
        self.start_loaded(cx, &loaded, Cause::Restart);
    }

    /// No start comes but that of people: what was kept for it goes.
    pub(super) fn give_up(&self, cx: &Context) {
        self.supervision.reset();
        self.supervision.take_estate().end(cx, self);
        let timer = self.supervision.timer.lock().take();
        if let Some(timer) = timer {
            let timer: Arc<dyn EventSource> = timer;
            // On a loop that has ended it is on none.
            let _ = self.work_loop.withdraw_event_source(cx, &timer);
        }
    }

    pub(crate) fn restarts(&self) -> Restarts {
        let progress = self.supervision.progress.lock();
        let now = self.time.now();
        let Restart {
            budget, healthy, ..
        } = self.supervision.restart;
        let lasts = progress
            .running_since
            .is_some_and(|since| now.saturating_since(since) >= healthy);
        let used = if lasts { 0 } else { progress.used };
        Restarts {
            made: progress.made,
            left: match budget {
                Budget::Times(times) => Some(times.saturating_sub(used)),
                Budget::Unlimited => None,
            },
            next_ns: progress
                .next
                .as_ref()
                .map(|next| next.at.saturating_since(now).as_nanos() as u64),
            set_aside: self.counters.set_aside(),
            crash_report: self
                .latest_crash
                .lock()
                .as_ref()
                .map(|path| path.display().to_string()),
        }
    }

    /// What starts a driver again that has failed, for people.
    pub(crate) fn remedy(&self) -> String {
        let name = &self.name;
        match self.supervision.next_at() {
            Some(at) => format!(
                "it is started again in {} ms; ask then",
                at.saturating_since(self.time.now()).as_millis()
            ),
            None => format!("`loopgate start {name}` starts it again"),
        }
    }
}
