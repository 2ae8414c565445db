//! A new version takes the place of the running one (rule 16).

use super::supervision::Death;
use super::{Driver, Handler, Instance, Subject};
use crate::bindings::exports::loopgate::driver::handlers::Cause;
use crate::error::ErrorCode;
use crate::guest::{self, Guest};
use crate::interface::wasi_i2c;
use crate::limits::LimitHit;
use crate::requests::Requests;
use crate::staging::{Phase, Staging};
use crate::status::{Handed, Reload, State};
use crate::text::last_words;
use crate::units::{show_bytes, show_span};
use loopgate_workloop::{Context, Event, Wakeups};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Instant;

/// What came of a reload.
pub(crate) enum Reloaded {
    /// The new version has begun; how it fares stands in [`Driver::life`].
    Begun(Reload),
    /// The driver is stopped, and stays so.
    Stopped,
    /// There is no instance of the new version; the old one, if there was one,
    /// goes on.
    NotLoaded(String),
    /// The old version goes on as if nothing had been tried.
    Refused(ErrorCode, String),
}

/// How a reload is made.
#[derive(Clone, Copy)]
pub(crate) struct Manner<'a> {
    /// Requests that have begun are ended.
    pub(crate) force: bool,
    /// Passes the time, until that instant at most or until somebody wakes the
    /// context.
    pub(crate) pause: &'a dyn Fn(&Context, loopgate_workloop::Instant),
}

/// A new version that has begun, and the one before it.
struct Exchanged {
    /// Since when the gate was closed.
    since: Instant,
    reload: Reload,
    /// Dropped with the gate open, which takes longer than all the rest.
    last: Option<Instance>,
}

/// What the running version answered to `save-state`.
enum Saved {
    State(u32, Vec<u8>),
    Stateless,
    /// It ended over it.
    Died(Death<'static>),
}

type Refusal = (ErrorCode, String);

/// While the driver is kept from its handlers; over on drop.
struct Replacing<'a>(&'a Driver);

impl<'a> Replacing<'a> {
    fn begin(driver: &'a Driver) -> Self {
        driver.replaced.store(u64::MAX, Release);
        Self(driver)
    }
}

impl Drop for Replacing<'_> {
    fn drop(&mut self) {
        let now = self.0.time.now().as_nanos();
        self.0.replaced.store(now, Release);
    }
}

/// It cannot, in the gate.
const GONE: &str = "the running version has ended";

/// What who waits for the end of begun requests sleeps on. No request has an
/// event of this key.
const DRAINED: u64 = u64::MAX;

impl Driver {
    /// Loads the component, and has it take the place of the running version,
    /// or of one that failed.
    pub(crate) fn reload(self: &Arc<Self>, cx: &Context, manner: Manner<'_>) -> Reloaded {
        let mut version = self.hold();
        if self.life().state == State::Stopped {
            return Reloaded::Stopped;
        }
        let before = *version;
        let loaded = self.load(&mut version).map_err(|error| error.to_string());
        let made = loaded.and_then(|loaded| {
            let made = self.instantiate(&loaded);
            made.map_err(|death| death.cause)
        });
        let mut next = match made {
            Ok(instance) => Some(instance),
            Err(cause) => return Reloaded::NotLoaded(cause),
        };
        let replacing = Replacing::begin(self);
        self.work_loop.close_gate(cx);
        let exchanged = self.exchange(cx, &mut next, manner);
        // Refused: what it holds is the running version's again. Itself it is dropped
        // with the gate open, which takes longer.
        if let Some(refused) = &mut next {
            refused.store.data_mut().let_go();
        }
        self.stop_draining();
        let opened = Instant::now();
        // Closed above by this very context.
        let _ = self.work_loop.open_gate(cx);
        drop(replacing);
        match exchanged {
            Ok(exchanged) => Reloaded::Begun(self.keep_report(exchanged, opened)),
            Err((code, cause)) => {
                // Not for what the file has in it: it is as new as it was.
                if code == ErrorCode::Busy {
                    *version = before;
                }
                self.log.host(&format!("not reloaded: {cause}"));
                Reloaded::Refused(code, cause)
            }
        }
    }

