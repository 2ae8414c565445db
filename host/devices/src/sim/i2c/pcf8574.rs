//! A PCF8574: eight lines of a board behind a bus, and the line that interrupts.

use std::sync::{Arc, Weak};

use loopgate_workloop::Instant;
use parking_lot::Mutex;

use super::SimI2cDevice;
use crate::gpio::{self, Bias, Direction, GpioController, GpioLine, LineRequest};
use crate::i2c::Error;
use crate::sim::{ObserverId, SimBoard};

const CONSUMER: &str = "pcf8574";

/// A port expander with quasi-bidirectional pins: a one that was written is an input
/// with a weak pull-up, a zero is driven. Its interrupt line is driven low from when an
/// input differs from what was read last, until it is read or does not differ any
/// more; else it is let go, and needs a pull-up.
pub struct Pcf8574 {
    board: Arc<SimBoard>,
    names: [String; 8],
    interrupt: Option<String>,
    observer: Mutex<Option<ObserverId>>,
    /// Taken before `state`, by transactions alone: the board is called with it held.
    lines: Mutex<[Option<Arc<dyn GpioLine>>; 8]>,
    /// Nothing is called with it held.
    state: Mutex<State>,
}

struct State {
    /// What was written.
    port: u8,
    levels: u8,
    /// What was read last.
    seen: u8,
    /// Whether the interrupt line is driven.
    interrupts: bool,
    /// Someone drives it just now, and will look again.
    is_driving: bool,
    /// The pins change by a write, which does not interrupt.
    is_writing: bool,
}

impl Pcf8574 {
    /// Takes these lines of the board, as inputs.
    ///
    /// # Errors
    ///
    /// Where a line is missing or held by somebody.
    pub fn new(
        board: &Arc<SimBoard>,
        names: [String; 8],
        interrupt: Option<String>,
    ) -> Result<Arc<Self>, gpio::Error> {
        let expander = Arc::new(Self {
            board: board.clone(),
            names,
            interrupt,
            observer: Mutex::default(),
            lines: Mutex::default(),
            state: Mutex::new(State {
                port: 0xff,
                levels: 0xff,
                seen: 0xff,
                interrupts: false,
                is_driving: false,
                is_writing: false,
            }),
        });
        let weak = Arc::downgrade(&expander);
        let observer = board.observe(move |change| {
            if let Some(expander) = Weak::upgrade(&weak) {
                expander.changed(change.line, change.high);
            }
        });
        *expander.observer.lock() = Some(observer);
        let mut lines = expander.lines.lock();
        for (line, name) in lines.iter_mut().zip(&expander.names) {
            *line = Some(expander.request(name, true)?);
        }
        drop(lines);
        let levels = expander.levels();
        let mut state = expander.state.lock();
        (state.levels, state.seen) = (levels, levels);
        drop(state);
        Ok(expander)
    }

    fn request(&self, name: &str, is_input: bool) -> Result<Arc<dyn GpioLine>, gpio::Error> {
        let mut request = LineRequest::new(name, CONSUMER, Direction::Input);
        if is_input {
            request.bias = Bias::PullUp;
        } else {
            request.direction = Direction::Output { initial: false };
        }
        self.board.request(&request)
    }

    fn levels(&self) -> u8 {
        let shown = self.board.show();
        let is_high = |name: &String| {
            let mut shown = shown.iter();
            shown.any(|line| line.name == *name && line.high)
        };
        let bits = self.names.iter().enumerate();
        bits.fold(0, |levels, (bit, name)| {
            levels | u8::from(is_high(name)) << bit
        })
    }

    fn changed(&self, line: &str, high: bool) {
        let Some(bit) = self.names.iter().position(|name| name == line) else {
            return;
        };
        let mut state = self.state.lock();
        state.levels = state.levels & !(1 << bit) | u8::from(high) << bit;
        drop(state);
        self.drive_interrupt();
    }

    /// Each change is made by one caller at a time, and the last one looks again.
    fn drive_interrupt(&self) {
        let Some(line) = &self.interrupt else {
            return;
        };
        let mut state = self.state.lock();
        if state.is_writing || std::mem::replace(&mut state.is_driving, true) {
            return;
        }
        loop {
            let differs = (state.levels ^ state.seen) & state.port != 0;
            if differs == state.interrupts {
                state.is_driving = false;
                return;
            }
            state.interrupts = differs;
            drop(state);
            let driven = if differs {
                self.board.set(line, false)
            } else {
                self.board.release(line)
            };
            debug_assert!(driven.is_ok(), "{driven:?}");
            state = self.state.lock();
        }
    }

    fn set_port(&self, port: u8) {
        let before = std::mem::replace(&mut self.state.lock().port, port);
        let mut lines = self.lines.lock();
        for (bit, name) in self.names.iter().enumerate() {
            if (before ^ port) >> bit & 1 == 1 {
                // Let go of first, since a line has one holder.
                lines[bit] = None;
                lines[bit] = self.request(name, port >> bit & 1 == 1).ok();
            }
        }
    }

    fn take_levels(&self) -> u8 {
        let mut state = self.state.lock();
        state.seen = state.levels;
        state.seen
    }
}

impl SimI2cDevice for Pcf8574 {
    fn write(&self, bytes: &[u8], _: Instant) -> Result<(), Error> {
        self.state.lock().is_writing = true;
        for &port in bytes {
            self.set_port(port);
            self.take_levels();
        }
        self.state.lock().is_writing = false;
        self.drive_interrupt();
        Ok(())
    }

    fn read(&self, into: &mut [u8], _: Instant) -> Result<(), Error> {
        into.fill_with(|| self.take_levels());
        self.drive_interrupt();
        Ok(())
    }
}

impl Drop for Pcf8574 {
    fn drop(&mut self) {
        if let Some(observer) = self.observer.lock().take() {
            self.board.unobserve(observer);
        }
    }
}
