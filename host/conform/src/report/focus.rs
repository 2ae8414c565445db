//! The moment that a report shows first.

use std::ops::Range;

use super::{Moment, MomentKind, Outcome, ScenarioResult};

/// Where a scenario failed.
#[derive(Clone, Copy)]
pub(super) struct Focus {
    /// When.
    pub(super) at_ns: u64,
    /// Which moment of the timeline.
    index: usize,
}

impl Focus {
    /// The first that was expected and did not come; else the last that happened before
    /// it failed.
    pub(super) fn of(scenario: &ScenarioResult) -> Option<Self> {
        let Outcome::Failed(_) = &scenario.outcome else {
            return None;
        };
        let timeline = &scenario.timeline;
        let missed = timeline
            .iter()
            .position(|moment| moment.kind == MomentKind::Missed);
        let index = missed.unwrap_or(timeline.len().saturating_sub(1));
        let at_ns = timeline
            .get(index)
            .map_or(scenario.length_ns, |moment| moment.at_ns);
        Some(Self { at_ns, index })
    }
}

/// So many moments before and after it; the first ones where nothing failed.
pub(super) fn around(
    timeline: &[Moment],
    focus: Option<Focus>,
    (before, after): (usize, usize),
) -> Range<usize> {
    let index = focus.map_or(0, |focus| focus.index);
    let first = index.saturating_sub(before).min(timeline.len());
    first..(first + before + 1 + after).min(timeline.len())
}
