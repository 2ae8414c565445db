//! The requests of one driver instance that wait for their completion.

use crate::error::ErrorCode;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;

/// What a client asks.
#[derive(Clone, Debug, Default)]
pub struct Arguments {
    /// One of the service's selectors.
    pub selector: u32,
    /// Four numbers, their meaning up to the selector.
    pub scalars: [u64; 4],
    /// Bytes, their meaning up to the selector.
    pub data: Vec<u8>,
}

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

/// Request ids, and the requests that are pending. All of it belongs to one
/// instance and ends with it, so an old id can never name a new request.
pub(crate) struct Requests {
    latest: u64,
    limit: u32,
    /// The request that `command` is looking at now.
    current: Option<Current>,
    pending: HashMap<u64, Entry>,
}

struct Current {
    id: u64,
    /// Completed before `command` has returned.
    early: Option<Outcome>,
}

struct Entry {
    gate: u32,
    client: Arc<Pending>,
}

impl Requests {
    pub(crate) fn new(limit: u32) -> Self {
        Self {
            latest: 0,
            limit,
            current: None,
            pending: HashMap::new(),
        }
    }

    /// A request is handed to the driver: its id.
    pub(crate) fn begin(&mut self) -> u64 {
        self.latest += 1;
        self.current = Some(Current {
            id: self.latest,
            early: None,
        });
        self.latest
    }

    /// `command` has returned: the outcome, if the driver completed the
    /// request meanwhile.
    pub(crate) fn end(&mut self) -> Option<Outcome> {
        self.current.take()?.early
    }

    /// The request stays pending, unless there are too many.
    pub(crate) fn keep(&mut self, id: u64, gate: u32) -> Option<Arc<Pending>> {
        if self.pending.len() >= self.limit as usize {
            return None;
        }
        let client = Arc::<Pending>::default();
        self.pending.insert(
            id,
            Entry {
                gate,
                client: client.clone(),
            },
        );
        Some(client)
    }

    /// How many are pending.
    pub(crate) fn len(&self) -> usize {
        self.pending.len()
    }

    /// Whether a request that came through this gate is pending.
    pub(crate) fn is_busy(&self, gate: u32) -> bool {
        self.pending.values().any(|entry| entry.gate == gate)
    }

    /// The driver completes a request. `Err` for an id that is not its to
    /// complete (any more); otherwise the token of the gate whose event the
    /// client sleeps on, if one does.
    pub(crate) fn complete(&mut self, id: u64, outcome: Outcome) -> Result<Option<u32>, ErrorCode> {
        if let Some(current) = self.current.as_mut().filter(|current| current.id == id) {
            if current.early.is_some() {
                return Err(ErrorCode::BadArgument);
            }
            current.early = Some(outcome);
            return Ok(None);
        }
        let entry = self.pending.remove(&id).ok_or(ErrorCode::BadArgument)?;
        *entry.client.0.lock() = Some(outcome);
        Ok(Some(entry.gate))
    }

    /// The client gave up, or has its answer: whether it was still pending.
    pub(crate) fn forget(&mut self, id: u64) -> bool {
        self.pending.remove(&id).is_some()
    }

    /// The instance ends, and every pending request with it: each with the
    /// token of its gate.
    pub(crate) fn end_all(&mut self, code: ErrorCode) -> Vec<(u64, u32)> {
        let ended = self.pending.drain();
        ended
            .map(|(id, entry)| {
                *entry.client.0.lock() = Some(Err(code));
                (id, entry.gate)
            })
            .collect()
    }

    /// The command gate's event that a pending request's client sleeps on.
    pub(crate) fn event(id: u64) -> u64 {
        id << 1 | 1
    }

    /// The event that clients of a serial service sleep on until the request
    /// before theirs was completed. Even, and never zero.
    pub(crate) const TURN: u64 = 2;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(scalar: u64) -> Outcome {
        Ok(Reply {
            scalar,
            data: Vec::new(),
        })
    }

    #[test]
    fn a_request_is_completed_once() {
        let mut requests = Requests::new(2);
        let id = requests.begin();
        assert!(requests.end().is_none());
        let client = requests.keep(id, 7).unwrap();
        assert_eq!(requests.complete(id, done(1)), Ok(Some(7)));
        assert_eq!(requests.complete(id, done(2)), Err(ErrorCode::BadArgument));
        assert_eq!(requests.complete(99, done(2)), Err(ErrorCode::BadArgument));
        assert_eq!((client.take(), client.take()), (Some(done(1)), None));
    }

    #[test]
    fn a_completion_before_the_return_counts_and_is_the_only_one() {
        let mut requests = Requests::new(2);
        let id = requests.begin();
        assert_eq!(requests.complete(id, done(1)), Ok(None));
        assert_eq!(requests.complete(id, done(2)), Err(ErrorCode::BadArgument));
        assert_eq!(requests.end(), Some(done(1)));
        assert_eq!(requests.complete(id, done(3)), Err(ErrorCode::BadArgument));
    }

    #[test]
    fn too_many_pending_are_refused_and_the_end_answers_all() {
        let mut requests = Requests::new(1);
        let first = requests.begin();
        let client = requests.keep(first, 1).unwrap();
        let second = requests.begin();
        assert!(requests.keep(second, 1).is_none());
        assert_eq!(requests.end_all(ErrorCode::DriverDied), [(first, 1)]);
        assert_eq!(client.take(), Some(Err(ErrorCode::DriverDied)));
        assert!(!requests.forget(first));
    }
}
