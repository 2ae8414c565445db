//! Simulated SPI buses: models of devices, each at its chip select.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use loopgate_workloop::{Clock, Instant};
use parking_lot::Mutex;

use super::i2c::Registers;
use crate::spi::{Error, Operation, Settings, SpiDevice};

/// The model of a device. It is called for one transaction at a time, from whatever
/// thread makes it, and must not wait.
pub trait SimSpiDevice: Send + Sync {
    /// It is selected. `now` is when the transaction began.
    fn select(&self, now: Instant, settings: Settings);

    /// One word each way: what it gets is known to it only when what it gives has
    /// begun to go out, as on the wires.
    fn exchange(&self, word: u8) -> u8;

    /// It is let go of.
    fn deselect(&self) {}
}

/// What is sent comes back.
#[derive(Clone, Copy, Debug, Default)]
pub struct LoopBack;

impl SimSpiDevice for LoopBack {
    fn select(&self, _: Instant, _: Settings) {}

    fn exchange(&self, word: u8) -> u8 {
        word
    }
}

/// Registers behind SPI as many sensors have them: the first word is the register,
/// with its highest bit set to read, so that there are 128 of them.
#[derive(Default)]
pub struct SpiRegisters {
    registers: Arc<Registers>,
    command: Mutex<Option<u8>>,
}

const READ: u8 = 0x80;

impl SpiRegisters {
    /// These registers.
    pub fn new(registers: Arc<Registers>) -> Self {
        Self {
            registers,
            command: Mutex::default(),
        }
    }
}

impl SimSpiDevice for SpiRegisters {
    fn select(&self, _: Instant, _: Settings) {
        *self.command.lock() = None;
    }

    fn exchange(&self, word: u8) -> u8 {
        let mut command = self.command.lock();
        match *command {
            None => {
                *command = Some(word);
                self.registers.select(word & !READ);
                0
            }
            Some(command) if command & READ == READ => self.registers.load(),
            Some(_) => {
                self.registers.store(word);
                0
            }
        }
    }
}

/// Simulated buses. Any name is a bus; a chip select without a device reads ones.
///
/// Every method can be called from any thread.
pub struct SimSpi {
    clock: Arc<dyn Clock>,
    devices: Mutex<BTreeMap<(String, u8), Arc<dyn SimSpiDevice>>>,
}

impl SimSpi {
    /// Buses without devices.
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            clock,
            devices: Mutex::default(),
        })
    }

    /// Puts a device on a bus, in the place of one that is at this chip select.
    pub fn attach(&self, bus: &str, chip_select: u8, device: Arc<dyn SimSpiDevice>) {
        let key = (bus.to_owned(), chip_select);
        let last = self.devices.lock().insert(key, device);
        // With no lock held: its drop may call a board.
        drop(last);
    }

    /// The device as one that takes its time. For real time.
    pub fn device(
        self: &Arc<Self>,
        bus: &str,
        chip_select: u8,
        settings: Settings,
    ) -> Arc<dyn SpiDevice> {
        Arc::new(Selected {
            all: self.clone(),
            bus: bus.to_owned(),
            chip_select,
            settings,
        })
    }

    /// Makes a transaction at once, and says how long it takes.
    pub fn attempt(
        &self,
        bus: &str,
        chip_select: u8,
        settings: Settings,
        operations: &mut [Operation],
    ) -> Duration {
        let key = (bus.to_owned(), chip_select);
        let device = self.devices.lock().get(&key).cloned();
        if let Some(device) = &device {
            device.select(self.clock.now(), settings);
        }
        let exchange = |word| {
            let answer = device.as_ref().map(|device| device.exchange(word));
            answer.unwrap_or(u8::MAX)
        };
        for operation in &mut *operations {
            match operation {
                Operation::Read(words) => words.fill_with(|| exchange(0)),
                Operation::Write(words) => {
                    for &word in &*words {
                        exchange(word);
                    }
                }
                Operation::Transfer(words) => {
                    for word in words {
                        *word = exchange(*word);
                    }
                }
                Operation::Delay(_) => {}
            }
        }
        if let Some(device) = &device {
            device.deselect();
        }
        duration(settings, operations)
    }
}

fn duration(settings: Settings, operations: &[Operation]) -> Duration {
    let words: usize = operations.iter().map(|one| one.words().len()).sum();
    let bits = words as u64 * u64::from(settings.bits);
    let delays = operations.iter().map(|operation| match operation {
        Operation::Delay(span) => *span,
        _ => Duration::ZERO,
    });
    Duration::from_secs(bits) / settings.clock.max(1) + delays.sum::<Duration>()
}

struct Selected {
    all: Arc<SimSpi>,
    bus: String,
    chip_select: u8,
    settings: Settings,
}

impl SpiDevice for Selected {
    fn transaction(&self, operations: &mut [Operation]) -> Result<(), Error> {
        let (bus, chip_select) = (&self.bus, self.chip_select);
        let took = self
            .all
            .attempt(bus, chip_select, self.settings, operations);
        std::thread::sleep(took);
        Ok(())
    }
}
