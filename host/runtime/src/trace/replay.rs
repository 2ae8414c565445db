//! Does again what a trace says, without a board: the host's answers come from the trace.

use super::read::{Body, Called, Entry, Trace, TraceError};
use super::wire::Take;
use super::{ENDED, MONOTONIC, RETURNED, WALL, crossing};
use crate::bindings::{Driver as Bindings, DriverPre};
use crate::cache::Cache;
use crate::engine::{self, Engine};
use crate::error::ComponentError;
use crate::guest;
use crate::interface::wasi::{self, Wasi};
use crate::interface::{self, wasi_i2c};
use crate::limits::{HANDLES_MAX, Limits, MEMORY_RESERVATION, PAYLOAD_MAX};
use crate::memory::MemoryLimiter;
use crate::random::Random;
use crate::text::printable;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;
use wasmtime::component::Linker;
use wasmtime::{Result, Store, bail};

/// Far more instructions than a handler may take: one that never ends is to end.
const FUEL: u64 = 40_000_000_000;

/// No limit of a board; far more than any driver of one is allowed.
const TABLE_ELEMENTS_MAX: u64 = 1 << 20;

/// As many calls before a divergence are told.
const BEFORE: usize = 8;

/// What a component has done again.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    /// The driver, as its board called it.
    pub driver: String,
    /// Instances of it.
    pub instances: u64,
    /// Handlers that were called.
    pub handlers: u64,
    /// Calls of the host that it made in them.
    pub calls: u64,
    /// Whether the recording was ended, and not cut.
    pub is_whole: bool,
    /// Whether some of it could not be recorded in time.
    pub is_lossy: bool,
    /// Whether the trace was made with a component of another content.
    pub is_other_component: bool,
}

/// Where a component first does something else than the trace has.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Divergence {
    /// The driver, as its board called it.
    pub driver: String,
    /// Which of its instances.
    pub generation: u64,
    /// When its handler was called: nanoseconds of the board's clock.
    pub time_ns: u64,
    /// Handlers of the driver before it.
    pub handlers: u64,
    /// The handler and what it was called with.
    pub handler: String,
    /// What it had called before that, the latest last.
    pub before: Vec<String>,
    /// What the trace has.
    pub recorded: String,
    /// What it does now.
    pub now: String,
}

/// Why there is no replay.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The trace cannot be read.
    #[error(transparent)]
    Trace(#[from] TraceError),
    /// The component cannot be loaded.
    #[error(transparent)]
    Component(#[from] ComponentError),
    /// Nobody was recorded, or several were.
    #[error("{0}")]
    Driver(String),
    /// The engine.
    #[error("{0}")]
    Host(String),
    /// Something else was done.
    #[error("{0}")]
    Diverged(Box<Divergence>),
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "driver `{}` (generation {}) diverges at {:.9} s, in its handler {}, {}:",
            printable(&self.driver),
            self.generation,
            Duration::from_nanos(self.time_ns).as_secs_f64(),
            self.handlers + 1,
            self.handler,
        )?;
        for call in &self.before {
            writeln!(f, "  both      {call}")?;
        }
        write!(f, "  recorded  {}\n  now       {}", self.recorded, self.now)
    }
}

/// What stands in for the host.
pub(crate) struct Replayed {
    memory: MemoryLimiter,
    random: Random,
    payload: u64,
    /// What the running handler called in the trace, as it was written there.
    calls: Vec<Owned>,
    next: usize,
    /// The host ended the handler after those.
    was_ended: bool,
    diverged: Option<(String, String)>,
}

struct Owned {
    number: u8,
    arguments: Vec<u8>,
    end: u8,
    answer: Vec<u8>,
}

impl From<&Called<'_>> for Owned {
    fn from(called: &Called<'_>) -> Self {
        Self {
            number: called.number,
            arguments: called.arguments.to_vec(),
            end: called.end,
            answer: called.answer.to_vec(),
        }
    }
}

