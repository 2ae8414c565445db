//! Waits beside its handlers and in its requests, for times and for a pin, and
//! drives what it has through the traits of `embedded-hal`, both versions.

#![forbid(unsafe_code)]

use std::cell::{Cell, RefCell};
use std::future::{pending, poll_fn};
use std::rc::Rc;
use std::task::{Poll, Waker};

use embedded_hal_02::blocking::delay::DelayMs;
use embedded_hal_02::digital::v2;
use embedded_hal_async::delay::DelayNs;
use embedded_hal_async::digital::Wait;
use loopgate_guest::prelude::*;

/// Answered after `scalars[0]` ms, through `DelayNs`.
const LATER: u32 = 1;
/// Answered when the pin did what `scalars[0]` says.
const PIN: u32 = 2;
/// Waits for what nothing wakes.
const NEVER: u32 = 3;
/// How often the task has changed the lamp.
const TICKS: u32 = 4;
/// Has a task go round `scalars[0]` times, which wakes itself.
const ROUNDS: u32 = 5;
/// How many of them there were.
const ROUND: u32 = 6;
/// Waits for `scalars[0]` ms in the gate.
const BLOCK: u32 = 7;
/// A pulse of 2 ms on the lamp, by the last version's traits.
const PULSE: u32 = 8;
/// Waits until a handler, that of `WAKE`, has woken it.
const WOKEN: u32 = 9;
const WAKE: u32 = 10;
/// A task that fails at once.
const FAIL: u32 = 11;

const SELECTORS: [(u32, &str); 11] = [
    (LATER, "later"),
    (PIN, "pin"),
    (NEVER, "never"),
    (TICKS, "ticks"),
    (ROUNDS, "rounds"),
    (ROUND, "round"),
    (BLOCK, "block"),
    (PULSE, "pulse"),
    (WOKEN, "woken"),
    (WAKE, "wake"),
    (FAIL, "fail"),
];

struct Probe {
    pin: Option<InputPin>,
    lamp: Rc<RefCell<OutputPin>>,
    ticks: Rc<Cell<u64>>,
    round: Rc<Cell<u64>>,
    waker: Option<Waker>,
    _service: Service,
}

impl Driver for Probe {
    fn start(cx: &Context) -> Result<Self> {
        let lamp = Rc::new(RefCell::new(cx.output("lamp")?));
        let ticks = Rc::<Cell<u64>>::default();
        spawn(tick(lamp.clone(), ticks.clone()))?;
        let mut service = cx.service("tasks").concurrent();
        for (number, name) in SELECTORS {
            service = service.selector(number, name, "", "");
        }
        Ok(Self {
            pin: Some(cx.input("in")?),
            lamp,
            ticks,
            round: Rc::default(),
            waker: None,
            _service: service.publish()?,
        })
    }

    fn save(&self) -> Result<Saved> {
        Saved::new(1, &self.ticks.get())
    }

    fn restore(&mut self, saved: &Saved) -> Result<()> {
        self.ticks.set(saved.get(1)?);
        Ok(())
    }
}

/// Drives the lamp, which is not permitted before the commit of a reload.
async fn tick(lamp: Rc<RefCell<OutputPin>>, ticks: Rc<Cell<u64>>) -> Result<()> {
    loop {
        lamp.borrow_mut().toggle()?;
        ticks.set(ticks.get() + 1);
        wait(10.millis()).await?;
    }
}

async fn go_round(count: u64, round: Rc<Cell<u64>>) -> Result<()> {
    for _ in 0..count {
        let mut is_woken = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut is_woken, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        round.set(round.get() + 1);
    }
    Ok(())
}

impl AsyncDriver for Probe {
    async fn command(this: Gated<Self>, request: Request) -> Result<Reply> {
        let scalar = request.scalars[0];
        match request.selector {
            LATER => DelayNs::delay_ms(&mut Delay, scalar as u32).await,
            PIN => return on_pin(&this, scalar).await,
            NEVER => pending().await,
            TICKS => return Ok(this.with(|probe| probe.ticks.get()).into()),
            ROUNDS => spawn(go_round(scalar, this.with(|probe| probe.round.clone())))?,
            ROUND => return Ok(this.with(|probe| probe.round.get()).into()),
            BLOCK => embedded_hal::delay::DelayNs::delay_ms(&mut Delay, scalar as u32),
            PULSE => this.with(|probe| pulse(&mut *probe.lamp.borrow_mut(), &mut Delay))?,
            WOKEN => until_woken(&this).await,
            WAKE => this.with(|probe| probe.waker.take().map(Waker::wake).unwrap_or_default()),
            FAIL => spawn(async { Err(ErrorCode::Io.into()) })?,
            _ => return Err(ErrorCode::Unsupported.into()),
        }
        Ok(now().as_nanos().into())
    }
}

async fn on_pin(this: &Gated<Probe>, what: u64) -> Result<Reply> {
    let taken = this.with(|probe| probe.pin.take());
    let mut pin = taken.ok_or(ErrorCode::Busy)?;
    let waited = match what {
        0 => pin.wait_for_low().await,
        1 => pin.wait_for_high().await,
        2 => pin.wait_for_rising_edge().await,
        3 => pin.wait_for_falling_edge().await,
        _ => pin.wait_for_any_edge().await,
    };
    this.with(|probe| probe.pin = Some(pin));
    waited?;
    Ok(now().as_nanos().into())
}

async fn until_woken(this: &Gated<Probe>) {
    let mut is_first = true;
    poll_fn(|cx| {
        if std::mem::replace(&mut is_first, false) {
            this.with(|probe| probe.waker = Some(cx.waker().clone()));
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

/// As a crate for `embedded-hal` 0.2 does it.
fn pulse<P: v2::OutputPin>(pin: &mut P, delay: &mut impl DelayMs<u8>) -> Result<(), P::Error> {
    pin.set_high()?;
    delay.delay_ms(2);
    pin.set_low()
}

driver!(async Probe);
