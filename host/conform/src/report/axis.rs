//! Time along a drawing: to scale where something happens, short where nothing does.

use std::ops::RangeInclusive;

use super::{Moment, MomentKind, ScenarioResult, Wave};

/// What the drawing has room for, in the units that it is drawn in.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    /// The width of an interval that is among the short ones.
    pub(super) interval: u64,
    /// The width of a quiet span: one that would be more than twice as wide.
    pub(super) quiet: u64,
    /// The width that is used where less would do.
    pub(super) fill: u64,
    /// The width that is never passed.
    pub(super) most: u64,
}

/// Where each time stands.
pub(super) struct Axis {
    pieces: Vec<Piece>,
    scale: Scale,
}

/// A span of time with one scale.
#[derive(Clone, Copy)]
pub(super) struct Piece {
    /// Its first time.
    pub(super) from: u64,
    /// Its last one.
    pub(super) to: u64,
    /// Where it begins.
    pub(super) x: u64,
    /// How wide it is.
    pub(super) width: u64,
    /// Whether it is drawn shorter than the scale has it.
    pub(super) quiet: bool,
}

/// Picoseconds in a unit of the drawing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Scale(u128);

/// How many intervals may be shorter than the one that the scale is chosen for: one in ten.
const SHORT: usize = 10;
/// How much wider an interval may get, to fill a drawing of few.
const STRETCH: u128 = 8;

impl Axis {
    /// An axis of the times between the first of `points` and the last. Nothing happens but
    /// at these points, which are in order.
    pub(super) fn new(points: &[u64], interval: Option<u64>, sizes: Sizes) -> Self {
        let gaps: Vec<u64> = points.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let (scale, quiet) = Scale::choose(&gaps, interval, sizes);
        let mut axis = Self {
            pieces: Vec::new(),
            scale,
        };
        for pair in points.windows(2) {
            axis.append(pair[0], pair[1], quiet);
        }
        axis
    }

    /// Where `time` stands; times outside stand at the ends.
    pub(super) fn x(&self, time: u64) -> u64 {
        let after = self.pieces.partition_point(|piece| piece.to < time);
        let Some(piece) = self.pieces.get(after) else {
            return self.width();
        };
        let passed = u128::from(time.saturating_sub(piece.from)) * u128::from(piece.width);
        piece.x + (passed / u128::from((piece.to - piece.from).max(1))) as u64
    }

    pub(super) fn width(&self) -> u64 {
        self.pieces.last().map_or(0, |last| last.x + last.width)
    }

    pub(super) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The shortest round span of time that is at least so wide.
    pub(super) fn round_span(&self, width: u64) -> u64 {
        let round = (0..19).flat_map(|power| [1, 2, 5].map(|digit| digit * 10_u64.pow(power)));
        let mut round = round.filter(|&span| self.scale.width(span) >= width);
        round.next().unwrap_or(u64::MAX)
    }

    fn append(&mut self, from: u64, to: u64, quiet: Option<u64>) {
        let (x, scale) = (self.width(), self.scale);
        let width = scale.shortened(to - from, quiet);
        let quiet = width < scale.width(to - from);
        match self.pieces.last_mut() {
            Some(last) if !quiet && !last.quiet => {
                last.to = to;
                last.width = scale.width(to - last.from);
            }
            _ => self.pieces.push(Piece {
                from,
                to,
                x,
                width,
                quiet,
            }),
        }
    }
}

impl Scale {
    /// With the width of quiet spans, unless all fits to scale.
    fn choose(gaps: &[u64], interval: Option<u64>, sizes: Sizes) -> (Self, Option<u64>) {
        let length = gaps.iter().copied().fold(0, u64::saturating_add);
        let filling = Self::of(length, sizes.fill);
        let fine = interval.map_or(filling, |interval| Self::of(interval, sizes.interval));
        if filling <= fine {
            return (filling, None);
        }
        let quiet = Some(sizes.quiet);
        let finest = Self((fine.0 / STRETCH).max(1));
        let width = |scale: Self| -> u64 {
            let widths = gaps.iter().map(|&gap| scale.shortened(gap, quiet));
            widths.fold(0, u64::saturating_add)
        };
        let scale = if width(fine) > sizes.most {
            Self::finest(fine, Self::of(length, 1), |scale| {
                width(scale) <= sizes.most
            })
        } else if width(fine) < sizes.fill {
            Self::finest(finest, fine, |scale| width(scale) <= sizes.fill)
        } else {
            fine
        };
        (scale, quiet)
    }

