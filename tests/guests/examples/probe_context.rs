//! Logs, in every callback, whether it runs in the gate and on the loop's
//! thread: `CALLBACK | in-gate | on-thread`, as the table in `wit/README.md`
//! has them.

#![forbid(unsafe_code)]

use loopgate_guest::WorkLoop;
use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;

/// Tells of itself; `scalars[0]` is whose request it is, an index of `FROM`.
const TELL: u32 = 1;
/// Sleeps for a millisecond, or with `scalars[0]` = 1 until its client gives up,
/// with 2 until the driver that has submitted it does.
const SLEEP: u32 = 2;
/// Causes an interrupt, and a timeout that asks the drivers that config `near`
/// and `far` name to tell, submits the same to them, and uses their pins.
const CAUSE: u32 = 3;
/// Panics.
const DIE: u32 = 4;

const FROM: [&str; 4] = [
    "command, from a client",
    "command, from a handler on this loop",
    "command, from a handler on another loop",
    "command, submitted by another driver",
];
/// The last of them.
const SUBMITTED: u64 = 3;

/// What it publishes where config `pins` says for whose handlers.
const PINS: [&str; 2] = ["in", "out"];
/// The second of them.
const OUT: u32 = 1;

struct Probe {
    pins_are_for: String,
    others: Vec<Other>,
    /// Those that sleep until the driver that has submitted them gives up.
    submitted: Vec<RequestId>,
    stateful: bool,
    /// Whether the board may sleep, so that the change that follows is its.
    asked: bool,
    interrupt: Interrupt,
    timer: Timer,
    _service: Service,
}

/// A driver to ask.
struct Other {
    name: &'static str,
    client: Client,
    /// What it tells when it is asked.
    from: u64,
    /// Submitted to it, to be cancelled once it is there.
    asleep: Option<RequestId>,
}

impl Driver for Probe {
    fn start(cx: &Context) -> Result<Self> {
        tell(match cx.cause() {
            Cause::Restart => "start, again after a death",
            Cause::Boot | Cause::Reload => "start",
        });
        let service = cx
            .service(service_name(cx, "context"))
            .concurrent()
            .selector(TELL, "tell", "whose request it is", "")
            .selector(SLEEP, "sleep", "1: without end", "")
            .selector(CAUSE, "cause", "", "")
            .selector(DIE, "die", "", "");
        let mut others = Vec::new();
        for (key, from) in [("near", 1), ("far", 2)] {
            if let Some(service) = cx.config(key) {
                others.push(Other {
                    name: key,
                    client: cx.client(service)?,
                    from,
                    asleep: None,
                });
            }
        }
        if cx.config("pins").is_some() {
            cx.publish_pins(service_name(cx, "context"), &PINS)?;
        }
        Ok(Self {
            pins_are_for: cx.config("pins").unwrap_or_default().to_owned(),
            others,
            submitted: Vec::new(),
            stateful: cx.config("stateful").is_some(),
            asked: false,
            interrupt: cx.software_interrupt()?,
            timer: cx.timer()?,
            _service: service.publish()?,
        })
    }

    fn interrupt(&mut self, _: InterruptId, _: Interrupts) -> Result<()> {
        tell("interrupt-occurred");
        Ok(())
    }

    fn timeout(&mut self, _: TimerId, _: Timeout) -> Result<()> {
        tell("timeout-occurred");
        for (other, context) in self.others.iter_mut().zip(0..) {
            let client = &other.client;
            client.run_command(&ask(TELL, other.from), 100.millis())?;
            // Taken in this order, so the first one sleeps when the second is over.
            other.asleep = Some(client.submit_with_context(&ask(SLEEP, 2), None, context)?);
            client.submit_with_context(&ask(TELL, SUBMITTED), None, context)?;
            InputPin::open(&format!("{}-in", other.name))?.is_high()?;
            OutputPin::open(&format!("{}-out", other.name), false)?.set_high()?;
        }
        Ok(())
    }

    fn pin_read(&mut self, _: u32) -> Result<bool> {
        self.tell_of_pin("pin-read");
        Ok(true)
    }

    fn pin_write(&mut self, _: u32, _: bool) -> Result<()> {
        self.tell_of_pin("pin-write");
        Ok(())
    }

    fn pin_configure(&mut self, pin: u32, output: Option<bool>) -> Result<()> {
        match (pin, output) {
            (OUT, None) => tell("pin-configure, of a pin that was closed"),
            (OUT, Some(_)) => self.tell_of_pin("pin-configure"),
            _ => {}
        }
        Ok(())
    }

    fn completed(&mut self, context: u32, _: RequestId, _: Result<Reply>) -> Result<()> {
        tell("completed");
        let mut others = self.others.iter_mut().zip(0..);
        let other = others.find(|(_, index)| *index == context);
        if let Some((other, _)) = other
            && let Some(id) = other.asleep.take()
        {
            other.client.cancel(id)?;
        }
        Ok(())
    }

    fn cancelled(&mut self, id: RequestId) {
        tell(if self.submitted.contains(&id) {
            "cancelled, of a submitted request"
        } else {
            "cancelled, of a client's request"
        });
    }

    fn save(&self) -> Result<Saved> {
        tell("save-state");
        if self.stateful {
            Saved::new(1, &())
        } else {
            Err(ErrorCode::Unsupported.into())
        }
    }

    fn restore(&mut self, _: &Saved) -> Result<()> {
        tell("restore-state");
        Ok(())
    }

    fn structural(&mut self, _: StructuralEvent, _: &str) -> Readiness {
        tell("structural");
        Readiness::Ready
    }

    fn allow_power_change(&mut self, _: PowerState) -> bool {
        self.asked = true;
        tell("allow-power-change");
        true
    }

    fn set_power_state(&mut self, _: PowerState) -> Result<PowerChange> {
        let in_change = std::mem::replace(&mut self.asked, true);
        tell(if in_change {
            "set-power-state, in a change"
        } else {
            "set-power-state, after start"
        });
        Ok(PowerChange::Made)
    }

    fn power_state_did_change(&mut self, _: PowerState) {
        tell("power-state-did-change");
    }

    fn stop(&mut self) {
        tell("stop");
    }
}

impl AsyncDriver for Probe {
    async fn command(this: Gated<Self>, request: Request) -> Result<Reply> {
        let [scalar, ..] = request.scalars;
        match request.selector {
            TELL => {
                let from = usize::try_from(scalar).ok();
                tell(from.and_then(|from| FROM.get(from)).unwrap_or(&"command"));
            }
            DIE => panic!("as it was told"),
            SLEEP if scalar == 1 => this.sleep(1).await?,
            SLEEP if scalar == 2 => {
                this.with(|probe| probe.submitted.push(request.id()));
                this.sleep(1).await?;
            }
            SLEEP => {
                let _ = this.sleep_until(1, now() + 1.millis()).await;
                tell("resume");
            }
            _ => this.with(|probe| {
                probe.interrupt.signal()?;
                probe.timer.set_timeout(1.millis())
            })?,
        }
        Ok(().into())
    }
}

impl Probe {
    fn tell_of_pin(&self, callback: &str) {
        tell(&format!("{callback}, for {}", self.pins_are_for));
    }
}

fn ask(selector: u32, scalar: u64) -> Ask<'static> {
    Ask {
        selector,
        scalars: [scalar, 0, 0, 0],
        ..Ask::default()
    }
}

fn tell(callback: &str) {
    let work_loop = WorkLoop::get();
    info!(
        "{callback} | {} | {}",
        work_loop.in_gate(),
        work_loop.on_thread()
    );
}

driver!(async Probe);
