//! What the kernel has, opened by name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use loopgate_workloop::{Clock, InterruptLine};
use parking_lot::Mutex;

use super::controller::{Controller, Served};
use super::gpio::{self, Chips, Line, Reserved};
use super::port::Port;
use super::tty::Closing;
use crate::gpio::{Edges, GpioController, GpioLine, LineInfo, LineRequest, Reservation};
use crate::serial::{
    Counts, Device, Error, LineErrors, MAX_BREAK, ModemLines, PortRequest, SerialController,
    SerialPort,
};

/// The kernel's devices: GPIO lines, serial ports, and pseudo-terminals that
/// are made on request.
///
/// One thread serves all of them. It starts with the first that is opened, and
/// ends when every one was dropped.
pub struct KernelDevices {
    clock: Arc<dyn Clock>,
    /// Whoever has a device open keeps it.
    controller: Mutex<Weak<Controller>>,
    /// Held by who opens a port: two at once would find each other's device free.
    opening: Mutex<()>,
    closing: Arc<ClosingPorts>,
}

/// Ports that were released, and are not closed yet: one for each device, since
/// it is not opened again before.
type ClosingPorts = Mutex<Vec<(Device, Closing)>>;

/// A port in the hands of its holder.
struct OpenPort {
    id: u64,
    port: Arc<Port>,
    controller: Arc<Controller>,
    closing: Arc<ClosingPorts>,
}

/// A line that is held, and neither driven nor biased.
struct ReservedLine {
    reserved: Reserved,
    request: LineRequest,
    controller: Arc<Controller>,
}

/// A line in the hands of its holder, and of who takes its interrupts.
struct OpenLine(Arc<HeldLine>);

struct LineInterrupt(Arc<HeldLine>, Edges);

struct HeldLine {
    id: u64,
    line: Arc<Line>,
    controller: Arc<Controller>,
}

impl KernelDevices {
    /// Opens nothing yet. `clock` must be the kernel's monotonic one
    /// ([`SystemClock`](loopgate_workloop::SystemClock)): it is compared with
    /// the times of edges.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            controller: Mutex::default(),
            opening: Mutex::default(),
            closing: Arc::default(),
        }
    }

    fn is_closing(&self, device: &Device) -> bool {
        let mut closing = self.closing.lock();
        closing.retain(|(_, closing)| !closing.is_over());
        closing.iter().any(|(other, _)| is_same(other, device))
    }

    fn controller(&self) -> io::Result<Arc<Controller>> {
        let mut known = self.controller.lock();
        if let Some(controller) = known.upgrade() {
            return Ok(controller);
        }
        let controller = Arc::new(Controller::start(Arc::clone(&self.clock))?);
        *known = Arc::downgrade(&controller);
        Ok(controller)
    }
}

impl SerialController for KernelDevices {
    fn open(&self, request: &PortRequest) -> Result<Arc<dyn SerialPort>, Error> {
        let controller = self.controller().map_err(|source| Error::Io {
            device: request.device.to_string(),
            operation: "start the thread that serves it",
            source,
        })?;
        let _opening = self.opening.lock();
        let same = |port: &Port| {
            let same = is_same(port.device(), &request.device);
            same.then(|| port.consumer().to_owned())
        };
        // Also while it is gone.
        if let Some(consumer) = controller.find_port(same) {
            return Err(Error::Busy {
                device: request.device.to_string(),
                consumer: Some(consumer),
            });
        }
        if self.is_closing(&request.device) {
            return Err(Error::Closing {
                device: request.device.to_string(),
            });
        }
        let id = controller.next_id();
        let port = Arc::new(Port::open(
            id,
            request,
            controller.epoll(),
            controller.clock(),
        )?);
        controller.add(id, Served::Port(Arc::clone(&port)));
        Ok(Arc::new(OpenPort {
            id,
            port,
            controller,
            closing: Arc::clone(&self.closing),
        }))
    }
}

impl GpioController for KernelDevices {
    fn reserve(&self, request: &LineRequest) -> Result<Box<dyn Reservation>, gpio::Error> {
        request.validate()?;
        let controller = self.controller().map_err(|source| gpio::Error::Io {
            line: request.line.clone(),
            operation: "start the thread that serves it",
            source,
        })?;
        Ok(Box::new(ReservedLine {
            reserved: Line::reserve(request)?,
            request: request.clone(),
            controller,
        }))
    }

    fn lines(&self) -> Vec<LineInfo> {
        Chips::open().lines()
    }
}

impl Reservation for ReservedLine {
    fn open(self: Box<Self>) -> Result<Arc<dyn GpioLine>, gpio::Error> {
        let Self {
            reserved,
            request,
            controller,
        } = *self;
        let id = controller.next_id();
        let (epoll, clock) = (controller.epoll(), controller.clock());
        let line = Arc::new(Line::open(id, &request, reserved, epoll, clock)?);
        controller.add(id, Served::Line(Arc::clone(&line)));
        Ok(Arc::new(OpenLine(Arc::new(HeldLine {
            id,
            line,
            controller,
        }))))
    }
}

