//! The path of one line, from left to right.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use super::super::super::Wave;
use super::super::super::axis::{Axis, level_before, within};
use super::px;

/// How far the low level is below the high one.
const SWING: u64 = 180;
/// Edges that are closer together are drawn as one block.
const DENSE: u64 = 30;

/// A line, as SVG's paths.
pub(super) struct Line {
    /// Its levels and edges.
    pub(super) path: String,
    /// The blocks where its edges are too dense to draw.
    pub(super) blocks: String,
    x: u64,
    top: u64,
}

impl Line {
    /// With its high level at `top`.
    pub(super) fn new(wave: &Wave, axis: &Axis, times: &RangeInclusive<u64>, top: u64) -> Self {
        let mut high = level_before(wave, *times.start());
        let mut line = Self {
            path: String::new(),
            blocks: String::new(),
            x: 0,
            top,
        };
        line.begin(high);
        let x = |time: u64| axis.x(time);
        for near in within(wave, times).chunk_by(|&a, &b| x(b) - x(a) < DENSE) {
            if near.len() > 2 {
                high ^= !near.len().is_multiple_of(2);
                line.block(x(near[0]), x(near[near.len() - 1]), high);
            } else {
                for &change in near {
                    high = !high;
                    line.change(x(change), high);
                }
            }
        }
        line.to(axis.width());
        line
    }

    fn begin(&mut self, high: bool) {
        let y = self.top + if high { 0 } else { SWING };
        // Writing to a `String` does not fail.
        let _ = write!(self.path, "M{} {}", px(self.x), px(y));
    }

    fn to(&mut self, x: u64) {
        if x > self.x {
            let _ = write!(self.path, "h{}", px(x - self.x));
            self.x = x;
        }
    }

    fn change(&mut self, x: u64, high: bool) {
        self.to(x);
        let sign = if high { "-" } else { "" };
        let _ = write!(self.path, "v{sign}{}", px(SWING));
    }

    /// Edges from one place to the next, and the level after them.
    fn block(&mut self, from: u64, to: u64, high: bool) {
        self.to(from);
        let (width, height) = (px((to - from).max(10)), px(SWING));
        let (x, y) = (px(from), px(self.top));
        let _ = write!(self.blocks, "M{x} {y}h{width}v{height}h-{width}z");
        self.x = to;
        self.begin(high);
    }
}
