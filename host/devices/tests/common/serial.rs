//! What the tests of serial ports share.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use loopgate_devices::serial::SerialPort;
use loopgate_workloop::{InterruptLine, InterruptSink, Occurrence};
use parking_lot::{Condvar, Mutex};

/// Longer than anything here takes, on any machine.
pub(crate) const LIMIT: Duration = Duration::from_mins(1);

/// A sink that can be waited for.
#[derive(Default)]
pub(crate) struct Watch {
    state: Mutex<(u64, u64)>,
    occurred: Condvar,
}

impl Watch {
    /// `line`, switched on, and what it tells.
    pub(crate) fn on(line: &Arc<dyn InterruptLine>) -> Arc<Self> {
        let watch = Arc::new(Self::default());
        line.register(watch.clone()).unwrap();
        line.enable();
        watch
    }

    /// How many occurrences there were.
    pub(crate) fn count(&self) -> u64 {
        self.state.lock().0
    }

    /// Waits for an occurrence that was not waited for yet; all that there
    /// are count as one, as they do for a work loop.
    pub(crate) fn wait(&self) {
        let mut state = self.state.lock();
        let deadline = Instant::now() + LIMIT;
        while state.0 == state.1 {
            let timeout = self.occurred.wait_until(&mut state, deadline);
            assert!(!timeout.timed_out(), "no occurrence");
        }
        state.1 = state.0;
    }
}

impl InterruptSink for Watch {
    fn interrupt_occurred(&self, occurrence: Occurrence) {
        assert!(occurrence.high);
        let mut state = self.state.lock();
        state.0 += 1;
        assert_eq!(occurrence.sequence, state.0);
        self.occurred.notify_all();
    }

    fn occurrences_lost(&self, count: u32) {
        panic!("a serial port loses no occurrence, and reported {count}");
    }
}

/// An open port with both of its lines on.
pub(crate) struct Watched {
    pub(crate) port: Arc<dyn SerialPort>,
    pub(crate) readable: Arc<Watch>,
    pub(crate) writable: Arc<Watch>,
    pub(crate) lines: [Arc<dyn InterruptLine>; 2],
}

impl Watched {
    pub(crate) fn new(port: Arc<dyn SerialPort>) -> Self {
        let lines = [port.readable().unwrap(), port.writable().unwrap()];
        Self {
            port,
            readable: Watch::on(&lines[0]),
            writable: Watch::on(&lines[1]),
            lines,
        }
    }

    /// Reads `count` bytes, never without an occurrence.
    pub(crate) fn read_exactly(&self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < count {
            self.readable.wait();
            self.port.read(count - bytes.len(), &mut bytes).unwrap();
        }
        bytes
    }

    /// Writes everything, waiting for an occurrence after each short write.
    pub(crate) fn write_all(&self, mut bytes: &[u8]) {
        loop {
            let taken = self.port.write(bytes).unwrap();
            bytes = &bytes[taken..];
            if bytes.is_empty() {
                return;
            }
            self.writable.wait();
        }
    }

    /// Everything that is there.
    pub(crate) fn drain(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.port.read(usize::MAX, &mut bytes).unwrap();
        bytes
    }
}

/// Waits for what nobody tells of.
pub(crate) fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        thread::yield_now();
    }
}
