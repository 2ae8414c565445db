//! `gpio`: pins by the names that the board file gives them.

use super::interrupt::{Feed, Line};
use crate::bindings::WitErrorCode;
use crate::bindings::loopgate::driver::gpio::{Direction, Edge, Host, HostPin};
use crate::board_file::GpioEntry;
use crate::driver::{Devices, Driver};
use crate::error::ErrorCode;
use crate::guest::Guest;
use crate::heritage::LineName;
use crate::staging::{LateInterrupt, LateLine, Staging};
use loopgate_devices::gpio::{Edges, Error, GpioLine};
use loopgate_workloop::{Context, InterruptLine, RateCapped};
use std::sync::Arc;
use wasmtime::component::Resource;

/// An open pin. Dropping it releases the line.
pub struct Pin {
    name: String,
    output: bool,
    line: Arc<dyn GpioLine>,
}

type Answer<T> = wasmtime::Result<Result<T, WitErrorCode>>;

/// The pin as the last version has it; else a new one, which nothing drives
/// before the commit.
fn adopt(
    staging: &mut Staging,
    driver: &Arc<Driver>,
    name: &str,
    entry: &GpioEntry,
    (output, initial): (bool, bool),
) -> Result<Arc<dyn GpioLine>, Error> {
    match staging.pins.remove(name) {
        Some((was_output, line)) if was_output == output => Ok(line),
        Some(other) => {
            staging.pins.insert(name.to_owned(), other);
            Err(Error::Busy {
                line: entry.line.get_ref().clone(),
                consumer: "the version before this one, the other way".to_owned(),
            })
        }
        None if output => {
            let wanted = entry.request(&driver.name, initial);
            let gpio = driver.devices.gpio.clone();
            Ok(staging.output(LateLine::new(gpio, wanted, initial)))
        }
        None => request(driver, name, entry, initial),
    }
}

/// The pin, of the board or of those who share it.
fn request(
    driver: &Arc<Driver>,
    name: &str,
    entry: &GpioEntry,
    initial: bool,
) -> Result<Arc<dyn GpioLine>, Error> {
    let Devices { gpio, shared, .. } = &driver.devices;
    match shared.as_ref().filter(|_| entry.shared) {
        Some(lines) => lines.open(driver, name, entry),
        None => gpio.request(&entry.request(&driver.name, initial)),
    }
}

impl Host for Guest {}

impl HostPin for Guest {
    fn open(&mut self, name: String, direction: Direction) -> Answer<Resource<Pin>> {
        Ok(self.open_pin(&name, direction).map_err(Into::into))
    }

    fn is_high(&mut self, pin: Resource<Pin>) -> Answer<bool> {
        let answer = self.table.get(&pin)?.line.is_high();
        Ok(answer.map_err(|error| self.device_error(&error)))
    }

    fn set(&mut self, pin: Resource<Pin>, high: bool) -> Answer<()> {
        let pin = self.table.get(&pin)?;
        if !pin.output {
            return Ok(Err(WitErrorCode::NotPermitted));
        }
        if let Err(code) = self.may_act() {
            return Ok(Err(code.into()));
        }
        let answer = pin.line.set(high);
        Ok(answer.map_err(|error| self.device_error(&error)))
    }

