//! `serial`: ports by the names that the board file gives them.

use super::interrupt::{Feed, Line};
use crate::bindings::WitErrorCode;
use crate::bindings::loopgate::driver::serial::{Host, HostPort, LineErrors, ModemLines};
use crate::error::ErrorCode;
use crate::grants::Named;
use crate::guest::Guest;
use crate::heritage::{LineName, OpenPort};
use loopgate_devices::bus::BusThread;
use loopgate_devices::serial::{
    Device, Error, MAX_BREAK, PortRequest, SerialController, SerialPort,
};
use loopgate_workloop::{Context, InterruptLine};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use wasmtime::component::Resource;

/// An open port. Dropping it releases the device.
pub struct Port {
    name: String,
    /// None once the grant was withdrawn.
    open: Option<OpenPort>,
}

impl Port {
    /// Takes away what is behind it, where it is that one.
    pub(crate) fn withdraw(&mut self, grant: &Named) -> Option<OpenPort> {
        self.open.take_if(|_| grant.is_port(&self.name))
    }
}

type Answer<T> = wasmtime::Result<Result<T, WitErrorCode>>;

impl Host for Guest {}

impl HostPort for Guest {
    fn open(&mut self, name: String, baud: u32) -> Answer<Resource<Port>> {
        Ok(self.open_port(&name, baud).map_err(Into::into))
    }

    fn read(&mut self, this: Resource<Port>, max: u32) -> Answer<Vec<u8>> {
        if let Err(code) = self.may_act() {
            return Ok(Err(code.into()));
        }
        // What is lowered into the guest is bounded like what comes from it.
        let max = max.min(self.driver.limits.payload as u32) as usize;
        let mut bytes = Vec::new();
        let this = self.table.get(&this)?;
        let Some(OpenPort { port, taken, .. }) = &this.open else {
            return Ok(Err(self.withdrawn_port(this)));
        };
        let read = port.read(max, &mut bytes);
        taken.fetch_add(bytes.len() as u64, Relaxed);
        Ok(match read {
            Ok(_) => Ok(bytes),
            Err(error) => Err(self.port_error(&error)),
        })
    }

    fn write(&mut self, this: Resource<Port>, bytes: Vec<u8>) -> Answer<u32> {
        self.within_payload(bytes.len())?;
        if let Err(code) = self.may_act() {
            return Ok(Err(code.into()));
        }
        let this = self.table.get(&this)?;
        let Some(open) = &this.open else {
            return Ok(Err(self.withdrawn_port(this)));
        };
        Ok(match open.port.write(&bytes) {
            Ok(written) => Ok(written as u32),
            Err(error) => Err(self.port_error(&error)),
        })
    }

    fn readable(&mut self, this: Resource<Port>) -> Answer<Resource<Line>> {
        let this = self.table.get(&this)?;
        let Some(open) = &this.open else {
            return Ok(Err(self.withdrawn_port(this)));
        };
        let (name, port) = (LineName::Readable(this.name.clone()), open.port.clone());
        Ok(self.port_line(name, port, |port| port.readable()))
    }

    fn writable(&mut self, this: Resource<Port>) -> Answer<Resource<Line>> {
        let this = self.table.get(&this)?;
        let Some(open) = &this.open else {
            return Ok(Err(self.withdrawn_port(this)));
        };
        let (name, port) = (LineName::Writable(this.name.clone()), open.port.clone());
        Ok(self.port_line(name, port, |port| port.writable()))
    }

    fn take_line_errors(&mut self, this: Resource<Port>) -> Answer<LineErrors> {
        Ok(self.usable(&this)?.map(|open| {
            let errors = open.port.take_line_errors();
            LineErrors {
                breaks: errors.breaks,
                damaged: errors.damaged,
                lost: errors.lost,
            }
        }))
    }

    fn send_break(&mut self, this: Resource<Port>, duration: u64) -> Answer<()> {
        let open = match self.usable(&this)? {
            Ok(open) => open,
            Err(code) => return Ok(Err(code)),
        };
        let length = Duration::from_nanos(duration);
        if length.is_zero() || length > MAX_BREAK {
            self.driver
                .log
                .host("a break must be longer than 0 and at most 10 s");
            return Ok(Err(WitErrorCode::BadArgument));
        }
        let sent = open.port.send_break(length);
        Ok(sent.map_err(|error| self.port_error(&error)))
    }

    fn modem_lines(&mut self, this: Resource<Port>) -> Answer<ModemLines> {
        self.on_wires(&this, |port| {
            let lines = port.modem_lines()?;
            Ok(ModemLines {
                cts: lines.cts,
                dsr: lines.dsr,
                dcd: lines.dcd,
                ri: lines.ri,
            })
        })
    }

    fn set_dtr(&mut self, this: Resource<Port>, active: bool) -> Answer<()> {
        self.on_wires(&this, move |port| port.set_dtr(active))
    }

    fn set_rts(&mut self, this: Resource<Port>, active: bool) -> Answer<()> {
        self.on_wires(&this, move |port| port.set_rts(active))
    }

    fn drop(&mut self, this: Resource<Port>) -> wasmtime::Result<()> {
        let Port { name, open } = self.table.delete(this)?;
        if let Some(open) = open {
            self.heritage.give_back_port(name, open);
        }
        Ok(())
    }
}