impl Owned {
    fn called(&self) -> Called<'_> {
        Called {
            number: self.number,
            arguments: &self.arguments,
            end: self.end,
            answer: &self.answer,
        }
    }
}

impl Replayed {
    fn new(name: &str, generation: u64, limits: &Limits) -> Self {
        Self {
            memory: MemoryLimiter::new(limits),
            random: Random::seeded(name, generation),
            payload: limits.payload,
            calls: Vec::new(),
            next: 0,
            was_ended: false,
            diverged: None,
        }
    }

    fn expect(&mut self, entry: &Entry<'_>) {
        self.calls = entry.calls.iter().map(Owned::from).collect();
        self.next = 0;
        self.was_ended = entry.end == ENDED;
    }

    /// The driver calls a function: what the trace has as its answer.
    pub(super) fn calls<T: Take>(
        &mut self,
        number: u8,
        put: impl FnOnce(&mut Vec<u8>),
    ) -> Result<T> {
        let mut arguments = Vec::new();
        put(&mut arguments);
        let Some(next) = self.calls.get(self.next) else {
            if !self.was_ended {
                let now = shown(number, &arguments);
                self.diverged
                    .get_or_insert(("returned without another call".to_owned(), now));
            }
            bail!("the trace ends here");
        };
        if (next.number, &next.arguments) != (number, &arguments) {
            let now = shown(number, &arguments);
            self.diverged
                .get_or_insert((next.called().to_string(), now));
            bail!("the trace goes on otherwise");
        }
        self.next += 1;
        if next.end != RETURNED {
            bail!("the host ended it here");
        }
        match T::take(&mut next.answer.as_slice()) {
            Some(answer) => Ok(answer),
            None => bail!("the trace is damaged"),
        }
    }
}

fn shown(number: u8, arguments: &[u8]) -> String {
    let name = crossing::name(number).unwrap_or_default();
    let arguments = crossing::show_arguments(number, &mut &*arguments);
    format!("{name}({})", arguments.unwrap_or_default())
}

impl Wasi for Replayed {
    fn count(&mut self) {}

    fn monotonic(&mut self) -> Result<u64> {
        self.calls(MONOTONIC, |_| {})
    }

    fn wall(&mut self) -> Result<(u64, u32)> {
        self.calls(WALL, |_| {})
    }

    fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    fn payload(&self) -> u64 {
        self.payload
    }

    fn output(&mut self, _: bool, bytes: &[u8]) -> Result<()> {
        if bytes.len() > guest::fuel(self.payload) {
            bail!("the host refuses so much at once");
        }
        Ok(())
    }
}

/// Has a component do what the trace says of a driver; `None` for the only one that it
/// has. On the calling thread.
///
/// # Errors
/// [`ReplayError::Diverged`] where it first does something else; else what keeps it from
/// being tried.
pub fn replay(
    trace: &Trace,
    driver: Option<&str>,
    component: &Path,
) -> std::result::Result<Summary, ReplayError> {
    let driver = which(trace, driver)?;
    let bytes = engine::read(component)?;
    let cache = Cache::default_directory().and_then(|directory| Cache::open(&directory).ok());
    let engine = Engine::deterministic(cache).map_err(ReplayError::Host)?;
    let name = component.display().to_string();
    let compiled = engine.compile(&name, &bytes)?;
    // What is no driver is refused as elsewhere.
    engine.link(&name, &compiled)?;
    let host = |error: wasmtime::Error| ReplayError::Host(format!("{error:#}"));
    let mut linker: Linker<Replayed> = interface::replayed(engine.wasmtime()).map_err(host)?;
    wasi::add_to_linker(&mut linker, engine.wasmtime(), &compiled).map_err(host)?;
    let pre = linker.instantiate_pre(&compiled).map_err(host)?;
    let replay = Replay {
        pre: DriverPre::new(pre).map_err(host)?,
        takes_wasi_i2c: wasi_i2c::is_wanted(engine.wasmtime(), &compiled),
        digest: engine::digest(&bytes),
        engine: &engine,
        summary: Summary {
            driver,
            ..Summary::default()
        },
    };
    replay.run(trace)
}

