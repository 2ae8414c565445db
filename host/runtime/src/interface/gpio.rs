//! `gpio`: pins by the names that the board file gives them.

mod published;

use super::interrupt::{Feed, Line};
use crate::bindings::WitErrorCode;
use crate::bindings::loopgate::driver::gpio::{Direction, Edge, Host, HostPin};
use crate::board_file::GpioEntry;
use crate::error::ErrorCode;
use crate::grants::Named;
use crate::guest::Guest;
use crate::heritage::LineName;
use crate::published_pins::PublishedPin;
use crate::staging::{LateInterrupt, LateLine};
use loopgate_devices::gpio::{Edges, Error, GpioLine};
use loopgate_workloop::{Context, InterruptLine, RateCapped};
use std::sync::Arc;
use wasmtime::component::Resource;

/// An open pin. Dropping it releases the line.
pub struct Pin {
    name: String,
    output: bool,
    /// None once the grant was withdrawn.
    line: Option<Arc<dyn GpioLine>>,
    /// Where it is a pin of another driver.
    published: Option<Arc<PublishedPin>>,
}

impl Pin {
    /// Takes away what is behind it, where it is one of these; whether it is an
    /// output stands beside.
    pub(crate) fn withdraw(&mut self, grant: &Named) -> Option<(String, bool, Arc<dyn GpioLine>)> {
        let line = self.line.take_if(|_| grant.pins.contains(&self.name))?;
        self.published = None;
        Some((self.name.clone(), self.output, line))
    }
}

type Answer<T> = wasmtime::Result<Result<T, WitErrorCode>>;

impl Host for Guest {}

impl HostPin for Guest {
    fn open(&mut self, name: String, direction: Direction) -> Answer<Resource<Pin>> {
        Ok(self.open_pin(&name, direction).map_err(Into::into))
    }

    fn is_high(&mut self, pin: Resource<Pin>) -> Answer<bool> {
        let pin = self.table.get(&pin)?;
        if let Some(input) = pin.published.clone().filter(|_| !pin.output) {
            return Ok(self.read_published(&input).map_err(Into::into));
        }
        let Some(line) = &pin.line else {
            return Ok(Err(self.withdrawn(pin)));
        };
        let answer = line.is_high();
        Ok(answer.map_err(|error| self.device_error(&error)))
    }

    fn set(&mut self, pin: Resource<Pin>, high: bool) -> Answer<()> {
        let pin = self.table.get(&pin)?;
        if !pin.output {
            return Ok(Err(WitErrorCode::NotPermitted));
        }
        let Some(line) = &pin.line else {
            return Ok(Err(self.withdrawn(pin)));
        };
        if let Err(code) = self.may_act() {
            return Ok(Err(code.into()));
        }
        if let Some(output) = pin.published.clone() {
            return Ok(self.write_published(&output, high).map_err(Into::into));
        }
        let answer = line.set(high);
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
        let is_published = pin.published.is_some();
        let Some(line) = pin.line.clone() else {
            return Ok(Err(self.withdrawn(pin)));
        };
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
                let interrupt = self.capped(&name, interrupt, is_published);
                let feed = Feed::Line(name, Arc::new(line), interrupt);
                Ok(self.line(feed).map_err(Into::into))
            }
            Err(error) => Ok(Err(self.device_error(&error))),
        }
    }

    fn drop(&mut self, pin: Resource<Pin>) -> wasmtime::Result<()> {
        let Pin {
            name, output, line, ..
        } = self.table.delete(pin)?;
        let Some(line) = line else {
            return Ok(());
        };
        if output && self.driver.keeps(&name) {
            // Staged, it is the last version's still.
            if !self.handing_over && !self.is_staged() {
                self.driver.rest(&name, line);
            }
        } else {
            self.heritage.give_back_pin(name, output, line);
        }
        Ok(())
    }
}

impl Guest {
    fn open_pin(&mut self, name: &str, direction: Direction) -> Result<Resource<Pin>, ErrorCode> {
        let level = match direction {
            Direction::Input => None,
            Direction::Output(high) => Some(high),
        };
        let output = level.is_some();
        let driver = self.driver.clone();
        let entry = driver
            .grants
            .pin(name, output)
            .map_err(|reason| ErrorCode::from(self.refused(&reason)))?;
        self.may_open()?;
        let published = driver.published_pins.get(entry.line.get_ref());
        let line = if self.is_staged() {
            self.staged_line(name, entry, published.as_ref(), level)?
        } else {
            let inherited =
                Context::with_current(|cx| self.heritage.pin(cx, &driver, name, output))
                    .or_else(|| driver.at_rest.take(name).filter(|_| output));
            match &published {
                Some(pin) => self.published_line(pin, inherited, level)?,
                None => self.board_line(name, entry, inherited, level)?,
            }
        };
        self.pins.insert(name, output, &line);
        if output && published.is_none() {
            driver.driven.insert(name, &line);
        }
        self.levels.opened(name, &line);
        self.push(Pin {
            name: name.to_owned(),
            output,
            line: Some(line),
            published,
        })
        .ok_or(ErrorCode::NoResources)
    }

