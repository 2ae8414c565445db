//! The requests of one driver instance that wait for their completion.

use crate::error::ErrorCode;
use crate::submission::{self, Mailbox, Submission};
use loopgate_workloop::{CommandGate, Instant, Wakeups};
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

/// What a driver answers.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Reply {
    /// A number, its meaning up to the selector.
    pub scalar: u64,
    /// Bytes, their meaning up to the selector.
    pub data: Vec<u8>,
}

pub(crate) type Outcome = Result<Reply, ErrorCode>;

/// A request that `command` left pending, as its client sees it.
///
/// The client sleeps on the command gate's event [`Requests::event`], and
/// looks here when it wakes.
#[derive(Default)]
pub(crate) struct Pending(Mutex<Option<Outcome>>);

impl Pending {
    /// The outcome, once there is one.
    pub(crate) fn take(&self) -> Option<Outcome> {
        self.0.lock().take()
    }
}

/// Who waits for the completion of a request.
#[derive(Clone)]
pub(crate) enum Client {
    /// A caller of the board, asleep in the gate.
    Outside(Arc<Pending>),
    /// Another driver, which is told on its own loop.
    Driver(Arc<Submission>),
}

/// Who has the next turn at the serial services of one gate: clients outside,
/// who sleep there, and drivers, whose requests are queued, alternate. Changed
/// in the gate.
#[derive(Default)]
pub(crate) struct Turns {
    /// Clients outside that wait for their turn.
    pub(crate) outside: AtomicU32,
    /// The latest turn was a driver's.
    pub(crate) driver_was_last: AtomicBool,
    /// The instance's, where requests of other drivers are announced; none
    /// where no other driver may open a service of the gate. Of the gate, since
    /// whoever leaves one of its services lets the requests of all go on.
    pub(crate) mailbox: OnceLock<Arc<Mailbox>>,
}

impl Turns {
    /// Whether clients outside go before the next driver's request. They let
    /// it go when they leave.
    pub(crate) fn is_outside(&self) -> bool {
        self.driver_was_last.load(Relaxed) && self.outside.load(Relaxed) > 0
    }
}

impl From<Wake> for crate::bindings::exports::loopgate::driver::handlers::Wake {
    fn from(wake: Wake) -> Self {
        match wake {
            Wake::Awakened => Self::Awakened,
            Wake::TimedOut => Self::TimedOut,
        }
    }
}

/// Request ids, and the requests that are pending. All of it belongs to one
/// instance and ends with it, so an old id can never name a new request.
pub(crate) struct Requests {
    latest: u64,
    limit: u32,
    /// The request that `command` is looking at now.
    current: Option<Current>,
    pending: BTreeMap<u64, Entry>,
    /// Parked requests that go on, in the order in which they were woken.
    /// Some may have ended since.
    woken: VecDeque<(u64, Wake)>,
    /// Numbers the sleeps, so that the longest asleep is woken first.
    sleeps: u64,
}

struct Current {
    id: u64,
    /// Its completion is the return of `command` and nothing else.
    immediate: bool,
    /// Completed before `command` has returned.
    early: Option<Outcome>,
    parking: Parking,
}

struct Entry {
    token: u32,
    /// Whose event the client sleeps on; kept here since the driver may drop
    /// its handle of the gate while requests are pending.
    gate: Arc<CommandGate>,
    client: Client,
    parking: Parking,
}

impl Entry {
    /// Answers the client. False where it has given up.
    fn answer(&self, id: u64, outcome: Outcome) -> bool {
        match &self.client {
            Client::Outside(pending) => {
                *pending.0.lock() = Some(outcome);
                self.gate.wakeup(Requests::event(id), Wakeups::All);
                true
            }
            Client::Driver(submission) => submission::settle(submission, outcome),
        }
    }

    /// Lets the next client of a serial service go.
    fn leave(self) {
        self.gate.wakeup(Requests::turn(self.token), Wakeups::One);
    }
}

/// What happened to a request while `command` looked at it.
pub(crate) struct Ended {
    /// The outcome, if the driver completed it.
    pub(crate) early: Option<Outcome>,
    parking: Parking,
}

