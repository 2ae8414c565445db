//! Execution contexts: who closes gates.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::identity;
use crate::sync::{Parker, thread, thread_local};

/// Identifies a [`Context`]; never reused in a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContextId(u64);

/// What closes gates, waits and sleeps: usually a thread, but not necessarily.
///
/// A thread has a context of its own ([`Context::current`]). A deterministic
/// scheduler makes [detached](Context::detached) ones and drives them all on
/// one thread through the `poll_` functions, which never block.
///
/// A context is one thread of execution: it waits for one thing at a time.
/// Each has a wake-up token, which [`wake`](Context::wake) sets and waiting
/// takes; as waits may end early, whoever waits looks at its condition again.
#[derive(Clone)]
pub struct Context(Arc<Inner>);

struct Inner {
    id: ContextId,
    name: String,
    parker: Parker,
}

thread_local! {
    static CURRENT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

impl Context {
    /// The context entered with [`scope`](Context::scope), else this thread's
    /// own.
    pub fn current() -> Self {
        Self::with_current(Self::clone)
    }

    /// Calls `f` with [`Context::current`].
    pub fn with_current<R>(f: impl FnOnce(&Self) -> R) -> R {
        // A clone, since `f` may enter another context.
        let current = CURRENT.with(|slot| {
            slot.borrow_mut()
                .get_or_insert_with(Self::of_thread)
                .clone()
        });
        f(&current)
    }

    /// A context that belongs to no thread.
    pub fn detached(name: &str) -> Self {
        Self(Arc::new(Inner {
            id: ContextId(identity::next()),
            name: name.to_owned(),
            parker: Parker::new(),
        }))
    }

    /// Makes `self` the current context of this thread while `f` runs.
    pub fn scope<R>(&self, f: impl FnOnce() -> R) -> R {
        let outer = CURRENT.with(|slot| slot.replace(Some(self.clone())));
        let _restore = Restore(outer);
        f()
    }

    /// Who this is.
    pub fn id(&self) -> ContextId {
        self.0.id
    }

    /// The name given at creation, or the thread's.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Sets the token, and ends a wait for it. Callable from anywhere; takes
    /// no lock unless the context is waiting.
    pub fn wake(&self) {
        self.0.parker.unpark();
    }

    /// Takes the token: whether the context was woken since it was last taken.
    pub fn take_wake(&self) -> bool {
        self.0.parker.take()
    }

    /// Blocks the calling thread until the token is set, at most for `limit`
    /// of real time, and takes it. May return early. For implementations of
    /// [`Clock`](crate::Clock); everything else waits through its clock.
    pub fn park(&self, limit: Option<Duration>) {
        self.0.parker.park(limit);
    }

    fn of_thread() -> Self {
        let thread = thread::current();
        Self::detached(thread.name().unwrap_or("unnamed"))
    }
}

impl PartialEq for Context {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Context {}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Context({} `{}`)", self.0.id.0, self.0.name)
    }
}

/// Puts the outer context back, also when the scope unwinds.
struct Restore(Option<Context>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.with(|slot| slot.replace(self.0.take()));
    }
}
