//! What a new version does before it has taken its place, while the one with
//! the state stands by (rule 16).
//!
//! It is given the very objects that the last version has, and what it does to
//! them is only written down. So there is nothing to undo where it fails: it is
//! dropped. At the commit, what both versions have is the new one's, and what
//! was written down is done.

use crate::driver::Driver;
use crate::error::ErrorCode;
use crate::guest::Guest;
use crate::heritage::{Fed, LineName, OpenPort};
use crate::interface::work_loop::Sources;
use crate::limits::LimitHit;
use crate::requests::Turns;
use crate::service::Service;
use crate::status::Handed;
use crate::structural::Open;
use loopgate_devices::gpio::{Error, GpioLine};
use loopgate_workloop::{
    CommandGate, Context, EventSource, Instant, InterruptEventSource, TimerEventSource,
};
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

mod late;

pub(crate) use late::{LateInterrupt, LateLine};

/// How far an instance has come, which says what it can reach.
pub(crate) enum Phase {
    /// Its initialisers run, with the gate open: it can open and create nothing.
    Aside,
    /// From its `start` to the commit.
    Staged(Box<Staging>),
    Live,
}

/// What the last version has and the new one can adopt, and what the new one
/// did so far.
pub(crate) struct Staging {
    pub(crate) pins: BTreeMap<String, (bool, Arc<dyn GpioLine>)>,
    pub(crate) ports: BTreeMap<String, OpenPort>,
    fed: Vec<(Arc<InterruptEventSource>, Fed)>,
    software: BTreeMap<u32, Arc<InterruptEventSource>>,
    timers: BTreeMap<u32, Arc<TimerEventSource>>,
    gates: BTreeMap<u32, (Arc<CommandGate>, Arc<Turns>)>,
    pub(crate) clients: Vec<StagedClient>,
    /// The outputs that it has opened and the last version had not.
    late: Vec<Weak<LateLine>>,
    changes: Vec<(Arc<dyn EventSource>, Change)>,
    changes_max: u32,
    /// How many pins and ports there were.
    devices: (usize, usize),
}

/// A client that it has opened. Its provider hears of it at the commit.
pub(crate) struct StagedClient {
    pub(crate) service: Arc<Service>,
    pub(crate) handle: u32,
    pub(crate) open: Arc<Open>,
}

/// What is done to a source at the commit.
pub(crate) enum Change {
    Add,
    Remove,
    Enable,
    Disable,
    SwitchOn(Arc<InterruptEventSource>),
    /// Arms the timer, or disarms it.
    Arm(Arc<TimerEventSource>, Option<Instant>),
    Signal(Arc<InterruptEventSource>, Instant),
    FilterWord(Arc<InterruptEventSource>, u64),
}

impl Staging {
    /// All that the running instance has. Nothing of it changes by this.
    pub(crate) fn of(running: &Guest) -> Box<Self> {
        let at_rest = running.driver.at_rest.lines().into_iter();
        let at_rest = at_rest.map(|(name, line)| (name, (true, line)));
        let mut staging = Self {
            pins: at_rest.chain(running.pins.open()).collect(),
            ports: running.driver.open_ports().into_iter().collect(),
            fed: Vec::new(),
            software: BTreeMap::new(),
            timers: running.sources.timers.clone(),
            gates: running.sources.gates.clone(),
            clients: Vec::new(),
            late: Vec::new(),
            changes: Vec::new(),
            changes_max: running.driver.limits.handles.saturating_mul(8),
            devices: (0, 0),
        };
        staging.devices = (staging.pins.len(), staging.ports.len());
        let left = running.driver.left_lines();
        for (&token, (source, fed)) in &running.sources.interrupts {
            if let Some(fed) = fed {
                // A pin that had to leave its line begins anew.
                if fed.name.pin().is_none_or(|pin| !left.contains_key(pin)) {
                    staging.fed.push((source.clone(), fed.clone()));
                }
            } else {
                staging.software.insert(token, source.clone());
            }
        }
        Box::new(staging)
    }

    /// An output that is driven at the commit, if it is there still.
    pub(crate) fn output(&mut self, line: &Arc<LateLine>) {
        self.late.retain(|line| line.strong_count() > 0);
        self.late.push(Arc::downgrade(line));
    }

    /// The last thing that can fail, by a fault of their devices: new outputs, all
    /// of which are had, are driven.
    pub(crate) fn open_outputs(&self) -> Result<(), Error> {
        let mut held = self.late.iter().filter_map(Weak::upgrade);
        held.try_for_each(|line| line.open())
    }