    /// The pin as the last version has it; else a new one, which nothing drives
    /// before the commit.
    fn staged_line(
        &mut self,
        name: &str,
        entry: &GpioEntry,
        published: Option<&Arc<PublishedPin>>,
        output: Option<bool>,
    ) -> Result<Arc<dyn GpioLine>, ErrorCode> {
        let is_open = self.pins.is_open(name);
        let last = self.staging().and_then(|staging| staging.pins.remove(name));
        match (last, output) {
            (Some((was_output, line)), _) if was_output == output.is_some() => Ok(line),
            (Some(other), _) => {
                if let Some(staging) = self.staging() {
                    staging.pins.insert(name.to_owned(), other);
                }
                let why = "is open the other way in the version before this one";
                self.driver.log.host(&format!("pin `{name}` {why}"));
                Err(ErrorCode::Busy)
            }
            (None, _) if is_open => {
                self.driver
                    .log
                    .host(&format!("pin `{name}` is open already"));
                Err(ErrorCode::Busy)
            }
            // Its provider would have to be asked.
            (None, _) if published.is_some() => self.may_act().and(Err(ErrorCode::Busy)),
            (None, Some(initial)) => {
                let wanted = entry.request(&self.driver.name, initial);
                let line = LateLine::new(&*self.driver.devices.gpio, &wanted, initial)
                    .map_err(|error| ErrorCode::from(self.device_error(&error)))?;
                if let Some(staging) = self.staging() {
                    staging.output(&line);
                }
                Ok(line)
            }
            (None, None) => self.board_line(name, entry, None, None),
        }
    }

    fn board_line(
        &self,
        name: &str,
        entry: &GpioEntry,
        inherited: Option<Arc<dyn GpioLine>>,
        output: Option<bool>,
    ) -> Result<Arc<dyn GpioLine>, ErrorCode> {
        let opened = match (inherited, output) {
            (Some(line), Some(high)) => match line.set(high) {
                Err(error @ Error::Gone { .. }) => {
                    // It is nobody's, and comes back in its safe state.
                    self.driver.rest(name, line);
                    Err(error)
                }
                set => set.map(|()| line),
            },
            (Some(line), None) => Ok(line),
            (None, _) => {
                let driver = &self.driver;
                if let Some(lines) = driver.devices.shared.as_ref().filter(|_| entry.shared) {
                    lines.open(driver, name, entry)
                } else {
                    let request = entry.request(&driver.name, output.unwrap_or(false));
                    driver.devices.gpio.request(&request)
                }
            }
        };
        opened.map_err(|error| self.device_error(&error).into())
    }

    /// The line with the rate that its entry allows. What a provider says of the
    /// time of its pins is its own.
    fn capped(
        &self,
        name: &LineName,
        line: Arc<dyn InterruptLine>,
        is_published: bool,
    ) -> Arc<dyn InterruptLine> {
        let cap = match name {
            LineName::Pin(pin, _) => self.driver.grants.rate_cap(pin),
            LineName::Readable(_) | LineName::Writable(_) => None,
        };
        match cap {
            Some(per_second) if is_published => {
                let clock = self.driver.time.clock();
                Arc::new(RateCapped::by_arrival(line, per_second, clock))
            }
            Some(per_second) => Arc::new(RateCapped::new(line, per_second)),
            None => line,
        }
    }

    /// The grant of a pin was withdrawn that is open still.
    fn withdrawn(&self, pin: &Pin) -> WitErrorCode {
        let refused = self.driver.grants.pin(&pin.name, pin.output);
        refused.map_or_else(|reason| self.refused(&reason), |_| WitErrorCode::NotGranted)
    }

    /// The log says why, since a code cannot.
    fn refused(&self, reason: &str) -> WitErrorCode {
        self.driver.log.host(reason);
        WitErrorCode::NotGranted
    }

    fn device_error(&self, error: &Error) -> WitErrorCode {
        self.driver.log.host(&error.to_string());
        match error {
            Error::NoLine { .. }
            | Error::Ambiguous { .. }
            | Error::Denied { .. }
            | Error::Gone { .. } => WitErrorCode::NoDevice,
            Error::Busy { .. } | Error::HasInterrupt { .. } => WitErrorCode::Busy,
            Error::NotOutput { .. } => WitErrorCode::NotPermitted,
            Error::Unsupported { .. } => WitErrorCode::Unsupported,
            _ => WitErrorCode::Io,
        }
    }
}
