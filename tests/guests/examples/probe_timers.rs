//! Arms `timers` (10 unless told) timers in `start`, one a millisecond, and
//! only counts what expires: no handler calls the host.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;

struct Probe {
    expired: u64,
    _timers: Vec<Timer>,
    _service: Service,
}

impl Driver for Probe {
    fn start(cx: &Context) -> Result<Self> {
        let armed = (1..=cx.config_or("timers", 10_u64)?).map(|nth| {
            let timer = cx.timer()?;
            timer.set_timeout(nth.millis())?;
            Ok(timer)
        });
        let service = cx.service(service_name(cx, "timers")).selector(
            1,
            "expired",
            "",
            "timers that expired",
        );
        Ok(Self {
            expired: 0,
            _timers: armed.collect::<Result<_>>()?,
            _service: service.publish()?,
        })
    }

    fn timeout(&mut self, _: TimerId, _: Timeout) -> Result<()> {
        self.expired += 1;
        Ok(())
    }

    fn command(&mut self, _: Request) -> Result<Reply> {
        Ok(self.expired.into())
    }
}

driver!(Probe);
