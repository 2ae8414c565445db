//! Lines that several drivers have: each is opened once, while any of them
//! holds it, and each driver has a pin of its own.

use crate::board_file::{BoardFile, GpioEntry};
use crate::driver::Driver;
use loopgate_devices::gpio::{Error, GpioController, GpioLine};
use loopgate_workloop::{Clock, Instant, SharedLine, TimerEventSource};
use parking_lot::{Condvar, Mutex};
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

mod pin;

use pin::SharedPin;

/// The lines that the board file has drivers share.
pub(crate) struct SharedLines {
    gpio: Arc<dyn GpioController>,
    clock: Arc<dyn Clock>,
    watch: Arc<TimerEventSource>,
    /// A leaf: not held while a device is called.
    lines: Mutex<BTreeMap<String, Shared>>,
    /// A device was opened or closed.
    changed: Condvar,
}

struct Shared {
    /// Who may hold it, for people.
    sharers: Vec<String>,
    holders: Vec<Holder>,
    device: Device,
}

enum Device {
    Closed,
    /// One of the holders, or who was the last, is at it.
    Changing,
    Open(Arc<Open>),
}

/// The line, as nobody but this has it.
struct Open {
    /// Where it may interrupt. Before the line, which it is of.
    interrupt: Option<SharedLine>,
    line: Arc<dyn GpioLine>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Holder {
    Driver(String),
    /// Looks who masks it for too long.
    Watch,
}

/// Keeps a line open for one holder.
struct Hold {
    lines: Arc<SharedLines>,
    name: String,
    holder: Holder,
    /// Taken when it ends.
    open: Option<Arc<Open>>,
}

/// Each shared line with each driver that shares it, in order.
pub(crate) fn sharers(file: &BoardFile) -> Vec<(&str, &str)> {
    let mut sharers = Vec::new();
    for driver in &file.drivers {
        let pins = driver.gpio_in_order().into_iter();
        let shared = pins.filter(|(_, entry)| entry.shared);
        let lines = shared.map(|(_, entry)| entry.line.get_ref().as_str());
        sharers.extend(lines.map(|line| (line, driver.name.get_ref().as_str())));
    }
    sharers
}

impl SharedLines {
    /// Nothing where the board file has no line shared.
    pub(crate) fn new(
        file: &BoardFile,
        gpio: Arc<dyn GpioController>,
        clock: Arc<dyn Clock>,
    ) -> Option<Arc<Self>> {
        let mut lines = BTreeMap::<String, Shared>::new();
        for (line, driver) in sharers(file) {
            let line = lines.entry(line.to_owned());
            let line = line.or_insert_with(Shared::closed);
            line.sharers.push(driver.to_owned());
        }
        if lines.is_empty() {
            return None;
        }
        Some(Arc::new_cyclic(|this: &Weak<Self>| {
            let this = this.clone();
            let expire = Arc::new(move |_: &_, _: &_, _, now| {
                if let Some(lines) = this.upgrade() {
                    lines.expire(now);
                }
            });
            Self {
                gpio,
                watch: TimerEventSource::new(clock.clone(), Some(expire)),
                clock,
                lines: Mutex::new(lines),
                changed: Condvar::new(),
            }
        }))
    }

    /// Ends masks at their limits. It needs a loop that no driver runs on: a
    /// driver that holds its loop up would hold up its own deadline. A loop and
    /// its timer do this in real and in virtual time alike, and its thread
    /// sleeps while no line is masked.
    pub(crate) fn watch(&self) -> &Arc<TimerEventSource> {
        &self.watch
    }

    /// The line that a driver's pin is, for as long as what this gives lives, or
    /// an interrupt of it.
    pub(crate) fn open(
        self: &Arc<Self>,
        driver: &Arc<Driver>,
        pin: &str,
        entry: &GpioEntry,
    ) -> Result<Arc<dyn GpioLine>, Error> {
        let name = entry.line.get_ref();
        let holder = Holder::Driver(driver.name.clone());
        let open = match self.enter(name, &holder)? {
            Some(open) => open,
            None => self.request(name, entry)?,
        };
        let hold = Hold {
            lines: self.clone(),
            name: name.clone(),
            holder,
            open: Some(open),
        };
        Ok(Arc::new(SharedPin::new(hold, driver, pin, entry)))
    }

