//! The gate's records and the rules by which they move. Nothing here locks,
//! blocks or reads a clock, so that every step can be reasoned about alone.
//!
//! A context has at most one record: it waits for the gate (`queue`), or it
//! sleeps (`sleepers`). A sleeper that was woken waits for the gate behind
//! those who waited before, and takes its levels back.
//!
//! An opened gate is free, and the head of the queue is woken; a newcomer may
//! take it first (waking takes microseconds, which nobody should stand idle
//! for). A head that was overtaken once is handed the gate at the next
//! opening. So no one is overtaken more than once at the head, and no convoy
//! forms while the gate is merely busy.

use std::collections::VecDeque;
use std::task::Poll;

use super::{Entry, Key, Wakeups};
use crate::context::{Context, ContextId};
use crate::error::{Error, Wake};
use crate::instant::Instant;

#[derive(Default)]
pub(super) struct State {
    owner: Option<ContextId>,
    depth: u32,
    /// The gate was handed to `owner`, which has not noticed yet.
    handed: Option<Purpose>,
    queue: VecDeque<Waiter>,
    sleepers: VecDeque<Sleeper>,
    /// The work loop is gone: nobody sleeps any more.
    ended: bool,
}

/// The context to wake once the state is unlocked.
pub(super) type ToWake = Option<Context>;

struct Waiter {
    cx: Context,
    /// The levels it takes.
    depth: u32,
    purpose: Purpose,
    overtaken: bool,
}

#[derive(Clone, Copy)]
enum Purpose {
    Close,
    Resume(Wake),
}

struct Sleeper {
    cx: Context,
    depth: u32,
    key: Key,
    deadline: Option<Instant>,
}

impl State {
    /// Whether `id` holds the gate and knows it.
    pub(super) fn is_owner(&self, id: ContextId) -> bool {
        self.owner == Some(id) && self.handed.is_none()
    }

    /// Who holds the gate, or was handed it.
    pub(super) fn owner(&self) -> Option<ContextId> {
        self.owner
    }

    pub(super) fn depth(&self) -> u32 {
        self.depth
    }

