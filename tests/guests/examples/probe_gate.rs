//! A service whose gate a second service opens and closes for clients.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;

/// How many requests came through the gate.
const ENTER: u32 = 1;

/// Stalls clients of the other service.
const DISABLE: u32 = 1;
/// Lets them in, `scalars[0]` ms later; 0 is at once.
const ENABLE: u32 = 2;

struct Probe {
    timer: Timer,
    entered: u64,
    gated: Service,
    control: Service,
}

impl Driver for Probe {
    fn start(cx: &Context) -> Result<Self> {
        let name = service_name(cx, "gated");
        let gated = cx
            .service(name)
            .selector(ENTER, "enter", "", "how often it was entered");
        let control = format!("{name}-control");
        let control = cx
            .service(&control)
            .selector(DISABLE, "disable", "", "")
            .selector(ENABLE, "enable", "after ms", "");
        Ok(Self {
            timer: cx.timer()?,
            entered: 0,
            gated: gated.publish()?,
            control: control.publish()?,
        })
    }

    fn timeout(&mut self, _: TimerId, _: Timeout) -> Result<()> {
        self.gated.enable();
        Ok(())
    }

    fn command(&mut self, request: Request) -> Result<Reply> {
        if request.gate() == self.control {
            return self.control(request.selector, request.scalars[0]);
        }
        self.entered += 1;
        Ok(self.entered.into())
    }
}

impl Probe {
    fn control(&self, selector: u32, after: u64) -> Result<Reply> {
        match (selector, after) {
            (DISABLE, _) => self.gated.disable(),
            (ENABLE, 0) => self.gated.enable(),
            (ENABLE, _) => self.timer.set_timeout(after.millis())?,
            _ => return Err(ErrorCode::BadArgument.into()),
        }
        Ok(().into())
    }
}

driver!(Probe);