    /// One from `fine` to `coarse` for which `fits` holds, as it does for `coarse`: the finest,
    /// but for quiet spans, which are shorter at a finer scale.
    fn finest(fine: Self, coarse: Self, fits: impl Fn(Self) -> bool) -> Self {
        let (mut fine, mut coarse) = (fine.0, coarse.0);
        while fine < coarse {
            let middle = fine + (coarse - fine) / 2;
            if fits(Self(middle)) {
                coarse = middle;
            } else {
                fine = middle + 1;
            }
        }
        Self(coarse)
    }

    /// That at which `span` is so wide.
    fn of(span: u64, width: u64) -> Self {
        Self((u128::from(span) * 1000).div_ceil(u128::from(width)).max(1))
    }

    fn shortened(self, span: u64, quiet: Option<u64>) -> u64 {
        let width = self.width(span);
        match quiet {
            Some(quiet) if width / 2 > quiet => quiet,
            _ => width,
        }
    }

    fn width(self, span: u64) -> u64 {
        u64::try_from(u128::from(span) * 1000 / self.0).unwrap_or(u64::MAX)
    }
}

/// When something happens that is drawn: its begin and end, its edges, and what was done or
/// expected. In order, each once.
pub(super) fn points(scenario: &ScenarioResult) -> Vec<u64> {
    let edges = scenario.waves.values().flat_map(|wave| &wave.changes_ns);
    let steps = scenario.timeline.iter().filter(|moment| is_step(moment));
    let mut points: Vec<u64> = edges.copied().collect();
    points.extend(steps.map(|moment| moment.at_ns));
    points.extend([0, scenario.length_ns]);
    points.sort_unstable();
    points.dedup();
    points
}

/// Whether it is the scenario's, not the driver's.
pub(super) fn is_step(moment: &Moment) -> bool {
    moment.kind != MomentKind::Seen
}

/// An interval between edges of one line that only few are shorter than.
pub(super) fn interval<'a>(
    waves: impl Iterator<Item = &'a Wave>,
    times: &RangeInclusive<u64>,
) -> Option<u64> {
    let intervals = waves.flat_map(|wave| {
        let inside = within(wave, times).windows(2);
        inside.map(|pair| pair[1].saturating_sub(pair[0]))
    });
    let mut intervals: Vec<u64> = intervals.filter(|&interval| interval > 0).collect();
    intervals.sort_unstable();
    intervals.get(intervals.len() / SHORT).copied()
}

/// The changes of a line in that time.
pub(super) fn within<'a>(wave: &'a Wave, times: &RangeInclusive<u64>) -> &'a [u64] {
    let changes = &wave.changes_ns;
    let first = changes.partition_point(|change| change < times.start());
    let end = changes.partition_point(|change| change <= times.end());
    changes.get(first..end).unwrap_or_default()
}

/// The level of a line before whatever changes at `time`.
pub(super) fn level_before(wave: &Wave, time: u64) -> bool {
    let before = wave.changes_ns.partition_point(|&change| change < time);
    wave.initial ^ !before.is_multiple_of(2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes {
        interval: 50,
        quiet: 600,
        fill: 6000,
        most: 100_000,
    };

    #[test]
    fn what_fits_is_to_scale() {
        let axis = Axis::new(&[0, 1000, 2000, 3000], Some(1000), SIZES);
        assert_eq!(axis.pieces().len(), 1);
        assert_eq!(
            [0, 1500, 3000, 9000].map(|time| axis.x(time)),
            [0, 3000, 6000, 6000]
        );
        assert_eq!(axis.round_span(700), 500);
    }

    #[test]
    fn quiet_spans_are_short() {
        let second = 1_000_000_000;
        let points = [0, 10, 20, second, second + 10, second + 20];
        let axis = Axis::new(&points, Some(10), SIZES);
        let quiet: Vec<bool> = axis.pieces().iter().map(|piece| piece.quiet).collect();
        assert_eq!(quiet, [false, true, false]);
        assert_eq!(axis.pieces()[1].width, SIZES.quiet);
        assert_eq!(
            axis.x(10) - axis.x(0),
            axis.x(second + 20) - axis.x(second + 10)
        );
    }

    #[test]
    fn the_width_is_bounded_whatever_comes() {
        let busy: Vec<u64> = (0..100_000).map(|n| n * n * 7).collect();
        for points in [vec![0], vec![0, u64::MAX], vec![0, 1, u64::MAX], busy] {
            for interval in [None, Some(1), Some(u64::MAX)] {
                let axis = Axis::new(&points, interval, SIZES);
                assert!(axis.width() <= SIZES.most + points.len() as u64);
                let xs: Vec<u64> = points.iter().map(|&point| axis.x(point)).collect();
                assert!(xs.is_sorted());
            }
        }
    }
}
