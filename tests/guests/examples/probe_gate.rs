//! A service whose gate a second service closes and opens for clients, or
//! takes off the loop. Its clients come in and go, or sleep.

#![forbid(unsafe_code)]

use loopgate_guest::WorkLoop;
use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;

/// How many requests came through the gate.
const ENTER: u32 = 1;
/// Sleeps, and nobody wakes it.
const SLEEP: u32 = 2;

/// Stalls clients of the other service.
const DISABLE: u32 = 1;
/// Lets them in, `scalars[0]` ms later; 0 is at once.
const ENABLE: u32 = 2;
/// Takes the other service's gate off the loop.
const REMOVE: u32 = 3;
/// Panics.
const TRAP: u32 = 4;

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
            .concurrent()
            .selector(ENTER, "enter", "", "how often it was entered")
            .selector(SLEEP, "sleep", "", "nothing, ever");
        let control = format!("{name}-control");
        let control = cx
            .service(&control)
            .selector(DISABLE, "disable", "", "")
            .selector(ENABLE, "enable", "after ms", "")
            .selector(REMOVE, "remove", "", "")
            .selector(TRAP, "trap", "", "nothing: it panics");
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
}

impl AsyncDriver for Probe {
    async fn command(this: Gated<Self>, request: Request) -> Result<Reply> {
        if this.with(|probe| request.gate() == probe.control) {
            return this.with(|probe| probe.control(request.selector, request.scalars[0]));
        }
        if request.selector == SLEEP {
            this.sleep(1).await?;
        }
        Ok(this.with(Self::enter).into())
    }
}

impl Probe {
    fn enter(&mut self) -> u64 {
        self.entered += 1;
        self.entered
    }

    fn control(&self, selector: u32, after: u64) -> Result<Reply> {
        match (selector, after) {
            (DISABLE, _) => self.gated.disable(),
            (ENABLE, 0) => self.gated.enable(),
            (ENABLE, _) => self.timer.set_timeout(after.millis())?,
            (REMOVE, _) => WorkLoop::get().remove_event_source(&*self.gated)?,
            (TRAP, _) => panic!("asked to"),
            _ => return Err(ErrorCode::BadArgument.into()),
        }
        Ok(().into())
    }
}

driver!(async Probe);