/// The driver that is meant.
fn which(trace: &Trace, wanted: Option<&str>) -> std::result::Result<String, ReplayError> {
    let names = trace.drivers();
    let listed = || {
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    };
    let found = match wanted {
        Some(wanted) => names.iter().find(|name| **name == wanted),
        None if names.len() <= 1 => names.first(),
        None => {
            return Err(ReplayError::Driver(format!(
                "the trace has several drivers, {}; say which with `--driver`",
                listed()
            )));
        }
    };
    found.map(|name| (*name).to_owned()).ok_or_else(|| {
        if let Some(Err(damaged)) = trace.entries().find(Result::is_err) {
            return damaged.into();
        }
        ReplayError::Driver(if names.is_empty() {
            "the trace has no driver in it".to_owned()
        } else {
            format!(
                "the trace has no driver `{}`; it has {}",
                wanted.unwrap_or_default(),
                listed()
            )
        })
    })
}

struct Replay<'e> {
    engine: &'e Engine,
    pre: DriverPre<Replayed>,
    takes_wasi_i2c: bool,
    digest: engine::Digest,
    summary: Summary,
}

struct Instance {
    store: Store<Replayed>,
    bindings: Bindings,
    connect: Option<wasi_i2c::Connect>,
}

impl Replay<'_> {
    fn run(mut self, trace: &Trace) -> std::result::Result<Summary, ReplayError> {
        let driver = self.summary.driver.clone();
        let mut entries = trace.entries_of(&driver);
        let mut instances = BTreeMap::new();
        for entry in entries.by_ref() {
            let entry = entry?;
            match &entry.body {
                Body::Instance { digest, limits } => {
                    self.summary.is_other_component |= *digest != self.digest;
                    let made = self.instantiate(&entry, *limits)?;
                    if let Some(made) = made {
                        instances.insert(entry.generation(), made);
                    }
                    // At a reload there are two; older ones are gone.
                    while instances.len() > 2 {
                        instances.pop_first();
                    }
                }
                Body::Handler { .. } => {
                    if let Some(instance) = instances.get_mut(&entry.generation())
                        && !self.handler(&entry, instance)?
                    {
                        instances.remove(&entry.generation());
                    }
                }
                Body::Lost => {
                    self.summary.is_lossy = true;
                    instances.clear();
                }
            }
        }
        self.summary.is_whole = entries.is_whole();
        Ok(self.summary)
    }

    fn instantiate(
        &mut self,
        entry: &Entry<'_>,
        [memory, table_elements, handles, payload]: [u64; 4],
    ) -> std::result::Result<Option<Instance>, ReplayError> {
        self.summary.instances += 1;
        // No board allows more, whatever the trace says.
        let limits = Limits {
            memory: memory.min(MEMORY_RESERVATION),
            table_elements: table_elements.min(TABLE_ELEMENTS_MAX),
            handles: handles.min(HANDLES_MAX.into()) as u32,
            payload: payload.min(PAYLOAD_MAX),
            ..Limits::default()
        };
        let data = Replayed::new(entry.driver(), entry.generation(), &limits);
        let mut store = Store::new(self.engine.wasmtime(), data);
        store.limiter(|data| &mut data.memory);
        store.set_hostcall_fuel(guest::fuel(limits.payload.max(limits.memory)));
        store.set_max_component_handles(limits.handles as usize + 64);
        store.data_mut().expect(entry);
        ready(&mut store);
        let made = self.make(store);
        let (made, store) = match made {
            Ok(instance) => (Ok(instance), None),
            Err((error, store)) => (Err(error), Some(store)),
        };
        match made {
            Ok(mut instance) => {
                let answer = Ok(Vec::new());
                self.compare(entry, &mut instance.store, &answer)?;
                Ok(Some(instance))
            }
            Err(error) => {
                if let Some(mut store) = store {
                    self.compare(entry, &mut store, &Err(error))?;
                }
                Ok(None)
            }
        }
    }

    fn make(
        &self,
        mut store: Store<Replayed>,
    ) -> std::result::Result<Instance, (wasmtime::Error, Box<Store<Replayed>>)> {
        let made = self.pre.instance_pre().instantiate(&mut store);
        let made = made.and_then(|instance| {
            let connect = self
                .takes_wasi_i2c
                .then(|| wasi_i2c::of(&mut store, &instance))
                .transpose()?;
            Ok((Bindings::new(&mut store, &instance)?, connect))
        });
        match made {
            Ok((bindings, connect)) => Ok(Instance {
                store,
                bindings,
                connect,
            }),
            Err(error) => Err((error, Box::new(store))),
        }
    }

    /// False once the instance is over.
    fn handler(
        &mut self,
        entry: &Entry<'_>,
        instance: &mut Instance,
    ) -> std::result::Result<bool, ReplayError> {
        let Body::Handler { event, .. } = &entry.body else {
            return Ok(true);
        };
        let Instance {
            store,
            bindings,
            connect,
        } = instance;
        store.data_mut().expect(entry);
        ready(store);
        let answer = event.call(store, bindings.loopgate_driver_handlers(), connect.as_ref());
        let goes_on = answer.is_ok();
        self.compare(entry, store, &answer)?;
        self.summary.handlers += 1;
        self.summary.calls += entry.calls.len() as u64;
        Ok(goes_on)
    }

    /// Whether it has done what the trace has.
    fn compare(
        &self,
        entry: &Entry<'_>,
        store: &mut Store<Replayed>,
        answer: &Result<Vec<u8>>,
    ) -> std::result::Result<(), ReplayError> {
        let data = store.data_mut();
        let diverged = data.diverged.take().or_else(|| {
            let (recorded, now) = match (data.calls.get(data.next), answer) {
                (Some(next), Ok(_)) => (next.called().to_string(), "returned instead".to_owned()),
                (Some(next), Err(error)) => {
                    (next.called().to_string(), format!("trapped: {error:#}"))
                }
                (None, Ok(answer)) if entry.end == RETURNED => {
                    if answer == entry.answer {
                        return None;
                    }
                    let now = entry.in_words(answer);
                    (
                        format!("returned {}", entry.answer().unwrap_or_default()),
                        format!("returned {now}"),
                    )
                }
                (None, Err(error)) if entry.end == RETURNED => (
                    format!("returned {}", entry.answer().unwrap_or_default()),
                    format!("trapped: {error:#}"),
                ),
                // It takes its time, which is none in a replay.
                (None, _) if entry.end == ENDED => return None,
                (None, Ok(_)) => ("trapped".to_owned(), "returned".to_owned()),
                (None, Err(_)) => return None,
            };
            Some((recorded, now))
        });
        let Some((recorded, now)) = diverged else {
            return Ok(());
        };
        let made = data.next.min(entry.calls.len());
        let before = entry.calls[..made].iter().map(ToString::to_string);
        let before = before.skip(made.saturating_sub(BEFORE)).collect();
        let handler = format!("{}({})", entry.handler(), entry.arguments());
        Err(ReplayError::Diverged(Box::new(Divergence {
            driver: entry.driver().to_owned(),
            generation: entry.generation(),
            time_ns: entry.time().as_nanos(),
            handlers: self.summary.handlers,
            handler,
            before,
            recorded,
            now,
        })))
    }
}

fn ready(store: &mut Store<Replayed>) {
    store.set_epoch_deadline(u64::MAX / 2);
    // Without fuel accounting there would be no such engine.
    let _ = store.set_fuel(FUEL);
}
