//! The button, the lamp and the heartbeat.

use crate::Defect;
use crate::serial::Wire;
use loopgate_guest::prelude::*;

/// A contact has come to rest when nothing has happened for so long.
const REST: Duration = Duration::from_millis(5);

/// Between two beats.
const PERIOD: Duration = Duration::from_millis(500);

/// How long a beat is.
const BEAT: Duration = Duration::from_micros(100);

/// Of the state that the next version goes on with.
const VERSION: u32 = 1;

/// What the lamp does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Light {
    /// It goes on with a press, and out by itself.
    Button,
    /// It stays on, or out.
    Always(bool),
}

/// A button that is debounced and counted, a lamp that goes out by itself, a heartbeat, a
/// port that answers lines, and two services.
#[derive(Debug)]
pub struct Porch {
    pub(crate) defect: Defect,
    button: InputPin,
    pub(crate) edges: Interrupt,
    debounce: Timer,
    pub(crate) lamp: OutputPin,
    pub(crate) out: Timer,
    beat: OutputPin,
    heart: Timer,
    pub(crate) wire: Wire,
    /// Open from the first request on until its driver goes.
    pub(crate) disk: Option<Client>,
    /// Of the one request that waits.
    pub(crate) limit: Timer,
    pub(crate) waiting: Option<Waiting>,
    pub(crate) quick: Service,
    _slow: Service,
    pressed: bool,
    pub(crate) presses: u64,
    pub(crate) counted: u64,
    pub(crate) light: Light,
    pub(crate) hold: Duration,
    pub(crate) spoilt: Spoilt,
}

/// A request that is not answered yet.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) pending: Pending,
    /// The disk is asked for it; else it is the next press, or line, that answers it.
    pub(crate) asked: Option<RequestId>,
}

/// What only mutants keep.
#[derive(Debug, Default)]
pub(crate) struct Spoilt {
    pub(crate) kept: Vec<[u64; 4]>,
    pub(crate) timers: Vec<Timer>,
    pub(crate) clients: Vec<Client>,
    pub(crate) slept: Option<Instant>,
    pub(crate) is_busy: bool,
    pub(crate) is_armed: bool,
    /// A press is on its way, to the request that waits.
    pub(crate) is_for_it: bool,
    pub(crate) late: Option<RequestId>,
}

impl Porch {
    /// Opens everything; see [`Driver::start`].
    pub fn start(cx: &Context, defect: Defect) -> Result<Self> {
        let has = |some| defect == some;
        let button = match cx.input("button") {
            Err(error) if has(Defect::UnwrapsOpen) => panic!("no button: {error}"),
            Err(error) if has(Defect::HidesTheName) => {
                return Err(Error::new(error.code(), "the porch cannot start"));
            }
            opened => opened?,
        };
        if has(Defect::OpensTwice) {
            cx.input("button")?;
        }
        if has(Defect::DemandsASetting) {
            let period: u64 = cx.config("period-ms").unwrap().parse().unwrap();
            assert!(period > 0);
        }
        let mut spoilt = Spoilt::default();
        if has(Defect::StartsReleasedOnly) && button.is_low()? {
            return Err(Error::new(ErrorCode::Busy, "the button is held"));
        }
        if has(Defect::SizedByUptime) {
            let millis = now().as_nanos() / 1_000_000;
            spoilt.kept.reserve(millis as usize);
        }
        let port = cx.port("port", 0)?;
        let porch = Self {
            defect,
            edges: cx.interrupt(&button.edges(Edges::Both)?)?,
            debounce: cx.timer()?,
            lamp: cx.output("lamp")?,
            out: cx.timer()?,
            beat: cx.output("beat")?,
            heart: cx.timer()?,
            wire: Wire::new(cx, port)?,
            disk: None,
            limit: cx.timer()?,
            waiting: None,
            quick: Self::publish_quick(cx, defect)?,
            _slow: Self::publish_slow(cx)?,
            pressed: button.is_low()?,
            button,
            presses: 0,
            counted: 0,
            light: Light::Button,
            hold: Duration::from_secs(2),
            spoilt,
        };
        // Of the last version it is armed still.
        if cx.cause() != Cause::Reload {
            porch.heart.set_timeout(PERIOD)?;
        }
        Ok(porch)
    }

    pub(crate) fn has(&self, defect: Defect) -> bool {
        self.defect == defect
    }

    /// See [`Driver::interrupt`].
    pub fn interrupt(&mut self, source: InterruptId, event: Interrupts) -> Result<()> {
        if source != self.edges {
            return self.talk();
        }
        self.spoil_edges(event)?;
        let edges = if self.has(Defect::CountsCalls) {
            1
        } else {
            u64::from(event.count) + u64::from(event.lost)
        };
        self.counted += edges;
        if self.has(Defect::CountsBounces) && self.button.is_low()? {
            self.press()?;
        }
        // Each edge begins the wait anew.
        self.debounce.set_timeout(REST)
    }

    /// See [`Driver::timeout`].
    pub fn timeout(&mut self, timer: TimerId, expiry: Timeout) -> Result<()> {
        if timer == self.debounce {
            self.settle()
        } else if timer == self.out {
            self.dark()
        } else if timer == self.heart {
            self.beat(expiry)
        } else {
            self.over()
        }
    }

