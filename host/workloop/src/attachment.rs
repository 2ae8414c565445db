//! Where an event source is attached.

use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::error::Error;
use crate::gate::{Gate, Key, Wakeups};
use crate::identity;
use crate::quota::Quota;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::work_loop::WorkLoop;
use crate::work_loop::shared::Shared;

/// An event source's place on at most one work loop, and its enabled flag.
pub struct Attachment {
    id: u64,
    enabled: AtomicBool,
    /// The id of the loop in `state` while it is `Attached`, else 0: for
    /// questions on the path of every call. Written under `state` only.
    attached_to: AtomicU64,
    /// Read in every pass, without the lock.
    quota: OnceLock<Arc<Quota>>,
    /// A leaf: held for a few instructions, also from primary contexts.
    state: Mutex<State>,
}

#[derive(Default)]
enum State {
    #[default]
    Detached,
    Attached(Arc<Shared>),
    /// Off the chain, but callers are still inside: \[118\].
    Leaving(Arc<Shared>),
}

impl Attachment {
    /// On no loop, enabled.
    pub fn new() -> Self {
        Self {
            id: identity::next(),
            enabled: AtomicBool::new(true),
            attached_to: AtomicU64::new(0),
            quota: OnceLock::new(),
            state: Mutex::new(State::Detached),
        }
    }

    /// The loop, also while a removed source's last callers are inside.
    pub fn work_loop(&self) -> Option<Arc<WorkLoop>> {
        self.shared()?.work_loop()
    }

    /// Whether the source is on a loop, from the removal on no longer.
    pub fn is_attached(&self) -> bool {
        self.attached_to.load(Ordering::Acquire) != 0
    }

    /// Has the loop run soon. Takes no gate and allocates nothing; whether
    /// there is a loop.
    pub fn signal(&self) -> bool {
        self.signal_after(|| ())
    }

    /// As [`signal`](Attachment::signal) after `record`, which is called only
    /// where there is a loop.
    pub(crate) fn signal_after(&self, record: impl FnOnce()) -> bool {
        match &*self.state.lock() {
            State::Attached(shared) => {
                record();
                shared.signal();
                true
            }
            State::Detached | State::Leaving(_) => false,
        }
    }

    /// The flag of [`EventSource::is_enabled`](crate::EventSource::is_enabled).
    pub fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::Acquire)
    }

    /// Sets the flag, and does nothing else.
    pub fn set_enabled(&self, enabled: bool) {
        self.enabled.store(enabled, Ordering::Release);
    }

    /// Has the source share `quota` with the others that have it, for ever.
    /// All of them belong on the same loop. Callable from anywhere, before the
    /// source is added.
    ///
    /// # Errors
    /// `NotPermitted` where the source is on a loop or has a quota.
    pub fn set_quota(&self, quota: Arc<Quota>) -> Result<(), Error> {
        if self.is_attached() {
            return Err(Error::NotPermitted);
        }
        self.quota.set(quota).map_err(|_| Error::NotPermitted)
    }

    /// Tells a removal that waits for callers to look again. By the gate at
    /// hand: the last caller to give up may have let go of the loop by now.
    pub(crate) fn caller_left(&self, gate: &Gate) {
        gate.wakeup_on(Key::Left(self.id), Wakeups::All);
    }

    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    pub(crate) fn left(&self) -> Key {
        Key::Left(self.id)
    }

    pub(crate) fn shared(&self) -> Option<Arc<Shared>> {
        match &*self.state.lock() {
            State::Detached => None,
            State::Attached(shared) | State::Leaving(shared) => Some(Arc::clone(shared)),
        }
    }

    /// Whether its quota, if it has one, lets it be polled in `closing`.
    pub(crate) fn is_within_quota(&self, closing: u64) -> bool {
        self.quota.get().is_none_or(|quota| quota.admits(closing))
    }

    /// Whether this is the loop, and the source is not leaving it.
    pub(crate) fn is_on(&self, shared: &Shared) -> bool {
        self.attached_to.load(Ordering::Acquire) == shared.id()
    }

    /// False where the source is on a loop already.
    pub(crate) fn attach(&self, shared: &Arc<Shared>) -> bool {
        let mut state = self.state.lock();
        let free = matches!(*state, State::Detached);
        if free {
            *state = State::Attached(Arc::clone(shared));
            self.attached_to.store(shared.id(), Ordering::Release);
        }
        free
    }

    /// Whether the source is not on this loop any more. Under the lock: what
    /// the caller wrote before is seen by who removes the source later.
    pub(crate) fn has_left(&self, shared: &Shared) -> bool {
        !matches!(&*self.state.lock(), State::Attached(on) if on.id() == shared.id())
    }

    pub(crate) fn is_leaving(&self) -> bool {
        matches!(*self.state.lock(), State::Leaving(_))
    }

    /// From now on nobody comes in; [`detach`](Attachment::detach) follows.
    pub(crate) fn leave(&self) {
        let mut state = self.state.lock();
        *state = match std::mem::take(&mut *state) {
            State::Attached(shared) => State::Leaving(shared),
            other => other,
        };
        self.attached_to.store(0, Ordering::Release);
    }

    /// Lets go of the loop, in the gate, when the last caller of a removed
    /// source has left.
    pub fn detach(&self) {
        // Dropped outside the lock: it may be the loop's last part.
        let mut state = self.state.lock();
        self.attached_to.store(0, Ordering::Release);
        let last = std::mem::take(&mut *state);
        drop(state);
        drop(last);
    }
}

impl Default for Attachment {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attachment")
            .field("id", &self.id)
            .field("enabled", &self.is_enabled())
            .field("attached", &self.is_attached())
            .finish_non_exhaustive()
    }
}
