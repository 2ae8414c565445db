//! I2C and SPI buses, wherever they are: each with the thread that makes its
//! transactions, but for simulated ones in virtual time, which are made at once.

use crate::board_file::{
    BoardFile, I2cDeviceEntry, I2cEntry, I2cModel, SpiEntry, SpiModel, contents, is_kernels,
    real_bus,
};
use crate::call_clock::CallClock;
use crate::error::BoardError;
use crate::limits::LimitHit;
use crate::status::BusStatus;
use crate::time::Time;
use loopgate_devices::bus::{BusThread, GRACE, NoResult, Refused, Turn};
use loopgate_devices::i2c::{self, Address, I2cBus, Message};
use loopgate_devices::linux::{KernelI2c, KernelSpi};
use loopgate_devices::sim::SimBoard;
use loopgate_devices::sim::i2c::{
    Attempt, Pcf8574, Registers, Sht4x, SimI2c, SimI2cDevice, Ssd1306,
};
use loopgate_devices::sim::spi::{LoopBack, SimSpi, SimSpiDevice, SpiRegisters};
use loopgate_devices::spi::{self, Operation, Settings};
use loopgate_workloop::Instant;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// The kinds of buses, as their interfaces are called.
const I2C: &str = "i2c";
const SPI: &str = "spi";

pub(crate) struct Buses {
    time: Time,
    i2c: Arc<SimI2c>,
    spi: Arc<SimSpi>,
    own: BTreeMap<String, Arc<dyn I2cBus>>,
    /// Those that were used, by kind and name, for as long as the board lives.
    used: Mutex<BTreeMap<(&'static str, String), Arc<Bus>>>,
}

/// What the embedding program brings.
#[derive(Default)]
pub(crate) struct Brought {
    pub(crate) i2c: BTreeMap<String, Arc<dyn I2cBus>>,
    pub(crate) i2c_devices: Vec<((String, Address), Arc<dyn SimI2cDevice>)>,
    pub(crate) spi_devices: Vec<((String, u8), Arc<dyn SimSpiDevice>)>,
}

/// A bus that was used.
pub(crate) enum Bus {
    Thread(BusThread),
    /// Its transactions are made at once, and virtual time passes then.
    AtOnce(Mutex<Past>),
}

/// What was on a bus in virtual time.
#[derive(Default)]
pub(crate) struct Past {
    transactions: u64,
    /// Whose the last one is, and when it is over.
    last: Option<(String, Instant)>,
}

/// A granted device on an I2C bus.
#[derive(Clone)]
pub(crate) struct I2cDevice {
    bus: Arc<Bus>,
    name: String,
    address: Address,
    on: On<Arc<dyn I2cBus>, Arc<SimI2c>>,
}

/// A granted device on an SPI bus.
#[derive(Clone)]
pub(crate) struct SpiDevice {
    bus: Arc<Bus>,
    name: String,
    chip_select: u8,
    settings: Settings,
    on: On<Arc<dyn spi::SpiDevice>, Arc<SimSpi>>,
}

/// What makes the transactions.
#[derive(Clone)]
enum On<T, V> {
    Thread(T),
    AtOnce(V),
}

/// A transaction, as it is made on its bus.
enum Call<R> {
    Waiting(Box<dyn FnOnce() -> R + Send>),
    /// Tells the time that has to pass, and the result then; or that it does not come
    /// back.
    AtOnce(Box<dyn FnOnce() -> Option<(Duration, R)>>),
}

/// Who makes a transaction, and the time that is left for it.
pub(crate) struct Caller<'a> {
    pub(crate) name: &'a str,
    pub(crate) clock: &'a mut CallClock,
    pub(crate) time: &'a Time,
}

/// Why there is no result.
pub(crate) enum Fault {
    Refused(Refused),
    /// The caller's time is over.
    Over(LimitHit),
    /// What makes the transactions has panicked.
    Panicked,
}

impl Buses {
    pub(crate) fn new(
        file: &BoardFile,
        time: &Time,
        board: &Arc<SimBoard>,
        brought: Brought,
    ) -> Result<Arc<Self>, BoardError> {
        let buses = Self {
            i2c: SimI2c::new(time.clock()),
            spi: SimSpi::new(time.clock()),
            time: time.clone(),
            own: brought.i2c,
            used: Mutex::default(),
        };
        buses.attach(file, board)?;
        for ((bus, address), device) in brought.i2c_devices {
            buses.i2c.attach(&bus, address, device);
        }
        for ((bus, select), device) in brought.spi_devices {
            buses.spi.attach(&bus, select, device);
        }
        Ok(Arc::new(buses))
    }

