//! What the next version of a driver takes over from the one before it: the
//! devices that are open, and the sources that their lines feed. Such a source
//! stays on the loop during the change, so that what happens meanwhile is
//! counted, and the first handlers of the new version get it (rule 4).

use crate::driver::Driver;
use crate::filter::Filter;
use crate::grants::Named;
use crate::status::Handed;
use loopgate_devices::bus::BusThread;
use loopgate_devices::gpio::{Edges, GpioLine};
use loopgate_devices::serial::SerialPort;
use loopgate_workloop::{Context, EventSource, InterruptEventSource, InterruptFilter};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Weak};

/// A line that can interrupt, by what a driver asks for to have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LineName {
    Pin(String, Edges),
    Readable(String),
    Writable(String),
}

impl LineName {
    pub(crate) fn pin(&self) -> Option<&str> {
        match self {
            Self::Pin(pin, _) => Some(pin),
            Self::Readable(_) | Self::Writable(_) => None,
        }
    }

    fn is_of_pin(&self, pin: &str) -> bool {
        self.pin() == Some(pin)
    }

    fn is_of_port(&self, port: &str) -> bool {
        matches!(self, Self::Readable(name) | Self::Writable(name) if name == port)
    }
}

/// How a source is fed by a line.
#[derive(Clone)]
pub(crate) struct Fed {
    pub(crate) name: LineName,
    pub(crate) _device: Holder,
    /// What the instance calls the source; its successor may call it otherwise.
    pub(crate) token: Arc<AtomicU32>,
    pub(crate) filter: Option<Arc<Filter>>,
}

impl Fed {
    /// Has this version's filter, or none, take the place of the last one's,
    /// which decided until now.
    pub(crate) fn refilter(&mut self, source: &InterruptEventSource, filter: Option<Arc<Filter>>) {
        let shared = filter
            .clone()
            .map(|filter| filter as Arc<dyn InterruptFilter>);
        source.set_filter(shared);
        if let Some(last) = std::mem::replace(&mut self.filter, filter) {
            last.end();
        }
    }

    /// Has this version's token and filter take the place of those in `last`.
    pub(crate) fn take_over(&mut self, source: &InterruptEventSource, token: u32, last: Self) {
        let filter = std::mem::replace(self, last).filter;
        self.token.store(token, Relaxed);
        if self.filter.is_some() || filter.is_some() {
            self.refilter(source, filter);
        }
    }
}

/// Keeps the pin or port of a line open as long as a source is fed by it, also
/// where the driver has dropped its own handle.
pub(crate) type Holder = Arc<dyn Send + Sync>;

/// An open port.
#[derive(Clone)]
pub(crate) struct OpenPort {
    pub(crate) port: Arc<dyn SerialPort>,
    pub(crate) baud: u32,
    /// Bytes that drivers have read from it.
    pub(crate) taken: Arc<AtomicU64>,
    /// The thread on which its modem lines are used; `None` where they answer at
    /// once.
    pub(crate) wires: Option<Arc<BusThread>>,
}

/// An open port, which this does not keep open.
pub(crate) struct WeakPort {
    port: Weak<dyn SerialPort>,
    baud: u32,
    taken: Arc<AtomicU64>,
    wires: Option<Weak<BusThread>>,
}

impl OpenPort {
    pub(crate) fn downgrade(&self) -> WeakPort {
        WeakPort {
            port: Arc::downgrade(&self.port),
            baud: self.baud,
            taken: self.taken.clone(),
            wires: self.wires.as_ref().map(Arc::downgrade),
        }
    }
}

impl WeakPort {
    pub(crate) fn upgrade(&self) -> Option<OpenPort> {
        Some(OpenPort {
            port: self.port.upgrade()?,
            baud: self.baud,
            taken: self.taken.clone(),
            wires: self.wires.as_ref().and_then(Weak::upgrade),
        })
    }
}

/// The pins that an instance has opened, and which way. The handles are the
/// guest's, so this does not keep them open.
#[derive(Default)]
pub(crate) struct OpenPins(HashMap<String, (bool, Weak<dyn GpioLine>)>);

impl OpenPins {
    pub(crate) fn insert(&mut self, name: &str, output: bool, line: &Arc<dyn GpioLine>) {
        let line = Arc::downgrade(line);
        self.0.insert(name.to_owned(), (output, line));
    }

