//! Requests that sleep until somebody wakes them, for tests of cancelling,
//! killing and deadlines. Service: config `service` (`sleep` unless told).
//!
//! `sleeping` counts with a guard in each request: it is 0 once all of them are
//! answered or dropped, however they ended.

#![forbid(unsafe_code)]

use loopgate_guest::prelude::*;
use loopgate_test_guests::service_name;

/// Sleeps until `wake`; `scalars[0]` ms at most, 0 is without end.
const NEXT: u32 = 1;
/// Wakes all, or with `scalars[0]` = 1 the one that has slept longest.
const WAKE: u32 = 2;
/// How many sleep.
const SLEEPING: u32 = 3;
/// Panics.
const TRAP: u32 = 4;

const EVENT: u64 = 1;

struct Probe {
    wakes: u64,
    sleeping: u64,
    service: Service,
}

impl Driver for Probe {
    fn start(cx: &Context) -> Result<Self> {
        let service = cx
            .service(service_name(cx, "sleep"))
            .concurrent()
            .selector(NEXT, "next", "deadline in ms, 0 none", "wake-ups so far")
            .selector(WAKE, "wake", "1: only one", "wake-ups so far")
            .selector(SLEEPING, "sleeping", "", "how many sleep")
            .selector(TRAP, "trap", "", "nothing: it panics");
        Ok(Self {
            wakes: 0,
            sleeping: 0,
            service: service.publish()?,
        })
    }
}

impl AsyncDriver for Probe {
    async fn command(this: Gated<Self>, request: Request) -> Result<Reply> {
        let scalar = request.scalars[0];
        match request.selector {
            NEXT => next(this, scalar).await,
            WAKE => Ok(this.with(|probe| probe.wake(scalar == 1)).into()),
            SLEEPING => Ok(this.with(|probe| probe.sleeping).into()),
            _ => panic!("asked to"),
        }
    }
}

impl Probe {
    fn wake(&mut self, one: bool) -> u64 {
        self.wakes += 1;
        if one {
            self.service.wakeup_one(EVENT);
        } else {
            self.service.wakeup_all(EVENT);
        }
        self.wakes
    }
}

async fn next(this: Gated<Probe>, deadline: u64) -> Result<Reply> {
    let _counted = Counted::new(&this);
    if deadline == 0 {
        this.sleep(EVENT).await?;
    } else {
        this.sleep_until(EVENT, now() + deadline.millis()).await?;
    }
    Ok(this.with(|probe| probe.wakes).into())
}

/// A request that sleeps, until it is answered or dropped.
struct Counted(Gated<Probe>);

impl Counted {
    fn new(this: &Gated<Probe>) -> Self {
        this.with(|probe| probe.sleeping += 1);
        Self(this.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.with(|probe| probe.sleeping -= 1);
    }
}

driver!(async Probe);