    pub(crate) fn sim_i2c(&self) -> &Arc<SimI2c> {
        &self.i2c
    }

    pub(crate) fn sim_spi(&self) -> &Arc<SimSpi> {
        &self.spi
    }

    /// The devices that the board file declares; it was checked.
    fn attach(&self, file: &BoardFile, board: &Arc<SimBoard>) -> Result<(), BoardError> {
        for entry in &file.board.i2c_devices {
            let (bus, address) = (entry.bus.get_ref(), entry.address());
            let device: Arc<dyn SimI2cDevice> = match entry.model {
                I2cModel::Registers => {
                    let registers = filled(&entry.registers);
                    for (register, kind) in entry.kinds().unwrap_or_default() {
                        registers.set_kind(register, kind);
                    }
                    registers
                }
                I2cModel::Pcf8574 => expander(file, entry, board)?,
                I2cModel::Sht4x => Arc::new(Sht4x::new(1)),
                I2cModel::Ssd1306 => Arc::new(Ssd1306::new()),
            };
            self.i2c.attach(bus, address, device);
            self.i2c.set_faults(bus, address, entry.faults());
        }
        for entry in &file.board.spi_devices {
            let device: Arc<dyn SimSpiDevice> = match entry.model {
                SpiModel::LoopBack => Arc::new(LoopBack),
                SpiModel::Registers => Arc::new(SpiRegisters::new(filled(&entry.registers))),
            };
            let bus = entry.bus.get_ref();
            self.spi.attach(bus, entry.chip_select, device);
        }
        Ok(())
    }

    /// Opens a device for its driver, in the time that the driver has left.
    pub(crate) fn open_i2c(
        &self,
        entry: &I2cEntry,
        caller: &mut Caller<'_>,
    ) -> Result<Result<I2cDevice, i2c::Error>, Fault> {
        let name = entry.bus.get_ref();
        let own = self.own.get(name);
        let is_kernels = own.is_none() && is_kernels(name);
        let at_once = own.is_none() && !is_kernels && self.is_virtual();
        let bus = match self.bus(I2C, &real_bus(name, None), at_once) {
            Ok(bus) => bus,
            Err(source) => {
                let operation = "start its thread";
                return Ok(Err(i2c::Error::Io { operation, source }));
            }
        };
        let on = match own {
            Some(own) => On::Thread(own.clone()),
            None if is_kernels => {
                let path = PathBuf::from(name);
                match caller.open(&bus, move || KernelI2c::open(&path))? {
                    Ok(kernel) => On::Thread(Arc::new(kernel) as Arc<dyn I2cBus>),
                    Err(error) => return Ok(Err(error)),
                }
            }
            None if at_once => On::AtOnce(self.i2c.clone()),
            None => On::Thread(self.i2c.bus(name)),
        };
        Ok(Ok(I2cDevice {
            bus,
            name: name.clone(),
            address: entry.address(),
            on,
        }))
    }

    /// As [`open_i2c`](Self::open_i2c).
    pub(crate) fn open_spi(
        &self,
        entry: &SpiEntry,
        caller: &mut Caller<'_>,
    ) -> Result<Result<SpiDevice, spi::Error>, Fault> {
        let (name, settings) = (entry.bus.get_ref(), entry.settings());
        let is_kernels = is_kernels(name);
        let at_once = !is_kernels && self.is_virtual();
        let shared = real_bus(name, Some(entry.chip_select));
        let bus = match self.bus(SPI, &shared, at_once) {
            Ok(bus) => bus,
            Err(source) => {
                let operation = "start its thread";
                return Ok(Err(spi::Error::Io { operation, source }));
            }
        };
        let on = if is_kernels {
            let path = PathBuf::from(format!("{name}.{}", entry.chip_select));
            match caller.open(&bus, move || KernelSpi::open(&path, settings))? {
                Ok(kernel) => On::Thread(Arc::new(kernel) as Arc<dyn spi::SpiDevice>),
                Err(error) => return Ok(Err(error)),
            }
        } else if at_once {
            On::AtOnce(self.spi.clone())
        } else {
            On::Thread(self.spi.device(name, entry.chip_select, settings))
        };
        Ok(Ok(SpiDevice {
            bus,
            name: name.clone(),
            chip_select: entry.chip_select,
            settings,
            on,
        }))
    }

