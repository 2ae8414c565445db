//! Takes all of the loop's time that it can get. Config `how`: `delays`, 40
//! timers that are always due and each wait for 200 ms; `changes`, one timer
//! that is always due and changes the chain each time.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;

struct Hog {
    timers: Vec<Timer>,
    changes: bool,
}

impl Driver for Hog {
    fn start(cx: &Context) -> Result<Self> {
        let changes = cx.config("how") == Some("changes");
        let count = if changes { 1 } else { 40 };
        let timers: Vec<Timer> = (0..count).map(|_| cx.timer()).collect::<Result<_>>()?;
        for timer in &timers {
            timer.set_timeout(Duration::ZERO)?;
        }
        Ok(Self { timers, changes })
    }

    fn timeout(&mut self, timer: TimerId, _: Timeout) -> Result<()> {
        if self.changes {
            // Created, added to the loop and taken off again.
            drop(Timer::create()?);
        } else {
            delay(200.millis())?;
        }
        let due = self.timers.iter().find(|due| timer == **due);
        due.map_or(Ok(()), |due| due.set_timeout(Duration::ZERO))
    }
}

driver!(Hog);
