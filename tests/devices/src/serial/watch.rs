//! An open port with both of its lines on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use loopgate_devices::serial::{PortRequest, SerialPort};
use loopgate_workloop::{InterruptLine, InterruptSink, Occurrence};

use super::Bench;
use crate::{called, until};

pub(super) struct Watched<'a> {
    pub(super) port: Arc<dyn SerialPort>,
    bench: &'a dyn Bench,
    readable: Watch,
    writable: Watch,
}

struct Watch {
    _line: Arc<dyn InterruptLine>,
    told: Arc<Told>,
    seen: AtomicU64,
}

#[derive(Default)]
struct Told(AtomicU64);

impl<'a> Watched<'a> {
    pub(super) fn open(bench: &'a dyn Bench, request: &PortRequest) -> Self {
        let opened = bench.controller().open(request);
        let port = opened.unwrap_or_else(|error| panic!("{error}"));
        Self {
            bench,
            readable: Watch::on(port.readable().unwrap()),
            writable: Watch::on(port.writable().unwrap()),
            port,
        }
    }

    /// Waits until there is something to read, or the device has gone or come.
    pub(super) fn readable(&self) {
        self.readable.wait("an input", self.bench);
    }

    /// Sends `bytes`, and what came back meanwhile and after that; never reads
    /// or writes without having been told to.
    pub(super) fn exchange(&self, bytes: &[u8]) -> Vec<u8> {
        let (mut sent, mut back) = (0, Vec::new());
        while back.len() < bytes.len() {
            if sent < bytes.len() {
                let taken = self.port.write(&bytes[sent..]).unwrap();
                sent += taken;
            }
            if sent < bytes.len() {
                let ready = || self.readable.is_due() || self.writable.is_due();
                until("room or input", || self.bench.pass(), ready);
                self.writable.take();
            } else {
                self.readable();
            }
            self.readable.take();
            self.port.read(usize::MAX, &mut back).unwrap();
        }
        back
    }
}

impl Watch {
    fn on(line: Arc<dyn InterruptLine>) -> Self {
        let told = Arc::new(Told::default());
        line.register(told.clone()).unwrap();
        line.enable();
        Self {
            _line: line,
            told,
            seen: AtomicU64::new(0),
        }
    }

    fn is_due(&self) -> bool {
        self.told.0.load(Ordering::SeqCst) != self.seen.load(Ordering::SeqCst)
    }

    /// All that there were count as one, as they do for a work loop.
    fn take(&self) {
        let told = self.told.0.load(Ordering::SeqCst);
        self.seen.store(told, Ordering::SeqCst);
    }

    fn wait(&self, what: &str, bench: &dyn Bench) {
        until(what, || bench.pass(), || self.is_due());
        self.take();
    }
}

impl InterruptSink for Told {
    fn interrupt_occurred(&self, occurrence: Occurrence) {
        assert!(occurrence.high);
        self.0.fetch_add(1, Ordering::SeqCst);
        called();
    }

    fn occurrences_lost(&self, count: u32) {
        panic!("a serial port loses no occurrence, and reported {count}");
    }
}
