//! When a level line that the primary context switched off may come back.

use crate::sync::Mutex;

/// The line and what is counted of it change in two steps, on two threads. A
/// filter that keeps the line on, or a driver that switches it on early, lets
/// the primary context in while an action ends; then neither may take the
/// other's occurrence for its own.
pub(super) struct Mask {
    state: Mutex<State>,
}

struct State {
    /// The primary context switched the line off last.
    masked: bool,
    /// Primary contexts between switching off and counting.
    counting: u32,
}

impl Mask {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State {
                masked: false,
                counting: 0,
            }),
        }
    }

    /// Before the line goes off; [`counted`](Mask::counted) follows.
    pub(super) fn begin(&self) {
        let mut state = self.state.lock();
        state.masked = true;
        state.counting += 1;
    }

    /// Counts what the line went off for.
    pub(super) fn counted(&self, count: impl FnOnce()) {
        let mut state = self.state.lock();
        count();
        state.counting -= 1;
    }

    /// After an action: whether the line may come back, as it may if nothing
    /// `is_pending` that waits for an action of its own.
    pub(super) fn lift(&self, is_pending: impl FnOnce() -> bool) -> bool {
        let mut state = self.state.lock();
        let lifted = state.counting == 0 && !is_pending();
        if lifted {
            state.masked = false;
        }
        lifted
    }

    /// The line comes back, whatever is pending.
    pub(super) fn clear(&self) {
        self.state.lock().masked = false;
    }

    pub(super) fn is_masked(&self) -> bool {
        self.state.lock().masked
    }
}
