//! The executor's own timer: tasks that wait for a time, and those that were woken in
//! a handler of the driver's, which has its own time to keep to.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::tasks;
use crate::{Duration, Instant, Level, Result, Timer, TimerId, log, now};

/// Far from those of the driver's timers, which count from 1: its next version has
/// this one under the same name, however many timers each of them has.
const TOKEN: u32 = 1 << 31;

/// On the next occasion after the running handler.
const AT_ONCE: Instant = Instant::from_nanos(0);

thread_local! {
    static ALARM: RefCell<Alarm> = const { RefCell::new(Alarm::new()) };
}

struct Alarm {
    /// Since there was something to wait for.
    timer: Option<Timer>,
    armed: Option<Instant>,
    /// Who is to be woken when; the second number tells those of one time apart.
    deadlines: BTreeMap<(Instant, u64), Waker>,
    waits: u64,
}

impl Alarm {
    const fn new() -> Self {
        Self {
            timer: None,
            armed: None,
            deadlines: BTreeMap::new(),
            waits: 0,
        }
    }

    fn provide(&mut self) -> Result<()> {
        if self.timer.is_none() {
            self.timer = Some(Timer::with_token(TOKEN)?);
        }
        Ok(())
    }

    fn arm(&mut self) -> Result<()> {
        let wanted = if tasks::is_woken() {
            Some(AT_ONCE)
        } else {
            self.deadlines.keys().next().map(|&(at, _)| at)
        };
        if self.armed == wanted {
            return Ok(());
        }
        self.provide()?;
        let Some(timer) = &self.timer else {
            return Ok(());
        };
        match wanted {
            Some(AT_ONCE) => timer.set_timeout(Duration::ZERO)?,
            Some(at) => timer.wake_at(at)?,
            None => timer.cancel_timeout(),
        }
        self.armed = wanted;
        Ok(())
    }
}

/// There is a timer from now on.
pub(super) fn provide() -> Result<()> {
    ALARM.with_borrow_mut(Alarm::provide)
}

/// After each handler: arms the timer for what is next.
pub(super) fn arm() {
    if let Err(error) = ALARM.with_borrow_mut(Alarm::arm) {
        log(Level::Error, &format!("the timer for tasks: {error}"));
    }
}

/// A timer of the driver expired. Whether it is this one; then it wakes who waits.
pub(super) fn rang(id: TimerId) -> bool {
    if id.0 != TOKEN {
        return false;
    }
    let due = ALARM.with_borrow_mut(|alarm| {
        alarm.armed = None;
        let later = alarm.deadlines.split_off(&(now(), u64::MAX));
        std::mem::replace(&mut alarm.deadlines, later)
    });
    due.into_values().for_each(Waker::wake);
    true
}

/// Waits with the gate open, so that other handlers run meanwhile: in a task, or in a
/// request of an [`AsyncDriver`](crate::AsyncDriver). What [`delay`](crate::delay)
/// does with the gate closed.
pub fn wait(span: Duration) -> Wait {
    wait_until(now() + span)
}

/// As [`wait`], for a point in time.
pub fn wait_until(deadline: Instant) -> Wait {
    Wait {
        deadline,
        place: None,
    }
}

/// What [`wait`] returns.
#[derive(Debug)]
#[must_use = "nothing waits without `.await`"]
pub struct Wait {
    deadline: Instant,
    place: Option<u64>,
}

impl Future for Wait {
    /// An error where the driver has no handle left for the one timer that all tasks
    /// share.
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if now() >= self.deadline {
            return Poll::Ready(Ok(()));
        }
        let deadline = self.deadline;
        let waker = cx.waker().clone();
        let last = ALARM.with_borrow_mut(|alarm| {
            alarm.provide()?;
            let place = *self.place.get_or_insert_with(|| {
                alarm.waits += 1;
                alarm.waits
            });
            Ok(alarm.deadlines.insert((deadline, place), waker))
        });
        // A waker may be someone's own, and do anything when it is dropped.
        last.map_or_else(|error| Poll::Ready(Err(error)), |_| Poll::Pending)
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            let key = (self.deadline, place);
            let waker = ALARM.with_borrow_mut(|alarm| alarm.deadlines.remove(&key));
            drop(waker);
        }
    }
}