    /// How the latest new version took its place.
    pub(crate) fn last_reload(&self) -> Option<Reload> {
        self.last_reload.lock().clone()
    }

    /// Whether new requests wait, for those that have begun to end.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    /// Whether the host has kept it from its handlers after that instant, or does
    /// now: a shared line that it has masked since then was not for it to open.
    pub(crate) fn was_replaced_after(&self, since: loopgate_workloop::Instant) -> bool {
        since.as_nanos() < self.replaced.load(Acquire)
    }

    /// Tells who waits for the end of begun requests to look again. In the gate.
    pub(super) fn drained(self: &Arc<Self>) {
        let event = self.drain_event();
        self.work_loop.wakeup_gate(event, Wakeups::All);
    }

    fn keep_report(&self, exchanged: Exchanged, opened: Instant) -> Reload {
        let Exchanged {
            since,
            mut reload,
            last,
        } = exchanged;
        let closed = opened.duration_since(since).as_nanos();
        reload.gate_closed_ns = u64::try_from(closed).unwrap_or(u64::MAX);
        *self.last_reload.lock() = Some(reload.clone());
        drop(last);
        reload
    }

    /// With the gate closed by `cx`, which sleeps in it while requests have to
    /// end. On an error nothing has changed, and `next` is there still.
    fn exchange(
        self: &Arc<Self>,
        cx: &Context,
        next: &mut Option<Instance>,
        manner: Manner<'_>,
    ) -> Result<Exchanged, Refusal> {
        let mut until = None;
        loop {
            let since = Instant::now();
            if self.life().state != State::Running {
                return self.start_afresh(cx, next, since, None);
            }
            let (version, state) = match self.save()? {
                Saved::State(version, state) => (version, state),
                Saved::Stateless => return self.start_afresh(cx, next, since, None),
                Saved::Died(death) => return self.start_afresh(cx, next, since, Some(death)),
            };
            let begun = self.begun();
            if begun.is_empty() {
                return self.take_over(cx, next, (version, &state), since);
            }
            if manner.force {
                self.end_requests(cx, &begun);
                continue;
            }
            let now = self.time.now();
            let until = *until.get_or_insert(now.saturating_add(self.limits.drain));
            if now >= until || !self.drain(cx, until, manner) {
                return Err((ErrorCode::Busy, self.describe_begun(&begun)));
            }
        }
    }

    /// Asks the running version for its state.
    fn save(&self) -> Result<Saved, Refusal> {
        let mut guard = self.instance.try_lock();
        let Some(instance) = guard.as_mut().and_then(|guard| guard.as_mut()) else {
            return Ok(Saved::Stateless);
        };
        // One list cannot be longer than its memory: what is too long is refused
        // below, and need not end the instance. What it calls meanwhile is held by
        // `Guest::within_payload`.
        let limits = &self.limits;
        instance
            .store
            .set_hostcall_fuel(guest::fuel(limits.memory.max(limits.payload)));
        let none = Subject::default();
        let saved = self.enter(instance, Handler::SaveState, none, |store, handlers| {
            handlers.call_save_state(store)
        });
        instance
            .store
            .set_hostcall_fuel(guest::fuel(limits.payload));
        let saved = saved.map_err(|code| {
            let cause = format!("the running version's `save-state` could not be called: {code}");
            (code, cause)
        })?;
        let (version, state) = match saved {
            Ok(Ok(saved)) => saved,
            Ok(Err(code)) => {
                return match ErrorCode::from(code) {
                    ErrorCode::Unsupported => Ok(Saved::Stateless),
                    code => {
                        let cause = format!(
                            "the running version's `save-state` says `{code}`; try again later"
                        );
                        Err((code, cause))
                    }
                };
            }
            Err(death) => return Ok(Saved::Died(death)),
        };
        let (size, limit) = (state.len() as u64, limits.state);
        if size > limit {
            let hit = LimitHit::State { size, limit };
            return Err((
                ErrorCode::NoResources,
                format!("{hit}; raise it in the board file's `[driver.limits]`"),
            ));
        }
        Ok(Saved::State(version, state))
    }

