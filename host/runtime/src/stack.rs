//! Room on the stack before a guest is entered.

use crate::limits::{HOST_FRAMES, NESTING, STACK};
use std::cell::Cell;

thread_local! {
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Stack for a thread that runs handlers, or starts, stops and calls drivers: every
/// nested guest may use its limit, since the engine measures each from where its
/// call begins. A program's first thread may not do: not every C library tells how
/// far its stack can grow.
pub const THREAD_STACK: usize = NESTING as usize * (STACK + HOST_FRAMES) + (512 << 10);

/// A guest on this thread's stack.
pub(crate) struct Entered(());

/// Admits one more guest on this thread's stack, unless there are too many
/// already or the thread (a client's, of whatever size) has no room for it.
pub(crate) fn enter() -> Option<Entered> {
    has_room().then(|| {
        DEPTH.set(DEPTH.get() + 1);
        Entered(())
    })
}

/// Whether one more would be admitted.
pub(crate) fn has_room() -> bool {
    let room = || stacker::remaining_stack().is_none_or(|left| left >= STACK + HOST_FRAMES);
    DEPTH.get() < NESTING && room()
}

impl Drop for Entered {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nesting_is_bounded_and_given_back() {
        let entered: Vec<_> = std::iter::from_fn(enter).collect();
        assert_eq!(entered.len(), NESTING as usize);
        drop(entered);
        assert!(enter().is_some());
    }

    #[test]
    fn a_thread_without_room_is_refused() {
        let small = std::thread::Builder::new()
            .stack_size(STACK / 2)
            .spawn(|| enter().is_none())
            .unwrap();
        assert!(small.join().unwrap());
    }
}
