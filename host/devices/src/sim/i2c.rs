//! Simulated I2C buses: models of devices, each at its address, and their faults.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use loopgate_workloop::{Clock, Instant};
use parking_lot::{Condvar, Mutex};

use crate::i2c::{Address, Error, I2cBus, Message, NoAcknowledgeSource};

mod pcf8574;
mod registers;
mod sht4x;
mod ssd1306;

pub use pcf8574::Pcf8574;
pub use registers::{RegisterKind, Registers};
pub use sht4x::Sht4x;
pub use ssd1306::Ssd1306;

/// Bits a second of every simulated bus: standard mode.
pub const CLOCK: u32 = 100_000;

/// The model of a device. It is called for one transaction at a time, from whatever
/// thread makes it, and must not wait.
pub trait SimI2cDevice: Send + Sync {
    /// One message to the device. `now` is when the transaction began.
    ///
    /// # Errors
    ///
    /// Usually [`Error::NoAcknowledge`].
    fn write(&self, bytes: &[u8], now: Instant) -> Result<(), Error>;

    /// One message from the device, which fills all of it.
    ///
    /// # Errors
    ///
    /// Usually [`Error::NoAcknowledge`].
    fn read(&self, into: &mut [u8], now: Instant) -> Result<(), Error>;

    /// The STOP. A repeated START before is not told.
    fn stop(&self) {}
}

/// Something that goes wrong in a transaction with a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimFault {
    /// What.
    pub kind: FaultKind,
    /// In which transaction with the device, the first is 1; `None`: in all.
    pub at: Option<u64>,
}

/// What goes wrong. The device has seen nothing of the transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The device does not acknowledge its address.
    NoAcknowledge,
    /// Another controller wins the bus.
    ArbitrationLoss,
    /// The device holds the clock until [`SimI2c::release`]: the transaction does not
    /// come back, nor does any other on this bus.
    Stuck,
}

/// What came of a transaction.
#[derive(Debug)]
pub enum Attempt {
    /// It is over, after the time that its bits take.
    Done {
        /// That time.
        took: Duration,
        /// And its result.
        result: Result<(), Error>,
    },
    /// It does not come back.
    Stuck,
}

/// Simulated buses. Any name is a bus; devices are attached to them.
///
/// Every method can be called from any thread.
pub struct SimI2c {
    clock: Arc<dyn Clock>,
    devices: Mutex<BTreeMap<(String, Address), Attached>>,
    stuck: Mutex<BTreeSet<String>>,
    released: Condvar,
}

#[derive(Clone)]
struct Attached {
    device: Arc<dyn SimI2cDevice>,
    faults: Arc<Mutex<Faults>>,
}

#[derive(Default)]
struct Faults {
    planned: Vec<SimFault>,
    transactions: u64,
}

