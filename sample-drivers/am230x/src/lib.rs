//! A sensor of temperature and humidity on one wire. See README.md.

#![forbid(unsafe_code)]

mod frame;
mod readings;

use frame::{Frame, Model};
use loopgate_guest::prelude::*;
use readings::Readings;

/// The sensor measures no faster, and is not to be asked more often.
const PERIOD_MIN_MS: u64 = 2000;

/// How long an answer is waited for, and how long a wire is quiet after one; far
/// longer than an answer, which takes 6 ms.
const QUIET: Duration = Duration::from_millis(50);

struct Am230x {
    model: Model,
    /// How often the sensor is asked; `None` where somebody else asks it.
    period: Option<Duration>,
    /// When it is asked again.
    next: Instant,
    timer: Timer,
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
    Listening(Interrupt),
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
            next: now() + period_ms.millis(),
            timer: cx.timer()?,
            wire: if listens { listen()? } else { Wire::Idle },
            frame: Frame::default(),
            readings: Readings::default(),
            _service: readings::service(cx).publish()?,
        };
        if !listens {
            // It may have got its power just now, and needs a while.
            driver.timer.wake_at(driver.next)?;
        }
        Ok(driver)
    }

    fn interrupt(&mut self, _: InterruptId, event: Interrupts) -> Result<()> {
        let Wire::Listening(falls) = &self.wire else {
            return Ok(());
        };
        let listens = self.period.is_none();
        for edge in falls.take_occurrences(event.count) {
            let time = edge.timestamp.as_nanos();
            if listens && self.frame.ends_before(time) {
                self.conclude();
            }
            self.frame.fall(time);
        }
        if listens {
            self.timer.set_timeout(QUIET)?;
        }
        Ok(())
    }

    fn timeout(&mut self, _: TimerId, expiry: Timeout) -> Result<()> {
        if let Some(period) = self.period {
            return self.turn(expiry.now, period);
        }
        // What is not whole may wait to be taken: the next edge tells.
        if self.frame.is_whole() {
            self.conclude();
        }
        Ok(())
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        self.readings.reply(&request)
    }
}

impl Am230x {
    /// Asks, listens, rests. What fails is tried again when it is time to ask.
    fn turn(&mut self, now: Instant, period: Duration) -> Result<()> {
        let wire = std::mem::replace(&mut self.wire, Wire::Idle);
        if matches!(wire, Wire::Idle) {
            self.next = now + period;
        }
        self.timer.wake_at(self.next)?;
        match wire {
            Wire::Idle => {
                self.wire = Wire::Asking(OutputPin::open("start", false)?);
                self.timer.set_timeout(self.model.start_pulse())
            }
            Wire::Asking(start) => {
                drop(start);
                self.wire = listen()?;
                self.timer.set_timeout(QUIET)
            }
            // The loop lets go of a source when this handler has returned: only
            // then can the line be opened the other way.
            Wire::Listening(_) => {
                self.conclude();
                Ok(())
            }
        }
    }

    /// The frame is over. One edge alone is somebody's question.
    fn conclude(&mut self) {
        let frame = std::mem::take(&mut self.frame);
        if self.period.is_some() || frame.is_answer() {
            self.readings.add(frame.read(self.model));
        }
    }
}

/// The falling edges alone tell all.
fn listen() -> Result<Wire> {
    let falls = InputPin::open("data")?.edges(Edges::Falling)?;
    Ok(Wire::Listening(Interrupt::create(Some(&falls))?))
}

driver!(Am230x);