    /// Leaves out those that the next version has open.
    pub(crate) fn forget(&mut self, next: &Self) {
        self.0.retain(|name, _| !next.is_open(name));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.0.remove(name);
    }

    pub(crate) fn is_open(&self, name: &str) -> bool {
        let line = self.0.get(name);
        line.is_some_and(|(_, line)| line.strong_count() > 0)
    }

    pub(crate) fn open(&self) -> impl Iterator<Item = (String, (bool, Arc<dyn GpioLine>))> {
        self.0.iter().filter_map(|(name, (output, line))| {
            let line = line.upgrade()?;
            Some((name.clone(), (*output, line)))
        })
    }
}

/// What is handed on. What the successor has not taken by the end of its
/// `start` is closed, but for the sources of lines that it holds.
#[derive(Default)]
pub(crate) struct Heritage {
    pins: HashMap<String, (bool, Arc<dyn GpioLine>)>,
    ports: HashMap<String, OpenPort>,
    sources: Vec<Inherited>,
    /// What the successor took.
    pub(crate) taken: Handed,
    /// The successor's `start` has returned.
    over: bool,
}

struct Inherited {
    fed: Fed,
    source: Arc<InterruptEventSource>,
    /// The successor holds the line, and may make a source of it.
    promised: bool,
}

impl Heritage {
    pub(crate) fn new(
        pins: &OpenPins,
        ports: impl Iterator<Item = (String, OpenPort)>,
        sources: impl Iterator<Item = (Fed, Arc<InterruptEventSource>)>,
    ) -> Self {
        let inherited = |(fed, source)| Inherited {
            fed,
            source,
            promised: false,
        };
        Self {
            pins: pins.open().collect(),
            ports: ports.collect(),
            sources: sources.map(inherited).collect(),
            taken: Handed::default(),
            over: false,
        }
    }

    /// The open pin, if it is open that way; else it is closed.
    pub(crate) fn pin(
        &mut self,
        cx: &Context,
        driver: &Driver,
        name: &str,
        output: bool,
    ) -> Option<Arc<dyn GpioLine>> {
        let (was_output, line) = self.pins.remove(name)?;
        if was_output == output {
            self.taken.pins += 1;
            return Some(line);
        }
        self.close(cx, driver, |line| line.is_of_pin(name));
        None
    }

    /// The open port, if it is open at this rate; else it is closed.
    pub(crate) fn port(
        &mut self,
        cx: &Context,
        driver: &Driver,
        name: &str,
        baud: u32,
    ) -> Option<OpenPort> {
        let open = self.ports.remove(name)?;
        if open.baud == baud {
            self.taken.ports += 1;
            return Some(open);
        }
        self.close(cx, driver, |line| line.is_of_port(name));
        None
    }

    /// Adds what a dead instance leaves to the next one: inputs and the sources
    /// that they feed. Nobody serves these meanwhile, but they go on counting.
    pub(crate) fn bequeath(
        &mut self,
        pins: &OpenPins,
        sources: impl Iterator<Item = (Fed, Arc<InterruptEventSource>)>,
    ) {
        self.over = false;
        self.ports.clear();
        self.sources.extend(sources.map(|(fed, source)| Inherited {
            fed,
            source,
            promised: false,
        }));
        for Inherited {
            source, promised, ..
        } in &mut self.sources
        {
            source.set_action(None);
            *promised = false;
        }
        let fed = |name: &str| self.feeds(|line| line.is_of_pin(name));
        let inputs: Vec<_> = pins.open().filter(|(name, _)| fed(name)).collect();
        self.pins.extend(inputs);
        self.pins.retain(|_, (output, _)| !*output);
    }

    /// The pin of a source among these.
    pub(crate) fn pin_of(&self, source: &InterruptEventSource) -> Option<&str> {
        let mut sources = self.sources.iter();
        let found =
            sources.find(|inherited| std::ptr::eq(Arc::as_ptr(&inherited.source), source))?;
        found.fed.name.pin()
    }

    /// Outputs that nobody has taken.
    pub(crate) fn take_outputs(&mut self) -> impl Iterator<Item = (String, Arc<dyn GpioLine>)> {
        let outputs = self.pins.extract_if(|_, (output, _)| *output);
        outputs.map(|(name, (_, line))| (name, line))
    }

