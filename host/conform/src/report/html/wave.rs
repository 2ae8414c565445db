//! A scenario's lines, drawn as SVG. Lengths count tenths of a pixel.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use super::super::axis::{self, Axis, Sizes};
use super::super::escape::text;
use super::super::focus::Focus;
use super::super::{Moment, MomentKind, ScenarioResult, Wave, span};
use super::{kind, overview};

mod line;
mod time;

use line::Line;

/// The whole of a scenario, which scrolls sideways.
const WHOLE: Sizes = Sizes {
    interval: 50,
    quiet: 640,
    fill: 9_000,
    most: 160_000,
};
/// What is around the failure, as wide as a phone has room for.
const AROUND: Sizes = Sizes {
    interval: 60,
    quiet: 420,
    fill: 2_400,
    most: 2_560,
};
/// How many edges and steps stand before the moment that failed, and how many after it.
const BEFORE: usize = 7;
const AFTER: usize = 2;
/// The most lines that are drawn, and what the width of all together may be.
const LINES: usize = 64;
const WIDTH_OF_ALL: u64 = 640_000;
/// The most steps that are marked.
const STEPS: usize = 1_000;

const SIDE: u64 = 100;
const TOP: u64 = 320;
const ROW: u64 = 300;
const HIGH: u64 = 50;
const BOTTOM: u64 = 260;
const CHARACTER: u64 = 66;
const NAME: usize = 16;

/// The drawings of a scenario: around its failure, and the whole.
pub(super) fn figures(nth: usize, scenario: &ScenarioResult, focus: Option<Focus>) -> String {
    if scenario.waves.is_empty() {
        return String::new();
    }
    let id = format!("wave-{nth}");
    let points = axis::points(scenario);
    let lines = scenario.waves.len().min(LINES) as u64;
    let most = WHOLE.most.min(WIDTH_OF_ALL / lines);
    let whole = Drawing::new(scenario, &points, Sizes { most, ..WHOLE }, focus);
    let overview = overview::of(&whole, &id);
    let whole = whole.figure("The whole scenario", &overview, Some(&id));
    let Some(focus) = focus else {
        return whole;
    };
    let at = points.partition_point(|&point| point < focus.at_ns);
    let end = (at + AFTER + 1).min(points.len());
    let first = at.saturating_sub(BEFORE).min(end - 1);
    if end - first == points.len() {
        return whole;
    }
    let around = Drawing::new(scenario, &points[first..end], AROUND, Some(focus));
    let time = span::exact(focus.at_ns);
    let caption = format!("Around the failure at <a href=\"#{id}-focus\">{time}</a>");
    around.figure(&caption, "", None) + &whole
}

pub(super) struct Drawing<'a> {
    pub(super) lines: Vec<(&'a str, &'a Wave)>,
    pub(super) axis: Axis,
    pub(super) times: RangeInclusive<u64>,
    steps: Vec<(usize, &'a Moment)>,
    left_out: usize,
    focus: Option<u64>,
}

impl<'a> Drawing<'a> {
    fn new(
        scenario: &'a ScenarioResult,
        points: &[u64],
        sizes: Sizes,
        focus: Option<Focus>,
    ) -> Self {
        let times = points[0]..=points[points.len() - 1];
        let interval = axis::interval(scenario.waves.values(), &times);
        let steps = scenario
            .timeline
            .iter()
            .filter(|moment| axis::is_step(moment));
        let steps = steps.enumerate().map(|(nth, moment)| (nth + 1, moment));
        let waves = scenario.waves.iter().take(LINES);
        Self {
            lines: waves.map(|(name, wave)| (name.as_str(), wave)).collect(),
            axis: Axis::new(points, interval, sizes),
            steps: steps
                .filter(|(_, step)| times.contains(&step.at_ns))
                .collect(),
            times,
            left_out: scenario.waves.len().saturating_sub(LINES),
            focus: focus.map(|focus| focus.at_ns),
        }
    }

    /// What is missed, and when.
    pub(super) fn missed(&self) -> impl Iterator<Item = u64> {
        let missed = self
            .steps
            .iter()
            .filter(|(_, step)| step.kind == MomentKind::Missed);
        missed.map(|(_, step)| step.at_ns)
    }

    /// With `id`, what is before and after a quiet span can be linked to.
    fn figure(&self, caption: &str, overview: &str, id: Option<&str>) -> String {
        let (names, lines) = (self.names(), self.drawn_lines());
        let width = px(self.axis.width() + 2 * SIDE);
        let height = px(self.height());
        format!(
            "<figure><figcaption>{caption}{}</figcaption>{overview}\
             <div class=\"frame\">{names}<div class=\"scroll\" tabindex=\"0\" role=\"region\" \
             aria-label=\"Lines\"><svg class=\"wave\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"-{} 0 {width} {height}\">\n{}{}{}{}{}</svg></div></div></figure>\n",
            self.legend(&lines),
            px(SIDE),
            self.quiet_spans(),
            self.time_axis(id),
            self.focus(id),
            Self::waves(&lines),
            self.marks(),
        )
    }

