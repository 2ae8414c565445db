//! What clients outside ask of a board's services.

use loopgate_workloop::Context;
use parking_lot::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

/// What to ask a service.
#[derive(Clone, Debug)]
pub struct Request {
    /// Which selector.
    pub selector: SelectorName,
    /// Up to four numbers.
    pub scalars: [u64; 4],
    /// Bytes.
    pub data: Vec<u8>,
    /// The longest reply that is taken, in bytes.
    pub reply_max: u32,
    /// Whether to wait.
    pub mode: Mode,
    /// Whether it goes ahead of the queue of a serial service. What the driver
    /// does not answer at once is `busy` then.
    pub immediate: bool,
}

/// A selector by number, or by the name that the service gave it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SelectorName {
    /// By number.
    Number(u32),
    /// By name.
    Name(String),
}

/// Whether a request waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// For the gate, for a disabled gate to be enabled, for the answer; for
    /// ever, or until this much time has passed.
    Run(Option<Duration>),
    /// For nothing: `cannot-lock` where the gate is closed, `not-permitted`
    /// where it is disabled, `busy` where the answer does not come at once.
    Attempt,
}

impl Request {
    /// Asks a selector by name, and waits as long as it takes.
    pub fn named(selector: impl Into<String>) -> Self {
        Self::new(SelectorName::Name(selector.into()))
    }

    /// Asks a selector by number, and waits as long as it takes.
    pub fn numbered(selector: u32) -> Self {
        Self::new(SelectorName::Number(selector))
    }

    fn new(selector: SelectorName) -> Self {
        Self {
            selector,
            scalars: [0; 4],
            data: Vec::new(),
            reply_max: 64 << 10,
            mode: Mode::Run(None),
            immediate: false,
        }
    }

    /// With this first number.
    #[must_use]
    pub fn scalar(mut self, scalar: u64) -> Self {
        self.scalars[0] = scalar;
        self
    }

    /// With these bytes.
    #[must_use]
    pub fn data(mut self, data: impl Into<Vec<u8>>) -> Self {
        self.data = data.into();
        self
    }

    /// Ahead of the queue of a serial service.
    #[must_use]
    pub fn immediate(mut self) -> Self {
        self.immediate = true;
        self
    }

    /// Waits, or does not.
    #[must_use]
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }
}

/// Ends a call from another thread, see
/// [`Board::call_cancellable`](super::Board::call_cancellable).
#[derive(Default)]
pub struct Cancel {
    cancelled: AtomicBool,
    /// Who waits, and is to look at the flag.
    waiting: Mutex<Option<Context>>,
}

impl Cancel {
    /// Ends the wait of the call, now and of every later one with this.
    pub fn cancel(&self) {
        self.cancelled.store(true, SeqCst);
        if let Some(waiting) = &*self.waiting.lock() {
            waiting.wake();
        }
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancelled.load(SeqCst)
    }

    pub(super) fn begin(&self, cx: &Context) {
        *self.waiting.lock() = Some(cx.clone());
    }
}
