//! Simulated serial ports: a test, or the program's user, is the device.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use loopgate_workloop::{Clock, Instant, InterruptLine};
use parking_lot::{Mutex, RwLock};

use crate::serial::{
    Counts, Device, Error, LineErrors, ModemLines, PortRequest, SerialController, SerialPort,
    Signals, Wire,
};

/// A simulated port.
#[derive(Clone, Debug)]
pub struct SimPortConfig {
    /// Its name. Where two are equal, the first is found.
    pub name: String,
    /// The speeds that it runs at, in bits a second; empty: every speed but 0.
    pub bauds: Vec<u32>,
}

impl SimPortConfig {
    /// A port that runs at every speed.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            bauds: Vec::new(),
        }
    }
}

/// A port as [`SimPorts::show`] sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimPortState {
    /// The port.
    pub name: String,
    /// Whether the device is there.
    pub plugged: bool,
    /// Who holds it and at which speed; `None` where it is free.
    pub holder: Option<(String, u32)>,
    /// Whether the holder has DTR active.
    pub dtr: bool,
    /// Whether the holder has RTS active.
    pub rts: bool,
    /// How many breaks the holder has sent.
    pub breaks_sent: u64,
    /// What has gone through since it was opened.
    pub counts: Counts,
}

/// Simulated ports, which are a
/// [`SerialController`](crate::serial::SerialController).
///
/// Every framing will do, and bytes and breaks take no time: they arrive when [`feed`](Self::feed) is called, and its
/// caller's thread is the primary context. What a holder writes stays in its
/// output buffer until [`take`](Self::take) is called. Flow control and RS-485
/// are accepted and do nothing, since nobody is there to be held back. Or a device
/// takes it at once, which [`listen`](Self::listen)s.
///
/// Every method can be called from any thread, also from sinks.
pub struct SimPorts {
    clock: Arc<dyn Clock>,
    /// Ports are added, and never taken away.
    ports: RwLock<Vec<Arc<Port>>>,
}

struct Port {
    config: SimPortConfig,
    // No other lock of the board is taken under it; sinks are called without.
    state: Mutex<State>,
    listener: OnceLock<Listener>,
}

type Listener = Box<dyn Fn(&[u8]) + Send + Sync>;

struct State {
    plugged: bool,
    lines: ModemLines,
    holder: Option<Holder>,
}

struct Holder {
    request: PortRequest,
    dtr: bool,
    rts: bool,
    breaks_sent: u64,
    wire: Wire,
}

impl State {
    /// Who opens a device, or finds it back, has both of its lines active.
    fn set_plugged(&mut self, plugged: bool) {
        let was_plugged = std::mem::replace(&mut self.plugged, plugged);
        if let Some(holder) = &mut self.holder
            && was_plugged != plugged
        {
            (holder.dtr, holder.rts) = (plugged, plugged);
        }
    }
}

impl SimPorts {
    /// These ports, all plugged in.
    pub fn new(clock: Arc<dyn Clock>, ports: Vec<SimPortConfig>) -> Arc<Self> {
        let ports = ports.into_iter().map(Port::plugged).collect();
        Arc::new(Self {
            clock,
            ports: RwLock::new(ports),
        })
    }

    /// Adds ports, all plugged in, but none of a name that there is.
    pub fn add_ports(&self, ports: Vec<SimPortConfig>) {
        let mut all = self.ports.write();
        for config in ports {
            if all.iter().all(|known| known.config.name != config.name) {
                all.push(Port::plugged(config));
            }
        }
    }

    /// The device sends `bytes`. What finds no room in the holder's buffer is
    /// lost and counted; what comes while nobody holds the port, or while it is
    /// unplugged, is forgotten.
    ///
    /// # Errors
    ///
    /// [`Error::NoDevice`].
    pub fn feed(&self, port: &str, bytes: &[u8]) -> Result<(), Error> {
        let port = self.find(port)?;
        port.with_plugged_wire(|wire| wire.arrive(bytes));
        Ok(())
    }

    /// As [`feed`](Self::feed), with bytes whose parity or stop bit is wrong.
    ///
    /// # Errors
    ///
    /// [`Error::NoDevice`].
    pub fn feed_damaged(&self, port: &str, bytes: &[u8]) -> Result<(), Error> {
        let port = self.find(port)?;
        port.with_plugged_wire(|wire| bytes.iter().for_each(|byte| wire.arrive_damaged(*byte)));
        Ok(())
    }

    /// The device sends a break.
    ///
    /// # Errors
    ///
    /// [`Error::NoDevice`].
    pub fn send_break(&self, port: &str) -> Result<(), Error> {
        self.find(port)?.with_plugged_wire(Wire::arrive_break);
        Ok(())
    }

