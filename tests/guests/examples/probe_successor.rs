//! Counts the edges of its input `in`, and takes them over from its last
//! version in a roundabout way, which config `how` names: see `take_over`. With
//! config `stop` its `stop` meddles with what the next version takes over, and
//! then ends as that says: `returns`, `traps` or `spins`.

#![forbid(unsafe_code)]

use loopgate_guest::WorkLoop;
use loopgate_guest::prelude::*;

const EDGES: u32 = 1;
const TAKE: u32 = 2;
const DROP: u32 = 3;

struct Successor {
    edges: u64,
    stop: Option<String>,
    pin: Option<InputPin>,
    line: Option<Line>,
    source: Option<Interrupt>,
    _service: Service,
}

/// What there is after it: the pin, its line, and the source where the line
/// is not kept for later.
type Taken = (InputPin, Option<Line>, Option<Interrupt>);

fn take_over(how: &str) -> Result<Taken> {
    let pin = InputPin::open("in")?;
    let pin = match how {
        "pin-again" => {
            drop(pin);
            InputPin::open("in")?
        }
        _ => pin,
    };
    let edges = match how {
        "other-edges" => Edges::Falling,
        _ => Edges::Both,
    };
    let line = pin.edges(edges)?;
    let line = match how {
        "line-again" => {
            drop(line);
            pin.edges(edges)?
        }
        "full" => {
            let mut timers = Vec::new();
            while let Ok(timer) = Timer::create() {
                timers.push(timer);
            }
            line
        }
        "later" => return Ok((pin, Some(line), None)),
        _ => line,
    };
    let source = Interrupt::create(Some(&line))?;
    let source = match how {
        "twice" => {
            let second = (InputPin::open("in").is_ok(), pin.edges(edges).is_ok());
            let third = Interrupt::create(Some(&line)).is_ok();
            if second != (false, false) || third {
                return Err(ErrorCode::Io.into());
            }
            source
        }
        "source-again" => {
            drop((source, line));
            Interrupt::create(Some(&pin.edges(edges)?))?
        }
        "removed" => {
            WorkLoop::get().remove_event_source(&source)?;
            WorkLoop::get().add_event_source(&source)?;
            source
        }
        "traps" => panic!("as it was told"),
        "refuses" => return Err(ErrorCode::Io.into()),
        _ => source,
    };
    Ok((pin, None, Some(source)))
}

impl Driver for Successor {
    fn start(cx: &Context) -> Result<Self> {
        let how = match cx.cause() {
            Cause::Reload => cx.config("how").unwrap_or_default(),
            _ => "",
        };
        let (pin, line, source) = take_over(how)?;
        let service = cx
            .service("successor")
            .selector(
                EDGES,
                "edges",
                "",
                "edges of `in` delivered or told as lost",
            )
            .selector(
                TAKE,
                "take",
                "",
                "makes the source that `start` has not made",
            )
            .selector(DROP, "drop", "", "drops the line that it was to be made of")
            .publish()?;
        Ok(Self {
            edges: 0,
            stop: cx.config("stop").map(str::to_owned),
            pin: Some(pin),
            line,
            source,
            _service: service,
        })
    }

    fn interrupt(&mut self, source: InterruptId, event: Interrupts) -> Result<()> {
        if self.source.as_ref().is_some_and(|known| source == *known) {
            self.edges += u64::from(event.count) + u64::from(event.lost);
        }
        Ok(())
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        match request.selector {
            EDGES => return Ok(self.edges.into()),
            TAKE => {
                let source = Interrupt::create(self.line.take().as_ref())?;
                WorkLoop::get().remove_event_source(&source)?;
                WorkLoop::get().add_event_source(&source)?;
                source.enable();
                self.source = Some(source);
            }
            DROP => self.line = None,
            _ => return Err(ErrorCode::BadArgument.into()),
        }
        Ok(0_u64.into())
    }

    fn stop(&mut self) {
        let Some(stop) = &self.stop else { return };
        if let Some(source) = &self.source {
            source.disable();
            let _ = WorkLoop::get().remove_event_source(source);
            let _ = WorkLoop::get().add_event_source(source);
        }
        self.source = None;
        self.pin = None;
        // All of these may fail, and none of it matters.
        let pin = InputPin::open("in");
        let line = pin.as_ref().ok().map(|pin| pin.edges(Edges::Rising));
        let source = Interrupt::create(line.as_ref().and_then(|line| line.as_ref().ok()));
        let service = ServiceBuilder::new("late")
            .selector(1, "late", "", "")
            .publish();
        std::mem::forget((pin, line, source, service, Timer::create()));
        match stop.as_str() {
            "traps" => panic!("as it was told"),
            "spins" => loop {
                std::hint::spin_loop();
            },
            _ => {}
        }
    }
}

driver!(Successor);
