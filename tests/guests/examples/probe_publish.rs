//! Publishes the pins `P0`, `P1` and so on under the service that config
//! `service` names, and notes what it is called for. Config `read` says what a
//! read does: `traps`, `spins`, `errs`, or `changes` the pin meanwhile; with
//! `configure = "refuses"` no pin can be opened. After a reload it does what
//! config `reload` says: publishes `fewer` pins or in `reverse`, tells that all
//! are `high`, or `refuses` them. With `control` its service is of that name; with
//! `told = "yes"` it notes what it is told of its clients, too.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;

const CHANGE: u32 = 1;
const PUBLISH: u32 = 2;
const REPORT: u32 = 3;
const TRAP: u32 = 4;

/// Pins that it publishes.
const PINS: u32 = 8;

struct Probe {
    name: String,
    read: String,
    refuses: bool,
    told: bool,
    pins: Option<PublishedPins>,
    levels: [bool; PINS as usize],
    report: Vec<String>,
    _service: Service,
}

impl Driver for Probe {
    fn start(cx: &Context) -> Result<Self> {
        let name = service_name(cx, "expander");
        let service = cx
            .service(cx.config("control").unwrap_or(name))
            .input_max(64)
            .selector(CHANGE, "change", "pin, high, at (0: now)", "the outcome")
            .selector(
                PUBLISH,
                "publish",
                "how many pins, name's length",
                "the outcome",
            )
            .selector(REPORT, "report", "", "what it was called for since")
            .selector(TRAP, "trap", "", "");
        let service = service.publish()?;
        let reload = match cx.cause() {
            Cause::Reload => cx.config("reload").unwrap_or_default(),
            _ => "",
        };
        let mut probe = Self {
            name: name.to_owned(),
            read: cx.config("read").unwrap_or_default().to_owned(),
            refuses: reload == "refuses" || cx.config("configure") == Some("refuses"),
            told: cx.config("told").is_some(),
            pins: None,
            levels: [false; PINS as usize],
            report: Vec::new(),
            _service: service,
        };
        if cx.config("pins") != Some("none") {
            probe.publish_as(reload)?;
        }
        Ok(probe)
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        let [first, second, third, _] = request.scalars;
        match request.selector {
            CHANGE => {
                let at = match third {
                    0 => now(),
                    at => Instant::from_nanos(at),
                };
                self.change(first as u32, second == 1, at)?;
            }
            PUBLISH => {
                let name = |number| format!("{number:0>width$}", width = second as usize);
                let names: Vec<String> = (0..first).map(name).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                self.pins = Some(PublishedPins::publish(&self.name, &names)?);
            }
            REPORT => return Ok(std::mem::take(&mut self.report).join("\n").into()),
            _ => panic!("as it was told"),
        }
        Ok(().into())
    }

    fn structural(&mut self, event: StructuralEvent, service: &str) -> Readiness {
        if self.told {
            self.report.push(format!("{event:?} {service}"));
        }
        Readiness::Ready
    }

    fn pin_read(&mut self, pin: u32) -> Result<bool> {
        self.report.push(format!("read {pin}"));
        let level = self.levels[pin as usize];
        match self.read.as_str() {
            "traps" => panic!("as it was told"),
            "spins" => loop {
                std::hint::spin_loop();
            },
            "errs" => return Err(ErrorCode::Io.into()),
            "changes" => self.change(pin, !level, now())?,
            _ => {}
        }
        Ok(level)
    }

    fn pin_write(&mut self, pin: u32, high: bool) -> Result<()> {
        self.report.push(format!("write {pin} {high}"));
        Ok(())
    }

    fn pin_configure(&mut self, pin: u32, output: Option<bool>) -> Result<()> {
        let direction = output.map_or("input".to_owned(), |high| format!("output {high}"));
        self.report.push(format!("configure {pin} {direction}"));
        if self.refuses {
            return Err(ErrorCode::NotPermitted.into());
        }
        Ok(())
    }
}

impl Probe {
    fn publish_as(&mut self, reload: &str) -> Result<()> {
        let mut names: Vec<String> = (0..PINS).map(|pin| format!("P{pin}")).collect();
        match reload {
            "fewer" => names.truncate(1),
            "reverse" => names.reverse(),
            _ => {}
        }
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.pins = Some(PublishedPins::publish(&self.name, &names)?);
        if reload == "high" {
            for pin in 0..PINS {
                self.change(pin, true, now())?;
            }
        }
        Ok(())
    }

    fn change(&mut self, pin: u32, high: bool, at: Instant) -> Result<()> {
        let pins = self.pins.as_ref().ok_or(ErrorCode::NotReady)?;
        pins.changed(pin, high, at)?;
        self.levels[pin as usize] = high;
        Ok(())
    }
}

driver!(Probe);