    fn legend(&self, lines: &[(&str, Line)]) -> String {
        let mut legend = String::new();
        if self.axis.pieces().iter().any(|piece| piece.quiet) {
            legend += "; grey spans are quiet and drawn short";
        }
        if lines.iter().any(|(_, line)| !line.blocks.is_empty()) {
            legend += "; filled blocks are more edges than fit";
        }
        if self.left_out > 0 {
            let more = self.left_out;
            let _ = write!(legend, "; {more} more lines are in the JSON report");
        }
        legend
    }

    fn drawn_lines(&self) -> Vec<(&str, Line)> {
        let tops = (0_u64..).map(|nth| TOP + ROW * nth + HIGH);
        let lines = self
            .lines
            .iter()
            .zip(tops)
            .map(|(&(name, wave), top)| (name, Line::new(wave, &self.axis, &self.times, top)));
        lines.collect()
    }

    fn height(&self) -> u64 {
        TOP + ROW * self.lines.len() as u64 + BOTTOM
    }

    fn names(&self) -> String {
        let longest = self
            .lines
            .iter()
            .map(|(name, _)| name.chars().count().min(NAME));
        let width = px(longest.max().unwrap_or(0) as u64 * 74 + 80);
        let names = self.lines.iter().zip(0_u64..).map(|(&(name, _), nth)| {
            let y = px(TOP + ROW * nth + HIGH + 140);
            let long = name.chars().count() > NAME;
            let short: String = name
                .chars()
                .take(if long { NAME - 1 } else { NAME })
                .collect();
            let dots = if long { "…" } else { "" };
            let (title, short) = (text(name), text(&short));
            format!("<text y=\"{y}\"><title>{title}</title>{short}{dots}</text>\n")
        });
        let (names, height) = (names.collect::<String>(), px(self.height()));
        format!("<svg class=\"names\" width=\"{width}\" height=\"{height}\">\n{names}</svg>")
    }

    fn focus(&self, id: Option<&str>) -> String {
        let Some(focus) = self.focus else {
            return String::new();
        };
        let id = id.map_or(String::new(), |id| format!(" id=\"{id}-focus\""));
        let (x, top) = (px(self.axis.x(focus)), px(TOP - 20));
        let bottom = px(TOP + ROW * self.lines.len() as u64);
        format!("<path{id} class=\"focus\" d=\"M{x} {top}V{bottom}\"/>\n")
    }

    fn waves(lines: &[(&str, Line)]) -> String {
        let waves = lines.iter().map(|(name, Line { path, blocks, .. })| {
            let title = text(name);
            format!(
                "<g><title>{title}</title><path class=\"block\" d=\"{blocks}\"/>\
                 <path class=\"line\" d=\"{path}\"/></g>\n"
            )
        });
        waves.collect()
    }

    /// What was done and expected, with its number in the timeline where that fits: what was
    /// missed comes first.
    fn marks(&self) -> String {
        let (missed, others): (Vec<_>, Vec<_>) =
            (self.steps.iter()).partition(|(_, step)| step.kind == MomentKind::Missed);
        let mut marks = Vec::new();
        let mut taken: Vec<(u64, u64)> = Vec::new();
        for &(number, step) in missed.into_iter().chain(others).take(STEPS) {
            let half = (number.to_string().len() as u64 * 34).max(50) + 30;
            let middle = self.axis.x(step.at_ns) + SIDE;
            let place = (middle - half.min(middle), middle + half);
            let fits = taken
                .iter()
                .all(|other| place.1 <= other.0 || other.1 <= place.0);
            if fits {
                taken.push(place);
            }
            marks.push(self.mark(number, step, fits.then_some(half)));
        }
        // The last is drawn over the others.
        marks.reverse();
        marks.concat()
    }

    fn mark(&self, number: usize, step: &Moment, half: Option<u64>) -> String {
        let bottom = TOP + ROW * self.lines.len() as u64;
        let (x, top, y) = (self.axis.x(step.at_ns), px(TOP - 20), px(bottom + 50));
        let (class, word) = kind(step.kind);
        let title = format!("{} {word}: {}", span::exact(step.at_ns), step.text);
        let title = text(&title);
        let middle = px(x);
        let label = half.map_or(String::new(), |half| {
            let (left, width, base) = (signed_px(x, half), px(2 * half), px(bottom + 168));
            format!(
                "<rect x=\"{left}\" y=\"{y}\" width=\"{width}\" height=\"16\" rx=\"8\"/>\
                 <text x=\"{middle}\" y=\"{base}\">{number}</text>"
            )
        });
        format!(
            "<g class=\"step {class}\"><title>{title}</title>\
             <path d=\"M{middle} {top}V{y}\"/>{label}</g>\n"
        )
    }
}

/// Tenths of a pixel as pixels.
pub(super) fn px(tenths: u64) -> String {
    match tenths % 10 {
        0 => format!("{}", tenths / 10),
        rest => format!("{}.{rest}", tenths / 10),
    }
}

/// Left of `x` by `half`, which may be before the begin.
fn signed_px(x: u64, half: u64) -> String {
    if x >= half {
        px(x - half)
    } else {
        format!("-{}", px(half - x))
    }
}
