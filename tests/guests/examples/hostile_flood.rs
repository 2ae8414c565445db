//! Has always more to do, from its start on, as config `how` says:
//!
//! - `timers`: 64 timers at zero; `past`: one, for a moment that has passed;
//! - `signals`: a software interrupt that signals itself a hundred times;
//! - `churn`: makes and drops 30 sources of each kind, each time;
//! - `requeue`: takes its sources off the loop and adds them again, each time;
//! - `filters`: makes a filter of `in` anew, each time;
//! - `outputs`: toggles the output `out` a hundred times, each time;
//! - `logs`: a hundred lines, each time;
//! - `calls`: calls `echo` down ten times, each time;
//! - `submissions`: each completion submits to `echo` again, 64 at a time;
//! - `gate`: disables and enables the gate of its service, each time;
//! - `prints`: half a line on standard output, each time;
//! - `wires`: a break, and the modem lines switched and asked for, ten times, each time.

#![forbid(unsafe_code)]

use loopgate_guest::WorkLoop;
use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;

struct Flood {
    how: String,
    timers: Vec<Timer>,
    interrupt: Interrupt,
    echo: Client,
    pin: Option<InputPin>,
    out: Option<OutputPin>,
    filtered: Option<Interrupt>,
    port: Option<Port>,
    service: Service,
}

const ASK: Ask<'_> = Ask {
    selector: 1,
    scalars: [0; 4],
    data: &[],
    reply_max: 0,
};

impl Driver for Flood {
    fn start(cx: &Context) -> Result<Self> {
        let how = cx.config("how").unwrap_or_default();
        let many = if how == "timers" { 64 } else { 1 };
        let flood = Self {
            how: how.into(),
            timers: (0..many).map(|_| cx.timer()).collect::<Result<_>>()?,
            interrupt: cx.software_interrupt()?,
            echo: cx.client("echo")?,
            pin: (how == "filters").then(|| cx.input("in")).transpose()?,
            out: (how == "outputs").then(|| cx.output("out")).transpose()?,
            filtered: None,
            port: (how == "wires").then(|| cx.port("port", 0)).transpose()?,
            service: cx
                .service(service_name(cx, "misbehave"))
                .selector(1, "misbehave", "", "nothing")
                .publish()?,
        };
        for timer in &flood.timers {
            timer.set_timeout(1.millis())?;
        }
        Ok(flood)
    }

    fn timeout(&mut self, timer: TimerId, _: Timeout) -> Result<()> {
        let due = self.timers.iter().find(|due| timer == **due);
        let due = due.ok_or(ErrorCode::BadArgument)?;
        if self.how == "past" {
            return due.wake_at(Instant::from_nanos(1));
        }
        due.set_timeout(Duration::ZERO)?;
        self.flood()
    }

    fn interrupt(&mut self, _: InterruptId, _: Interrupts) -> Result<()> {
        (0..100).try_for_each(|_| self.interrupt.signal())
    }

    fn completed(&mut self, _: u32, _: RequestId, _: Result<Reply>) -> Result<()> {
        self.echo.submit_with_context(&ASK, None, 0).map(drop)
    }

    fn filter(_: FilterEvent) -> Verdict {
        Verdict::Mine
    }

    fn command(&mut self, _: Request) -> Result<Reply> {
        Ok(().into())
    }
}

impl Flood {
    fn flood(&mut self) -> Result<()> {
        match self.how.as_str() {
            "signals" => self.interrupt.signal(),
            "churn" => churn(),
            "requeue" => self.requeue(),
            "filters" => self.refilter(),
            "outputs" => self.toggle(),
            "logs" => {
                for line in 0..100 {
                    warn!("flood {line}");
                }
                Ok(())
            }
            "calls" => (0..10).try_for_each(|_| self.echo.run_command(&ASK, 1.secs()).map(drop)),
            "submissions" => self.submit(),
            "gate" => {
                self.service.disable();
                self.service.enable();
                Ok(())
            }
            "prints" => {
                print!("half a line");
                Ok(())
            }
            "wires" => self.switch(),
            _ => Ok(()),
        }
    }

    fn switch(&self) -> Result<()> {
        let Some(port) = &self.port else {
            return Ok(());
        };
        for turn in 0..10 {
            port.send_break(10.secs())?;
            port.set_dtr(turn % 2 == 0)?;
            port.set_rts(turn % 2 == 0)?;
            port.modem_lines()?;
            port.take_line_errors()?;
        }
        Ok(())
    }

    fn requeue(&self) -> Result<()> {
        let work_loop = WorkLoop::get();
        work_loop.remove_event_source(&self.interrupt)?;
        work_loop.add_event_source(&self.interrupt)?;
        for timer in &self.timers {
            work_loop.remove_event_source(timer)?;
            work_loop.add_event_source(timer)?;
            timer.enable();
        }
        Ok(())
    }

    fn refilter(&mut self) -> Result<()> {
        self.filtered = None;
        if let Some(pin) = &self.pin {
            let filtered = Interrupt::create_filtered(&pin.edges(Edges::Both)?, 0)?;
            WorkLoop::get().add_event_source(&filtered)?;
            filtered.enable();
            self.filtered = Some(filtered);
        }
        Ok(())
    }

    fn toggle(&self) -> Result<()> {
        let out = self.out.iter().cycle().take(100);
        for out in out {
            out.toggle()?;
        }
        Ok(())
    }

    /// As many as there may be, and no more: the completions go on with them.
    fn submit(&self) -> Result<()> {
        for timer in &self.timers {
            timer.cancel_timeout();
        }
        for _ in 0..64 {
            self.echo.submit_with_context(&ASK, None, 0)?;
        }
        Ok(())
    }
}

fn churn() -> Result<()> {
    for _ in 0..30 {
        let sources = (
            Timer::create()?,
            Interrupt::create(None)?,
            CommandGate::create()?,
        );
        WorkLoop::get().add_event_source(&sources.0)?;
        WorkLoop::get().add_event_source(&sources.1)?;
        WorkLoop::get().add_event_source(&sources.2)?;
    }
    Ok(())
}

driver!(Flood);