    /// The device switches its lines. As long as it has not done so it is
    /// ready: all but RI are active.
    ///
    /// # Errors
    ///
    /// [`Error::NoDevice`].
    pub fn set_modem_lines(&self, port: &str, lines: ModemLines) -> Result<(), Error> {
        self.find(port)?.state.lock().lines = lines;
        Ok(())
    }

    /// The device takes everything that the holder has written.
    ///
    /// # Errors
    ///
    /// [`Error::NoDevice`].
    pub fn take(&self, port: &str) -> Result<Vec<u8>, Error> {
        Ok(self.find(port)?.take())
    }

    /// From now on the device takes everything as soon as the holder has written
    /// it, and hands it to `listener` with the time, on the holder's thread. A port has
    /// one listener: the first.
    ///
    /// # Errors
    ///
    /// [`Error::NoDevice`].
    pub fn listen(
        &self,
        port: &str,
        listener: impl Fn(&[u8], Instant) + Send + Sync + 'static,
    ) -> Result<(), Error> {
        let port = self.find(port)?;
        let clock = self.clock.clone();
        let timed = move |bytes: &[u8]| listener(bytes, clock.now());
        let _ = port.listener.set(Box::new(timed));
        port.tell_listener();
        Ok(())
    }

    /// The device vanishes, with what it has not taken.
    ///
    /// # Errors
    ///
    /// [`Error::NoDevice`].
    pub fn unplug(&self, port: &str) -> Result<(), Error> {
        self.set_plugged(port, false)
    }

    /// The device is back.
    ///
    /// # Errors
    ///
    /// [`Error::NoDevice`].
    pub fn plug(&self, port: &str) -> Result<(), Error> {
        self.set_plugged(port, true)
    }

    /// Every port as it is now, in the order of the configuration.
    pub fn show(&self) -> Vec<SimPortState> {
        let ports = self.ports.read();
        ports.iter().map(|port| port.show()).collect()
    }

    fn set_plugged(&self, port: &str, plugged: bool) -> Result<(), Error> {
        let port = self.find(port)?;
        port.state.lock().set_plugged(plugged);
        port.with_wire(|wire| match (plugged, wire.is_gone()) {
            (true, true) => wire.come_back(),
            (false, false) => wire.vanish(),
            _ => {}
        });
        Ok(())
    }

    fn find(&self, port: &str) -> Result<Arc<Port>, Error> {
        let ports = self.ports.read();
        let found = ports.iter().find(|known| known.config.name == port);
        found.cloned().ok_or_else(|| Error::NoDevice {
            device: port.to_owned(),
            cause: "the simulated board has no such port".to_owned(),
            remedy: "name one that it has",
        })
    }
}

impl SerialController for SimPorts {
    fn open(&self, request: &PortRequest) -> Result<Arc<dyn SerialPort>, Error> {
        let Device::Sim(name) = &request.device else {
            return Err(Error::NoDevice {
                device: request.device.to_string(),
                cause: "the board is simulated".to_owned(),
                remedy: "name a simulated port",
            });
        };
        let port = self.find(name)?;
        let signals = port.open(request, &self.clock)?;
        Ok(Arc::new(OpenPort { port, signals }))
    }
}

impl Port {
    fn plugged(config: SimPortConfig) -> Arc<Self> {
        Arc::new(Self {
            config,
            state: Mutex::new(State {
                plugged: true,
                lines: ModemLines {
                    cts: true,
                    dsr: true,
                    dcd: true,
                    ri: false,
                },
                holder: None,
            }),
            listener: OnceLock::new(),
        })
    }

    fn open(&self, request: &PortRequest, clock: &Arc<dyn Clock>) -> Result<Signals, Error> {
        let mut state = self.state.lock();
        let device = self.config.name.clone();
        if let Some(holder) = &state.holder {
            return Err(Error::Busy {
                device,
                consumer: Some(holder.request.consumer.clone()),
            });
        }
        if !state.plugged {
            return Err(Error::NoDevice {
                device,
                cause: "it is unplugged".to_owned(),
                remedy: "plug it in",
            });
        }
        self.check_baud(request.baud)?;
        let wire = Wire::new(request.buffer, clock);
        let signals = wire.signals().clone();
        state.holder = Some(Holder {
            request: request.clone(),
            dtr: true,
            rts: true,
            breaks_sent: 0,
            wire,
        });
        Ok(signals)
    }

    fn check_baud(&self, asked: u32) -> Result<(), Error> {
        let bauds = &self.config.bauds;
        if asked != 0 && (bauds.is_empty() || bauds.contains(&asked)) {
            return Ok(());
        }
        Err(Error::BaudRefused {
            device: self.config.name.clone(),
            asked,
            got: bauds.first().copied().unwrap_or(9_600),
        })
    }