    /// The old one's `stop`, unless it has `died`, then the new one's `start`.
    /// Devices that both open stay open, and what their lines count meanwhile
    /// goes to the new one. What goes wrong stands in [`Driver::life`].
    fn start_afresh(
        self: &Arc<Self>,
        cx: &Context,
        next: &mut Option<Instance>,
        since: Instant,
        died: Option<Death>,
    ) -> Result<Exchanged, Refusal> {
        let instance = next.take().ok_or_else(|| aborted(GONE))?;
        let lost = self.counters.counts().lost;
        let waiting = |guest: &mut Guest| guest.waiting(self.time.now());
        let events_waiting = self.with_guest(waiting).unwrap_or(0);
        self.supervision.reset();
        let heritage = self
            .with_guest(Guest::hand_over)
            .unwrap_or_else(|| self.supervision.take_estate());
        self.left_lines.lock().clear();
        match died {
            Some(death) => self.die(cx, &death),
            None => self.call_stop(cx, State::Starting),
        }
        self.live(State::Starting, None);
        self.begin(cx, instance, heritage, Cause::Reload);
        let handed_over = self.with_guest(|guest| guest.heritage.taken);
        Ok(Exchanged {
            since,
            reload: Reload {
                generation: self.generation(),
                gate_closed_ns: 0,
                events_waiting,
                lost: self.counters.counts().lost - lost,
                state_bytes: None,
                handed_over: handed_over.unwrap_or_default(),
            },
            last: None,
        })
    }

    /// The new version's `start` and `restore-state`, beside the old one; then
    /// it is the driver's.
    fn take_over(
        self: &Arc<Self>,
        cx: &Context,
        next: &mut Option<Instance>,
        (version, state): (u32, &[u8]),
        since: Instant,
    ) -> Result<Exchanged, Refusal> {
        let lost = self.counters.counts().lost;
        let left = self.left_lines();
        let staging = self.with_guest(|guest| Staging::of(guest));
        let staging = staging.ok_or_else(|| aborted(GONE))?;
        let instance = next.as_mut().ok_or_else(|| aborted(GONE))?;
        instance.store.data_mut().phase = Phase::Staged(staging);
        self.rehearse(instance, version, state)?;
        let waiting = |guest: &mut Guest| guest.waiting(self.time.now());
        let events_waiting = self.with_guest(waiting).unwrap_or(0);
        let before = std::mem::replace(&mut *self.instance.lock(), next.take());
        let mut before = before.ok_or_else(|| aborted(GONE))?;
        // Those begin anew. One that had to leave since then is adopted, and stays so.
        self.left_lines
            .lock()
            .retain(|pin, _| !left.contains_key(pin));
        let handed_over = self.commit(cx, &mut before);
        let bytes = state.len() as u64;
        self.log.life(&format!(
            "running, generation {}, with {} of state",
            self.generation(),
            show_bytes(bytes)
        ));
        Ok(Exchanged {
            since,
            reload: Reload {
                generation: self.generation(),
                gate_closed_ns: 0,
                events_waiting,
                lost: self.counters.counts().lost - lost,
                state_bytes: Some(bytes),
                handed_over,
            },
            last: Some(before),
        })
    }

    /// All of the new version that can fail.
    fn rehearse(&self, instance: &mut Instance, version: u32, state: &[u8]) -> Result<(), Refusal> {
        let called = |code| (code, format!("the new version could not be called: {code}"));
        let config = self.entry.config.clone();
        let none = Subject::default();
        let started = self.enter(instance, Handler::Start, none, |store, handlers| {
            wasi_i2c::connect(store)?;
            handlers.call_start(store, Cause::Reload, &config)
        });
        match started.map_err(called)? {
            Ok(Ok(())) => {}
            Ok(Err(reason)) => {
                let reason = last_words(&reason);
                return Err(aborted(&format!(
                    "the new version's `start` refused: {reason}"
                )));
            }
            Err(death) => return Err(aborted(&format!("the new version: {}", death.cause))),
        }
        let restored = self.enter(instance, Handler::RestoreState, none, |store, handlers| {
            handlers.call_restore_state(store, version, state)
        });
        match restored.map_err(called)? {
            Ok(Ok(())) => {}
            Ok(Err(code)) => {
                let code = ErrorCode::from(code);
                let name = &self.name;
                return Err(aborted(&format!(
                    "the new version's `restore-state` refused the state, of version {version}: {code}; \
                     `loopgate stop {name}` and `start` do without the state"
                )));
            }
            Err(death) => return Err(aborted(&format!("the new version: {}", death.cause))),
        }
        let outputs = instance.store.data_mut().staging();
        outputs
            .map_or(Ok(()), |staging| staging.open_outputs())
            .map_err(|error| aborted(&error.to_string()))
    }