    fn is_virtual(&self) -> bool {
        matches!(self.time, Time::Virtual(_))
    }

    fn bus(&self, kind: &'static str, name: &str, at_once: bool) -> std::io::Result<Arc<Bus>> {
        let mut used = self.used.lock();
        let key = (kind, name.to_owned());
        if let Some(known) = used.get(&key) {
            return Ok(known.clone());
        }
        let bus = Arc::new(if at_once {
            Bus::AtOnce(Mutex::default())
        } else {
            Bus::Thread(BusThread::spawn(name)?)
        });
        used.insert(key, bus.clone());
        Ok(bus)
    }

    /// How those are that were used.
    pub(crate) fn status(&self) -> BTreeMap<&'static str, BTreeMap<String, BusStatus>> {
        let now = self.time.now();
        let mut kinds: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for ((kind, name), bus) in &*self.used.lock() {
            let is_held = *kind == I2C && self.i2c.is_stuck(name);
            let of_kind = kinds.entry(*kind).or_default();
            of_kind.insert(name.clone(), bus.status(now, is_held));
        }
        kinds
    }
}

impl Drop for Buses {
    fn drop(&mut self) {
        // Their threads would wait for ever.
        self.i2c.release_all();
    }
}

fn expander(
    file: &BoardFile,
    entry: &I2cDeviceEntry,
    board: &Arc<SimBoard>,
) -> Result<Arc<Pcf8574>, BoardError> {
    let name = |bit: usize| {
        let line = entry.lines.get(bit);
        line.map_or(String::new(), |line| line.get_ref().clone())
    };
    let interrupt = entry.interrupt.as_ref().map(|line| line.get_ref().clone());
    let expander = Pcf8574::new(board, std::array::from_fn(name), interrupt);
    expander.map_err(|error| BoardError::Invalid {
        place: file.place(&entry.bus),
        message: error.to_string(),
    })
}

/// Registers with their contents.
fn filled(entry: &BTreeMap<String, String>) -> Arc<Registers> {
    let registers = Registers::new();
    for (first, bytes) in contents(entry).unwrap_or_default() {
        registers.set(first, &bytes);
    }
    Arc::new(registers)
}

impl Bus {
    fn status(&self, now: Instant, is_held: bool) -> BusStatus {
        match self {
            Self::Thread(thread) => {
                let state = thread.state();
                BusStatus {
                    transactions: state.transactions,
                    stuck_by: state.user.filter(|_| state.is_stuck),
                }
            }
            Self::AtOnce(past) => {
                let past = past.lock();
                let last = past.last.as_ref();
                let last = last.filter(|(_, end)| is_held || *end > now);
                BusStatus {
                    transactions: past.transactions,
                    stuck_by: last.map(|(user, _)| user.clone()),
                }
            }
        }
    }

    fn transact<R: Send + 'static>(
        &self,
        caller: &mut Caller<'_>,
        call: Call<R>,
    ) -> Result<R, Fault> {
        match (self, call) {
            (Self::Thread(thread), Call::Waiting(call)) => {
                caller.on_thread(thread, |turn, left| turn.run(left, call))
            }
            (Self::AtOnce(past), Call::AtOnce(call)) => caller.at_once(past, call),
            _ => unreachable!("a device is on the kind of bus that it was opened on"),
        }
    }
}