impl SimI2c {
    /// Buses without devices.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            devices: Mutex::default(),
            stuck: Mutex::default(),
            released: Condvar::new(),
        })
    }

    /// Puts a device on a bus, in the place of one that is at this address.
    pub fn attach(&self, bus: &str, address: Address, device: Arc<dyn SimI2cDevice>) {
        let attached = Attached {
            device,
            faults: Arc::default(),
        };
        let key = (bus.to_owned(), address);
        let last = self.devices.lock().insert(key, attached);
        // With no lock held: its drop may call a board.
        drop(last);
    }

    /// Takes a device away.
    pub fn detach(&self, bus: &str, address: Address) {
        let last = self.devices.lock().remove(&(bus.to_owned(), address));
        drop(last);
    }

    /// What goes wrong with a device from now on, in place of what was said before;
    /// its transactions are counted anew. Nothing where there is no such device.
    pub fn set_faults(&self, bus: &str, address: Address, faults: Vec<SimFault>) {
        if let Some(attached) = self.attached(bus, address) {
            *attached.faults.lock() = Faults {
                planned: faults,
                transactions: 0,
            };
        }
    }

    /// Whether a device holds the clock.
    pub fn is_stuck(&self, bus: &str) -> bool {
        self.stuck.lock().contains(bus)
    }

    /// Whoever holds the clock lets it go: the transaction comes back, as a fault of
    /// the bus.
    pub fn release(&self, bus: &str) {
        self.stuck.lock().remove(bus);
        self.released.notify_all();
    }

    /// As [`release`](Self::release), all of them.
    pub fn release_all(&self) {
        self.stuck.lock().clear();
        self.released.notify_all();
    }

    /// The bus as one that takes its time, and waits while it is stuck. For real time.
    pub fn bus(self: &Arc<Self>, bus: &str) -> Arc<dyn I2cBus> {
        Arc::new(SimBus {
            all: self.clone(),
            name: bus.to_owned(),
        })
    }

    /// Makes a transaction at once. Who calls has to let its time pass, and must
    /// make no other on a bus that is stuck.
    pub fn attempt(&self, bus: &str, address: Address, messages: &mut [Message]) -> Attempt {
        let Some(attached) = self.attached(bus, address) else {
            return Attempt::no_acknowledge(address);
        };
        let fault = attached.faults.lock().next();
        match fault {
            None => {
                let result = self.exchange(&*attached.device, messages);
                attached.device.stop();
                Attempt::Done {
                    took: duration(address, messages),
                    result,
                }
            }
            Some(FaultKind::NoAcknowledge) => Attempt::no_acknowledge(address),
            Some(FaultKind::ArbitrationLoss) => Attempt::Done {
                took: duration(address, &[]),
                result: Err(Error::ArbitrationLoss),
            },
            Some(FaultKind::Stuck) => {
                self.stuck.lock().insert(bus.to_owned());
                Attempt::Stuck
            }
        }
    }

    fn exchange(&self, device: &dyn SimI2cDevice, messages: &mut [Message]) -> Result<(), Error> {
        let now = self.clock.now();
        messages.iter_mut().try_for_each(|message| match message {
            Message::Read(bytes) => device.read(bytes, now),
            Message::Write(bytes) => device.write(bytes, now),
        })
    }

    fn attached(&self, bus: &str, address: Address) -> Option<Attached> {
        let devices = self.devices.lock();
        devices.get(&(bus.to_owned(), address)).cloned()
    }
}

impl Attempt {
    fn no_acknowledge(address: Address) -> Self {
        Self::Done {
            took: duration(address, &[]),
            result: Err(Error::NoAcknowledge(NoAcknowledgeSource::Address)),
        }
    }
}

impl Faults {
    fn next(&mut self) -> Option<FaultKind> {
        self.transactions += 1;
        let now = self.transactions;
        let mut planned = self.planned.iter();
        let due = planned.find(|fault| fault.at.is_none_or(|at| at == now));
        due.map(|fault| fault.kind)
    }
}

/// START, address, acknowledge and nine bits a byte for each message; the STOP.
fn duration(address: Address, messages: &[Message]) -> Duration {
    let head = if address.is_ten_bit { 19 } else { 10 };
    let bytes: usize = messages.iter().map(|message| message.bytes().len()).sum();
    let bits = messages.len().max(1) * head + bytes * 9 + 1;
    Duration::from_secs(bits as u64) / CLOCK
}

struct SimBus {
    all: Arc<SimI2c>,
    name: String,
}

impl I2cBus for SimBus {
    fn transaction(&self, address: Address, messages: &mut [Message]) -> Result<(), Error> {
        match self.all.attempt(&self.name, address, messages) {
            Attempt::Done { took, result } => {
                std::thread::sleep(took);
                result
            }
            Attempt::Stuck => {
                let mut stuck = self.all.stuck.lock();
                while stuck.contains(&self.name) {
                    self.all.released.wait(&mut stuck);
                }
                Err(Error::Bus)
            }
        }
    }
}