    /// The source that this line feeds.
    pub(crate) fn fed(&mut self, name: &LineName) -> Option<(Arc<InterruptEventSource>, Fed)> {
        let index = self.fed.iter().position(|(_, fed)| fed.name == *name)?;
        Some(self.fed.swap_remove(index))
    }

    pub(crate) fn software(&mut self, token: u32) -> Option<Arc<InterruptEventSource>> {
        self.software.remove(&token)
    }

    pub(crate) fn timer(&mut self, token: u32) -> Option<Arc<TimerEventSource>> {
        self.timers.remove(&token)
    }

    pub(crate) fn gate(&mut self, token: u32) -> Option<(Arc<CommandGate>, Arc<Turns>)> {
        self.gates.remove(&token)
    }

    /// Whether the source is to be enabled, where that was said.
    pub(crate) fn is_enabled(&self, source: &Arc<dyn EventSource>) -> Option<bool> {
        let changes = self.changes.iter().rev();
        let mut of = changes.filter(|(other, _)| is_same(other, source));
        of.find_map(|(_, change)| match change {
            Change::Enable | Change::SwitchOn(_) => Some(true),
            Change::Disable => Some(false),
            _ => None,
        })
    }

    /// # Errors
    /// A limit, which ends the instance: the calls that make changes have no
    /// other way to say so.
    fn push(&mut self, source: Arc<dyn EventSource>, change: Change) -> Result<(), LimitHit> {
        if self.changes.len() >= self.changes_max as usize {
            return Err(LimitHit::Changes(self.changes_max));
        }
        self.changes.push((source, change));
        Ok(())
    }

    /// The instance has dropped the source.
    fn forget(&mut self, source: &Arc<dyn EventSource>) {
        self.changes.retain(|(other, _)| !is_same(other, source));
    }
}

fn is_same(one: &Arc<dyn EventSource>, other: &Arc<dyn EventSource>) -> bool {
    std::ptr::addr_eq(Arc::as_ptr(one), Arc::as_ptr(other))
}

impl Change {
    fn make(
        self,
        cx: &Context,
        driver: &Driver,
        source: Arc<dyn EventSource>,
    ) -> Result<(), loopgate_workloop::Error> {
        match self {
            Self::Add => driver.work_loop.add_event_source(cx, source)?,
            Self::Remove => driver.work_loop.withdraw_event_source(cx, &source)?,
            Self::Enable => source.enable(cx),
            Self::Disable => source.disable(cx),
            // A level line that is off for what waits comes back after that:
            // brought back now, its level would count twice.
            Self::SwitchOn(source) if source.is_enabled() && source.pending() > 0 => {}
            Self::SwitchOn(source) => source.enable(cx),
            Self::Arm(timer, Some(deadline)) => timer.wake_at(deadline)?,
            Self::Arm(timer, None) => timer.cancel_timeout(),
            Self::Signal(source, at) => source.signal(at)?,
            Self::FilterWord(source, word) => source.set_filter_word(word),
        }
        Ok(())
    }
}

impl Guest {
    pub(crate) fn staging(&mut self) -> Option<&mut Staging> {
        match &mut self.phase {
            Phase::Staged(staging) => Some(staging),
            Phase::Aside | Phase::Live => None,
        }
    }

    pub(crate) fn is_staged(&self) -> bool {
        matches!(self.phase, Phase::Staged(_))
    }

    /// For what opens and creates: not in initialisers.
    pub(crate) fn may_open(&self) -> Result<(), ErrorCode> {
        match self.phase {
            Phase::Aside => Err(self.too_early("an initialiser can open and create nothing")),
            Phase::Staged(_) | Phase::Live => Ok(()),
        }
    }

    /// For what has an effect outside: not before the commit.
    pub(crate) fn may_act(&self) -> Result<(), ErrorCode> {
        match self.phase {
            Phase::Live => Ok(()),
            Phase::Aside | Phase::Staged(_) => Err(self
                .too_early("nothing outside can be changed or asked until the state was restored")),
        }
    }

    fn too_early(&self, why: &str) -> ErrorCode {
        self.driver.log.host(why);
        ErrorCode::NotPermitted
    }

    /// Writes the change down. False where there is nothing to wait for, and it
    /// is to be made now.
    pub(crate) fn staged<S: EventSource>(
        &mut self,
        source: &Arc<S>,
        change: impl FnOnce() -> Change,
    ) -> Result<bool, LimitHit> {
        self.staged_any(|| source.clone(), change)
    }