    fn interrupt(&mut self, pin: Resource<Pin>, edge: Edge) -> Answer<Resource<Line>> {
        let edges = match edge {
            Edge::Rising => Edges::Rising,
            Edge::Falling => Edges::Falling,
            Edge::Both => Edges::Both,
            Edge::HighLevel => Edges::HighLevel,
            Edge::LowLevel => Edges::LowLevel,
        };
        let pin = self.table.get(&pin)?;
        if pin.output {
            return Ok(Err(WitErrorCode::NotPermitted));
        }
        if let Err(reason) = self.driver.grants.edges(&pin.name, edges) {
            return Ok(Err(self.refused(&reason)));
        }
        let left = self.driver.why_left(&pin.name);
        if let Some(cause) = left.filter(|_| !self.is_staged()) {
            self.driver.log.host(&format!(
                "pin `{}` interrupts no more until the driver is reloaded: {cause}",
                pin.name
            ));
            return Ok(Err(WitErrorCode::NotPermitted));
        }
        let name = LineName::Pin(pin.name.clone(), edges);
        let line = pin.line.clone();
        if let Some((source, fed)) = self.staging().and_then(|staging| staging.fed(&name)) {
            return Ok(self.line(Feed::Adopted(source, fed)).map_err(Into::into));
        }
        if self.is_inherited(&name) {
            return Ok(self.line(Feed::Inherited(name)).map_err(Into::into));
        }
        let interrupt = match line.interrupt(edges) {
            // It is the last version's until the commit.
            Err(Error::HasInterrupt { .. }) if self.is_staged() => {
                Ok(LateInterrupt::new(line.clone(), edges) as Arc<dyn InterruptLine>)
            }
            interrupt => interrupt,
        };
        match interrupt {
            Ok(interrupt) => {
                let interrupt = self.capped(&name, interrupt);
                let feed = Feed::Line(name, Arc::new(line), interrupt);
                Ok(self.line(feed).map_err(Into::into))
            }
            Err(error) => Ok(Err(self.device_error(&error))),
        }
    }

    fn drop(&mut self, pin: Resource<Pin>) -> wasmtime::Result<()> {
        let Pin { name, output, line } = self.table.delete(pin)?;
        self.heritage.give_back_pin(name, output, line);
        Ok(())
    }
}

impl Guest {
    fn open_pin(&mut self, name: &str, direction: Direction) -> Result<Resource<Pin>, ErrorCode> {
        let (output, initial) = match direction {
            Direction::Input => (false, false),
            Direction::Output(high) => (true, high),
        };
        let driver = self.driver.clone();
        let entry = driver
            .grants
            .pin(name, output)
            .map_err(|reason| ErrorCode::from(self.refused(&reason)))?;
        self.may_open()?;
        let is_open = self.pins.is_open(name);
        let line = match self.staging() {
            Some(_) if is_open => Err(Error::Busy {
                line: entry.line.get_ref().clone(),
                consumer: driver.name.clone(),
            }),
            Some(staging) => adopt(staging, &driver, name, entry, (output, initial)),
            None => {
                let inherited =
                    Context::with_current(|cx| self.heritage.pin(cx, &driver, name, output));
                match inherited {
                    Some(line) if output => line.set(initial).map(|()| line),
                    Some(line) => Ok(line),
                    None => request(&driver, name, entry, initial),
                }
            }
        };
        let line = line.map_err(|error| ErrorCode::from(self.device_error(&error)))?;
        self.pins.insert(name, output, &line);
        self.levels.opened(name, &line);
        self.push(Pin {
            name: name.to_owned(),
            output,
            line,
        })
        .ok_or(ErrorCode::NoResources)
    }

    /// The line with the rate that its entry allows.
    fn capped(&self, name: &LineName, line: Arc<dyn InterruptLine>) -> Arc<dyn InterruptLine> {
        let cap = match name {
            LineName::Pin(pin, _) => self.driver.grants.rate_cap(pin),
            LineName::Readable(_) | LineName::Writable(_) => None,
        };
        match cap {
            Some(per_second) => Arc::new(RateCapped::new(line, per_second)),
            None => line,
        }
    }

    /// The log says why, since a code cannot.
    fn refused(&self, reason: &str) -> WitErrorCode {
        self.driver.log.host(reason);
        WitErrorCode::NotGranted
    }

    fn device_error(&self, error: &Error) -> WitErrorCode {
        self.driver.log.host(&error.to_string());
        match error {
            Error::NoLine { .. } => WitErrorCode::NoDevice,
            Error::Busy { .. } | Error::HasInterrupt { .. } => WitErrorCode::Busy,
            Error::NotOutput { .. } => WitErrorCode::NotPermitted,
            Error::Unsupported { .. } => WitErrorCode::Unsupported,
            _ => WitErrorCode::Io,
        }
    }
}
