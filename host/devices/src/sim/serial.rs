//! Simulated serial ports: a test, or the program's user, is the device.

use std::sync::Arc;

use loopgate_workloop::{Clock, InterruptLine};
use parking_lot::{Mutex, RwLock};

use crate::serial::{
    Counts, Device, Error, PortRequest, SerialController, SerialPort, Signals, Wire,
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
    /// What has gone through since it was opened.
    pub counts: Counts,
}

/// Simulated ports, which are a
/// [`SerialController`](crate::serial::SerialController).
///
/// Bytes take no time: they arrive when [`feed`](Self::feed) is called, and its
/// caller's thread is the primary context. What a holder writes stays in its
/// output buffer until [`take`](Self::take) is called.
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
}

struct State {
    plugged: bool,
    holder: Option<Holder>,
}

struct Holder {
    consumer: String,
    baud: u32,
    wire: Wire,
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
        port.with_wire(|wire| {
            if !wire.is_gone() {
                wire.arrive(bytes);
            }
        });
        Ok(())
    }

    /// The device takes everything that the holder has written.
    ///
    /// # Errors
    ///
    /// [`Error::NoDevice`].
    pub fn take(&self, port: &str) -> Result<Vec<u8>, Error> {
        let port = self.find(port)?;
        let mut taken = Vec::new();
        port.with_wire(|wire| {
            while !wire.to_send().is_empty() {
                taken.extend_from_slice(wire.to_send());
                wire.sent(wire.to_send().len());
            }
        });
        Ok(taken)
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
        port.state.lock().plugged = plugged;
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
                holder: None,
            }),
        })
    }

    fn open(&self, request: &PortRequest, clock: &Arc<dyn Clock>) -> Result<Signals, Error> {
        let mut state = self.state.lock();
        let device = self.config.name.clone();
        if let Some(holder) = &state.holder {
            return Err(Error::Busy {
                device,
                consumer: Some(holder.consumer.clone()),
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
            consumer: request.consumer.clone(),
            baud: request.baud,
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

    fn show(&self) -> SimPortState {
        let state = self.state.lock();
        let holder = state.holder.as_ref();
        SimPortState {
            name: self.config.name.clone(),
            plugged: state.plugged,
            holder: holder.map(|holder| (holder.consumer.clone(), holder.baud)),
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
        }
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
        self.port
            .with_wire(|wire| (!wire.is_gone()).then(|| wire.write(bytes, 0)))
            .flatten()
            .ok_or_else(|| self.gone())
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
