//! A thread for each bus, and for the modem lines of each tty, so that nobody waits
//! longer for a device than they will.
//!
//! A transaction is a system call (or a model) that may never come back. It is
//! made on the bus's own thread; who wants it waits for the turn, then for the
//! result, each for as long as they like. Where the result does not come in time
//! the bus is *abandoned*: the call still has it. Others wait [`GRACE`] for that,
//! and then the bus is stuck, for everyone and at once, until the call comes back.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex, MutexGuard};

/// How long others wait for a transaction that was abandoned: long enough for one
/// that was only begun late, short enough for a handler.
pub const GRACE: Duration = Duration::from_millis(100);

/// A bus's thread. It ends with this, or when its last call has come back.
pub struct BusThread {
    shared: Arc<Shared>,
}

/// How a bus is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BusState {
    /// Transactions that have come back.
    pub transactions: u64,
    /// Who has the bus now.
    pub user: Option<String>,
    /// That one has given up, and the call has not come back.
    pub is_stuck: bool,
}

/// Why there was no turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Somebody's transaction does not come back.
    Stuck,
    /// Others had the bus for all of the time.
    Late,
}

/// Why a call has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoResult {
    /// It has not come back in time. Where it has begun it has the bus until it does.
    Late,
    /// It has panicked, and come back by that.
    Panicked,
}

/// The right to the bus, for one call.
pub struct Turn<'a>(&'a Shared);

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

struct Job {
    call: Box<dyn FnOnce() + Send>,
    is_transaction: bool,
}

#[derive(Default)]
struct State {
    bus: BusState,
    /// Those who wait, in order.
    queue: VecDeque<u64>,
    next: u64,
    job: Option<Job>,
    /// Calls that have come back.
    returned: u64,
    abandoned: Option<Instant>,
    over: bool,
}

impl BusThread {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// What the operating system says.
    pub fn spawn(bus: &str) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let served = shared.clone();
        std::thread::Builder::new()
            // No thread can have a name with a NUL in it.
            .name(format!("bus-{}", bus.replace('\0', " ")))
            .spawn(move || served.serve())?;
        Ok(Self { shared })
    }

    /// Waits for the bus, behind those who do already.
    ///
    /// # Errors
    ///
    /// [`Refused`]; nothing was done.
    pub fn turn(&self, user: &str, wait: Duration) -> Result<Turn<'_>, Refused> {
        let shared = &*self.shared;
        let mut state = shared.state.lock();
        let number = state.next;
        state.next += 1;
        state.queue.push_back(number);
        let waited = shared.wait_for_turn(&mut state, number, Instant::now() + wait);
        state.queue.retain(|&other| other != number);
        match waited {
            Ok(()) => state.bus.user = Some(user.to_owned()),
            // The next one is first now.
            Err(_) => {
                shared.changed.notify_all();
            }
        }
        waited.map(|()| Turn(shared))
    }

    /// How the bus is.
    pub fn state(&self) -> BusState {
        let state = self.shared.state.lock();
        BusState {
            is_stuck: state.abandoned.is_some(),
            ..state.bus.clone()
        }
    }
}

impl Drop for BusThread {
    fn drop(&mut self) {
        self.shared.state.lock().over = true;
        self.shared.changed.notify_all();
    }
}

impl Turn<'_> {
    /// Runs a transaction on the bus's thread.
    ///
    /// # Errors
    ///
    /// [`NoResult`].
    pub fn run<R: Send + 'static>(
        self,
        wait: Duration,
        call: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, NoResult> {
        self.make(wait, true, call)
    }

    /// Opens a device of the bus on its thread, since that may wait for a
    /// transaction in the kernel.
    ///
    /// # Errors
    ///
    /// [`NoResult`].
    pub fn open<R: Send + 'static>(
        self,
        wait: Duration,
        open: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, NoResult> {
        self.make(wait, false, open)
    }

    fn make<R: Send + 'static>(
        self,
        wait: Duration,
        is_transaction: bool,
        call: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, NoResult> {
        let shared = self.0;
        let until = Instant::now() + wait;
        let result = Arc::new(Mutex::new(None));
        let to = result.clone();
        let mut state = shared.state.lock();
        let before = state.returned;
        state.job = Some(Job {
            call: Box::new(move || *to.lock() = Some(call())),
            is_transaction,
        });
        shared.changed.notify_all();
        while state.returned == before {
            let late = shared.changed.wait_until(&mut state, until).timed_out();
            if late && state.returned == before {
                return Err(self.give_up(state, until));
            }
        }
        drop(state);
        result.lock().take().ok_or(NoResult::Panicked)
    }

    /// What has not begun is not made any more; what has keeps the turn.
    fn give_up(self, mut state: MutexGuard<'_, State>, until: Instant) -> NoResult {
        let job = state.job.take();
        if job.is_none() {
            state.abandoned = Some(until);
            self.0.changed.notify_all();
            // The thread ends the turn, and maybe as soon as this is unlocked.
            std::mem::forget(self);
        }
        drop(state);
        NoResult::Late
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.state.lock().bus.user = None;
        self.0.changed.notify_all();
    }
}

