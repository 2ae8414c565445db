//! The Gray code of a rotary encoder: two pins of which one changes with each
//! step, and which one tells the direction.

use serde::{Deserialize, Serialize};

/// What a step from one state to another counts. A state is `a` and `b` as two
/// bits; forwards is 00, 10, 11, 01. `None`: both pins at once, which is no step.
#[rustfmt::skip]
const STEPS: [[Option<i64>; 4]; 4] = [
    // to 00   01        10        11
    [Some(0),  Some(-1), Some(1),  None],     // from 00
    [Some(1),  Some(0),  None,     Some(-1)], // from 01
    [Some(-1), None,     Some(0),  Some(1)],  // from 10
    [None,     Some(1),  Some(-1), Some(0)],  // from 11
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Pin {
    A = 0b10,
    B = 0b01,
}

/// A pin's level has changed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Edge {
    /// In nanoseconds.
    pub(crate) at: u64,
    pub(crate) pin: Pin,
    pub(crate) high: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Decoder {
    state: usize,
    count: i64,
    errors: u64,
}

impl Decoder {
    pub(crate) fn new(a: bool, b: bool) -> Self {
        Self {
            state: usize::from(a) << 1 | usize::from(b),
            count: 0,
            errors: 0,
        }
    }

    /// Steps, forwards less back.
    pub(crate) fn count(&self) -> i64 {
        self.count
    }

    /// Steps that cannot be.
    pub(crate) fn errors(&self) -> u64 {
        self.errors
    }

    /// Edges in the order of time. Those of one time make one step.
    pub(crate) fn decode(&mut self, edges: &[Edge]) {
        for step in edges.chunk_by(|one, next| one.at == next.at) {
            let next = step.iter().fold(self.state, |state, edge| {
                let pin = edge.pin as usize;
                if edge.high { state | pin } else { state & !pin }
            });
            match STEPS[self.state][next] {
                Some(step) => self.count += step,
                None => self.errors += 1,
            }
            self.state = next;
        }
    }
}

#[cfg(test)]
mod tests;
