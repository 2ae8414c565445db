//! When a hostile driver misbehaves.

use std::str::FromStr;

use loopgate_guest::prelude::*;

/// Config `when`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// In `start`.
    Start,
    /// At an edge of the pin `in`.
    Interrupt,
    /// When a timer expires, `after-ms` (1 unless told) after the start.
    Timer,
    /// At any request to the service that config `service` names (`misbehave`
    /// unless told).
    Command,
    /// In `stop`.
    Stop,
    /// When the client of a request, as for `Command`, has given up.
    Cancelled,
    /// When a request is over that a timer, as for `Timer`, has submitted to
    /// the service `echo`.
    Completed,
    /// In `save`, when it is reloaded.
    Save,
    /// In `start`, when it takes another version's place.
    Reload,
    /// In `restore`.
    Restore,
    /// When another driver opens or closes the pin `P` that it publishes under
    /// the service that config `service` names, reads it, or drives it.
    PinConfigure,
    /// See `PinConfigure`.
    PinRead,
    /// See `PinConfigure`.
    PinWrite,
    /// When another driver opens a service as for `Command`.
    Structural,
    /// When the board is to sleep, is set to sleep, or sleeps.
    AllowPowerChange,
    /// See `AllowPowerChange`.
    SetPowerState,
    /// See `AllowPowerChange`.
    PowerStateDidChange,
}

/// The moments, as config `when` has them.
const MOMENTS: &[(&str, When)] = &[
    ("start", When::Start),
    ("interrupt", When::Interrupt),
    ("timer", When::Timer),
    ("command", When::Command),
    ("stop", When::Stop),
    ("cancelled", When::Cancelled),
    ("completed", When::Completed),
    ("save-state", When::Save),
    ("reload", When::Reload),
    ("restore-state", When::Restore),
    ("pin-configure", When::PinConfigure),
    ("pin-read", When::PinRead),
    ("pin-write", When::PinWrite),
    ("structural", When::Structural),
    ("allow-power-change", When::AllowPowerChange),
    ("set-power-state", When::SetPowerState),
    ("power-state-did-change", When::PowerStateDidChange),
];

impl FromStr for When {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let known = MOMENTS.iter().find(|(name, _)| *name == text);
        known.map(|(_, when)| *when).ok_or(())
    }
}

/// What sets a hostile driver off, and how it misbehaves.
#[derive(Debug)]
pub struct Trigger {
    /// Config `how`, for those that know several ways.
    pub how: String,
    /// Config `amount`: bytes, lines, times; what suits the misbehaviour.
    pub amount: Option<u64>,
    when: When,
    // Held so that its events arrive.
    source: Source,
    // Held so that it is driven.
    _out: Option<OutputPin>,
}

impl Trigger {
    /// Reads the board entry and creates the source that it asks for.
    ///
    /// # Errors
    ///
    /// `bad-argument` where config `when` is missing or no moment.
    pub fn arm(cx: &Context) -> Result<Self> {
        let when = cx.config("when").and_then(|text| text.parse().ok());
        let Some(when) = when else {
            let names: Vec<&str> = MOMENTS.iter().map(|(name, _)| *name).collect();
            let what = format!("config `when` must be one of {}", names.join(", "));
            return Err(Error::new(ErrorCode::BadArgument, what));
        };
        let amount = cx.config("amount").and_then(|text| text.parse().ok());
        Ok(Self {
            how: cx.config("how").unwrap_or_default().into(),
            amount,
            when,
            source: Source::create(cx, when)?,
            _out: cx
                .config("out")
                .map(|pin| cx.output_high(pin))
                .transpose()?,
        })
    }

    /// A request has come: misbehaves, leaves it pending until its client gives
    /// up, or is there to be opened.
    pub fn command(&self, request: &Request, misbehave: fn(&Self) -> Reply) -> Reply {
        match self.when {
            When::Cancelled => {
                let (pending, reply) = request.defer();
                // It is never answered.
                std::mem::forget(pending);
                reply
            }
            When::Structural => ().into(),
            _ => misbehave(self),
        }
    }

    /// The timer has expired: misbehaves, or submits what is to be completed.
    ///
    /// # Errors
    ///
    /// Those of `submit`.
    pub fn timeout(&self, misbehave: fn(&Self) -> Reply) -> Result<()> {
        self.when(When::Timer, misbehave);
        if let Source::Submission { client, .. } = &self.source {
            let ask = Ask {
                selector: 1,
                ..Ask::default()
            };
            client.submit_with_context(&ask, None, 0)?;
        }
        Ok(())
    }

    /// It is started, with this cause.
    pub fn started(&self, cause: Cause, misbehave: fn(&Self) -> Reply) {
        self.when(When::Start, misbehave);
        if cause == Cause::Reload {
            self.when(When::Reload, misbehave);
        }
    }

    /// A state, where a reload is to come as far as the moment.
    ///
    /// # Errors
    ///
    /// `unsupported` at other moments.
    pub fn save(&self, misbehave: fn(&Self) -> Reply) -> Result<Saved> {
        self.when(When::Save, misbehave);
        match self.when {
            When::Save | When::Reload | When::Restore => Saved::new(1, &()),
            _ => Err(ErrorCode::Unsupported.into()),
        }
    }

    /// Misbehaves if `when` is the moment, and logs what came of it.
    pub fn when(&self, when: When, misbehave: fn(&Self) -> Reply) {
        if when == self.when {
            let reply = misbehave(self);
            let told = &reply.data()[..reply.data().len().min(200)];
            info!("misbehaved: {}", String::from_utf8_lossy(told));
        }
    }
}

#[derive(Debug)]
enum Source {
    None,
    Interrupt { _pin: InputPin, _edges: Interrupt },
    Timer { _timer: Timer },
    Service { _service: Service },
    Pins { _pins: PublishedPins },
    Submission { client: Client, _timer: Timer },
}

impl Source {
    fn create(cx: &Context, when: When) -> Result<Self> {
        Ok(match when {
            When::Start
            | When::Stop
            | When::Save
            | When::Reload
            | When::Restore
            | When::AllowPowerChange
            | When::SetPowerState
            | When::PowerStateDidChange => Self::None,
            When::PinConfigure | When::PinRead | When::PinWrite => Self::Pins {
                _pins: cx.publish_pins(crate::service_name(cx, "misbehave"), &["P"])?,
            },
            When::Interrupt => {
                let pin = cx.input("in")?;
                let edges = cx.interrupt(&pin.edges(Edges::Both)?)?;
                Self::Interrupt {
                    _pin: pin,
                    _edges: edges,
                }
            }
            When::Timer => Self::Timer { _timer: timer(cx)? },
            When::Completed => Self::Submission {
                client: cx.client("echo")?,
                _timer: timer(cx)?,
            },
            When::Command | When::Cancelled | When::Structural => {
                let service = cx
                    .service(crate::service_name(cx, "misbehave"))
                    .selector(1, "misbehave", "", "what came of it, where anything does")
                    .publish()?;
                Self::Service { _service: service }
            }
        })
    }
}

fn timer(cx: &Context) -> Result<Timer> {
    let timer = cx.timer()?;
    timer.set_timeout(cx.config_or("after-ms", 1)?.millis())?;
    Ok(timer)
}