    fn take(&self) -> Vec<u8> {
        let mut taken = Vec::new();
        self.with_wire(|wire| {
            while !wire.to_send().is_empty() {
                taken.extend_from_slice(wire.to_send());
                wire.sent(wire.to_send().len());
            }
        });
        taken
    }

    fn tell_listener(&self) {
        if let Some(listener) = self.listener.get() {
            let taken = self.take();
            if !taken.is_empty() {
                listener(&taken);
            }
        }
    }

    /// Calls `f` if anyone holds the port, then the sinks that are due.
    fn with_wire<R>(&self, f: impl FnOnce(&mut Wire) -> R) -> Option<R> {
        let mut state = self.state.lock();
        let wire = &mut state.holder.as_mut()?.wire;
        let result = f(wire);
        let signals = wire.signals().clone();
        drop(state);
        signals.deliver();
        Some(result)
    }

    /// The same, unless the device is unplugged.
    fn with_plugged_wire(&self, f: impl FnOnce(&mut Wire)) {
        self.with_wire(|wire| {
            if !wire.is_gone() {
                f(wire);
            }
        });
    }

    fn show(&self) -> SimPortState {
        let state = self.state.lock();
        let holder = state.holder.as_ref();
        SimPortState {
            name: self.config.name.clone(),
            plugged: state.plugged,
            holder: holder.map(|holder| {
                let request = &holder.request;
                (request.consumer.clone(), request.baud)
            }),
            dtr: holder.is_some_and(|holder| holder.dtr),
            rts: holder.is_some_and(|holder| holder.rts),
            breaks_sent: holder.map_or(0, |holder| holder.breaks_sent),
            counts: holder.map_or_else(Counts::default, |holder| holder.wire.counts()),
        }
    }
}

/// A port in the hands of its holder.
struct OpenPort {
    port: Arc<Port>,
    signals: Signals,
}

impl OpenPort {
    fn name(&self) -> String {
        self.port.config.name.clone()
    }

    fn gone(&self) -> Error {
        Error::Gone {
            device: self.name(),
            refused: None,
        }
    }

    fn with_plugged<R>(&self, f: impl FnOnce(ModemLines, &mut Holder) -> R) -> Result<R, Error> {
        let mut state = self.port.state.lock();
        let lines = state.lines;
        let holder = state.holder.as_mut();
        let holder = holder.filter(|holder| !holder.wire.is_gone());
        Ok(f(lines, holder.ok_or_else(|| self.gone())?))
    }
}

impl SerialPort for OpenPort {
    fn read(&self, max: usize, into: &mut Vec<u8>) -> Result<usize, Error> {
        self.port
            .with_wire(|wire| wire.read(max, into))
            .flatten()
            .ok_or_else(|| self.gone())
    }

    fn write(&self, bytes: &[u8]) -> Result<usize, Error> {
        let written = self
            .port
            .with_wire(|wire| (!wire.is_gone()).then(|| wire.write(bytes, 0)))
            .flatten()
            .ok_or_else(|| self.gone());
        self.port.tell_listener();
        written
    }

    fn readable(&self) -> Result<Arc<dyn InterruptLine>, Error> {
        self.signals
            .readable
            .line()
            .ok_or_else(|| Error::HasInterrupt {
                device: self.name(),
                line: "readable",
            })
    }

    fn writable(&self) -> Result<Arc<dyn InterruptLine>, Error> {
        self.signals
            .writable
            .line()
            .ok_or_else(|| Error::HasInterrupt {
                device: self.name(),
                line: "writable",
            })
    }

    fn take_line_errors(&self) -> LineErrors {
        let errors = self.port.with_wire(Wire::take_line_errors);
        errors.unwrap_or_default()
    }

    fn send_break(&self, _length: Duration) -> Result<(), Error> {
        self.with_plugged(|_, holder| holder.breaks_sent += 1)
    }

    fn modem_lines(&self) -> Result<ModemLines, Error> {
        self.with_plugged(|lines, _| lines)
    }

    fn set_dtr(&self, active: bool) -> Result<(), Error> {
        self.with_plugged(|_, holder| holder.dtr = active)
    }

    fn set_rts(&self, active: bool) -> Result<(), Error> {
        self.with_plugged(|_, holder| {
            holder.request.check_rts(holder.request.rs485)?;
            holder.rts = active;
            Ok(())
        })?
    }

    fn counts(&self) -> Counts {
        self.port.show().counts
    }
}

impl Drop for OpenPort {
    fn drop(&mut self) {
        self.port.state.lock().holder = None;
        self.signals.end();
    }
}