    /// Whether this line feeds a source already, which is then its asker's.
    /// Another line of the same kind, say of a pin's other edges, is closed:
    /// a pin has one.
    pub(crate) fn promise(&mut self, cx: &Context, driver: &Driver, wanted: &LineName) -> bool {
        let found = self
            .sources
            .iter_mut()
            .find(|inherited| inherited.fed.name == *wanted && !inherited.promised);
        if let Some(inherited) = found {
            inherited.promised = true;
            return true;
        }
        if let LineName::Pin(pin, _) = wanted {
            self.close(cx, driver, |line| line.is_of_pin(pin));
        }
        false
    }

    /// The successor has dropped a pin again, which a source may still keep
    /// open: it is there to be opened once more.
    pub(crate) fn give_back_pin(&mut self, name: String, output: bool, line: Arc<dyn GpioLine>) {
        if !self.over && self.feeds(|line| line.is_of_pin(&name)) {
            self.pins.insert(name, (output, line));
        }
    }

    /// As [`give_back_pin`](Self::give_back_pin).
    pub(crate) fn give_back_port(&mut self, name: String, open: OpenPort) {
        if !self.over && self.feeds(|line| line.is_of_port(&name)) {
            self.ports.insert(name, open);
        }
    }

    /// The successor does not hold the line any more, and has made no source
    /// of it.
    pub(crate) fn give_back_line(&mut self, cx: &Context, driver: &Driver, name: &LineName) {
        let promised = self.sources.iter_mut();
        for inherited in promised.filter(|inherited| inherited.fed.name == *name) {
            inherited.promised = false;
        }
        if self.over {
            self.close(cx, driver, |_| true);
        }
    }

    /// The source that was promised.
    pub(crate) fn source(&mut self, name: &LineName) -> Option<(Fed, Arc<InterruptEventSource>)> {
        let promised = |inherited: &Inherited| inherited.promised && inherited.fed.name == *name;
        let index = self.sources.iter().position(promised)?;
        let Inherited { fed, source, .. } = self.sources.swap_remove(index);
        self.taken.interrupts += 1;
        Some((fed, source))
    }

    /// `start` has returned. Closes what nobody took; where the line is held the
    /// source only leaves the loop, since it has nobody's token. What it has
    /// counted waits until it is on a loop again.
    pub(crate) fn started(&mut self, cx: &Context, driver: &Driver) {
        self.over = true;
        self.close(cx, driver, |_| true);
        for Inherited { source, .. } in &self.sources {
            withdraw(cx, driver, source);
        }
        self.pins.clear();
        self.ports.clear();
    }

    /// Closes all there is.
    pub(crate) fn end(&mut self, cx: &Context, driver: &Driver) {
        for inherited in self.sources.drain(..) {
            retire(cx, driver, &inherited.source);
        }
        self.pins.clear();
        self.ports.clear();
    }

    /// Closes what is granted under this name no more.
    pub(crate) fn withdraw(&mut self, cx: &Context, driver: &Driver, grant: &Named) {
        let leaving = |inherited: &mut Inherited| grant.has_line(&inherited.fed.name);
        for Inherited { source, .. } in self.sources.extract_if(.., leaving) {
            retire(cx, driver, &source);
        }
        self.pins.retain(|pin, _| !grant.pins.contains(pin));
        self.ports.retain(|port, _| !grant.is_port(port));
    }

    fn feeds(&self, which: impl Fn(&LineName) -> bool) -> bool {
        let mut sources = self.sources.iter();
        sources.any(|inherited| which(&inherited.fed.name))
    }

    /// Closes sources, but for those that were promised.
    fn close(&mut self, cx: &Context, driver: &Driver, which: impl Fn(&LineName) -> bool) {
        let leaving = |inherited: &mut Inherited| !inherited.promised && which(&inherited.fed.name);
        for Inherited { source, .. } in self.sources.extract_if(.., leaving) {
            retire(cx, driver, &source);
        }
    }
}

/// Takes an interrupt source off the loop for good: what it had counted is
/// lost, and reported so.
pub(crate) fn retire(cx: &Context, driver: &Driver, source: &Arc<InterruptEventSource>) {
    withdraw(cx, driver, source);
    driver.tell_of_filters();
    driver.counters.lost(source.discard_pending());
}

fn withdraw(cx: &Context, driver: &Driver, source: &Arc<InterruptEventSource>) {
    let source: Arc<dyn EventSource> = source.clone();
    // One that the guest never added, or removed itself, is on no loop; that
    // is no fault here.
    let _ = driver.work_loop.withdraw_event_source(cx, &source);
}