    pub(super) fn waiting(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn try_close(&mut self, id: ContextId) -> bool {
        match self.owner {
            Some(owner) if owner == id => {
                if self.handed.take().is_none() {
                    self.depth += 1;
                }
                true
            }
            Some(_) => false,
            None => {
                match self.queue.front_mut() {
                    Some(head) if head.cx.id() == id => drop(self.queue.pop_front()),
                    Some(head) => head.overtaken = true,
                    None => {}
                }
                self.owner = Some(id);
                self.depth = 1;
                true
            }
        }
    }

    pub(super) fn poll_close(&mut self, cx: &Context) -> Entry {
        let place = self.queue.iter().position(|w| w.cx == *cx);
        let waited = place.is_some() || self.is_handed_to(cx.id());
        // Who waits already keeps its place; only newcomers overtake.
        if place.is_none_or(|place| place == 0) && self.try_close(cx.id()) {
            return Entry::Closed {
                waited,
                depth: self.depth,
            };
        }
        if !waited {
            self.enqueue(cx.clone(), 1, Purpose::Close);
        }
        Entry::Queued { first: !waited }
    }

    pub(super) fn open(&mut self, id: ContextId) -> Result<ToWake, Error> {
        if !self.is_owner(id) {
            return Err(Error::NotPermitted);
        }
        self.depth -= 1;
        if self.depth > 0 {
            return Ok(None);
        }
        self.owner = None;
        Ok(self.offer())
    }

    /// Forgets the record of `id`, or the gate that was handed to it; whether
    /// it waited to close the gate.
    pub(super) fn abandon(&mut self, id: ContextId) -> (bool, ToWake) {
        let handed = self.is_handed_to(id);
        let waited = handed || self.queue.iter().any(|w| w.cx.id() == id);
        self.queue.retain(|w| w.cx.id() != id);
        self.sleepers.retain(|s| s.cx.id() != id);
        if handed {
            self.handed = None;
            self.owner = None;
            self.depth = 0;
        }
        (waited, self.offer())
    }

    /// Whether `cx` has fallen asleep on `key`, or on anything, and has not
    /// taken its levels back.
    pub(super) fn is_asleep(&self, id: ContextId, key: Option<Key>) -> bool {
        let resuming = |purpose: &Purpose| matches!(purpose, Purpose::Resume(_));
        self.sleepers
            .iter()
            .any(|s| s.cx.id() == id && key.is_none_or(|key| s.key == key))
            || self
                .queue
                .iter()
                .any(|w| w.cx.id() == id && resuming(&w.purpose))
            || self.owner == Some(id) && self.handed.as_ref().is_some_and(resuming)
    }

    /// Releases every level of the owner and records it as asleep. The record
    /// is made before the gate is free: a waker that owns it cannot be missed.
    pub(super) fn sleep(
        &mut self,
        cx: &Context,
        key: Key,
        deadline: Option<Instant>,
    ) -> Result<ToWake, Error> {
        if !self.is_owner(cx.id()) {
            return Err(Error::NotPermitted);
        }
        if self.ended {
            return Err(Error::Aborted);
        }
        let depth = std::mem::take(&mut self.depth);
        self.sleepers.push_back(Sleeper {
            cx: cx.clone(),
            depth,
            key,
            deadline,
        });
        self.owner = None;
        Ok(self.offer())
    }

    /// Takes the levels of a sleeper back once it was woken.
    pub(super) fn poll_resume(&mut self, id: ContextId) -> Poll<Wake> {
        if self.owner == Some(id)
            && let Some(Purpose::Resume(wake)) = self.handed
        {
            self.handed = None;
            return Poll::Ready(wake);
        }
        match self.queue.front() {
            Some(&Waiter {
                ref cx,
                depth,
                purpose: Purpose::Resume(wake),
                ..
            }) if self.owner.is_none() && cx.id() == id => {
                self.queue.pop_front();
                self.owner = Some(id);
                self.depth = depth;
                Poll::Ready(wake)
            }
            _ => Poll::Pending,
        }
    }

    /// Ends the sleep of `id` if its deadline has come. `now` is read only
    /// where there is one.
    pub(super) fn expire(&mut self, id: ContextId, now: impl FnOnce() -> Instant) -> ToWake {
        let place = self.sleepers.iter().position(|s| s.cx.id() == id)?;
        let deadline = self.sleepers[place].deadline?;
        if now() < deadline {
            return None;
        }
        self.rouse(place, Wake::TimedOut);
        self.offer()
    }

    /// Ends the sleep of `id`: whether it was asleep.
    pub(super) fn abort(&mut self, id: ContextId) -> (bool, ToWake) {
        let place = self.sleepers.iter().position(|s| s.cx.id() == id);
        if let Some(place) = place {
            self.rouse(place, Wake::Interrupted);
        }
        (place.is_some(), self.offer())
    }

    /// Wakes those who sleep on `key`, in the order in which they fell asleep.
    pub(super) fn wakeup(&mut self, key: Key, which: Wakeups) -> (usize, ToWake) {
        let mut woken = 0;
        while let Some(place) = self.sleepers.iter().position(|s| s.key == key) {
            self.rouse(place, Wake::Awakened);
            woken += 1;
            if which == Wakeups::One {
                break;
            }
        }
        (woken, self.offer())
    }

    /// Interrupts every sleep, and every later one.
    pub(super) fn end(&mut self) -> ToWake {
        self.ended = true;
        while !self.sleepers.is_empty() {
            self.rouse(0, Wake::Interrupted);
        }
        self.offer()
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.sleepers.iter().filter_map(|s| s.deadline).min()
    }

    pub(super) fn deadline_of(&self, id: ContextId) -> Option<Instant> {
        let sleeper = self.sleepers.iter().find(|s| s.cx.id() == id)?;
        sleeper.deadline
    }

    fn is_handed_to(&self, id: ContextId) -> bool {
        self.owner == Some(id) && self.handed.is_some()
    }

    /// Offers a free gate to the head of the queue.
    fn offer(&mut self) -> ToWake {
        if self.owner.is_some() {
            return None;
        }
        let head = self.queue.front()?;
        if !head.overtaken {
            return Some(head.cx.clone());
        }
        let head = self.queue.pop_front()?;
        self.owner = Some(head.cx.id());
        self.depth = head.depth;
        self.handed = Some(head.purpose);
        Some(head.cx)
    }

    fn rouse(&mut self, place: usize, wake: Wake) {
        if let Some(sleeper) = self.sleepers.remove(place) {
            self.enqueue(sleeper.cx, sleeper.depth, Purpose::Resume(wake));
        }
    }

    fn enqueue(&mut self, cx: Context, depth: u32, purpose: Purpose) {
        self.queue.push_back(Waiter {
            cx,
            depth,
            purpose,
            overtaken: false,
        });
    }
}