impl SerialPort for OpenPort {
    fn read(&self, max: usize, into: &mut Vec<u8>) -> Result<usize, Error> {
        self.port.read(max, into)
    }

    fn write(&self, bytes: &[u8]) -> Result<usize, Error> {
        self.port.write(bytes)
    }

    fn readable(&self) -> Result<Arc<dyn InterruptLine>, Error> {
        let line = self.port.signals().readable.line();
        line.ok_or_else(|| self.port.has("readable"))
    }

    fn writable(&self) -> Result<Arc<dyn InterruptLine>, Error> {
        let line = self.port.signals().writable.line();
        line.ok_or_else(|| self.port.has("writable"))
    }

    fn take_line_errors(&self) -> LineErrors {
        self.port.take_line_errors()
    }

    fn send_break(&self, length: Duration) -> Result<(), Error> {
        self.port.send_break(length.min(MAX_BREAK))
    }

    fn modem_lines(&self) -> Result<ModemLines, Error> {
        self.port.modem_lines()
    }

    fn set_dtr(&self, active: bool) -> Result<(), Error> {
        self.port.set_dtr(active)
    }

    fn set_rts(&self, active: bool) -> Result<(), Error> {
        self.port.set_rts(active)
    }

    fn counts(&self) -> Counts {
        self.port.counts()
    }
}

impl Drop for OpenPort {
    fn drop(&mut self) {
        // It is there or among the closing ones, for whoever opens it meanwhile.
        if let Some(closing) = self.port.release() {
            let device = self.port.device().clone();
            self.closing.lock().push((device, closing));
        }
        self.controller.remove(self.id);
    }
}

impl GpioLine for OpenLine {
    fn is_high(&self) -> Result<bool, gpio::Error> {
        self.0.line.is_high()
    }

    fn set(&self, high: bool) -> Result<(), gpio::Error> {
        self.0.line.set(high)
    }

    fn interrupt(&self, edges: Edges) -> Result<Arc<dyn InterruptLine>, gpio::Error> {
        self.0.line.add_interrupt(edges)?;
        Ok(Arc::new(LineInterrupt(Arc::clone(&self.0), edges)))
    }

    fn make_input(&self) -> Result<(), gpio::Error> {
        self.0.line.make_input()
    }
}

impl InterruptLine for LineInterrupt {
    fn trigger(&self) -> loopgate_workloop::Trigger {
        self.1.trigger()
    }

    fn register(
        &self,
        sink: Arc<dyn loopgate_workloop::InterruptSink>,
    ) -> Result<(), loopgate_workloop::Error> {
        self.0.line.register(sink)
    }

    fn unregister(&self) {
        self.0.line.unregister();
    }

    fn enable(&self) {
        self.0.line.enable();
    }

    fn disable(&self) {
        self.0.line.disable();
    }
}

impl Drop for LineInterrupt {
    fn drop(&mut self) {
        self.0.line.remove_interrupt();
    }
}

impl Drop for HeldLine {
    fn drop(&mut self) {
        self.controller.remove(self.id);
        self.line.release();
    }
}

/// Whether two names are of one device. A device by two names that are both
/// gone cannot be told; opening it finds the other's lock then.
fn is_same(a: &Device, b: &Device) -> bool {
    match (a, b) {
        (Device::Path(a), Device::Path(b)) => a == b || resolved(a) == resolved(b),
        (Device::Pty { link: a }, Device::Pty { link: b }) => a == b,
        _ => false,
    }
}

fn resolved(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use loopgate_workloop::SystemClock;
    use rustix::pty::OpenptFlags;

    use super::*;
    use crate::linux::tty::Tty;

    /// Whoever has the tty, as the thread of a break that is held back has it,
    /// keeps it from the next holder, who is told why.
    #[test]
    fn a_port_is_not_opened_before_its_last_holder_s_break_is_over() {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
        let device = rustix::pty::openpt(flags).unwrap();
        rustix::pty::unlockpt(&device).unwrap();
        let name = rustix::pty::ptsname(&device, Vec::new()).unwrap();
        let path = PathBuf::from(name.to_str().unwrap());
        let request = PortRequest::new(Device::Path(path.clone()), 9_600, "test");
        let kernel = KernelDevices::new(Arc::new(SystemClock));
        let tty = Tty::open(&path, &request).unwrap();
        let breaks = Arc::clone(tty.claimed());
        let closing = tty.close().wait().expect("it is closed");
        let closing = (request.device.clone(), closing);
        kernel.closing.lock().push(closing);
        let error = kernel.open(&request).err().unwrap();
        assert!(matches!(error, Error::Closing { .. }), "{error}");
        let other = KernelDevices::new(Arc::new(SystemClock));
        let error = other.open(&request).err().unwrap();
        assert!(matches!(error, Error::Busy { .. }), "{error}");
        drop(breaks);
        drop(kernel.open(&request).unwrap());
        assert!(kernel.closing.lock().is_empty());
    }
}