/// Where a request is between `command-sleep` and `resume`.
#[derive(Clone, Copy, Default)]
enum Parking {
    #[default]
    Awake,
    Asleep(Sleep),
    /// `resume` follows. With the event, if this one was woken in place of
    /// others that sleep on it: if it ends before, another must be.
    Woken(Option<u64>),
}

#[derive(Clone, Copy)]
struct Sleep {
    event: u64,
    deadline: Option<Instant>,
    number: u64,
}

/// Why a parked request goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wake {
    Awakened,
    TimedOut,
}

impl Requests {
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            latest: 0,
            limit,
            current: None,
            pending: BTreeMap::new(),
            woken: VecDeque::new(),
            sleeps: 0,
        }
    }

    /// A request is handed to the driver: its id.
    pub(crate) fn begin(&mut self, immediate: bool) -> u64 {
        self.latest += 1;
        self.current = Some(Current {
            id: self.latest,
            immediate,
            early: None,
            parking: Parking::Awake,
        });
        self.latest
    }

    /// `command` has returned.
    pub(crate) fn end(&mut self) -> Ended {
        let current = self.current.take();
        let (early, parking) = current.map_or((None, Parking::Awake), |current| {
            (current.early, current.parking)
        });
        Ended { early, parking }
    }

    /// Whether one more may be pending.
    pub(crate) fn has_room(&self) -> bool {
        self.pending.len() < self.limit as usize
    }

    /// The request stays pending.
    pub(crate) fn keep(
        &mut self,
        id: u64,
        token: u32,
        gate: &Arc<CommandGate>,
        ended: &Ended,
        client: Client,
    ) {
        let parking = ended.parking;
        self.pending.insert(
            id,
            Entry {
                token,
                gate: gate.clone(),
                client,
                parking,
            },
        );
    }

    /// Parks a request of this driver, from the running handler on.
    pub(crate) fn park(
        &mut self,
        id: u64,
        event: u64,
        deadline: Option<Instant>,
    ) -> Result<(), ErrorCode> {
        let number = self.sleeps;
        let parking = match self.current.as_mut().filter(|current| current.id == id) {
            Some(current) if current.early.is_none() => &mut current.parking,
            Some(_) => return Err(ErrorCode::BadArgument),
            None => {
                &mut self
                    .pending
                    .get_mut(&id)
                    .ok_or(ErrorCode::BadArgument)?
                    .parking
            }
        };
        if !matches!(parking, Parking::Awake) {
            return Err(ErrorCode::BadArgument);
        }
        *parking = Parking::Asleep(Sleep {
            event,
            deadline,
            number,
        });
        self.sleeps += 1;
        Ok(())
    }

    /// Wakes requests that came through this gate and are parked on `event`:
    /// the longest asleep, or all. Whether there were any.
    pub(crate) fn wake(&mut self, gate: u32, event: u64, one: bool) -> bool {
        let which = |entry: &Entry, sleep: &Sleep| entry.token == gate && sleep.event == event;
        if one {
            self.rouse(which, |sleep| sleep.number, 1, Wake::Awakened, Some(event))
        } else {
            self.rouse(
                which,
                |sleep| sleep.number,
                usize::MAX,
                Wake::Awakened,
                None,
            )
        }
    }

    /// Wakes requests whose deadline has come, the earliest first. Whether
    /// there were any.
    pub(crate) fn expire(&mut self, now: Instant) -> bool {
        let which =
            |_: &Entry, sleep: &Sleep| sleep.deadline.is_some_and(|deadline| deadline <= now);
        self.rouse(
            which,
            |sleep| sleep.deadline,
            usize::MAX,
            Wake::TimedOut,
            None,
        )
    }

    /// The earliest deadline of a parked request.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.asleep()
            .filter_map(|(_, _, sleep)| sleep.deadline)
            .min()
    }

    /// The next request to resume.
    pub(crate) fn next_woken(&mut self) -> Option<(u64, Wake)> {
        loop {
            let (id, wake) = self.woken.pop_front()?;
            if let Some(entry) = self.pending.get_mut(&id) {
                entry.parking = Parking::Awake;
                return Some((id, wake));
            }
        }
    }

    pub(crate) fn has_woken(&self) -> bool {
        !self.woken.is_empty()
    }

    fn asleep(&self) -> impl Iterator<Item = (u64, &Entry, &Sleep)> {
        self.pending
            .iter()
            .filter_map(|(&id, entry)| match &entry.parking {
                Parking::Asleep(sleep) => Some((id, entry, sleep)),
                _ => None,
            })
    }

    fn rouse<K: Ord>(
        &mut self,
        which: impl Fn(&Entry, &Sleep) -> bool,
        order: impl Fn(&Sleep) -> K,
        most: usize,
        wake: Wake,
        instead: Option<u64>,
    ) -> bool {
        let mut found: Vec<(K, u64)> = self
            .asleep()
            .filter(|(_, entry, sleep)| which(entry, sleep))
            .map(|(id, _, sleep)| (order(sleep), id))
            .collect();
        found.sort_unstable();
        found.truncate(most);
        for &(_, id) in &found {
            if let Some(entry) = self.pending.get_mut(&id) {
                entry.parking = Parking::Woken(instead);
                self.woken.push_back((id, wake));
            }
        }
        !found.is_empty()
    }

    /// How many are pending.
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether a request that came through this gate is pending.
    pub(crate) fn is_busy(&self, gate: u32) -> bool {
        self.pending.values().any(|entry| entry.token == gate)
    }

    /// The driver completes a request; `Err` for an id that is not its to
    /// complete (any more).
    pub(crate) fn complete(&mut self, id: u64, outcome: Outcome) -> Result<(), ErrorCode> {
        if let Some(current) = self.current.as_mut().filter(|current| current.id == id) {
            if current.immediate || current.early.is_some() {
                return Err(ErrorCode::BadArgument);
            }
            current.early = Some(outcome);
            return Ok(());
        }
        let entry = self.pending.get(&id).ok_or(ErrorCode::BadArgument)?;
        // One that was given up stays until the driver is told `cancelled`.
        if !entry.answer(id, outcome) {
            return Err(ErrorCode::BadArgument);
        }
        self.forget(id);
        Ok(())
    }

    /// The request is over, or the client gave up: whether it was still
    /// pending.
    pub(crate) fn forget(&mut self, id: u64) -> bool {
        let Some(entry) = self.pending.remove(&id) else {
            return false;
        };
        self.pass_on(&entry);
        entry.leave();
        true
    }

    /// A wake-up meant for one is not lost with the one that it found.
    fn pass_on(&mut self, ended: &Entry) {
        if let Parking::Woken(Some(event)) = ended.parking {
            self.wake(ended.token, event, true);
        }
    }

    /// The instance ends, or drops the gate with this token: what is pending
    /// there ends with it.
    pub(crate) fn end_all(&mut self, token: Option<u32>, code: ErrorCode) {
        let which = |_: &u64, entry: &mut Entry| token.is_none_or(|token| token == entry.token);
        for (id, entry) in self.pending.extract_if(.., which) {
            entry.answer(id, Err(code));
            entry.leave();
        }
    }

    /// The requests that have begun, and the gates that they came through.
    pub(crate) fn begun(&self) -> impl Iterator<Item = (u64, u32)> {
        self.pending.iter().map(|(&id, entry)| (id, entry.token))
    }

    /// Answers the client of a request, which stays until the driver is told
    /// `cancelled`.
    pub(crate) fn answer(&self, id: u64, outcome: Outcome) {
        if let Some(entry) = self.pending.get(&id) {
            entry.answer(id, outcome);
        }
    }

    /// The command gate's event that a pending request's client sleeps on.
    pub(crate) fn event(id: u64) -> u64 {
        id << 1 | 1
    }

    /// The event that clients of a serial service sleep on until the request
    /// before theirs was completed: of this gate alone, since the scope is the
    /// driver's. Even, and never zero.
    pub(crate) fn turn(token: u32) -> u64 {
        (u64::from(token) + 1) << 1
    }
}

#[cfg(test)]
mod tests;
