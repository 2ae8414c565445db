//! Does with pins what it is asked to: a request's data is the pin's name. What
//! config `input` names it opens in `start` already, and hears of both edges. With
//! `closing` it asks for time where a provider goes, and closes all so many ms later.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;
use std::collections::BTreeMap;

const INPUT: u32 = 1;
const OUTPUT: u32 = 2;
const CLOSE: u32 = 3;
const READ: u32 = 4;
const SET: u32 = 5;
const LISTEN: u32 = 6;
const FILTER: u32 = 7;
const REPORT: u32 = 8;
const CHURN: u32 = 9;
const TOLD: u32 = 10;

/// Interrupts by a level that are heard before the source is switched off.
const LEVELS_MAX: u32 = 3;

const EDGES: [Edges; 5] = [
    Edges::Rising,
    Edges::Falling,
    Edges::Both,
    Edges::HighLevel,
    Edges::LowLevel,
];

enum Pin {
    Input(InputPin),
    Output(OutputPin),
}

struct Heard {
    name: String,
    level: bool,
    count: u32,
    source: Interrupt,
}

struct Probe {
    pins: BTreeMap<String, Pin>,
    heard: Vec<Heard>,
    report: Vec<String>,
    told: Vec<String>,
    closing: Option<u64>,
    timer: Timer,
    _service: Service,
}

impl Driver for Probe {
    fn start(cx: &Context) -> Result<Self> {
        let service = cx
            .service(service_name(cx, "pins"))
            .input_max(64)
            .selector(INPUT, "input", "a pin", "")
            .selector(OUTPUT, "output", "a pin, its level", "")
            .selector(CLOSE, "close", "a pin", "")
            .selector(READ, "read", "a pin", "its level")
            .selector(SET, "set", "a pin, its level", "")
            .selector(LISTEN, "listen", "a pin, its edges", "")
            .selector(FILTER, "filter", "a pin, the input that decides", "")
            .selector(REPORT, "report", "", "the interrupts since")
            .selector(CHURN, "churn", "a pin, how often to open and close it", "")
            .selector(TOLD, "told", "", "what it was told of its providers since");
        let closing = cx.config("closing").map(str::parse).transpose();
        let mut probe = Self {
            pins: BTreeMap::new(),
            heard: Vec::new(),
            report: Vec::new(),
            told: Vec::new(),
            closing: closing.map_err(|_| ErrorCode::BadArgument)?,
            timer: cx.timer()?,
            _service: service.publish()?,
        };
        if let Some(input) = cx.config("input") {
            probe
                .pins
                .insert(input.to_owned(), Pin::Input(cx.input(input)?));
            probe.listen(input, 2)?;
        }
        Ok(probe)
    }

    fn interrupt(&mut self, source: InterruptId, event: Interrupts) -> Result<()> {
        let heard = self.heard.iter_mut().find(|heard| source == heard.source);
        let heard = heard.ok_or(ErrorCode::BadArgument)?;
        for occurrence in heard.source.take_occurrences(1000) {
            self.report.push(format!(
                "{} {} {} at {}",
                heard.name,
                occurrence.sequence,
                if occurrence.high { "high" } else { "low" },
                occurrence.timestamp.as_nanos()
            ));
        }
        heard.count += event.count;
        if heard.level && heard.count >= LEVELS_MAX {
            heard.source.disable();
        }
        Ok(())
    }

    fn structural(&mut self, event: StructuralEvent, service: &str) -> Readiness {
        self.told.push(format!("{event:?} {service}"));
        let terminated = event == StructuralEvent::ProviderTerminated;
        if let Some(after) = self.closing.filter(|_| terminated) {
            let _ = self.timer.set_timeout(after.millis());
            return Readiness::Closing;
        }
        Readiness::Ready
    }

    fn timeout(&mut self, _: TimerId, _: Timeout) -> Result<()> {
        self.heard.clear();
        self.pins.clear();
        Ok(())
    }

    fn filter(event: FilterEvent) -> Verdict {
        if event.levels >> event.word & 1 == 1 {
            Verdict::Mine
        } else {
            Verdict::NotMine
        }
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        let name = String::from_utf8_lossy(&request.data).into_owned();
        let [number, ..] = request.scalars;
        match request.selector {
            INPUT => {
                let pin = InputPin::open(&name)?;
                self.pins.insert(name, Pin::Input(pin));
            }
            OUTPUT => {
                let pin = OutputPin::open(&name, number == 1)?;
                self.pins.insert(name, Pin::Output(pin));
            }
            CLOSE => {
                self.heard.retain(|heard| heard.name != name);
                self.pins.remove(&name);
            }
            READ => {
                let high = match self.pin(&name)? {
                    Pin::Input(pin) => pin.is_high()?,
                    Pin::Output(pin) => pin.is_high()?,
                };
                return Ok(u64::from(high).into());
            }
            SET => match self.pin(&name)? {
                Pin::Output(pin) => pin.set(number == 1)?,
                Pin::Input(_) => return Err(ErrorCode::NotPermitted.into()),
            },
            LISTEN => self.listen(&name, number as usize)?,
            FILTER => {
                let line = self.input(&name)?.edges(Edges::Both)?;
                let source = Interrupt::create_filtered(&line, number)?;
                self.hear(&name, Edges::Both, source);
            }
            CHURN => {
                for _ in 0..number {
                    InputPin::open(&name)?;
                }
            }
            TOLD => return Ok(std::mem::take(&mut self.told).join("\n").into()),
            _ => return Ok(std::mem::take(&mut self.report).join("\n").into()),
        }
        Ok(().into())
    }
}

impl Probe {
    fn pin(&self, name: &str) -> Result<&Pin> {
        Ok(self.pins.get(name).ok_or(ErrorCode::NotReady)?)
    }

    fn input(&self, name: &str) -> Result<&InputPin> {
        match self.pin(name)? {
            Pin::Input(pin) => Ok(pin),
            Pin::Output(_) => Err(ErrorCode::NotPermitted.into()),
        }
    }

    fn listen(&mut self, name: &str, edges: usize) -> Result<()> {
        let edges = *EDGES.get(edges).ok_or(ErrorCode::BadArgument)?;
        let source = Interrupt::create(Some(&self.input(name)?.edges(edges)?))?;
        self.hear(name, edges, source);
        Ok(())
    }

    fn hear(&mut self, name: &str, edges: Edges, source: Interrupt) {
        self.heard.push(Heard {
            name: name.to_owned(),
            level: matches!(edges, Edges::HighLevel | Edges::LowLevel),
            count: 0,
            source,
        });
    }
}

driver!(Probe);
