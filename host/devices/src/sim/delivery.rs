//! The board's primary context: whose turn it is to change levels, and what
//! has to be told to observers and sinks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread::{self, ThreadId};

use loopgate_workloop::{Instant, InterruptSink, Occurrence};

use super::{Change, Pins, SimBoard};

pub(super) type Observer = Arc<dyn Fn(&Change<'_>) + Send + Sync>;

/// What `Pins` knows of deliveries.
#[derive(Default)]
pub(super) struct Delivery {
    /// The thread that changes levels and delivers.
    turn: Option<ThreadId>,
    /// The pin whose sink is being called, by the thread of `turn`.
    calling: Option<usize>,
    outbox: VecDeque<Notice>,
    /// Copied on change, so that a delivery holds no lock.
    observers: Arc<[(u64, Observer)]>,
    numbers: u64,
}

/// Something to tell.
pub(super) enum Notice {
    /// To every observer.
    Change { pin: usize, high: bool, at: Instant },
    /// To the sink of the pin, if it has been enabled all the while. `high` is
    /// logical.
    Edge {
        pin: usize,
        enabling: u64,
        high: bool,
        at: Instant,
    },
}

impl Delivery {
    pub(super) fn post(&mut self, notice: Notice) {
        self.outbox.push_back(notice);
    }

    /// A number that this board has not used before.
    pub(super) fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    pub(super) fn add_observer(&mut self, observer: Observer) -> u64 {
        let id = self.number();
        self.observers = self
            .observers
            .iter()
            .cloned()
            .chain([(id, observer)])
            .collect();
        id
    }

    /// Gives what is to be dropped with no lock held.
    pub(super) fn remove_observer(&mut self, id: u64) -> Arc<[(u64, Observer)]> {
        let rest = self
            .observers
            .iter()
            .filter(|(other, _)| *other != id)
            .cloned()
            .collect();
        std::mem::replace(&mut self.observers, rest)
    }
}

impl SimBoard {
    /// Changes levels by `f` when it is this thread's turn, then delivers what
    /// came of it. From inside a delivery: changes them at once, and the
    /// delivery goes on with what came of it.
    pub(super) fn transact<R>(&self, f: impl FnOnce(&mut Pins) -> R) -> R {
        let turn = self.take_turn();
        let result = f(&mut self.pins.lock());
        if turn.is_some() {
            self.deliver();
        }
        result
    }

    /// Whether the caller is an observer or a sink.
    pub(super) fn is_delivering(&self) -> bool {
        self.pins.lock().delivery.turn == Some(thread::current().id())
    }

    /// Waits until no other thread is in the sink of `pin`. From inside that
    /// sink it returns at once.
    pub(super) fn wait_for_sink(&self, pin: usize) {
        let this = thread::current().id();
        let mut pins = self.pins.lock();
        while pins.delivery.calling == Some(pin) && pins.delivery.turn != Some(this) {
            self.delivered.wait(&mut pins);
        }
    }

    /// `None` where this thread has the turn already.
    fn take_turn(&self) -> Option<Turn<'_>> {
        let this = thread::current().id();
        let mut pins = self.pins.lock();
        if pins.delivery.turn == Some(this) {
            return None;
        }
        while pins.delivery.turn.is_some() {
            self.delivered.wait(&mut pins);
        }
        pins.delivery.turn = Some(this);
        Some(Turn(self))
    }

    fn deliver(&self) {
        loop {
            let Some(notice) = self.pins.lock().delivery.outbox.pop_front() else {
                return;
            };
            match notice {
                Notice::Change { pin, high, at } => self.tell_observers(pin, high, at),
                Notice::Edge {
                    pin,
                    enabling,
                    high,
                    at,
                } => self.call_sink(pin, enabling, high, at),
            }
        }
    }

    fn tell_observers(&self, pin: usize, high: bool, timestamp: Instant) {
        let pins = self.pins.lock();
        let observers = Arc::clone(&pins.delivery.observers);
        let line = Arc::clone(&pins.all[pin].name);
        drop(pins);
        for (_, observer) in &*observers {
            observer(&Change {
                line: &line,
                high,
                timestamp,
            });
        }
    }

    fn call_sink(&self, pin: usize, enabling: u64, high: bool, timestamp: Instant) {
        let mut pins = self.pins.lock();
        let Some((sink, sequence)) = pins.count_edge(pin, enabling) else {
            return;
        };
        pins.delivery.calling = Some(pin);
        drop(pins);
        let call = Call(self, Some(sink));
        if let Some(sink) = &call.1 {
            sink.interrupt_occurred(Occurrence {
                sequence,
                timestamp,
                high,
            });
        }
    }
}

/// The right to change levels; given up on drop, also by a panic.
struct Turn<'a>(&'a SimBoard);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.pins.lock().delivery.turn = None;
        self.0.delivered.notify_all();
    }
}

/// A running call of a sink; over on drop, also by a panic. The sink is dropped
/// before that: who waits for the end of the call finds nothing of it that still
/// holds the pin. Where it is the last of its kind it unregisters itself, from
/// within its own call, which waits for nothing.
struct Call<'a>(&'a SimBoard, Option<Arc<dyn InterruptSink>>);

impl Drop for Call<'_> {
    fn drop(&mut self) {
        drop(self.1.take());
        self.0.pins.lock().delivery.calling = None;
        self.0.delivered.notify_all();
    }
}
