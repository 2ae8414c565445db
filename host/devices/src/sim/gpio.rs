//! The board's lines as [`GpioController`], [`GpioLine`] and
//! [`InterruptLine`].

use std::sync::Arc;

use loopgate_workloop::{Instant, InterruptLine, InterruptSink, Trigger};

use super::delivery::Notice;
use super::pin::Pin;
use super::{Pins, SimBoard};
use crate::gpio::{Edges, Error, GpioController, GpioLine, LineInfo, LineRequest, Reservation};

/// An interrupt of a pin, as the board keeps it.
pub(super) struct InterruptState {
    edges: Edges,
    sink: Option<Arc<dyn InterruptSink>>,
    /// `Some`: the line is on. Each time it is switched on has a number of its
    /// own, so that an edge from before is not delivered after.
    enabled: Option<u64>,
    sequence: u64,
}

impl GpioController for SimBoard {
    fn reserve(&self, request: &LineRequest) -> Result<Box<dyn Reservation>, Error> {
        request.validate()?;
        let board = self
            .this
            .upgrade()
            .expect("a board is made and kept in an `Arc`");
        let pin = self.pins.lock().reserve(request)?;
        Ok(Box::new(ReservedLine {
            pin: OpenPin { board, pin },
            request: request.clone(),
        }))
    }

    fn lines(&self) -> Vec<LineInfo> {
        self.pins.lock().all.iter().map(Pin::info).collect()
    }
}

/// A line that is held, and neither driven nor biased.
struct ReservedLine {
    pin: OpenPin,
    request: LineRequest,
}

/// A requested line.
struct OpenLine {
    pin: Arc<OpenPin>,
}

/// Holds a pin; shared by a line and its interrupt.
struct OpenPin {
    board: Arc<SimBoard>,
    pin: usize,
}

/// The one interrupt of an open pin.
struct SimInterrupt {
    pin: Arc<OpenPin>,
    trigger: Trigger,
}

impl Reservation for ReservedLine {
    fn open(self: Box<Self>) -> Result<Arc<dyn GpioLine>, Error> {
        let Self { pin, request } = *self;
        let board = &pin.board;
        board.transact(|pins| pins.open(pin.pin, &request, board.clock.now()));
        Ok(Arc::new(OpenLine { pin: Arc::new(pin) }))
    }
}

impl GpioLine for OpenLine {
    fn is_high(&self) -> Result<bool, Error> {
        let board = &self.pin.board;
        let pins = board.pins.lock();
        let pin = &pins.all[self.pin.pin];
        Ok(pin.seen(|| board.clock.now()) != pin.active_low())
    }

    fn set(&self, high: bool) -> Result<(), Error> {
        let board = &self.pin.board;
        board.transact(|pins| pins.drive(self.pin.pin, high, board.clock.now()))
    }

    fn interrupt(&self, edges: Edges) -> Result<Arc<dyn InterruptLine>, Error> {
        self.pin
            .board
            .pins
            .lock()
            .add_interrupt(self.pin.pin, edges)?;
        Ok(Arc::new(SimInterrupt {
            pin: Arc::clone(&self.pin),
            trigger: edges.trigger(),
        }))
    }

    fn make_input(&self) -> Result<(), Error> {
        let board = &self.pin.board;
        board.transact(|pins| {
            pins.change(self.pin.pin, board.clock.now(), Pin::make_input);
        });
        Ok(())
    }
}

impl Drop for OpenPin {
    fn drop(&mut self) {
        self.board
            .transact(|pins| pins.close(self.pin, self.board.clock.now()));
    }
}

impl InterruptLine for SimInterrupt {
    fn trigger(&self) -> Trigger {
        self.trigger
    }

    fn register(&self, sink: Arc<dyn InterruptSink>) -> Result<(), loopgate_workloop::Error> {
        self.with_state(|state, _| {
            if state.sink.is_some() {
                return Err(loopgate_workloop::Error::NoResources);
            }
            state.sink = Some(sink);
            Ok(())
        })
        .unwrap_or(Err(loopgate_workloop::Error::NotReady))
    }

    fn unregister(&self) {
        let sink = self.with_state(|state, _| {
            state.enabled = None;
            state.sink.take()
        });
        self.pin.board.wait_for_sink(self.pin.pin);
        // With no lock held: this may be its last owner, and its drop may call
        // the board.
        drop(sink);
    }

    fn enable(&self) {
        self.with_state(|state, number| {
            if state.sink.is_some() && state.enabled.is_none() {
                state.enabled = Some(number);
            }
        });
        if self.trigger == Trigger::Level {
            let board = &self.pin.board;
            board.transact(|pins| pins.post_level(self.pin.pin, board.clock.now()));
        }
    }

