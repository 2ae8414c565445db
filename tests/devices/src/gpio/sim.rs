//! The simulated board, in virtual time.

use std::sync::Arc;

use loopgate_devices::gpio::GpioController;
use loopgate_devices::sim::{Pull, SimBoard, SimLineConfig};
use loopgate_workloop::{Clock, Instant, VirtualClock};

use super::Bench;
use crate::Feature;

/// Eight lines of a simulated board.
pub struct Simulated {
    clock: Arc<VirtualClock>,
    board: Arc<SimBoard>,
}

impl Simulated {
    /// A board of its own.
    #[must_use]
    pub fn new() -> Self {
        let clock = Arc::new(VirtualClock::new());
        let lines = (0..8).map(|number| SimLineConfig::new(name(number), Pull::Down));
        let board = SimBoard::new(clock.clone(), lines.collect());
        Self { clock, board }
    }
}

impl Default for Simulated {
    fn default() -> Self {
        Self::new()
    }
}

impl Bench for Simulated {
    fn controller(&self) -> Arc<dyn GpioController> {
        self.board.clone()
    }

    fn line(&self, number: usize) -> String {
        name(number)
    }

    fn drive(&self, line: &str, high: bool) {
        self.board.set(line, high).unwrap();
    }

    fn level(&self, line: &str) -> bool {
        let shown = self.board.show();
        let state = shown.iter().find(|state| state.name == line);
        state.expect("the board has the line").high
    }

    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn pass(&self) {
        if let Some(due) = self.board.next_due() {
            self.clock.advance_to(due);
            self.board.run_due(due);
        }
    }

    fn has(&self, _: Feature) -> bool {
        false
    }
}

fn name(number: usize) -> String {
    format!("L{number}")
}