    /// Notes a holder. Nothing is open yet where it is the first: then it is for
    /// the caller to [`request`](Self::request) the line, and others wait, as
    /// they do while the last holder closes it.
    fn enter(&self, name: &str, holder: &Holder) -> Result<Option<Arc<Open>>, Error> {
        let mut lines = self.lines.lock();
        loop {
            let Some(line) = lines.get_mut(name) else {
                return Err(Error::NoLine {
                    line: name.to_owned(),
                    known: "none of that name to share".to_owned(),
                });
            };
            if line.holders.contains(holder) {
                return Err(Error::Busy {
                    line: name.to_owned(),
                    consumer: line.sharers.join(", "),
                });
            }
            let open = match &line.device {
                Device::Open(open) => Some(open.clone()),
                Device::Closed => None,
                Device::Changing => {
                    self.changed.wait(&mut lines);
                    continue;
                }
            };
            line.holders.push(holder.clone());
            if open.is_none() {
                line.device = Device::Changing;
            }
            return Ok(open);
        }
    }

    /// Opens the line for its first holder.
    fn request(&self, name: &str, entry: &GpioEntry) -> Result<Arc<Open>, Error> {
        let sharers = self
            .lines
            .lock()
            .get(name)
            .map(|line| line.sharers.join(", "));
        let opened = self.open_device(entry, &sharers.unwrap_or_default());
        let mut lines = self.lines.lock();
        if let Some(line) = lines.get_mut(name) {
            line.device = match &opened {
                Ok(open) => Device::Open(open.clone()),
                Err(_) => Device::Closed,
            };
            if opened.is_err() {
                line.holders.clear();
            }
        }
        self.changed.notify_all();
        opened
    }

    fn open_device(&self, entry: &GpioEntry, consumer: &str) -> Result<Arc<Open>, Error> {
        let line = self.gpio.request(&entry.request(consumer, false))?;
        let interrupt = entry.edges.map(|edges| {
            let interrupt = line.interrupt(edges.into())?;
            SharedLine::new(interrupt, self.clock.clone(), self.watch.clone()).map_err(|_| {
                Error::HasInterrupt {
                    line: entry.line.get_ref().clone(),
                }
            })
        });
        Ok(Arc::new(Open {
            interrupt: interrupt.transpose()?,
            line,
        }))
    }

    /// Ends masks that have lasted for too long.
    fn expire(self: &Arc<Self>, now: Instant) {
        let names: Vec<_> = self.lines.lock().keys().cloned().collect();
        for name in names {
            let hold = self.watched(&name);
            let open = hold.as_ref().and_then(|hold| hold.open.as_ref());
            if let Some(line) = open.and_then(|open| open.interrupt.as_ref()) {
                line.expire(now);
            }
        }
    }

    /// The line, if it is open. The watch is a holder like the others: else the
    /// last of those could leave meanwhile, and the next one find it busy.
    fn watched(self: &Arc<Self>, name: &str) -> Option<Hold> {
        let mut lines = self.lines.lock();
        let line = lines.get_mut(name)?;
        let Device::Open(open) = &line.device else {
            return None;
        };
        let open = Some(open.clone());
        line.holders.push(Holder::Watch);
        Some(Hold {
            lines: self.clone(),
            name: name.to_owned(),
            holder: Holder::Watch,
            open,
        })
    }

    /// Whether `holder` was the last; the device is then the caller's to close.
    fn leave(&self, name: &str, holder: &Holder) -> Option<Device> {
        let mut lines = self.lines.lock();
        let line = lines.get_mut(name)?;
        line.holders.retain(|other| other != holder);
        let last = line.holders.is_empty();
        last.then(|| std::mem::replace(&mut line.device, Device::Changing))
    }

    fn closed(&self, name: &str) {
        if let Some(line) = self.lines.lock().get_mut(name) {
            line.device = Device::Closed;
        }
        self.changed.notify_all();
    }
}

impl Shared {
    fn closed() -> Self {
        Self {
            sharers: Vec::new(),
            holders: Vec::new(),
            device: Device::Closed,
        }
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        // First: who is the last closes the line, so that nobody else may have it
        // open then.
        self.open = None;
        if let Some(device) = self.lines.leave(&self.name, &self.holder) {
            drop(device);
            self.lines.closed(&self.name);
        }
    }
}