impl Shared {
    fn wait_for_turn(
        &self,
        state: &mut MutexGuard<'_, State>,
        number: u64,
        until: Instant,
    ) -> Result<(), Refused> {
        while state.bus.user.is_some() || state.queue.front() != Some(&number) {
            let stuck = state.abandoned.map(|since| since + GRACE);
            let now = Instant::now();
            if stuck.is_some_and(|stuck| stuck <= now) {
                return Err(Refused::Stuck);
            }
            if until <= now {
                return Err(Refused::Late);
            }
            let next = stuck.into_iter().chain([until]).min();
            self.changed.wait_until(state, next.unwrap_or(until));
        }
        Ok(())
    }

    fn serve(&self) {
        let mut state = self.state.lock();
        while !state.over {
            let Some(job) = state.job.take() else {
                self.changed.wait(&mut state);
                continue;
            };
            // The panic hook has told of it, and who waits is told too.
            let _ = MutexGuard::unlocked(&mut state, || catch_unwind(AssertUnwindSafe(job.call)));
            state.bus.transactions += u64::from(job.is_transaction);
            state.returned += 1;
            if state.abandoned.take().is_some() {
                state.bus.user = None;
            }
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn a_call_comes_back_with_its_result() {
        let bus = BusThread::spawn("any\0name").unwrap();
        for number in 0..100 {
            let turn = bus.turn("a", LONG).unwrap();
            assert_eq!(turn.run(LONG, move || number), Ok(number));
        }
        assert_eq!(bus.turn("a", LONG).unwrap().open(LONG, || 7), Ok(7));
        let idle = BusState {
            transactions: 100,
            ..BusState::default()
        };
        assert_eq!(bus.state(), idle);
    }

    #[test]
    fn a_call_that_hangs_costs_its_own_time_and_then_nobody_any() {
        let bus = BusThread::spawn("test").unwrap();
        let (release, hangs) = channel::<()>();
        let turn = bus.turn("bad", LONG).unwrap();
        let hung = turn.run(Duration::from_millis(200), move || hangs.recv());
        assert_eq!(hung, Err(NoResult::Late));
        let state = bus.state();
        assert_eq!((state.user.as_deref(), state.is_stuck), (Some("bad"), true));
        // One may wait for the grace, nobody after it.
        assert_eq!(bus.turn("good", LONG).err(), Some(Refused::Stuck));
        let begun = Instant::now();
        for _ in 0..1000 {
            assert_eq!(bus.turn("good", LONG).err(), Some(Refused::Stuck));
        }
        assert!(begun.elapsed() < LONG);
        release.send(()).unwrap();
        while bus.state().is_stuck {
            std::thread::yield_now();
        }
        assert_eq!(bus.turn("good", LONG).unwrap().run(LONG, || 7), Ok(7));
    }

    #[test]
    fn who_waits_has_the_bus_in_turn_or_is_late() {
        let bus = BusThread::spawn("test").unwrap();
        let first = bus.turn("first", LONG).unwrap();
        let late = bus.turn("late", Duration::from_millis(1));
        assert_eq!(late.err(), Some(Refused::Late));
        std::thread::scope(|scope| {
            let second = scope.spawn(|| bus.turn("second", LONG).unwrap().run(LONG, || 2));
            while bus.shared.state.lock().queue.is_empty() {
                std::thread::yield_now();
            }
            assert_eq!(first.run(LONG, || 1), Ok(1));
            assert_eq!(second.join().unwrap(), Ok(2));
        });
    }

    #[test]
    fn a_call_that_panics_has_come_back_without_a_result() {
        let bus = BusThread::spawn("test").unwrap();
        let panicked = bus.turn("bad", LONG).unwrap();
        let panicked = panicked.run(LONG, || panic!("as it shall"));
        assert_eq!(panicked, Err::<(), _>(NoResult::Panicked));
        assert_eq!(bus.turn("good", LONG).unwrap().run(LONG, || 7), Ok(7));
    }

    #[test]
    fn what_was_given_up_before_it_began_is_never_made() {
        let bus = BusThread::spawn("test").unwrap();
        // The thread begins nothing any more.
        bus.shared.state.lock().over = true;
        let turn = bus.turn("late", LONG).unwrap();
        let result = turn.run(Duration::from_millis(1), || 7);
        assert_eq!(result, Err(NoResult::Late));
        assert_eq!(bus.state(), BusState::default());
        assert!(bus.shared.state.lock().job.is_none());
    }

    #[test]
    fn who_is_late_ends_nobody_else_s_turn() {
        let bus = BusThread::spawn("test").unwrap();
        let use_it = |user: &str| {
            for micros in (0..50).cycle().take(10_000) {
                let Ok(turn) = bus.turn(user, LONG) else {
                    continue;
                };
                for _ in 0..10 {
                    assert_eq!(bus.state().user.as_deref(), Some(user));
                    std::thread::yield_now();
                }
                // Some come back at the very moment at which they are given up.
                let call = move || {
                    let begun = Instant::now();
                    while begun.elapsed() < Duration::from_micros(20) {}
                };
                let _ = turn.run(Duration::from_micros(micros), call);
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(|| use_it("a"));
            scope.spawn(|| use_it("b"));
        });
    }
}
