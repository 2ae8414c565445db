//! Locks, atomics, threads and queues, from one place, so that the feature
//! `shuttle` can replace them all and explore their schedules.
//!
//! The platform provides: `Mutex` (lock without poisoning), `Condvar`,
//! `Parker`, `Ring`, `atomic`, `thread`, `thread_local`.

#[cfg(not(feature = "shuttle"))]
pub(crate) use real::*;
#[cfg(feature = "shuttle")]
pub(crate) use simulated::*;

#[cfg(not(feature = "shuttle"))]
mod real {
    use std::time::Duration;

    pub(crate) use crossbeam_queue::ArrayQueue as Ring;
    pub(crate) use parking_lot::Mutex;
    pub(crate) use std::sync::atomic;
    pub(crate) use std::thread;
    pub(crate) use std::thread_local;

    use atomic::{AtomicU8, Ordering};
    use parking_lot::MutexGuard;

    pub(crate) struct Condvar(parking_lot::Condvar);

    impl Condvar {
        pub(crate) const fn new() -> Self {
            Self(parking_lot::Condvar::new())
        }

        /// May return early.
        pub(crate) fn wait<'a, T>(&self, mut held: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
            self.0.wait(&mut held);
            held
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    const EMPTY: u8 = 0;
    const PARKED: u8 = 1;
    const NOTIFIED: u8 = 2;

    /// A wake-up token and a place to wait for it. Unlike
    /// `std::thread::park` it belongs to no thread, so that a context can be
    /// entered on any; and waking one that does not wait is a single swap.
    pub(crate) struct Parker {
        state: AtomicU8,
        lock: Mutex<()>,
        woken: parking_lot::Condvar,
    }

    impl Parker {
        pub(crate) fn new() -> Self {
            Self {
                state: AtomicU8::new(EMPTY),
                lock: Mutex::new(()),
                woken: parking_lot::Condvar::new(),
            }
        }

        /// Waits for the token, at most for `limit`, and takes it. May return
        /// early.
        pub(crate) fn park(&self, limit: Option<Duration>) {
            if self.take() {
                return;
            }
            let mut held = self.lock.lock();
            let parked =
                self.state
                    .compare_exchange(EMPTY, PARKED, Ordering::Acquire, Ordering::Acquire);
            if parked.is_ok() {
                match limit {
                    Some(limit) => drop(self.woken.wait_for(&mut held, limit)),
                    None => self.woken.wait(&mut held),
                }
            }
            self.state.swap(EMPTY, Ordering::Acquire);
        }

        pub(crate) fn unpark(&self) {
            if self.state.swap(NOTIFIED, Ordering::Release) == PARKED {
                // Between its change to PARKED and its wait the other side
                // holds the lock; without taking it the call could come in
                // between and be lost.
                drop(self.lock.lock());
                self.woken.notify_one();
            }
        }

        /// Takes the token without waiting.
        pub(crate) fn take(&self) -> bool {
            self.state
                .compare_exchange(NOTIFIED, EMPTY, Ordering::Acquire, Ordering::Relaxed)
                .is_ok()
        }
    }
}

#[cfg(feature = "shuttle")]
mod simulated {
    use std::collections::VecDeque;
    use std::sync::PoisonError;
    use std::time::Duration;

    pub(crate) use shuttle::sync::atomic;
    pub(crate) use shuttle::thread;
    pub(crate) use shuttle::thread_local;

    use shuttle::sync::MutexGuard;

    pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(shuttle::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    pub(crate) struct Condvar(shuttle::sync::Condvar);

    impl Condvar {
        pub(crate) fn new() -> Self {
            Self(shuttle::sync::Condvar::new())
        }

        pub(crate) fn wait<'a, T>(&self, held: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
            self.0.wait(held).unwrap_or_else(PoisonError::into_inner)
        }

        pub(crate) fn notify_all(&self) {
            self.0.notify_all();
        }
    }

    /// As the real one; `limit` never passes, since there is no real time.
    pub(crate) struct Parker {
        token: Mutex<bool>,
        woken: shuttle::sync::Condvar,
    }

    impl Parker {
        pub(crate) fn new() -> Self {
            Self {
                token: Mutex::new(false),
                woken: shuttle::sync::Condvar::new(),
            }
        }

        pub(crate) fn park(&self, _limit: Option<Duration>) {
            let mut token = self.token.lock();
            while !*token {
                token = self
                    .woken
                    .wait(token)
                    .unwrap_or_else(PoisonError::into_inner);
            }
            *token = false;
        }

        pub(crate) fn unpark(&self) {
            *self.token.lock() = true;
            self.woken.notify_one();
        }

        pub(crate) fn take(&self) -> bool {
            std::mem::take(&mut *self.token.lock())
        }
    }

    /// A bounded queue with the interface of crossbeam's.
    pub(crate) struct Ring<T> {
        items: Mutex<VecDeque<T>>,
        capacity: usize,
    }

    impl<T> Ring<T> {
        pub(crate) fn new(capacity: usize) -> Self {
            Self {
                items: Mutex::new(VecDeque::with_capacity(capacity)),
                capacity,
            }
        }

        pub(crate) fn capacity(&self) -> usize {
            self.capacity
        }

        pub(crate) fn force_push(&self, item: T) -> Option<T> {
            let mut items = self.items.lock();
            let displaced = (items.len() == self.capacity)
                .then(|| items.pop_front())
                .flatten();
            items.push_back(item);
            displaced
        }

        pub(crate) fn pop(&self) -> Option<T> {
            self.items.lock().pop_front()
        }
    }
}
