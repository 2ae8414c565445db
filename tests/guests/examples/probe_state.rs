//! Counts what reaches it, and leaves the counts to its next version. In the
//! board entry's config `save`, `start` and `restore` say in which odd way it
//! does that in a reload (see `save`, `misbehave_in_start` and `restore`), and
//! `bytes` how long the state is at least; with `stop` as `dawdles` its `stop` takes
//! its time. `edges` is `level` where `in` interrupts
//! as long as it is high.

#![forbid(unsafe_code)]

use loopgate_guest::__private::bindings::loopgate::driver::work_loop as raw;
use loopgate_guest::prelude::*;

/// The counts, as text: edges, timeouts, software interrupts, completions,
/// reloads.
const COUNTS: u32 = 1;
/// Arms the timer for `scalars[0]` ns.
const ARM: u32 = 2;
/// Causes `scalars[0]` software interrupts.
const SIGNAL: u32 = 3;
/// Drives `out`.
const SET: u32 = 4;
/// Disables the gate of the service `held`, or enables it: `scalars[0]`.
const ADMIT: u32 = 5;
/// Ends what `WAIT` has left pending.
const FREE: u32 = 6;
/// Submits `WAIT` to the service that config `target` names.
const SUBMIT: u32 = 7;
/// What calls before the commit got.
const TOLD: u32 = 8;
/// Sees to the edges of `in`, or not: `scalars[0]`.
const LISTEN: u32 = 9;

/// Of the service `held`: left pending.
const WAIT: u32 = 1;
/// Answered with the number of reloads.
const NOW: u32 = 2;

const VERSION: u32 = 1;

/// The second pads it: text, which serde moves in one piece.
type State = (Counts, String);
/// Edges, timeouts, software interrupts, completions, reloads.
type Counts = [u64; 5];

struct Probe {
    counts: Counts,
    told: Vec<String>,
    pending: Vec<Pending>,
    save: String,
    restore: String,
    stop: String,
    bytes: usize,
    out: Option<OutputPin>,
    input: Option<Interrupt>,
    software: Interrupt,
    timer: Timer,
    held: Option<Service>,
    client: Option<Client>,
    _state: Service,
}

impl Driver for Probe {
    fn start(cx: &Context) -> Result<Self> {
        let odd = |key| cx.config(key).unwrap_or_default().to_owned();
        let start = match cx.cause() {
            Cause::Reload => odd("start"),
            _ => String::new(),
        };
        let name = cx.config("service").unwrap_or("state").to_owned();
        let state = cx
            .service(&name)
            .concurrent()
            .selector(COUNTS, "counts", "", "")
            .selector(ARM, "arm", "ns", "")
            .selector(SIGNAL, "signal", "how many", "")
            .selector(SET, "set", "level", "")
            .selector(ADMIT, "admit", "whether", "")
            .selector(FREE, "free", "", "")
            .selector(SUBMIT, "submit", "", "")
            .selector(TOLD, "told", "", "")
            .selector(LISTEN, "listen", "whether", "");
        let held = |serial: bool| {
            let service = cx
                .service(cx.config("held").unwrap_or("held"))
                .selector(WAIT, "wait", "", "")
                .selector(NOW, "now", "", "reloads");
            if serial {
                service
            } else {
                service.concurrent()
            }
        };
        let edges = match (cx.config("edges"), &*start) {
            (_, "other-edges") => Edges::Rising,
            (Some("level"), _) => Edges::HighLevel,
            _ => Edges::Both,
        };
        let mut probe = Self {
            counts: Counts::default(),
            told: Vec::new(),
            pending: Vec::new(),
            save: odd("save"),
            restore: odd("restore"),
            stop: odd("stop"),
            bytes: cx.config_or("bytes", 0)?,
            // Driven low, if it is not adopted.
            out: Some(cx.output("out")?),
            input: Some(cx.interrupt(&cx.input("in")?.edges(edges)?)?),
            software: cx.software_interrupt()?,
            timer: cx.timer()?,
            _state: state.publish()?,
            held: Some(held(start != "other-terms").publish()?),
            client: cx
                .config("target")
                .map(|name| cx.client(name))
                .transpose()?,
        };
        probe.misbehave_in_start(&start, cx)?;
        Ok(probe)
    }

    fn save(&self) -> Result<Saved> {
        match &*self.save {
            "unsupported" => return Err(ErrorCode::Unsupported.into()),
            "busy" => return Err(ErrorCode::Busy.into()),
            "io" => return Err(ErrorCode::Io.into()),
            "traps" => panic!("as it was told"),
            "spins" => spin(),
            // Of a version that nobody knows, and nothing of the kind.
            "lies" => return Saved::new(VERSION + 1, "nonsense"),
            "lies-quietly" => return Saved::new(VERSION, "nonsense"),
            "shouts" => info!("{}", "a".repeat(100_000)),
            "huge" => return Saved::new(VERSION, &vec![7_u8; 600 << 10]),
            _ => {}
        }
        let state: State = (self.counts, "7".repeat(self.bytes));
        Saved::new(VERSION, &state)
    }

    fn restore(&mut self, saved: &Saved) -> Result<()> {
        match &*self.restore {
            "traps" => panic!("as it was told"),
            "spins" => spin(),
            "refuses" => return Err(ErrorCode::Io.into()),
            "unsupported" => return Err(ErrorCode::Unsupported.into()),
            "effects" => self.effects(),
            "changes" => {
                self.software.signal()?;
                self.timer.set_timeout(2.millis())?;
            }
            _ => {}
        }
        let (counts, _): State = saved.get(VERSION)?;
        self.counts = counts;
        self.counts[4] += 1;
        Ok(())
    }

