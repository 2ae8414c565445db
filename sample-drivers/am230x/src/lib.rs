//! A sensor of temperature and humidity on one wire. See README.md.

#![forbid(unsafe_code)]

mod frame;
mod readings;

use frame::{Frame, Model};
use loopgate_guest::prelude::*;
use readings::Readings;

/// The sensor measures no faster, and is not to be asked more often.
const PERIOD_MIN_MS: u64 = 2000;

/// After the last edge that was handled; far longer than there is none in a frame.
const QUIET: Duration = Duration::from_millis(20);

struct Am230x {
    model: Model,
    /// How often the sensor is asked; `None` where somebody else asks it.
    period: Option<Duration>,
    ask: Timer,
    quiet: Timer,
    wire: Wire,
    frame: Frame,
    readings: Readings,
    _service: Service,
}

/// One line that is two pins of the board entry: one is open at a time.
enum Wire {
    Idle,
    /// Driven low, which wakes the sensor.
    Asking(OutputPin),
    Listening {
        falls: Interrupt,
        is_answered: bool,
    },
}

impl Driver for Am230x {
    fn start(cx: &Context) -> Result<Self> {
        let model = Model::named(cx.config("model").unwrap_or("dht22"))?;
        let listens = cx.config_or("listen", false)?;
        let period_ms = cx.config_or("period-ms", PERIOD_MIN_MS)?;
        if period_ms < PERIOD_MIN_MS {
            let what = format!("config `period-ms` is `{period_ms}`; the sensor needs 2000");
            return Err(Error::new(ErrorCode::BadArgument, what));
        }
        let driver = Self {
            model,
            period: (!listens).then_some(period_ms.millis()),
            ask: cx.timer()?,
            quiet: cx.timer()?,
            wire: if listens { listen()? } else { Wire::Idle },
            frame: Frame::default(),
            readings: Readings::default(),
            _service: readings::service(cx).publish()?,
        };
        // It may have got its power just now, and needs a while.
        driver
            .period
            .map_or(Ok(()), |period| driver.ask.set_timeout(period))?;
        Ok(driver)
    }

    fn interrupt(&mut self, _: InterruptId, event: Interrupts) -> Result<()> {
        let Wire::Listening { falls, .. } = &self.wire else {
            return Ok(());
        };
        for edge in falls.take_occurrences(event.count) {
            let time = edge.timestamp.as_nanos();
            if self.frame.ends_before(time) {
                self.conclude();
            }
            self.frame.fall(time);
        }
        self.quiet.set_timeout(QUIET)
    }

    fn timeout(&mut self, timer: TimerId, expiry: Timeout) -> Result<()> {
        match self.period {
            Some(period) if timer == self.ask => return self.ask(expiry.now, period),
            // What is not whole may wait to be taken: the next edge tells.
            _ if self.frame.is_whole() => self.conclude(),
            _ => {}
        }
        Ok(())
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        self.readings.reply(&request)
    }
}

impl Am230x {
    /// Drives the line low; called again, lets it go and listens.
    fn ask(&mut self, now: Instant, period: Duration) -> Result<()> {
        // At first, so that what fails below is tried again.
        self.ask.wake_at(now + period)?;
        self.conclude();
        match std::mem::replace(&mut self.wire, Wire::Idle) {
            Wire::Asking(start) => {
                drop(start);
                self.wire = listen()?;
                return Ok(());
            }
            Wire::Listening { is_answered, .. } if !is_answered => self.readings.miss("no answer"),
            _ => {}
        }
        self.wire = Wire::Asking(OutputPin::open("start", false)?);
        self.ask.set_timeout(self.model.start_pulse())
    }

    /// The frame is over.
    fn conclude(&mut self) {
        let frame = std::mem::take(&mut self.frame);
        if frame.is_answer() {
            self.readings.add(frame.read(self.model));
            if let Wire::Listening { is_answered, .. } = &mut self.wire {
                *is_answered = true;
            }
        }
    }
}

/// The falling edges alone tell all.
fn listen() -> Result<Wire> {
    let falls = InputPin::open("data")?.edges(Edges::Falling)?;
    Ok(Wire::Listening {
        falls: Interrupt::create(Some(&falls))?,
        is_answered: false,
    })
}

driver!(Am230x);