impl Guest {
    /// What is behind the port, with the leave to act.
    fn usable(&self, this: &Resource<Port>) -> Answer<&OpenPort> {
        if let Err(code) = self.may_act() {
            return Ok(Err(code.into()));
        }
        let this = self.table.get(this)?;
        let open = this.open.as_ref();
        Ok(open.ok_or_else(|| self.withdrawn_port(this)))
    }

    /// For modem lines: an adapter can take seconds over them, so that is bounded
    /// as a transaction on a bus is (rule 13).
    fn on_wires<T: Send + 'static>(
        &mut self,
        this: &Resource<Port>,
        f: impl FnOnce(&dyn SerialPort) -> Result<T, Error> + Send + 'static,
    ) -> Answer<T> {
        let OpenPort { port, wires, .. } = match self.usable(this)? {
            Ok(open) => open.clone(),
            Err(code) => return Ok(Err(code)),
        };
        let made = match wires {
            None => Ok(f(&*port)),
            Some(wires) => self
                .caller()
                .on_thread(&wires, |turn, left| turn.run(left, move || f(&*port))),
        };
        match made {
            Ok(result) => Ok(result.map_err(|error| self.port_error(&error))),
            Err(fault) => {
                let name = &self.table.get(this)?.name;
                self.no_result(&format!("port `{name}`"), fault).map(Err)
            }
        }
    }

    fn open_port(&mut self, name: &str, baud: u32) -> Result<Resource<Port>, ErrorCode> {
        let driver = self.driver.clone();
        let request = match driver.grants.port(name, baud) {
            Ok(request) => request,
            Err(reason) => {
                driver.log.host(&reason);
                return Err(ErrorCode::NotGranted);
            }
        };
        self.may_open()?;
        let last = match self.staging() {
            Some(staging) => staging.ports.remove(name),
            None => Context::with_current(|cx| self.heritage.port(cx, &driver, name, request.baud)),
        };
        let open = match last {
            Some(open) if open.baud != request.baud => {
                driver.log.host(&format!(
                    "port `{name}` is open at {} baud in the version before this one",
                    open.baud
                ));
                return Err(ErrorCode::Busy);
            }
            Some(open) => open,
            None => {
                let opened = open_anew(&*driver.devices.serial, &request);
                opened.map_err(|error| ErrorCode::from(self.port_error(&error)))?
            }
        };
        driver.opened_port(name, &open);
        self.push(Port {
            name: name.to_owned(),
            open: Some(open),
        })
        .ok_or(ErrorCode::NoResources)
    }

    fn port_line(
        &mut self,
        name: LineName,
        port: Arc<dyn SerialPort>,
        line: impl FnOnce(&dyn SerialPort) -> Result<Arc<dyn InterruptLine>, Error>,
    ) -> Result<Resource<Line>, WitErrorCode> {
        if let Some((source, fed)) = self.staging().and_then(|staging| staging.fed(&name)) {
            return self.line(Feed::Adopted(source, fed)).map_err(Into::into);
        }
        if self.is_inherited(&name) {
            return self.line(Feed::Inherited(name)).map_err(Into::into);
        }
        match line(&*port) {
            Ok(line) => self
                .line(Feed::Line(name, Arc::new(port), line))
                .map_err(Into::into),
            Err(error) => Err(self.port_error(&error)),
        }
    }

    /// The grant of a port was withdrawn that is open still.
    fn withdrawn_port(&self, port: &Port) -> WitErrorCode {
        if let Err(reason) = self.driver.grants.port(&port.name, 0) {
            self.driver.log.host(&reason);
        }
        WitErrorCode::NotGranted
    }

    /// The log says why, since a code cannot.
    fn port_error(&self, error: &Error) -> WitErrorCode {
        self.driver.log.host(&error.to_string());
        match error {
            Error::Busy { .. }
            | Error::Closing { .. }
            | Error::HasInterrupt { .. }
            | Error::Breaking { .. } => WitErrorCode::Busy,
            Error::NoDevice { .. }
            | Error::NotATty { .. }
            | Error::LinkTaken { .. }
            | Error::Denied { .. }
            | Error::Gone { .. } => WitErrorCode::NoDevice,
            Error::BaudRefused { .. } | Error::Lacks { .. } => WitErrorCode::Unsupported,
            Error::Io { .. } => WitErrorCode::Io,
        }
    }
}

/// Opens a device, with a thread for its wires where those are the kernel's.
fn open_anew(serial: &dyn SerialController, request: &PortRequest) -> Result<OpenPort, Error> {
    let wires = match &request.device {
        Device::Path(path) => {
            let thread = BusThread::spawn(&path.display().to_string());
            let thread = thread.map_err(|source| Error::Io {
                device: request.device.to_string(),
                operation: "start the thread for its modem lines",
                source,
            })?;
            Some(Arc::new(thread))
        }
        Device::Pty { .. } | Device::Sim(_) => None,
    };
    Ok(OpenPort {
        port: serial.open(request)?,
        baud: request.baud,
        taken: Arc::default(),
        wires,
    })
}