    /// As that, for a source of any kind.
    pub(crate) fn staged_any(
        &mut self,
        source: impl FnOnce() -> Arc<dyn EventSource>,
        change: impl FnOnce() -> Change,
    ) -> Result<bool, LimitHit> {
        let Some(staging) = self.staging() else {
            return Ok(false);
        };
        staging.push(source(), change())?;
        Ok(true)
    }

    /// The instance drops a source before the commit: nobody else notices.
    pub(crate) fn unstaged(&mut self, source: &Arc<dyn EventSource>) -> bool {
        self.staging()
            .map(|staging| staging.forget(source))
            .is_some()
    }

    /// Takes the place of `last`, which keeps what this one did not adopt.
    /// The gate is closed by `cx`.
    pub(crate) fn commit(&mut self, last: &mut Guest) -> Committed {
        let phase = std::mem::replace(&mut self.phase, Phase::Live);
        let Phase::Staged(staging) = phase else {
            return Committed::default();
        };
        last.pins.forget(&self.pins);
        for (name, _) in self.pins.open() {
            drop(self.driver.at_rest.take(&name));
        }
        let mut handed = Handed {
            pins: (staging.devices.0 - staging.pins.len()) as u64,
            ports: (staging.devices.1 - staging.ports.len()) as u64,
            ..Handed::default()
        };
        self.sources.adopt(&mut last.sources, &mut handed);
        std::mem::swap(&mut self.requests, &mut last.requests);
        std::mem::swap(&mut self.submissions, &mut last.submissions);
        self.submissions.rename_clients(&staging.clients);
        for client in &staging.clients {
            client.open.counts();
        }
        let mut new = Vec::new();
        for service in &mut self.services {
            let mut known = last.services.iter();
            if let Some(known) = known.find(|known| known.is_offered_as(service)) {
                known.go_on(self.generation);
                handed.services += 1;
                *service = known.clone();
            } else {
                new.push(service.clone());
            }
        }
        if let (Some(offer), Some(known)) = (&self.offer, &last.offer)
            && offer.is_same(known)
        {
            self.offer = last.offer.take();
        }
        let waiting = self.sources.post.waiting();
        handed.requests = u64::from(waiting) + self.submissions.len() as u64;
        self.power = last.power;
        Committed {
            handed,
            services: new,
            changes: staging.changes,
        }
    }
}

/// What is left to do once the last version has let go.
#[derive(Default)]
pub(crate) struct Committed {
    pub(crate) handed: Handed,
    services: Vec<Arc<Service>>,
    changes: Vec<(Arc<dyn EventSource>, Change)>,
}

impl Committed {
    pub(crate) fn finish(self, cx: &Context, guest: &mut Guest) {
        for service in self.services {
            let name = service.name.clone();
            if let Err(code) = guest.offer(service) {
                let log = &guest.driver.log;
                log.host(&format!("service `{name}` could not be published: {code}"));
            }
        }
        for (source, change) in self.changes {
            if let Err(error) = change.make(cx, &guest.driver, source) {
                let log = &guest.driver.log;
                log.host(&format!("what `start` did to a source failed: {error}"));
            }
        }
        guest.renew_offer();
        guest.signal_mail();
    }
}

impl Sources {
    /// What both have is this one's.
    fn adopt(&mut self, last: &mut Sources, handed: &mut Handed) {
        let before = (last.timers.len(), last.gates.len());
        let lines = last.interrupts.iter();
        let lines: BTreeMap<usize, u32> = lines
            .map(|(&token, (source, _))| (Arc::as_ptr(source).addr(), token))
            .collect();
        for (&token, (source, fed)) in &mut self.interrupts {
            let known = lines.get(&Arc::as_ptr(source).addr());
            let Some((_, before)) = known.and_then(|token| last.interrupts.remove(token)) else {
                continue;
            };
            handed.interrupts += 1;
            if let (Some(fed), Some(before)) = (fed, before) {
                fed.take_over(source, token, before);
            }
        }
        // Adopted by their tokens, which they have kept.
        let (timers, gates) = (&self.timers, &self.gates);
        last.timers.retain(|token, source| {
            let known = timers.get(token);
            !known.is_some_and(|known| Arc::ptr_eq(known, source))
        });
        last.gates.retain(|token, (source, _)| {
            let known = gates.get(token);
            !known.is_some_and(|(known, _)| Arc::ptr_eq(known, source))
        });
        handed.timers = (before.0 - last.timers.len()) as u64;
        handed.gates = (before.1 - last.gates.len()) as u64;
        self.post = std::mem::take(&mut last.post);
    }
}