    fn settle(&mut self) -> Result<()> {
        let pressed = self.button.is_low()?;
        let begins = pressed && !self.pressed;
        self.pressed = pressed;
        if self.spoilt.is_for_it && self.has(Defect::RaceOfThree) {
            self.spoilt.is_for_it = false;
            let waiting = self.waiting.take().expect("it waits for this press");
            self.limit.cancel_timeout();
            let count = self.presses + u64::from(begins);
            waiting.pending.complete(Ok(count.into()))?;
        }
        if begins && !self.has(Defect::CountsBounces) {
            return self.press();
        }
        Ok(())
    }

    fn press(&mut self) -> Result<()> {
        self.presses += 1;
        self.tell(self.presses, &[])?;
        if self.light != Light::Button {
            return Ok(());
        }
        let hold = if self.has(Defect::ShortPulse) {
            self.hold * 9 / 10
        } else {
            self.hold
        };
        self.out.set_timeout(hold)?;
        let set = self.shine(true);
        if self.has(Defect::UnwrapsSet) {
            set.clone().unwrap();
        }
        set
    }

    pub(crate) fn shine(&self, on: bool) -> Result<()> {
        self.lamp.set(on != self.has(Defect::InvertedLamp))
    }

    fn dark(&mut self) -> Result<()> {
        if self.has(Defect::DelaysInTimeout) {
            // It dims.
            delay(5.millis())?;
        }
        self.shine(false)
    }

    fn beat(&mut self, expiry: Timeout) -> Result<()> {
        if self.has(Defect::AssertsOnTime) {
            assert!(expiry.now - expiry.deadline < PERIOD, "a beat is late");
        }
        if self.has(Defect::KeepsEveryEvent) {
            self.spoilt.kept.push([expiry.now.as_nanos(); 4]);
        }
        if self.has(Defect::HeartbeatDrifts) {
            let pulsed = self.pulse();
            self.heart.set_timeout(PERIOD)?;
            return pulsed;
        }
        if self.has(Defect::ArmsLast) {
            self.pulse()?;
            return self.heart.wake_at(expiry.now + PERIOD);
        }
        let next = expiry.deadline + PERIOD;
        // What was missed over a long standstill is not made up for.
        let next = if next > expiry.now || self.has(Defect::CatchesUp) {
            next
        } else {
            expiry.now + PERIOD
        };
        self.heart.wake_at(next)?;
        self.pulse()
    }

    fn pulse(&self) -> Result<()> {
        self.beat.set_high()?;
        delay(BEAT)?;
        self.beat.set_low()
    }

    /// See [`Driver::set_power_state`].
    pub fn set_power_state(&mut self, state: PowerState) -> Result<PowerChange> {
        match state {
            PowerState::Sleep => {
                self.heart.cancel_timeout();
                if self.has(Defect::ForgetsWhoWaits) {
                    // Dropped, they would be answered.
                    std::mem::forget(self.waiting.take());
                }
                if self.has(Defect::PanicsOnWake) && self.lamp.is_high()? {
                    self.spoilt.slept = Some(now());
                }
            }
            PowerState::On if self.has(Defect::SleepsOn) => {}
            PowerState::On => {
                if self.has(Defect::PanicsOnWake) {
                    let slept = now() - self.spoilt.slept.take().unwrap();
                    info!("slept for {slept:?} with the lamp on");
                }
                self.heart.set_timeout(PERIOD)?;
            }
        }
        Ok(PowerChange::Made)
    }

    /// See [`Driver::save`].
    pub fn save(&self) -> Result<Saved> {
        let light = match self.light {
            Light::Button => 0_u8,
            Light::Always(on) => 1 + u8::from(on),
        };
        let hold = self.hold.as_millis() as u64;
        let Wire { line, unsent, .. } = &self.wire;
        let state = (
            self.presses,
            self.counted,
            self.pressed,
            light,
            hold,
            line,
            unsent,
        );
        Saved::new(VERSION, &state)
    }

    /// See [`Driver::restore`].
    pub fn restore(&mut self, saved: &Saved) -> Result<()> {
        let light: u8;
        let hold: u64;
        (
            self.presses,
            self.counted,
            self.pressed,
            light,
            hold,
            self.wire.line,
            self.wire.unsent,
        ) = saved.get(VERSION)?;
        self.hold = hold.millis();
        self.light = match light {
            0 => Light::Button,
            on => Light::Always(on == 2),
        };
        match self.defect {
            Defect::ForgetsTheCounter => self.presses = 0,
            Defect::ForgetsTheSetting => self.hold = Duration::from_secs(2),
            Defect::RestoresInverted => self.pressed = !self.pressed,
            Defect::ForgetsTheLine => self.wire.line.clear(),
            Defect::RearmsInRestore => self.heart.set_timeout(PERIOD)?,
            _ => {}
        }
        Ok(())
    }

    /// See [`Driver::stop`].
    pub fn stop(&mut self) {
        match self.defect {
            Defect::ArmsInStop => {
                let _ = self.heart.set_timeout(PERIOD);
            }
            Defect::OpensInStop => drop(Client::open("ram-block")),
            Defect::PanicsInStop => drop(self.waiting.take().unwrap()),
            _ => {}
        }
        let _ = self.shine(false);
        info!("{} presses", self.presses);
    }
}