    fn interrupt(&mut self, source: InterruptId, event: Interrupts) -> Result<()> {
        let which = if source == self.software { 2 } else { 0 };
        self.counts[which] += u64::from(event.count) + u64::from(event.lost);
        Ok(())
    }

    fn timeout(&mut self, _: TimerId, _: Timeout) -> Result<()> {
        self.counts[1] += 1;
        Ok(())
    }

    fn completed(&mut self, _: u32, _: RequestId, _: Result<Reply>) -> Result<()> {
        self.counts[3] += 1;
        Ok(())
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        if self
            .held
            .as_ref()
            .is_some_and(|held| request.gate() == *held)
        {
            if request.selector == NOW {
                return Ok(self.counts[4].into());
            }
            let (pending, reply) = request.defer();
            self.pending.push(pending);
            return Ok(reply);
        }
        let [scalar, ..] = request.scalars;
        match request.selector {
            COUNTS => return Ok(Reply::new(self.counts[0], format!("{:?}", self.counts))),
            ARM => self.timer.set_timeout(Duration::from_nanos(scalar))?,
            SIGNAL => (0..scalar).try_for_each(|_| self.software.signal())?,
            SET => self.set(scalar != 0)?,
            ADMIT => {
                if let Some(held) = &self.held {
                    if scalar == 0 {
                        held.disable();
                    } else {
                        held.enable();
                    }
                }
            }
            FREE => {
                for pending in self.pending.drain(..) {
                    pending.complete(Ok(7_u64.into()))?;
                }
            }
            SUBMIT => {
                if let Some(client) = &self.client {
                    let ask = Ask {
                        selector: WAIT,
                        ..Ask::default()
                    };
                    client.submit_with_context(&ask, None, 5)?;
                }
            }
            LISTEN => {
                if let Some(input) = &self.input {
                    if scalar == 0 {
                        input.disable();
                    } else {
                        input.enable();
                    }
                }
            }
            _ => return Ok(Reply::new(0, self.told.join(" "))),
        }
        Ok(0_u64.into())
    }

    /// Seen from outside, if it is ever called.
    fn stop(&mut self) {
        if self.stop == "dawdles" {
            let _ = delay(200.millis());
        }
        let _ = self.set(true);
    }
}

impl Probe {
    fn set(&self, high: bool) -> Result<()> {
        self.out.as_ref().map_or(Ok(()), |out| out.set(high))
    }

    fn misbehave_in_start(&mut self, how: &str, cx: &Context) -> Result<()> {
        match how {
            "traps" => panic!("as it was told"),
            "spins" => spin(),
            "refuses" => return Err(ErrorCode::Io.into()),
            "effects" => self.effects(),
            "twice" => {
                let line = cx.input("in").map(drop);
                self.tell("pin", line.map_err(|error| error.code()));
                let out = cx.output("out").map(drop);
                self.tell("out", out.map_err(|error| error.code()));
                let timer = raw::TimerEventSource::create(1).map(drop);
                self.tell("timer", timer.map_err(Into::into));
                let gate = raw::CommandGate::create(1).map(drop);
                self.tell("gate", gate.map_err(Into::into));
                let source = raw::InterruptEventSource::create(None, 1 << 31).map(drop);
                self.tell("source", source.map_err(Into::into));
                let service = cx.service("held").publish().map(drop);
                self.tell("service", service.map_err(|error| error.code()));
            }
            "drops" => {
                self.out = None;
                self.input = None;
                self.held = None;
                self.timer = cx.timer()?;
                self.software = cx.software_interrupt()?;
            }
            "changes" => {
                self.software.signal()?;
                self.timer.set_timeout(1.millis())?;
            }
            "dawdles" => delay(200.millis())?,
            "cancels" => self.timer.cancel_timeout(),
            "floods" => loop {
                self.timer.cancel_timeout();
            },
            "two" => {
                drop(cx.output_high("new")?);
                let new = cx.output_high("new")?;
                std::mem::forget((new, cx.output_high("also")?));
            }
            "new" => {
                let new = cx.output_high("new")?;
                self.tell(
                    "high",
                    new.is_high()
                        .map(|high| assert!(high))
                        .map_err(|error| error.code()),
                );
                self.tell("set", new.set_low().map_err(|error| error.code()));
                std::mem::forget(new);
            }
            _ => {}
        }
        Ok(())
    }

    /// Whatever can be seen outside.
    fn effects(&mut self) {
        let set = self.set(true).map_err(|error| error.code());
        self.tell("set", set);
        if let Some(client) = &self.client {
            let ask = Ask {
                selector: NOW,
                ..Ask::default()
            };
            let codes = [
                client.run_command(&ask, 1.millis()).map(drop),
                client.attempt_command(&ask).map(drop),
                client.immediate_command(&ask, 1.millis()).map(drop),
                client.submit_with_context(&ask, None, 5).map(drop),
            ];
            for (what, code) in ["run", "attempt", "immediate", "submit"]
                .into_iter()
                .zip(codes)
            {
                self.tell(what, code.map_err(|error| error.code()));
            }
        }
    }

    fn tell(&mut self, what: &str, got: Result<(), ErrorCode>) {
        let got = got.map_or_else(|code| code.name().to_owned(), |()| "done".to_owned());
        self.told.push(format!("{what}={got}"));
    }
}

fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

driver!(Probe);
