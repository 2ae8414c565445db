//! Tells of each power call in the log, and answers as its config says. Asleep
//! it stalls the clients of its service; a second one, `NAME-control`, stays
//! open.
//!
//! - `allow = "no"` keeps the board up, `trap` panics.
//! - `answer`: what `set-power-state` does: `made` (unless told), `failed`,
//!   `trap`, `spin`, or the milliseconds of a `later`.
//! - `acknowledge`: so many milliseconds after `set-power-state` it
//!   acknowledges; 0 is before that has returned.
//! - `takes-us`: how long each power call takes, before it answers.
//! - `lamp`: drives the pin `lamp` by the state, `in`: takes interrupts of `in`.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_guest::{WorkLoop, acknowledge_set_power_state};
use loopgate_test_guests::service_name;

/// How often the service was entered.
const ENTER: u32 = 1;

/// Acknowledges, `scalars[0]` times.
const ACKNOWLEDGE: u32 = 1;
/// How many interrupts there were.
const INTERRUPTS: u32 = 2;

struct Probe {
    allow: String,
    answer: Answer,
    acknowledge: Option<u64>,
    takes: Duration,
    timer: Timer,
    lamp: Option<OutputPin>,
    _input: Option<(InputPin, Interrupt)>,
    entered: u64,
    interrupts: u64,
    gated: Service,
    control: Service,
}

#[derive(Clone, Copy)]
enum Answer {
    Made,
    Failed,
    Trap,
    Spin,
    Later(Duration),
}

impl Answer {
    fn parse(text: &str) -> Result<Self> {
        Ok(match text {
            "made" => Self::Made,
            "failed" => Self::Failed,
            "trap" => Self::Trap,
            "spin" => Self::Spin,
            _ => Self::Later(number(text)?.millis()),
        })
    }
}

fn number(text: &str) -> Result<u64> {
    let wrong = |_| Error::new(ErrorCode::BadArgument, "that is no number");
    text.parse().map_err(wrong)
}

impl Driver for Probe {
    fn start(cx: &Context) -> Result<Self> {
        info!("start");
        let name = service_name(cx, "power");
        let control = format!("{name}-control");
        let control = cx
            .service(&control)
            .selector(ACKNOWLEDGE, "acknowledge", "how often", "")
            .selector(INTERRUPTS, "interrupts", "", "so far");
        let input = cx.config("in").map(|_| -> Result<_> {
            let input = cx.input("in")?;
            let interrupt = cx.interrupt(&input.edges(Edges::Both)?)?;
            Ok((input, interrupt))
        });
        Ok(Self {
            allow: cx.config("allow").unwrap_or("yes").to_owned(),
            answer: Answer::parse(cx.config("answer").unwrap_or("made"))?,
            acknowledge: cx.config("acknowledge").map(number).transpose()?,
            takes: Duration::from_micros(cx.config_or("takes-us", 0)?),
            timer: cx.timer()?,
            lamp: cx.config("lamp").map(|_| cx.output("lamp")).transpose()?,
            _input: input.transpose()?,
            entered: 0,
            interrupts: 0,
            gated: cx
                .service(name)
                .selector(ENTER, "enter", "", "how often")
                .publish()?,
            control: control.publish()?,
        })
    }

    fn interrupt(&mut self, _: InterruptId, event: Interrupts) -> Result<()> {
        self.interrupts += u64::from(event.count);
        Ok(())
    }

    fn timeout(&mut self, _: TimerId, _: Timeout) -> Result<()> {
        info!("acknowledges");
        acknowledge_set_power_state();
        Ok(())
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        if request.gate() == self.gated {
            self.entered += 1;
            return Ok(self.entered.into());
        }
        debug_assert!(request.gate() == self.control);
        if request.selector == INTERRUPTS {
            return Ok(self.interrupts.into());
        }
        for _ in 0..request.scalars[0] {
            acknowledge_set_power_state();
        }
        Ok(().into())
    }

    fn allow_power_change(&mut self, state: PowerState) -> bool {
        info!("allow {state:?}: {}", self.allow);
        self.take();
        assert!(self.allow != "trap", "asked to");
        self.allow == "yes"
    }

    fn set_power_state(&mut self, state: PowerState) -> Result<PowerChange> {
        info!("set {state:?}, in gate: {}", WorkLoop::get().in_gate());
        self.take();
        if let Some(lamp) = &self.lamp {
            lamp.set(state == PowerState::On)?;
        }
        match state {
            PowerState::Sleep => self.gated.disable(),
            PowerState::On => self.gated.enable(),
        }
        match self.acknowledge {
            Some(0) => acknowledge_set_power_state(),
            Some(after) => self.timer.set_timeout(after.millis())?,
            None => {}
        }
        match self.answer {
            Answer::Made => Ok(PowerChange::Made),
            Answer::Later(within) => Ok(PowerChange::Later(within)),
            Answer::Failed => Err(ErrorCode::Io.into()),
            Answer::Trap => panic!("asked to"),
            Answer::Spin => loop {
                std::hint::spin_loop();
            },
        }
    }

    fn power_state_did_change(&mut self, state: PowerState) {
        info!("did change {state:?}");
        self.take();
    }

    fn stop(&mut self) {
        info!("stop");
    }
}

impl Probe {
    fn take(&self) {
        if !self.takes.is_zero() {
            // Refused only where it is longer than a handler may take.
            let _ = delay(self.takes);
        }
    }
}

driver!(Probe);