    fn disable(&self) {
        self.with_state(|state, _| state.enabled = None);
        self.pin.board.wait_for_sink(self.pin.pin);
    }
}

impl SimInterrupt {
    /// Calls `f` with the state and an unused number.
    fn with_state<R>(&self, f: impl FnOnce(&mut InterruptState, u64) -> R) -> Option<R> {
        let mut pins = self.pin.board.pins.lock();
        let number = pins.delivery.number();
        pins.interrupt(self.pin.pin)
            .as_mut()
            .map(|state| f(state, number))
    }
}

impl Drop for SimInterrupt {
    fn drop(&mut self) {
        self.unregister();
        *self.pin.board.pins.lock().interrupt(self.pin.pin) = None;
    }
}

impl Pins {
    pub(super) fn find(&self, line: &str) -> Result<usize, Error> {
        self.all
            .iter()
            .position(|pin| *pin.name == *line)
            .ok_or_else(|| Error::NoLine {
                line: line.to_owned(),
                known: self.names(),
            })
    }

    /// A few of the lines, for an error.
    fn names(&self) -> String {
        const SHOWN: usize = 8;
        let shown: Vec<_> = self
            .all
            .iter()
            .take(SHOWN)
            .map(|p| format!("`{}`", p.name))
            .collect();
        match self.all.len() {
            0 => "no lines at all".to_owned(),
            n if n > SHOWN => format!("{} and {} more", shown.join(", "), n - SHOWN),
            _ => shown.join(", "),
        }
    }

    fn reserve(&mut self, request: &LineRequest) -> Result<usize, Error> {
        let index = self.find(&request.line)?;
        if let Some(consumer) = self.all[index].consumer() {
            return Err(Error::Busy {
                line: request.line.clone(),
                consumer: consumer.to_owned(),
            });
        }
        self.all[index].reserve(&request.consumer);
        Ok(index)
    }

    fn open(&mut self, index: usize, request: &LineRequest, now: Instant) {
        self.change(index, now, |pin| pin.hold(request));
        self.all[index].start_debounce(request.debounce);
    }

    fn close(&mut self, index: usize, now: Instant) {
        self.forget_settling(index);
        self.change(index, now, Pin::let_go);
    }

    fn drive(&mut self, index: usize, high: bool, now: Instant) -> Result<(), Error> {
        let pin = &self.all[index];
        if !pin.is_output() {
            return Err(Error::NotOutput {
                line: pin.name.to_string(),
            });
        }
        let high = high != pin.active_low();
        self.change(index, now, |pin| pin.output(high));
        Ok(())
    }

    fn add_interrupt(&mut self, index: usize, edges: Edges) -> Result<(), Error> {
        let pin = &mut self.all[index];
        if pin.is_output() {
            return Err(Error::NotInput {
                line: pin.name.to_string(),
            });
        }
        if pin.interrupt.is_some() {
            return Err(Error::HasInterrupt {
                line: pin.name.to_string(),
            });
        }
        pin.interrupt = Some(InterruptState {
            edges,
            sink: None,
            enabled: None,
            sequence: 0,
        });
        Ok(())
    }

    fn interrupt(&mut self, index: usize) -> &mut Option<InterruptState> {
        &mut self.all[index].interrupt
    }

    /// Posts the edge towards the voltage `high`, or the begin of that level, if anyone is to hear of it.
    pub(super) fn post_edge(&mut self, index: usize, high: bool, at: Instant) {
        let pin = &self.all[index];
        let high = high != pin.active_low();
        let Some(state) = pin
            .interrupt
            .as_ref()
            .filter(|state| state.edges.contains(high))
        else {
            return;
        };
        if let Some(enabling) = state.enabled {
            self.delivery.post(Notice::Edge {
                pin: index,
                enabling,
                high,
                at,
            });
        }
    }

    /// Posts the level that the pin has if anyone is to hear of it.
    fn post_level(&mut self, index: usize, now: Instant) {
        let high = self.all[index].seen(|| now);
        self.post_edge(index, high, now);
    }

    /// The sink for a posted edge, and the edge's number. It is given only
    /// here, so that what `disable` has overtaken leaves no gap.
    pub(super) fn count_edge(
        &mut self,
        index: usize,
        enabling: u64,
    ) -> Option<(Arc<dyn InterruptSink>, u64)> {
        let state = self.interrupt(index).as_mut()?;
        if state.enabled != Some(enabling) {
            return None;
        }
        let sink = Arc::clone(state.sink.as_ref()?);
        state.sequence += 1;
        Some((sink, state.sequence))
    }
}