impl Caller<'_> {
    /// Opens a device of the kernel's; those have a thread.
    fn open<R: Send + 'static>(
        &mut self,
        bus: &Bus,
        open: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Fault> {
        match bus {
            Bus::Thread(thread) => self.on_thread(thread, |turn, left| turn.open(left, open)),
            Bus::AtOnce(_) => Ok(open()),
        }
    }

    /// Has the turn on a bus's thread, and makes something there.
    pub(crate) fn on_thread<R>(
        &mut self,
        bus: &BusThread,
        make: impl FnOnce(Turn<'_>, Duration) -> Result<R, NoResult>,
    ) -> Result<R, Fault> {
        let room = self.clock.room();
        let (paused, begun) = (self.clock.pause(), std::time::Instant::now());
        let turn = bus.turn(self.name, room);
        // Others had it meanwhile, and who waits for them dies of nothing (rule 13).
        self.clock.resume(paused);
        self.clock.called_down(begun.elapsed());
        self.clock.waited(begun.elapsed());
        let turn = turn.map_err(Fault::Refused)?;
        let left = self.clock.left();
        if left.is_zero() {
            return Err(Fault::Over(self.clock.over()));
        }
        make(turn, left).map_err(|none| match none {
            NoResult::Late => Fault::Over(self.clock.over()),
            NoResult::Panicked => Fault::Panicked,
        })
    }

    fn at_once<R>(
        &mut self,
        past: &Mutex<Past>,
        call: Box<dyn FnOnce() -> Option<(Duration, R)>>,
    ) -> Result<R, Fault> {
        let last = past.lock().last.as_ref().map(|(_, end)| *end);
        let busy = last.map_or(Duration::ZERO, |end| end.saturating_since(self.time.now()));
        if busy > GRACE {
            return Err(Fault::Refused(Refused::Stuck));
        }
        if busy > self.clock.undelayed_room() {
            return Err(Fault::Refused(Refused::Late));
        }
        if !busy.is_zero() {
            self.time.delay(busy);
            self.clock.called_down(busy);
            self.clock.waited(busy);
        }
        let (left, begun) = (self.clock.undelayed(), self.time.now());
        let made = call();
        let took = made.as_ref().map(|(took, _)| *took);
        let mut past = past.lock();
        let end = begun.saturating_add(took.unwrap_or_default());
        past.last = Some((self.name.to_owned(), end));
        past.transactions += u64::from(made.is_some());
        drop(past);
        let span = took.unwrap_or(left).min(left);
        let time = self.time;
        self.clock.delay(span, true, || time.delay(span));
        match made {
            Some((took, result)) if took <= left => Ok(result),
            _ => Err(Fault::Over(self.clock.over())),
        }
    }
}

impl I2cDevice {
    /// For people: `bus `i2c-1`, address 0x76`.
    pub(crate) fn place(&self) -> String {
        format!("bus `{}`, address {}", self.name, self.address)
    }

    pub(crate) fn address(&self) -> Address {
        self.address
    }

    /// Makes a transaction, and gives the messages back.
    pub(crate) fn transaction(
        &self,
        mut caller: Caller<'_>,
        mut messages: Vec<Message>,
    ) -> Result<Result<Vec<Message>, i2c::Error>, Fault> {
        let address = self.address;
        let call = match &self.on {
            On::Thread(bus) => {
                let bus = bus.clone();
                Call::Waiting(Box::new(move || {
                    bus.transaction(address, &mut messages).map(|()| messages)
                }))
            }
            On::AtOnce(sim) if sim.is_stuck(&self.name) => {
                return Err(Fault::Refused(Refused::Stuck));
            }
            On::AtOnce(sim) => {
                let (sim, name) = (sim.clone(), self.name.clone());
                Call::AtOnce(Box::new(move || {
                    match sim.attempt(&name, address, &mut messages) {
                        Attempt::Done { took, result } => Some((took, result.map(|()| messages))),
                        Attempt::Stuck => None,
                    }
                }))
            }
        };
        self.bus.transact(&mut caller, call)
    }
}

impl SpiDevice {
    /// For people: `bus `spi0`, chip select 0`.
    pub(crate) fn place(&self) -> String {
        format!("bus `{}`, chip select {}", self.name, self.chip_select)
    }

    /// Makes a transaction, and gives the operations back.
    pub(crate) fn transaction(
        &self,
        mut caller: Caller<'_>,
        mut operations: Vec<Operation>,
    ) -> Result<Result<Vec<Operation>, spi::Error>, Fault> {
        let call = match &self.on {
            On::Thread(device) => {
                let device = device.clone();
                Call::Waiting(Box::new(move || {
                    let made = device.transaction(&mut operations);
                    made.map(|()| operations)
                }))
            }
            On::AtOnce(sim) => {
                let (sim, name) = (sim.clone(), self.name.clone());
                let (select, settings) = (self.chip_select, self.settings);
                Call::AtOnce(Box::new(move || {
                    let took = sim.attempt(&name, select, settings, &mut operations);
                    Some((took, Ok(operations)))
                }))
            }
        };
        self.bus.transact(&mut caller, call)
    }
}
