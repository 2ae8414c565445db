//! A device of registers, as most sensors are.

use loopgate_workloop::Instant;
use parking_lot::Mutex;

use super::SimI2cDevice;
use crate::i2c::Error;

/// 256 registers of a byte. The first byte of a write names one, further ones are
/// written from there on; a read reads from there on. Both go round at the end.
pub struct Registers(Mutex<State>);

struct State {
    at: u8,
    bytes: [u8; 256],
    kinds: [RegisterKind; 256],
}

/// What reads and writes do to a register.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RegisterKind {
    /// It is what was written last.
    #[default]
    Plain,
    /// Writes change nothing.
    ReadOnly,
    /// A read leaves zero.
    ClearOnRead,
    /// Each read finds it one higher.
    Counter,
}

impl Default for Registers {
    fn default() -> Self {
        Self::new()
    }
}

impl Registers {
    /// Plain ones, all zero.
    pub fn new() -> Self {
        Self(Mutex::new(State {
            at: 0,
            bytes: [0; 256],
            kinds: [RegisterKind::Plain; 256],
        }))
    }

    /// Sets registers from `first` on, as the device itself would.
    pub fn set(&self, first: u8, bytes: &[u8]) {
        let mut state = self.0.lock();
        for (index, &byte) in (usize::from(first)..256).zip(bytes) {
            state.bytes[index] = byte;
        }
    }

    /// What a register holds; nothing happens to it.
    pub fn get(&self, register: u8) -> u8 {
        self.0.lock().bytes[usize::from(register)]
    }

    /// Says what reads and writes do to a register.
    pub fn set_kind(&self, register: u8, kind: RegisterKind) {
        self.0.lock().kinds[usize::from(register)] = kind;
    }

    /// As the device on a bus sees it; also for SPI, where one byte goes each way.
    pub(crate) fn select(&self, register: u8) {
        self.0.lock().at = register;
    }

    pub(crate) fn store(&self, byte: u8) {
        let mut state = self.0.lock();
        let index = state.next();
        if state.kinds[index] != RegisterKind::ReadOnly {
            state.bytes[index] = byte;
        }
    }

    pub(crate) fn load(&self) -> u8 {
        let mut state = self.0.lock();
        let index = state.next();
        let byte = state.bytes[index];
        match state.kinds[index] {
            RegisterKind::Plain | RegisterKind::ReadOnly => {}
            RegisterKind::ClearOnRead => state.bytes[index] = 0,
            RegisterKind::Counter => state.bytes[index] = byte.wrapping_add(1),
        }
        byte
    }
}

impl State {
    fn next(&mut self) -> usize {
        let index = self.at;
        self.at = index.wrapping_add(1);
        usize::from(index)
    }
}

impl SimI2cDevice for Registers {
    fn write(&self, bytes: &[u8], _: Instant) -> Result<(), Error> {
        if let [register, bytes @ ..] = bytes {
            self.select(*register);
            for &byte in bytes {
                self.store(byte);
            }
        }
        Ok(())
    }

    fn read(&self, into: &mut [u8], _: Instant) -> Result<(), Error> {
        into.fill_with(|| self.load());
        Ok(())
    }
}