    /// The instance in place takes over from `last`, and nothing of it fails.
    fn commit(self: &Arc<Self>, cx: &Context, last: &mut Instance) -> Handed {
        let before = last.store.data_mut();
        self.supervision.reset();
        self.supervision.runs(self.time.now());
        let committed = self.with_guest(|guest| {
            self.generation.store(guest.generation, Relaxed);
            guest.commit(before)
        });
        self.release(cx, &mut last.store);
        let finished = committed.map(|committed| {
            let handed = committed.handed;
            self.with_guest(|guest| {
                committed.finish(cx, guest);
                self.counters.usage(guest.usage());
            });
            handed
        });
        finished.unwrap_or_default()
    }

    /// The requests that have begun, with the gates that they came through.
    fn begun(&self) -> Vec<(u64, u32)> {
        let begun = self.with_guest(|guest| guest.requests.begun().collect());
        begun.unwrap_or_default()
    }

    fn describe_begun(self: &Arc<Self>, begun: &[(u64, u32)]) -> String {
        let mut gates = BTreeMap::<u32, usize>::new();
        for (_, gate) in begun {
            *gates.entry(*gate).or_default() += 1;
        }
        let services = self.services.of(self);
        let of = |gate: u32, count: usize| {
            let behind = services.iter().filter(|service| service.token == gate);
            let names: Vec<_> = behind
                .map(|service| format!("`{}`", service.name))
                .collect();
            format!("{count} of service {}", names.join(", "))
        };
        let waiting: Vec<_> = gates
            .iter()
            .map(|(&gate, &count)| of(gate, count))
            .collect();
        format!(
            "requests that had begun were not over after {}, its limit `drain`: {}; \
             wait for them, or end them as `driver-died` with `loopgate reload --force {}`",
            show_span(self.limits.drain),
            waiting.join("; "),
            self.name
        )
    }

    /// Has new requests wait, and waits for those that have begun, with the gate
    /// open. False where it would not come to an end.
    fn drain(
        self: &Arc<Self>,
        cx: &Context,
        until: loopgate_workloop::Instant,
        manner: Manner<'_>,
    ) -> bool {
        self.draining.store(true, Relaxed);
        let event = self.drain_event();
        loop {
            match self.work_loop.gate().poll_sleep(cx, event, Some(until)) {
                std::task::Poll::Ready(woken) => return woken.is_ok(),
                std::task::Poll::Pending => (manner.pause)(cx, until),
            }
        }
    }

    /// Lets those that waited meanwhile in.
    fn stop_draining(&self) {
        if !self.draining.swap(false, Relaxed) {
            return;
        }
        self.with_guest(|guest| {
            for (&token, (gate, _)) in &guest.sources.gates {
                gate.wakeup(Requests::turn(token), Wakeups::All);
            }
            guest.signal_mail();
        });
    }

    /// Ends requests that have begun; the driver is told that they are void.
    fn end_requests(self: &Arc<Self>, cx: &Context, begun: &[(u64, u32)]) {
        for &(id, _) in begun {
            self.with_guest(|guest| guest.requests.answer(id, Err(ErrorCode::DriverDied)));
            self.cancelled(cx, id);
        }
    }

    fn drain_event(self: &Arc<Self>) -> Event {
        Event {
            scope: self.scope(),
            key: DRAINED,
        }
    }
}

fn aborted(cause: &str) -> Refusal {
    (ErrorCode::Aborted, cause.to_owned())
}
