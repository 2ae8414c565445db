//! Publishes the pin `P` under the service that config `service` names, and
//! misbehaves in the way that `how` says. From `after-ms` after its start on:
//!
//! - `flood`: tells changes without end; `turns`: a thousand each millisecond.
//!
//! When it is asked for the level of the pin:
//!
//! - `back`, `repeat`, `future`: tells a hundred changes whose time goes back,
//!   stands still, or is far in the future;
//! - `lies`: says each time another level than last time, and tells nobody;
//! - `errors`: answers with each error in turn;
//! - `beyond`: tells changes of pins that there are not, and publishes what it
//!   may not.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;

const CODES: [ErrorCode; 4] = [
    ErrorCode::DriverDied,
    ErrorCode::NoDevice,
    ErrorCode::WouldDeadlock,
    ErrorCode::TimedOut,
];

struct Hostile {
    how: String,
    service: String,
    high: bool,
    asked: usize,
    timer: Timer,
    pins: PublishedPins,
}

impl Driver for Hostile {
    fn start(cx: &Context) -> Result<Self> {
        let timer = cx.timer()?;
        timer.set_timeout(cx.config_or("after-ms", 1)?.millis())?;
        let service = service_name(cx, "misbehave");
        Ok(Self {
            how: cx.config("how").unwrap_or_default().to_owned(),
            service: service.to_owned(),
            high: false,
            asked: 0,
            timer,
            pins: cx.publish_pins(service, &["P"])?,
        })
    }

    fn timeout(&mut self, _: TimerId, _: Timeout) -> Result<()> {
        match &*self.how {
            "flood" => loop {
                self.flip(now())?;
            },
            "turns" => {
                self.timer.set_timeout(1.millis())?;
                (0..1000).try_for_each(|_| self.flip(now()))
            }
            _ => Ok(()),
        }
    }

    fn pin_read(&mut self, _: u32) -> Result<bool> {
        self.asked += 1;
        match &*self.how {
            "errors" => return Err(CODES[self.asked % CODES.len()].into()),
            "lies" => return Ok(self.asked % 2 == 1),
            "beyond" => info!("misbehaved: {}", self.beyond()),
            _ => self.tell()?,
        }
        Ok(self.high)
    }

    fn pin_configure(&mut self, _: u32, _: Option<bool>) -> Result<()> {
        Ok(())
    }
}

impl Hostile {
    fn tell(&mut self) -> Result<()> {
        let time = now().as_nanos();
        let at = |n| match &*self.how {
            "back" => time - n * 1000,
            "future" => u64::MAX - n,
            _ => time,
        };
        let times: Vec<_> = (0..100).map(|n| Instant::from_nanos(at(n))).collect();
        times.into_iter().try_for_each(|at| self.flip(at))
    }

    fn flip(&mut self, at: Instant) -> Result<()> {
        self.high = !self.high;
        self.pins.changed(0, self.high, at)
    }

    fn beyond(&self) -> String {
        let codes = [
            self.pins.changed(1, true, now()),
            self.pins.changed(u32::MAX, true, now()),
            PublishedPins::publish(&self.service, &["P"]).map(drop),
            PublishedPins::publish("of another", &["P"]).map(drop),
            PublishedPins::publish("", &[]).map(drop),
        ];
        let codes = codes.map(|got| got.map_or_else(|error| error.code().name(), |()| "ok"));
        codes.join(" ")
    }
}

driver!(Hostile);
