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
}

impl FromStr for When {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "start" => Ok(Self::Start),
            "interrupt" => Ok(Self::Interrupt),
            "timer" => Ok(Self::Timer),
            "command" => Ok(Self::Command),
            "stop" => Ok(Self::Stop),
            "cancelled" => Ok(Self::Cancelled),
            "completed" => Ok(Self::Completed),
            _ => Err(()),
        }
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
            let what = "config `when` must be a handler: `start`, `interrupt`, `timer`, `command`, `stop`, `cancelled` or `completed`";
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

    /// A request has come: misbehaves, or leaves it pending until its client
    /// gives up.
    pub fn command(&self, request: &Request, misbehave: fn(&Self) -> Reply) -> Reply {
        if self.when != When::Cancelled {
            return misbehave(self);
        }
        let (pending, reply) = request.defer();
        // It is never answered.
        std::mem::forget(pending);
        reply
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
    Submission { client: Client, _timer: Timer },
}

impl Source {
    fn create(cx: &Context, when: When) -> Result<Self> {
        Ok(match when {
            When::Start | When::Stop => Self::None,
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
            When::Command | When::Cancelled => {
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
